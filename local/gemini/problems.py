"""Refusals in the words and the JSON shape of Google's APIs."""

from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]
_RPC = "type.googleapis.com/google.rpc"
_SERVICE = "generativelanguage.googleapis.com"
_LIMITS_PAGE = "https://ai.google.dev/gemini-api/docs/rate-limits"


@dataclass
class Problem(Exception):
    """Raised anywhere below a route, answered as `{"error": {...}}` with its HTTP status."""

    code: int
    status: str
    message: str
    details: list[JSON] = field(default_factory=list)

    def body(self) -> JSON:
        error: JSON = {"code": self.code, "message": self.message, "status": self.status}
        return {"error": error | ({"details": self.details} if self.details else {})}


@dataclass(frozen=True)
class Quota:
    """Which limit was exceeded, in the words of a QuotaFailure."""

    metric: str
    id: str
    value: int


def requests_per_minute(limit: int, tier: str = "-FreeTier") -> Quota:
    kind = "free_tier" if tier else "paid_tier"
    return Quota(
        f"{_SERVICE}/generate_content_{kind}_requests",
        f"GenerateRequestsPerMinutePerProjectPerModel{tier}",
        limit,
    )


def requests_per_day(limit: int) -> Quota:
    return Quota(
        f"{_SERVICE}/generate_content_free_tier_requests",
        "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
        limit,
    )


def tokens_per_minute(limit: int) -> Quota:
    return Quota(
        f"{_SERVICE}/generate_content_paid_tier_input_token_count",
        "GenerateContentPaidTierInputTokensPerModelPerMinute",
        limit,
    )


def bad_request(message: str, details: list[JSON] | None = None) -> Problem:
    return Problem(400, "INVALID_ARGUMENT", message, details or [])


def short_deadline(seconds: float, least: float) -> Problem:
    return bad_request(f"Manually set deadline {seconds:g}s is too short. Minimum allowed deadline is {least:g}s.")


def no_key() -> Problem:
    return Problem(
        403,
        "PERMISSION_DENIED",
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API.",
    )


def invalid_key() -> Problem:
    message = "API key not valid. Please pass a valid API key."
    reason = {
        "@type": f"{_RPC}.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {"service": _SERVICE},
    }
    return bad_request(message, [reason, {"@type": f"{_RPC}.LocalizedMessage", "locale": "en-US", "message": message}])


def unknown_model(model: str, method: str, version: str) -> Problem:
    return Problem(
        404,
        "NOT_FOUND",
        f"models/{model} is not found for API version {version}, or is not supported for {method}. "
        "Call ListModels to see the list of available models and their supported methods.",
    )


def exhausted(quota: Quota, model: str, retry_delay: str) -> Problem:
    """429. The delay is sent with a spent day too, and is short there as well: the quota's id is what tells."""
    seconds = retry_delay.removesuffix("s")
    violation = {
        "quotaMetric": quota.metric,
        "quotaId": quota.id,
        "quotaDimensions": {"location": "global", "model": model},
        "quotaValue": str(quota.value),
    }
    link = {"description": "Learn more about Gemini API quotas", "url": _LIMITS_PAGE}
    return Problem(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details. For more information on "
        f"this error, head to: {_LIMITS_PAGE}.\n* Quota exceeded for metric: {quota.metric}, "
        f"limit: {quota.value}, model: {model}\nPlease retry in {seconds}s.",
        [
            {"@type": f"{_RPC}.QuotaFailure", "violations": [violation]},
            {"@type": f"{_RPC}.Help", "links": [link]},
            {"@type": f"{_RPC}.RetryInfo", "retryDelay": retry_delay},
        ],
    )


def no_credit() -> Problem:
    return Problem(
        402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted. Please go to AI Studio to manage it."
    )


def no_billing() -> Problem:
    return Problem(
        400,
        "FAILED_PRECONDITION",
        "User location is not supported for the API use without a billing account linked. Please enable billing.",
    )


def cancelled() -> Problem:
    return Problem(499, "CANCELLED", "The operation was cancelled.")


def internal() -> Problem:
    return Problem(500, "INTERNAL", "An internal error has occurred. Please retry or report in the developer forum.")


def overloaded() -> Problem:
    return Problem(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
