"""What a Task may hold when it is created, and what is stored of it."""

import re
from urllib.parse import urlsplit

from local.cloud_tasks import names
from local.cloud_tasks.messages import (
    METHODS,
    METHODS_WITH_BODY,
    Message,
    Task,
    epoch,
    seconds,
    set_duration,
    set_time,
)
from local.cloud_tasks.queue_settings import check_retry
from local.cloud_tasks.refusals import invalid

USER_AGENT = "Google-Cloud-Tasks"
MAX_TASK_BYTES = 1_048_569  # measured on the real service: 2**20 - 7 bytes of the stored message
MAX_URL = 2083
MAX_HEADER_BYTES = 80 * 1024
MAX_AHEAD = 30 * 86400.0
SHORTEST_DEADLINE = 15.0
HTTP_DEADLINE = 600.0
LONGEST_HTTP_DEADLINE = 1800.0
LONGEST_APP_ENGINE_DEADLINE = 86415.0

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BREAKS = re.compile(r"[\r\n\0]")


def stored(asked: Message, name: str, now: float) -> Message:
    """Return the task as it is kept: checked, named, defaults filled in. Raises Refused."""
    task = Task(name=name)
    if asked.HasField("http_request"):
        task.http_request.CopyFrom(_checked_http(asked.http_request))
    elif asked.HasField("app_engine_http_request"):
        task.app_engine_http_request.CopyFrom(_checked_app_engine(asked.app_engine_http_request))
    else:
        raise invalid("a task needs an http_request or an app_engine_http_request")
    if asked.HasField("retry_config"):
        check_retry(asked.retry_config)
        task.retry_config.CopyFrom(asked.retry_config)
    set_time(task.schedule_time, schedule_time(asked, now))
    task.create_time.seconds = int(now)
    set_duration(task.dispatch_deadline, _deadline(asked))
    if task.ByteSize() > MAX_TASK_BYTES:
        raise invalid(f"the task has {task.ByteSize()} bytes, at most {MAX_TASK_BYTES} are allowed")
    return task


def schedule_time(asked: Message, now: float) -> float:
    """Return when the task falls due: now, or the later time that was asked for."""
    at = max(now, epoch(asked.schedule_time)) if asked.HasField("schedule_time") else now
    if at > now + MAX_AHEAD:
        raise invalid("schedule_time may lie at most 30 days (720 h) ahead")
    return at


def check_name(name: str, queue: str) -> str:
    """Refuse a task name that is malformed or of another queue."""
    if names.queue_of(names.check_task(name)) != queue:
        raise invalid(f"{name!r} is not a task of {queue}")
    return name


def _checked_http(request: Message) -> Message:
    _check_url(request.url)
    request.http_method = request.http_method or 1
    _check_method(request)
    _check_headers(request.headers)
    _check_account(request)
    for key in [key for key in request.headers if key.lower() == "user-agent"]:
        del request.headers[key]
    request.headers["User-Agent"] = USER_AGENT
    return request


def _check_url(url: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise invalid("http_request.url must begin with http:// or https://")
    if len(url) > MAX_URL:
        raise invalid(f"http_request.url is longer than {MAX_URL} characters")
    try:
        host = urlsplit(url).hostname
    except ValueError as error:
        raise invalid(f"http_request.url cannot be read: {error}") from error
    if not host:
        raise invalid("http_request.url names no host")


def _check_method(request: Message) -> None:
    method = METHODS.get(request.http_method)
    if method is None:
        raise invalid(f"{request.http_method} is no HTTP method")
    if request.body and method not in METHODS_WITH_BODY:
        raise invalid(f"a body is allowed with POST, PUT and PATCH only, not with {method}")


def _check_headers(headers: Message) -> None:
    size = 0
    for key, value in headers.items():
        size += len(key) + len(value.encode())
        if not _TOKEN.fullmatch(key) or _BREAKS.search(value):
            raise invalid(f"{key!r} is no HTTP header")
    if size >= MAX_HEADER_BYTES:
        raise invalid("the headers must have less than 80 KB")


def _check_account(request: Message) -> None:
    for field in ("oidc_token", "oauth_token"):
        if request.HasField(field) and not getattr(request, field).service_account_email:
            raise invalid(f"{field} needs a service_account_email")


def _checked_app_engine(request: Message) -> Message:
    request.http_method = request.http_method or 1
    request.relative_uri = request.relative_uri or "/"
    if not request.relative_uri.startswith("/"):
        raise invalid("relative_uri must begin with /")
    _check_method(request)
    _check_headers(request.headers)
    return request


def _deadline(asked: Message) -> float:
    longest = LONGEST_HTTP_DEADLINE if asked.HasField("http_request") else LONGEST_APP_ENGINE_DEADLINE
    if not asked.HasField("dispatch_deadline"):
        return HTTP_DEADLINE
    deadline = seconds(asked.dispatch_deadline)
    if not SHORTEST_DEADLINE <= deadline <= longest:
        raise invalid(f"dispatch_deadline must lie between {SHORTEST_DEADLINE:.0f} s and {longest:.0f} s")
    return deadline
