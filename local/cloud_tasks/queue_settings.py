"""What a Queue message may hold, and what it holds when the caller says nothing."""

import math

from google.protobuf import field_mask_pb2

from local.cloud_tasks import retrying
from local.cloud_tasks.messages import METHODS, RUNNING, Message, Queue, seconds, set_duration
from local.cloud_tasks.refusals import invalid
from local.cloud_tasks.token_bucket import burst_of

MAX_RATE = 500.0
MAX_CONCURRENT = 5000
DEFAULT_CONCURRENT = 1000
DEFAULT_ATTEMPTS = 100
DEFAULT_DOUBLINGS = 16
DEFAULT_MIN_BACKOFF = 0.1
DEFAULT_MAX_BACKOFF = 3600.0

_MUTABLE = (
    "app_engine_routing_override",
    "http_target",
    "rate_limits",
    "retry_config",
    "stackdriver_logging_config",
)
_OUTPUT_ONLY = {"name", "state", "purge_time", "rate_limits.max_burst_size"}


def complete(asked: Message) -> Message:
    """Return checked settings with every default filled in. Raises Refused."""
    queue = Queue()
    queue.CopyFrom(asked)
    _check_rates(queue.rate_limits)
    check_retry(queue.retry_config)
    _check_target(queue)
    _fill_rates(queue.rate_limits)
    _fill_retry(queue.retry_config)
    _check_order(queue.retry_config)
    queue.state = queue.state or RUNNING
    return queue


def created(asked: Message) -> Message:
    """Return the settings of a new queue; what only the service may set is ignored."""
    queue = Queue()
    queue.CopyFrom(asked)
    queue.ClearField("state")
    queue.ClearField("purge_time")
    return complete(queue)


def updated(now: Message, asked: Message, mask: Message) -> Message:
    """Return `now` with the fields of `mask` taken from `asked`; an empty mask takes them all."""
    if not mask.IsValidForDescriptor(Queue.DESCRIPTOR):
        raise invalid(f"update_mask names a field that a queue does not have: {', '.join(mask.paths)}")
    paths = [path for path in mask.paths or _MUTABLE if path not in _OUTPUT_ONLY]
    queue = Queue()
    queue.CopyFrom(now)
    field_mask_pb2.FieldMask(paths=paths).MergeMessage(
        asked, queue, replace_message_field=True, replace_repeated_field=True
    )
    return complete(queue)


def check_retry(config: Message) -> None:
    """Refuse what a RetryConfig, of a queue or of a task, may not hold."""
    if config.max_attempts < retrying.UNLIMITED:
        raise invalid("max_attempts must be at least -1, which means unlimited")
    if config.max_doublings < 0:
        raise invalid("max_doublings must not be negative")
    for field in ("min_backoff", "max_backoff", "max_retry_duration"):
        if seconds(getattr(config, field)) < 0:
            raise invalid(f"{field} must not be negative")


def task_rule(config: Message, queue: retrying.RetryRule) -> retrying.RetryRule:
    """Return the rule of a task that brings a RetryConfig of its own: the queue's where it is silent."""
    return retrying.RetryRule(
        max_attempts=config.max_attempts or queue.max_attempts,
        max_duration=_set_or(config, "max_retry_duration", queue.max_duration),
        min_backoff=_set_or(config, "min_backoff", queue.min_backoff),
        max_backoff=_set_or(config, "max_backoff", queue.max_backoff),
        max_doublings=config.max_doublings or queue.max_doublings,
    )


def _set_or(config: Message, field: str, otherwise: float) -> float:
    return seconds(getattr(config, field)) if config.HasField(field) else otherwise


def _check_rates(limits: Message) -> None:
    rate = limits.max_dispatches_per_second
    if not math.isfinite(rate) or not 0 <= rate <= MAX_RATE:
        raise invalid(f"max_dispatches_per_second must be above 0 and at most {MAX_RATE:.0f}")
    if not 0 <= limits.max_concurrent_dispatches <= MAX_CONCURRENT:
        raise invalid(f"max_concurrent_dispatches must be above 0 and at most {MAX_CONCURRENT}")


def _fill_rates(limits: Message) -> None:
    limits.max_dispatches_per_second = limits.max_dispatches_per_second or MAX_RATE
    limits.max_concurrent_dispatches = limits.max_concurrent_dispatches or DEFAULT_CONCURRENT
    limits.max_burst_size = burst_of(limits.max_dispatches_per_second)


def _fill_retry(config: Message) -> None:
    config.max_attempts = config.max_attempts or DEFAULT_ATTEMPTS
    config.max_doublings = config.max_doublings or DEFAULT_DOUBLINGS
    if not config.HasField("min_backoff"):
        set_duration(config.min_backoff, DEFAULT_MIN_BACKOFF)
    if not config.HasField("max_backoff"):
        set_duration(config.max_backoff, DEFAULT_MAX_BACKOFF)


def _check_order(config: Message) -> None:
    if seconds(config.min_backoff) > seconds(config.max_backoff):
        raise invalid("min_backoff must not be longer than max_backoff")


def _check_target(queue: Message) -> None:
    ratio = queue.stackdriver_logging_config.sampling_ratio
    if not 0 <= ratio <= 1:
        raise invalid("sampling_ratio must lie between 0 and 1")
    target = queue.http_target
    if target.http_method and target.http_method not in METHODS:
        raise invalid(f"{target.http_method} is no HTTP method")
    _check_uri(target.uri_override)
    _check_authorization(target)


def _check_uri(override: Message) -> None:
    if override.HasField("host") and not override.host:
        raise invalid("uri_override.host must not be empty")
    if not 0 <= override.port <= 65535:
        raise invalid("uri_override.port must be a port, or 0 to take the task's away")


def _check_authorization(target: Message) -> None:
    oidc, oauth = target.oidc_token, target.oauth_token
    if target.HasField("oidc_token") and not (oidc.service_account_email and oidc.audience):
        raise invalid("a queue's oidc_token needs both service_account_email and audience")
    if target.HasField("oauth_token") and not (oauth.service_account_email and oauth.scope):
        raise invalid("a queue's oauth_token needs both service_account_email and scope")
