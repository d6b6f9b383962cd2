"""The raw protobuf classes of Cloud Tasks v2; the wrappers around them cost ten times the time per field."""

from typing import Any, TypeAlias

from google.cloud.tasks_v2 import types

# protobuf makes its classes at run time, so a type checker sees no fields either way.
Message: TypeAlias = Any

Queue = types.Queue.pb()
Task = types.Task.pb()
HttpRequest = types.HttpRequest.pb()
RetryConfig = types.RetryConfig.pb()
CmekConfig = types.CmekConfig.pb()
BatchCreateTasksResponse = types.BatchCreateTasksResponse.pb()
BatchCreateTasksMetadata = types.BatchCreateTasksMetadata.pb()
BatchDeleteTasksMetadata = types.BatchDeleteTasksMetadata.pb()

RUNNING, PAUSED = 1, 2  # Queue.State
BASIC, FULL = 1, 2  # Task.View
METHODS = {1: "POST", 2: "GET", 3: "HEAD", 4: "PUT", 5: "DELETE", 6: "PATCH", 7: "OPTIONS"}
METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}


def epoch(timestamp: Message) -> float:
    """Return seconds since 1970, cut to microseconds as the service does."""
    return float(timestamp.seconds) + float(timestamp.nanos // 1000) / 1e6


def set_time(timestamp: Message, at: float) -> None:
    """Write `at`, to the microsecond."""
    microseconds = round(at * 1_000_000)
    timestamp.seconds = microseconds // 1_000_000
    timestamp.nanos = microseconds % 1_000_000 * 1000


def seconds(duration: Message) -> float:
    """Return the length of `duration`."""
    return float(duration.seconds) + float(duration.nanos) / 1e9


def set_duration(duration: Message, length: float) -> None:
    """Write `length` seconds, cut to milliseconds."""
    milliseconds = int(length * 1000 + 1e-6)
    duration.seconds = milliseconds // 1000
    duration.nanos = milliseconds % 1000 * 1_000_000
