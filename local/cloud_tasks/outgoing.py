"""From a task to the request that is sent: URL, headers, what the queue overrides. Pure but for the token."""

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit, urlunsplit

from local.cloud_tasks import names
from local.cloud_tasks.authorization import Authorization
from local.cloud_tasks.messages import METHODS, METHODS_WITH_BODY, Message
from local.cloud_tasks.progress import Progress
from local.cloud_tasks.queue_state import LiveTask
from local.cloud_tasks.task_checks import USER_AGENT

IF_NOT_EXISTS = 1
HTTP = 1

# The connection is ours, and a caller may not pass for the service.
_NOT_THE_CALLERS = {
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
}
_SERVICE_PREFIXES = ("x-google-", "x-appengine-", "x-cloudtasks-", "proxy-")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request ready to send."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def http_request(task: LiveTask, target: Message, before: Progress, authorization: Authorization) -> Outgoing:
    """Return the request of an HTTP task. `target` is the queue's http_target, `before` the progress."""
    asked = task.definition.http_request
    url = overridden_url(asked.url, target.uri_override)
    method = METHODS[target.http_method or asked.http_method]
    headers = callers_headers(asked.headers) | callers_headers(
        {override.header.key: override.header.value for override in target.header_overrides}
    )
    token = authorization.header(target, url) or authorization.header(asked, url)
    if token is not None:
        headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
        headers["Authorization"] = token
    headers |= service_headers("X-CloudTasks", task.name, before)
    return Outgoing(method, url, tuple(headers.items()), asked.body if method in METHODS_WITH_BODY else b"")


def app_engine_request(task: LiveTask, base: str, before: Progress) -> Outgoing:
    """Return the request of an App Engine task, sent to `base` in the place of the app."""
    asked = task.definition.app_engine_http_request
    headers = callers_headers(asked.headers) | service_headers("X-AppEngine", task.name, before)
    lower = {name.lower() for name in headers}
    if asked.body and "content-type" not in lower:
        headers["Content-Type"] = "application/octet-stream"
    url = base.rstrip("/") + asked.relative_uri
    return Outgoing(METHODS[asked.http_method], url, tuple(headers.items()), asked.body)


def callers_headers(headers: Message) -> dict[str, str]:
    """Return the headers that a caller may set."""
    return {name: value for name, value in headers.items() if not _is_ours(name.lower())}


def _is_ours(name: str) -> bool:
    return name in _NOT_THE_CALLERS or name.startswith(_SERVICE_PREFIXES)


def service_headers(prefix: str, task_name: str, before: Progress) -> dict[str, str]:
    """Return what the service says of the task and of the attempts before this one."""
    headers = {
        "User-Agent": USER_AGENT if prefix == "X-CloudTasks" else f"AppEngine-Google; ({USER_AGENT})",
        f"{prefix}-QueueName": names.last_part(names.queue_of(task_name)),
        f"{prefix}-TaskName": names.last_part(task_name),
        f"{prefix}-TaskRetryCount": str(before.dispatched),
        f"{prefix}-TaskExecutionCount": str(before.executions),
        f"{prefix}-TaskETA": f"{before.eta:.6f}",
    }
    if before.dispatched and before.previous:
        headers[f"{prefix}-TaskPreviousResponse"] = str(before.previous)
    if before.dispatched:
        headers[f"{prefix}-TaskRetryReason"] = "" if prefix == "X-CloudTasks" else "App Error"
    return headers


def overridden_url(url: str, override: Message) -> str:
    """Return the URL with the queue's override: always, or only where the task's URL says nothing."""
    if not override.ByteSize():
        return url
    parts = urlsplit(url)
    gentle = override.uri_override_enforce_mode == IF_NOT_EXISTS
    if not gentle:
        parts = _with_scheme_and_host(parts, override)
    if override.HasField("port") and (not gentle or parts.port is None):
        parts = parts._replace(netloc=_netloc(parts, override.port))
    if override.HasField("path_override") and (not gentle or parts.path in {"", "/"}):
        path = override.path_override.path
        parts = parts._replace(path=path if path.startswith("/") or not path else f"/{path}")
    if override.HasField("query_override") and (not gentle or not parts.query):
        parts = parts._replace(query=override.query_override.query_params)
    return urlunsplit(parts)


def _with_scheme_and_host(parts: SplitResult, override: Message) -> SplitResult:
    if override.HasField("scheme"):
        parts = parts._replace(scheme="http" if override.scheme == HTTP else "https")
    if override.HasField("host"):
        port = f":{parts.port}" if parts.port is not None else ""
        parts = parts._replace(netloc=f"{override.host}{port}")
    return parts


def _netloc(parts: SplitResult, port: int) -> str:
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{port}" if port else host
