"""When a failed task is tried again, and when no more. Pure.

The rules are those of the RetryConfig message: double, then grow in equal steps, up to a ceiling; give up
when the attempts and the time are both used up.
"""

from dataclasses import dataclass
from typing import NamedTuple

from local.cloud_tasks.messages import Message, seconds

RETENTION = 31 * 86400.0
UNLIMITED = -1
# 2**100 is beyond the ratio of any two durations that fit the messages, and within a float.
_ENOUGH_DOUBLINGS = 100


@dataclass(frozen=True, slots=True)
class RetryRule:
    """A RetryConfig with its defaults filled in; times in seconds, `max_duration` 0 when unset."""

    max_attempts: int
    max_duration: float
    min_backoff: float
    max_backoff: float
    max_doublings: int


class Retry(NamedTuple):
    at: float


class GiveUp(NamedTuple):
    reason: str


def rule_of(config: Message) -> RetryRule:
    return RetryRule(
        max_attempts=config.max_attempts,
        max_duration=seconds(config.max_retry_duration),
        min_backoff=seconds(config.min_backoff),
        max_backoff=seconds(config.max_backoff),
        max_doublings=config.max_doublings,
    )


def backoff(rule: RetryRule, failures: int) -> float:
    """Return the wait after that many failed attempts. min 10, doublings 3, max 300 gives
    10 20 40 80 160 240 300 300, the example of the RetryConfig message.
    """
    doublings = min(failures - 1, rule.max_doublings, _ENOUGH_DOUBLINGS)
    step = rule.min_backoff * 2.0**doublings
    return min(rule.max_backoff, step * max(1, failures - rule.max_doublings))


def after_failure(  # noqa: PLR0913 - all that the rule depends on, and nothing else
    rule: RetryRule,
    *,
    attempts: int,
    first_attempt: float,
    created: float,
    now: float,
    retry_after: float = 0.0,
) -> Retry | GiveUp:
    """Say what follows from failed attempt number `attempts`; the worker asked for `retry_after` seconds."""
    if used_up(rule, attempts=attempts, elapsed=now - first_attempt):
        return GiveUp("its attempts are used up")
    at = now + max(backoff(rule, attempts), retry_after)
    if at > created + RETENTION:
        return GiveUp("its retention of 31 days ends")
    return Retry(at)


def used_up(rule: RetryRule, *, attempts: int, elapsed: float) -> bool:
    """Tell whether attempts and time are both used up; a limit that is not set holds nothing back."""
    if rule.max_attempts == UNLIMITED and not rule.max_duration:
        return False
    attempts_used = rule.max_attempts == UNLIMITED or attempts >= rule.max_attempts
    return attempts_used and elapsed >= rule.max_duration
