"""One request and its answer, between the caller's connection and an instance."""

import asyncio
from typing import Protocol

from standins.cloud_run.backend import Backend, Broken
from standins.cloud_run.headers import Headers, Request, answer_head, forwarded_head
from standins.cloud_run.instance import Instance
from standins.cloud_run.pool import Pool
from standins.cloud_run.refusals import Refused, broken, timed_out, too_large
from standins.cloud_run.services import MAX_BODY_BYTES
from standins.cloud_run.tokens import Tokens

# More of a body than this is not read while no instance takes it.
HELD_BYTES = 2**18
CONNECT_ATTEMPTS = 3


class Caller(Protocol):
    """The connection the request came on."""

    address: str

    def write(self, data: bytes) -> None: ...

    def hold(self, held: bool) -> None: ...

    def abort(self) -> None: ...

    def ended(self, exchange: "Exchange") -> None: ...


class Exchange:
    """`start` it, then hand it the request's body as it comes."""

    def __init__(self, caller: Caller, pool: Pool, tokens: Tokens, request: Request, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.body_complete = False
        self._caller = caller
        self._pool = pool
        self._tokens = tokens
        self._request = request
        self._chunked = request.chunked
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._backend: Backend | None = None
        self._refusal: Refused | None = None
        self._status = 0
        self._answer_chunked = False
        self._out: list[bytes] = []

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[None] = loop.create_future()
        self._task = loop.create_task(self._run())

    def cancel(self) -> None:
        """The caller is gone."""
        self._task.cancel()

    def add_body(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        if self._body_bytes > MAX_BODY_BYTES:
            if self._refusal is None:
                self._refusal = too_large()
                self._task.cancel()
            return
        self._send(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunked else chunk)

    def end_body(self) -> None:
        self.body_complete = True
        if self._chunked:
            self._send(b"0\r\n\r\n")

    def _send(self, data: bytes) -> None:
        if self._backend is not None:
            self._backend.write(data)
            return
        self._body.append(data)
        if self._body_bytes > HELD_BYTES:
            self._caller.hold(True)

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(self._pool.service.timeout_seconds):
                await self._serve()
        except Refused as refused:
            self._refuse(refused)
        except TimeoutError:
            self._refuse(timed_out())
        except Broken:
            self._refuse(broken())
        except asyncio.CancelledError:
            if self._refusal is not None:
                self._refuse(self._refusal)
        finally:
            self._pool.counts[self._status] += 1
            self._caller.ended(self)

    async def _serve(self) -> None:
        signed = await self._tokens.admit(self._pool.service, self._request)
        if int(self._request.get(b"content-length") or 0) > MAX_BODY_BYTES:
            raise too_large()
        if self._request.get(b"expect") is not None and not self.body_complete:
            self._caller.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        instance, backend = await self._connect()
        try:
            self._begin(backend, signed)
            await self._answered
        except BaseException as error:
            backend.close()
            if isinstance(error, Broken):
                self._pool.doubt(instance)
            raise
        else:
            if not self.body_complete:
                backend.close()
            instance.keep(backend)
        finally:
            self._backend = None
            self._pool.release(instance)

    async def _connect(self) -> tuple[Instance, Backend]:
        """Raises Refused."""
        for _ in range(CONNECT_ATTEMPTS):
            instance = await self._pool.acquire()
            try:
                return instance, await instance.connect()
            except OSError:
                # It died a moment ago and has received nothing: the request may go to another.
                instance.abandon()
                self._pool.release(instance)
            except BaseException:
                self._pool.release(instance)
                raise
        raise broken()

    def _begin(self, backend: Backend, signed: bytes | None) -> None:
        head = forwarded_head(self._request, self._caller.address, sampled=self._pool.sample(), signed=signed)
        self._backend = backend
        backend.begin(self, b"".join([head, *self._body]), head_only=self._request.method == b"HEAD")
        self._body.clear()
        self._caller.hold(False)

    def _refuse(self, refused: Refused) -> None:
        if refused.logged:
            self._pool.log(f"{self._pool.service.name}: {refused.status} {refused.logged}")
        if self._status:
            # Part of an answer is out: only the connection's end can say that no more comes.
            self.keep_alive = False
            self._caller.abort()
            return
        self._status = refused.status
        self.keep_alive = self.keep_alive and self.body_complete
        self._caller.write(refused.answer(keep_alive=self.keep_alive, bodiless=self._request.method == b"HEAD"))

    def hold_answer(self, held: bool) -> None:
        """The caller reads slowly: do not read more of the answer."""
        if self._backend is not None:
            self._backend.hold(held)

    def answer_began(self, status: int, reason: bytes, headers: Headers) -> None:
        self._status = status
        bodiless = self._request.method == b"HEAD" or status in {204, 304}
        unframed = not bodiless and not any(name == b"content-length" for name, _ in headers)
        self._answer_chunked = unframed and not self._request.http_1_0
        self.keep_alive = self.keep_alive and self.body_complete and (not unframed or self._answer_chunked)
        self._out.append(answer_head(status, reason, headers, chunked=self._answer_chunked, keep_alive=self.keep_alive))

    def answer_body(self, chunk: bytes) -> None:
        self._out.append(b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._answer_chunked else chunk)

    def answer_flushed(self) -> None:
        if self._out:
            self._caller.write(b"".join(self._out))
            self._out.clear()

    def answer_ended(self, error: Broken | None) -> None:
        if error is None and self._answer_chunked:
            self._out.append(b"0\r\n\r\n")
        self.answer_flushed()
        if self._answered.done():
            return
        if error is None:
            self._answered.set_result(None)
        else:
            self._answered.set_exception(error)

    def hold_body(self, held: bool) -> None:
        self._caller.hold(held)
