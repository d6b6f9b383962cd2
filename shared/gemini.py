"""Gemini: one typed question, one call.

The SDK's own retries stay off: a retry is a new dispatch, counted by the queue like any other. What the API says
when it does not answer is renamed here, once:

    429                        Overloaded, for as long as it says; a spent daily quota until midnight Pacific
    key refused, no such model Overloaded: a wrong setting must rest the quota, not kill a million items
    402, billing is off        Overloaded likewise
    400                        Rejected: this request can never work
    5xx, 499, no answer        ModelFailed: try again, and the quota's breaker counts it
    answer blocked             Rejected("unsafe")
    answer cut off or no JSON  Failed: try again; it has cost what it cost
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from shared import tls
from shared.errors import Failed, ModelFailed, Outcome, Overloaded, Rejected
from shared.items import Spent
from shared.prices import cost_usd
from shared.settings import Settings
from shared.telemetry import log

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.errors import APIError
    from google.genai.types import GenerateContentResponse

Value = TypeVar("Value", bound=BaseModel)

PACIFIC = ZoneInfo("America/Los_Angeles")
MINUTE_REST_SECONDS = 30.0
WRONG_SETTING_REST_SECONDS = 60.0
# "Come back in 0 s" would be asked again and again, and no attempt is spent on it; a day at most is believed.
SHORTEST_REST_SECONDS, LONGEST_REST_SECONDS = 1.0, 86_400.0
BLOCKED = {
    "SAFETY", "RECITATION", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "LANGUAGE",
    "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
}  # fmt: skip
FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n\s*```", re.DOTALL)


@dataclass(frozen=True)
class Image:
    """A picture that goes with a question: its bytes as they are sent, and what they are ("image/jpeg")."""

    data: bytes
    mime_type: str


@dataclass(frozen=True)
class Answer(Generic[Value]):
    """What the model said, and what it took.

    `read_url`: it opened the page by itself. Where it was to and could not, `value` is empty: no answer to go by.
    """

    value: Value
    model: str
    tokens_in: int
    tokens_out: int
    cost_usd: float
    latency_ms: int
    read_url: bool = False


class Gemini:
    """A client of generateContent, made at the first question."""

    def __init__(self, settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._now = now
        self._client: Client | None = None

    async def ask(  # noqa: PLR0913 - each has its name
        self,
        model: str,
        instruction: str,
        content: str,
        into: type[Value],
        *,
        seconds: float,
        spend: Callable[[Spent], None],
        read_url: bool = False,
        image: Image | None = None,
    ) -> Answer[Value]:
        """Ask once. `spend` is told what was paid for, also when the answer is of no use."""
        started = time.monotonic()
        response = await self._generate(model, instruction, content, into, seconds, read_url=read_url, image=image)
        spent = self._spent(model, response)
        spend(spent)
        was_read = url_was_read(response)
        return Answer(
            value=parse(answer_text(response), into) if was_read or not read_url else into.model_construct(),
            model=response.model_version or model,
            tokens_in=spent.tokens_in,
            tokens_out=spent.tokens_out,
            cost_usd=spent.cost_usd,
            latency_ms=round((time.monotonic() - started) * 1000),
            read_url=was_read,
        )

    async def _generate(  # noqa: PLR0913
        self,
        model: str,
        instruction: str,
        content: str,
        into: type[BaseModel],
        seconds: float,
        *,
        read_url: bool,
        image: Image | None,
    ) -> "GenerateContentResponse":
        import httpx  # noqa: PLC0415 - the SDK brings its own copy too; either may raise
        from google.genai import errors, types  # noqa: PLC0415 - heavy: loaded at the first question

        config = types.GenerateContentConfig(
            system_instruction=instruction,
            response_mime_type="application/json",
            response_schema=into,
            http_options=types.HttpOptions(timeout=int(seconds * 1000)),
            tools=[types.Tool(url_context=types.UrlContext())] if read_url else None,
        )
        try:
            pictures: list[Any] = [types.Part.from_bytes(data=image.data, mime_type=image.mime_type)] if image else []
            response: GenerateContentResponse = await self.warm_up().aio.models.generate_content(
                model=model, contents=[*pictures, content], config=config
            )
        except errors.APIError as error:
            raise self._renamed(error, model) from error
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            raise ModelFailed("model_silent", f"{model} did not answer: {type(error).__name__}") from error
        except Exception as error:
            if type(error).__module__.startswith("httpx2"):
                raise ModelFailed("model_silent", f"{model} did not answer: {type(error).__name__}") from error
            raise
        return response

    def warm_up(self) -> "Client":
        """The client. Loading it takes a second: do that before the question's slot, not in it."""
        if self._client is None:
            from google.genai import Client, types  # noqa: PLC0415

            key = self._settings.gemini_api_key.get_secret_value()
            if not key:
                raise Overloaded(WRONG_SETTING_REST_SECONDS, "model_setting", "GEMINI_API_KEY is not set")
            # "ssl" is for websockets, which nobody here opens; without it a context is made for them nevertheless.
            trust = {"verify": tls.context(), "ssl": tls.context()}
            self._client = Client(
                api_key=key,
                http_options=types.HttpOptions(
                    base_url=self._settings.gemini_base_url, client_args=trust, async_client_args=trust
                ),
            )
        return self._client

    def _spent(self, model: str, response: "GenerateContentResponse") -> Spent:
        usage = response.usage_metadata
        tokens_in = counted(usage, "prompt_token_count", "tool_use_prompt_token_count")
        tokens_out = counted(usage, "candidates_token_count", "thoughts_token_count")
        cost = cost_usd(model, tokens_in, tokens_out, self._now().date())
        if cost is None:
            log.warning("no_price", model=model, hint="add the model to shared/prices.toml")
        return Spent(1, tokens_in, tokens_out, cost or 0.0)

    def _renamed(self, error: "APIError", model: str) -> Outcome:
        # A gateway's words need not be of Google's shape.
        message = str(error.message or "")
        said = f"{model} answered {error.code} {error.status or ''}: {message}".strip()
        if error.code == 429:
            return overloaded(error.details, said, self._now())
        if error.code == 402 or error.status == "FAILED_PRECONDITION":
            return Overloaded(WRONG_SETTING_REST_SECONDS, "model_setting", f"{said} - check the key's billing")
        if error.code in {401, 403, 404} or "API key" in message:
            return Overloaded(
                WRONG_SETTING_REST_SECONDS, "model_setting", f"{said} - check GEMINI_API_KEY and the model"
            )
        # 499: cancelled by its own side, under load.
        if error.code >= 500 or error.code in {408, 499}:
            return ModelFailed("model_error", said)
        return Rejected("model_refused", said)


