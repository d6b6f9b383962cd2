"""How far a task has come: a frozen value, and the steps from one to the next."""

from typing import NamedTuple

from google.rpc import code_pb2

from local.cloud_tasks.messages import Message, set_time

DEADLINE_EXCEEDED = 504
NO_ANSWER = 0

_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    NO_ANSWER: "UNAVAILABLE",
}


class Progress(NamedTuple):
    """Times in seconds since 1970; `previous` is the last status, 504 for a timeout, 0 for no answer."""

    eta: float
    dispatched: int = 0
    responded: int = 0
    executions: int = 0
    previous: int | None = None
    first_sent: float | None = None
    last_eta: float | None = None
    last_sent: float | None = None
    last_answered: float | None = None


def sent(progress: Progress, now: float) -> Progress:
    """An attempt begins."""
    return progress._replace(
        dispatched=progress.dispatched + 1,
        first_sent=progress.first_sent if progress.first_sent is not None else now,
        last_eta=progress.eta,
        last_sent=now,
        last_answered=None,
    )


def answered(progress: Progress, status: int, now: float, *, counts_5xx: bool = False) -> Progress:
    """The worker answered. Answers 5xx are no executions, except to App Engine tasks."""
    return progress._replace(
        responded=progress.responded + 1,
        executions=progress.executions + (counts_5xx or status < 500),
        previous=status,
        last_answered=now,
    )


def unanswered(progress: Progress, status: int) -> Progress:
    """The attempt met its deadline (504) or reached nobody (0)."""
    return progress._replace(previous=status)


def write(progress: Progress, task: Message) -> None:
    """Put the fields that the service reports into the Task message."""
    set_time(task.schedule_time, progress.eta)
    task.dispatch_count = progress.dispatched
    task.response_count = progress.responded
    if progress.first_sent is None or progress.last_sent is None or progress.last_eta is None:
        return
    set_time(task.first_attempt.dispatch_time, progress.first_sent)
    set_time(task.last_attempt.schedule_time, progress.last_eta)
    set_time(task.last_attempt.dispatch_time, progress.last_sent)
    if progress.last_answered is not None and progress.previous is not None:
        set_time(task.last_attempt.response_time, progress.last_answered)
    if progress.previous is not None:
        _write_status(progress.previous, task.last_attempt.response_status)


def _write_status(http_status: int, status: Message) -> None:
    name = _CODES.get(http_status) or _family(http_status)
    status.code = code_pb2.Code.Value(name)
    status.message = f"{name}({status.code}): HTTP status code {http_status}"


def _family(http_status: int) -> str:
    if http_status >= 500:
        return "INTERNAL"
    return "FAILED_PRECONDITION" if http_status >= 400 else "UNKNOWN"
