"""The rules of delivery as values: what counts as an answer, how long to wait, when to give up."""

from typing import Any

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
MIN_BACKOFF_SECONDS, MAX_BACKOFF_SECONDS = 10.0, 600.0
# Without a retry policy a push still backs off; the service does not let that be turned off.
PUSH_MIN_BACKOFF_SECONDS, PUSH_MAX_BACKOFF_SECONDS = 0.1, 60.0
DEFAULT_DELIVERY_ATTEMPTS = 5


def backoff_seconds(subscription: Any, attempts: int) -> float:
    """Return the wait after failed attempt number `attempts`: doubling from the minimum to the maximum."""
    if subscription.HasField("retry_policy"):
        low = _seconds(subscription.retry_policy, "minimum_backoff", MIN_BACKOFF_SECONDS)
        high = _seconds(subscription.retry_policy, "maximum_backoff", MAX_BACKOFF_SECONDS)
    elif subscription.push_config.push_endpoint:
        low, high = PUSH_MIN_BACKOFF_SECONDS, PUSH_MAX_BACKOFF_SECONDS
    else:
        return 0.0
    return min(high, low * float(2 ** min(attempts - 1, 30)))


def delivery_attempts(subscription: Any) -> int | None:
    """Return after how many attempts a message is a dead letter, or None when it never is."""
    if not subscription.dead_letter_policy.dead_letter_topic:
        return None
    return subscription.dead_letter_policy.max_delivery_attempts or DEFAULT_DELIVERY_ATTEMPTS


def retention_seconds(subscription: Any) -> float:
    return _seconds(subscription, "message_retention_duration", 7 * 86400.0)


def _seconds(holder: Any, field: str, default: float) -> float:
    if not holder.HasField(field):
        return default
    seconds: float = getattr(holder, field).ToTimedelta().total_seconds()
    return seconds
