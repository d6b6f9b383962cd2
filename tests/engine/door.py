"""A door in front of Supabase: it counts who passes, and can cut, hold or lose what does.

It is as unkind as a project whose max-rows is low: an answer of more rows ends there, without a word.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PASSED_ON = {"apikey", "authorization", "content-type", "prefer", "accept", "accept-profile", "content-profile"}
PASSED_BACK = {"content-type", "content-range"}
SECONDS = 20.0
MAX_ROWS = 50


@dataclass
class Rule:
    """What happens to the next `times` calls whose path ends with `name`."""

    name: str
    times: int
    kind: str
    method: str | None = None
    arrived: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)

    async def held(self) -> None:
        """The thread of the test opens it."""
        self.arrived.set()
        await asyncio.to_thread(self.open.wait, SECONDS)

    def wait_for_somebody(self) -> None:
        assert self.arrived.wait(SECONDS), f"nobody called {self.name}"


class Door:
    """`cut`: no call gets in; `lose`: it does, and its answer does not come out; `hold`: until the rule is opened."""

    def __init__(self, target: str, set_returning: Collection[str] = ()) -> None:
        """`set_returning`: the SQL functions that answer with rows; what is one value is never cut."""
        self._target = target
        self._set_returning = set_returning
        self._rules: list[Rule] = []
        self._client = httpx.AsyncClient(timeout=SECONDS, limits=httpx.Limits(max_connections=40))
        self.calls: Counter[str] = Counter()
        self.app = Starlette(routes=[Route("/{path:path}", self._pass, methods=["GET", "POST", "PATCH"])])

    def cut(self, name: str = "", times: int = 1_000_000, method: str | None = None) -> Rule:
        return self._add(Rule(name, times, "cut", method))

    def lose(self, name: str, times: int = 1) -> Rule:
        return self._add(Rule(name, times, "lose"))

    def hold(self, name: str, times: int = 1) -> Rule:
        return self._add(Rule(name, times, "hold"))

    def clear(self) -> None:
        for rule in self._rules:
            rule.open.set()
        self._rules = []
        self.calls = Counter()

    def _add(self, rule: Rule) -> Rule:
        self._rules.append(rule)
        return rule

    def _rule(self, path: str, method: str) -> Rule | None:
        for rule in self._rules:
            if rule.times > 0 and path.endswith(rule.name) and rule.method in {None, method}:
                rule.times -= 1
                return rule
        return None

    async def _pass(self, request: Request) -> Response:
        path = request.url.path
        self.calls[path.rsplit("/", 1)[-1]] += 1
        body = await request.body()
        rule = self._rule(path, request.method)
        if rule and rule.kind == "hold":
            await rule.held()
        if rule and rule.kind == "cut":
            return cut(request)
        answer = await self._client.request(
            request.method,
            f"{self._target}{path}",
            params=request.query_params,
            content=body,
            headers={name: value for name, value in request.headers.items() if name in PASSED_ON},
        )
        if rule and rule.kind == "lose":
            return cut(request)
        headers = {name: value for name, value in answer.headers.items() if name in PASSED_BACK}
        return Response(self._first_rows(path, answer), answer.status_code, headers)

    def _first_rows(self, path: str, answer: httpx.Response) -> bytes:
        *_, kind, name = path.split("/")
        if answer.is_error or not answer.content or (kind == "rpc" and name not in self._set_returning):
            return answer.content
        rows = answer.json()
        return json.dumps(rows[:MAX_ROWS]).encode() if isinstance(rows, list) else answer.content


def cut(request: Request) -> Response:
    """End the connection without a word: ASGI has none for it."""
    request.receive.__self__.transport.abort()  # type: ignore[attr-defined]
    return Response(status_code=500)
