"""One attempt: a task goes out as an HTTP request, and a Verdict comes back. Raises nothing."""

import asyncio
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from urllib.parse import urljoin, urlsplit

from local.cloud_tasks.authorization import Authorization
from local.cloud_tasks.clock import Clock, Timer
from local.cloud_tasks.faults import Faults
from local.cloud_tasks.http_answer import Answer
from local.cloud_tasks.http_client import HttpClient, Unreachable
from local.cloud_tasks.messages import Message, seconds
from local.cloud_tasks.outgoing import Outgoing, app_engine_request, http_request
from local.cloud_tasks.progress import DEADLINE_EXCEEDED, NO_ANSWER, Progress
from local.cloud_tasks.queue_state import LiveTask, QueueState

_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended. `status` is 504 for a deadline and 0 for no answer when not `answered`."""

    status: int
    answered: bool
    retry_after: float = 0.0

    @property
    def success(self) -> bool:
        return self.answered and 200 <= self.status < 300


class Delivery:
    """Sends attempts. `app_engine` is the base URL that stands for the App Engine app, if any."""

    def __init__(
        self,
        clock: Clock,
        client: HttpClient,
        authorization: Authorization,
        *,
        faults: Faults | None = None,
        app_engine: str | None = None,
    ) -> None:
        self._clock = clock
        self._client = client
        self._authorization = authorization
        self._faults = faults or Faults()
        self._app_engine = app_engine

    async def attempt(self, task: LiveTask, queue: QueueState, before: Progress) -> Verdict:
        """Send the task once (or twice, for a drill) and return how it went."""
        outgoing = self._outgoing(task, queue.settings, before)
        if outgoing is None:
            return Verdict(NO_ANSWER, answered=False)
        deadline = seconds(task.definition.dispatch_deadline)
        if self._faults.delivers_twice():
            verdict = await self._send_twice(outgoing, deadline, queue)
        else:
            verdict = await self._send(outgoing, deadline)
        return Verdict(NO_ANSWER, answered=False) if self._faults.loses_answer() else verdict

    async def _send_twice(self, outgoing: Outgoing, deadline: float, queue: QueueState) -> Verdict:
        """Send the second copy beside the first if the queue's concurrency has room for it, else after it."""
        if not queue.has_slot():
            verdict = await self._send(outgoing, deadline)
            await self._send(outgoing, deadline)
            return verdict
        queue.running += 1
        try:
            verdict, _ = await asyncio.gather(self._send(outgoing, deadline), self._send(outgoing, deadline))
        finally:
            queue.running -= 1
        return verdict

    def _outgoing(self, task: LiveTask, queue: Message, before: Progress) -> Outgoing | None:
        """Return the request, or None when there is nowhere to send it."""
        if not task.definition.HasField("http_request"):
            return app_engine_request(task, self._app_engine, before) if self._app_engine else None
        try:
            return http_request(task, queue.http_target, before, self._authorization)
        except ValueError:
            # Such as a URL with port 99999, which is taken at create.
            return None

    async def _send(self, outgoing: Outgoing, deadline: float) -> Verdict:
        try:
            async with Deadline(self._clock, deadline):
                answer = await self._follow(outgoing)
        except TimeoutError:
            return Verdict(DEADLINE_EXCEEDED, answered=False)
        except Unreachable:
            return Verdict(NO_ANSWER, answered=False)
        return Verdict(answer.status, answered=True, retry_after=retry_after(answer, self._clock.time()))

    async def _follow(self, outgoing: Outgoing) -> Answer:
        """Send, and follow redirects: they belong to the same attempt."""
        method, url, headers, body = outgoing.method, outgoing.url, outgoing.headers, outgoing.body
        for _ in range(_MAX_REDIRECTS):
            answer = await self._client.send(method, url, headers, body)
            target = redirect(url, answer)
            if target is None:
                return answer
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                headers = tuple(header for header in headers if header[0].lower() != "authorization")
            if answer.status < 307 and method != "HEAD":
                method, body = "GET", b""  # as HTTP clients do
            url = target
        return answer


class Deadline:
    """Raises TimeoutError inside when `seconds` of the given clock have passed."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._at = clock.time() + seconds
        self._timer: Timer | None = None
        self._task: asyncio.Task[object] | None = None
        self._expired = False

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        self._timer = self._clock.call_at(self._at, self._look)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        if self._expired and self._task is not None and self._task.uncancel() <= 0 and cancelled:
            raise TimeoutError from error

    def _look(self) -> None:
        if self._clock.time() < self._at:
            self._timer = self._clock.call_at(self._at, self._look)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()


def redirect(url: str, answer: Answer) -> str | None:
    """Return where the answer of `url` sends us, None when it does not, or nowhere that HTTP goes."""
    location = answer.headers.get("location", "")
    if answer.status not in _REDIRECTS or not location:
        return None
    try:
        target = urljoin(url, location)
    except ValueError:
        return None
    return target if target.startswith(("http://", "https://")) else None


def retry_after(answer: Answer, now: float) -> float:
    """Return the seconds that a 429 or 503 asks to wait, given as a number or as a date."""
    value = answer.headers.get("retry-after", "")
    if answer.status not in {429, 503} or not value:
        return 0.0
    if value.isdecimal() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
