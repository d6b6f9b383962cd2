"""One request from its JSON to its reply: faults, quota, latency, pages, then computing in one thread."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from local.gemini.answer import answer, looked, wanted
from local.gemini.faults import Faults, Rule
from local.gemini.images import image_tokens
from local.gemini.limiter import Limiter
from local.gemini.minilm import MiniLM
from local.gemini.minilm_onnx import WIDTH
from local.gemini.models import Models
from local.gemini.problems import JSON, bad_request
from local.gemini.replies import Reply, Usage, bent
from local.gemini.schema import fingerprint
from local.gemini.stats import Stats
from local.gemini.url_context import Pages, Retrieved, readable, urls_in
from local.gemini.vision.eyes import Element, Eyes
from local.gemini.wire import Call, content_text, get, read_call

T = TypeVar("T")


class Dropped(Exception):
    """Cut the connection instead of answering."""


class Hung(Exception):
    """Never answer, until the client goes away."""


ENDS = {"drop": Dropped, "hang": Hung}


@dataclass(frozen=True)
class Options:
    cache: Path
    site: str | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    least_deadline: float = 10.0
    latency: float = 0.0
    jitter: float = 0.0
    lean: bool = False
    models: tuple[str, ...] = ()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Service:
    def __init__(self, options: Options) -> None:
        self._options = options
        # Seconds; a client that sets a shorter X-Server-Timeout is refused.
        self.least_deadline = options.least_deadline
        self.models = Models(options.models)
        self.faults = Faults(options.clock)
        self.stats = Stats(options.clock, time.time)
        self.limiter = Limiter(options.clock, options.requests_per_minute, options.tokens_per_minute)
        self._minilm = MiniLM(options.cache)
        self._pages = Pages(options.site)
        self._lean: dict[str, asyncio.Task[str]] = {}
        # One thread: the other cores belong to what is being tested, and models load once without locks.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compute")
        # Looking takes a second a picture: texts, of a few milliseconds each, do not queue behind it.
        self._eyes, self._sight = Eyes(), ThreadPoolExecutor(1, thread_name_prefix="eyes")

    async def close(self) -> None:
        await self._pages.close()
        for thread in (self._thread, self._sight):
            thread.shutdown(wait=False, cancel_futures=True)

    async def generate(self, model: str, body: Any) -> Reply:
        """Raises Problem, or Dropped where a fault says so."""
        call = read_call(model, body)
        rule = await self._struck(model, f"{call.system}\n{call.prompt}")
        usage = await self._counted(call)
        self.limiter.take(model, usage.prompt)
        await self._rest()
        reply = await self._reply(call, usage)
        reply = bent(reply, rule.fault) if rule else reply
        self.stats.spent(usage.prompt + usage.pages, reply.tokens_out)
        return reply

    async def embed(self, model: str, requests: list[Any]) -> list[list[float]]:
        """One unit vector per request."""
        wanted = [(content_text(get(request, "content") or {}), _dimensions(request)) for request in requests]
        await self._struck(model, "\n".join(text for text, _ in wanted))
        tokens = sum(await self._compute(lambda: [self._count(text) for text, _ in wanted]))
        self.limiter.take(model, tokens)
        await self._rest()
        vectors = await self._compute(lambda: self._minilm.vectors([text for text, _ in wanted]))
        self.stats.spent(tokens, 0)
        return [_shortened(vector, size) for vector, (_, size) in zip(vectors, wanted, strict=True)]

    async def count_tokens(self, model: str, body: Any) -> JSON:
        usage = await self._counted(read_call(model, get(body, "generateContentRequest") or body))
        return {"totalTokens": usage.prompt, "promptTokensDetails": usage.details()}

    async def _struck(self, model: str, prompt: str) -> Rule | None:
        rule = self.faults.strike(model, prompt)
        if rule is None:
            return None
        if rule.fault == "slow":
            await self._options.sleep(rule.delay)
        if rule.fault in ENDS:
            raise ENDS[rule.fault]
        if refusal := rule.refusal(model):
            raise refusal
        return rule

    async def _rest(self) -> None:
        if self._options.latency:
            swing = random.uniform(-self._options.jitter, self._options.jitter)
            await self._options.sleep(max(0.0, self._options.latency + swing))

    async def _counted(self, call: Call) -> Usage:
        images = image_tokens(call.model, call.media)
        if self._options.lean:
            return Usage((len(call.system) + len(call.prompt)) // 4, images)
        text = await self._compute(lambda: self._count(call.system) + self._count(call.prompt))
        return Usage(text, images)

    async def _reply(self, call: Call, usage: Usage) -> Reply:
        if self._options.lean:
            return await self._leanly(call, usage)
        urls = urls_in(call.texts) if call.reads_urls else []
        retrieved = await asyncio.gather(*(self._pages.retrieve(url) for url in urls))
        seen = await self._looked(call)
        return await self._compute(lambda: self._computed(call, usage, retrieved, seen))

    async def _looked(self, call: Call) -> list[Element]:
        if not wanted(call):
            return []
        return await asyncio.get_running_loop().run_in_executor(self._sight, looked, call, self._eyes)

    def _computed(self, call: Call, usage: Usage, retrieved: list[Retrieved], seen: list[Element]) -> Reply:
        pages = [readable(page.html) for page in retrieved if page.html]
        usage = Usage(usage.text, usage.images, sum(map(self._count, pages)))
        text = answer(call, pages, self._minilm, seen)
        kept = self._minilm.head(text, call.max_output_tokens) if call.max_output_tokens else text
        finish = "STOP" if kept == text else "MAX_TOKENS"
        urls = tuple(page.metadata() for page in retrieved)
        return Reply(call.model, kept, usage, self._count(kept), finish, urls=urls)

    async def _leanly(self, call: Call, usage: Usage) -> Reply:
        """The first answer to a schema serves all that follow: for benches of what calls this server."""
        key = fingerprint(call.schema)
        if key not in self._lean:
            # A task, so that many who come at once wait for one answer.
            self._lean[key] = asyncio.create_task(self._first(call))
        try:
            text = await asyncio.shield(self._lean[key])
        except Exception:  # a client that went away is none
            self._lean.pop(key, None)
            raise
        longest = 4 * (call.max_output_tokens or len(text))
        finish = "STOP" if len(text) <= longest else "MAX_TOKENS"
        return Reply(call.model, text[:longest], usage, len(text[:longest]) // 4, finish)

    async def _first(self, call: Call) -> str:
        seen = await self._looked(call)
        return await self._compute(lambda: answer(call, [], self._minilm, seen))

    def _count(self, text: str) -> int:
        return len(text) // 4 if self._options.lean else self._minilm.count(text)

    async def _compute(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _dimensions(request: Any) -> int:
    config = get(request, "embedContentConfig") or {}
    size = get(request, "outputDimensionality") or get(config, "outputDimensionality") or WIDTH
    if not isinstance(size, int) or not 1 <= size <= WIDTH:
        raise bad_request(
            f"outputDimensionality must be between 1 and {WIDTH}, got {size}: the offline model makes {WIDTH} "
            "numbers and none are invented."
        )
    return size


def _shortened(vector: Any, size: int) -> list[float]:
    """The first `size` numbers at unit length."""
    head = vector[:size]
    return [float(value) for value in head / max(float(np.linalg.norm(head)), 1e-12)]