def counted(usage: Any, *names: str) -> int:
    """The sum of these counts of usage_metadata; one that is missing is 0."""
    return sum(getattr(usage, name, None) or 0 for name in names)


def overloaded(details: Any, said: str, now: datetime) -> Overloaded:
    """How long the quota rests. A spent daily quota also carries a short retryDelay: decide on the quotaId."""
    parts = _parts(_parts([details], "error") or [details], "details")
    quota_ids = " ".join(str(violation.get("quotaId", "")) for violation in _parts(parts, "violations"))
    if "PerDay" in quota_ids:
        return Overloaded(seconds_to_midnight_pacific(now), "daily_quota", said)
    delays = [delay for part in parts if (delay := seconds_of(part.get("retryDelay"))) is not None]
    seconds = min(max(delays, default=MINUTE_REST_SECONDS), LONGEST_REST_SECONDS)
    return Overloaded(max(seconds, SHORTEST_REST_SECONDS), "minute_quota", said)


def _parts(of: Any, key: str) -> list[dict[str, Any]]:
    """What these objects hold under `key`, as far as that is an object or a list of objects."""
    found = [one.get(key) for one in of if isinstance(one, dict)]
    listed = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return [one for one in listed if isinstance(one, dict)]


def seconds_of(duration: Any) -> float | None:
    """Seconds of a protobuf JSON duration ("33s"); None when it is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)s", str(duration))
    return float(match.group(1)) if match else None


def seconds_to_midnight_pacific(now: datetime) -> float:
    """Gemini's requests per day start anew at midnight in Los Angeles."""
    here = now.astimezone(PACIFIC)
    tomorrow = (here + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (tomorrow.astimezone(UTC) - now.astimezone(UTC)).total_seconds()


def answer_text(response: "GenerateContentResponse") -> str:
    """The text of a complete answer; the reason first, for a blocked or cut answer has text too."""
    feedback = response.prompt_feedback
    if feedback and feedback.block_reason:
        raise Rejected("unsafe", f"The model refused the prompt: {_name(feedback.block_reason)}")
    candidate = next(iter(response.candidates or []), None)
    if candidate is None:
        raise Failed("no_answer", "The model answered without a candidate")
    reason = _name(candidate.finish_reason)
    if reason in BLOCKED:
        raise Rejected("unsafe", f"The model stopped: {reason}")
    if reason == "MAX_TOKENS":
        raise Failed("answer_cut", "The model's answer was cut off at its longest length")
    parts = (candidate.content.parts if candidate.content else None) or []
    return "".join(part.text or "" for part in parts if not part.thought)


def parse(text: str, into: type[Value]) -> Value:
    """Strict JSON, else the one fenced block; never a repair, for a repaired answer may say something else."""
    for candidate in (text, *FENCED.findall(text)[-1:]):
        try:
            said = cleaned(json.loads(candidate))
        except (ValueError, RecursionError):  # no JSON; or numbers, or nesting, without end
            continue
        try:
            return into.model_validate(said)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors()[:3])
            raise Failed("answer_misfit", f"The model's answer does not fit {into.__name__}: {fields}") from error
    raise Failed("answer_no_json", f"The model's answer is not JSON: {text[:80]!r}")


def cleaned(value: Any) -> Any:
    """The same JSON with texts as Postgres takes them: no NUL, no half of a surrogate pair, which models may write."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "ignore").decode()
        case list():
            return [cleaned(one) for one in value]
        case dict():
            return {cleaned(key): cleaned(one) for key, one in value.items()}
    return value


def url_was_read(response: "GenerateContentResponse") -> bool:
    """Did the url_context tool reach every page it tried, and at least one?"""
    candidate = next(iter(response.candidates or []), None)
    metadata = candidate.url_context_metadata if candidate else None
    statuses = [_name(one.url_retrieval_status) for one in (metadata.url_metadata if metadata else None) or []]
    return bool(statuses) and all(status == "URL_RETRIEVAL_STATUS_SUCCESS" for status in statuses)


def _name(enum: Any) -> str:
    return str(getattr(enum, "value", enum) or "")
