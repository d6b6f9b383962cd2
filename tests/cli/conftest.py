"""The command against a small real API that keeps to the contract, and fails as told."""

import json
import socket
import threading
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from cli import app, client, watch

KEY = "pw_test_0123456789"
ENDINGS = {"paywall": ("skipped", "paywall"), "huge": ("dead", "too_large"), "gone": ("skipped", "gone")}


@dataclass
class Api:
    """Each look at a batch settles `pace` more of its items."""

    url: str
    key: str = KEY
    pace: int = 1000
    failures: list[int] = field(default_factory=list)  # a status each, 0 for none
    retry_after: int | None = None
    lost_answers: int = 0
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    status: str = "ok"
    created_at: str = "2026-01-01T00:00:00Z"
    state: str = ""
    looked: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v3/batches", self._guarded(self.post), methods=["POST"]),
                Route("/v3/batches", self._guarded(self.list), methods=["GET"]),
                Route("/v3/batches/{id}", self._guarded(self.get)),
                Route("/v3/batches/{id}/results", self._guarded(self.results)),
                Route("/v3/items/{id}", self._guarded(self.item)),
                Route("/health", self.health),
                Route("/metrics", lambda _: PlainTextResponse("piecework_items_total 5\n")),
            ]
        )

    def _guarded(self, answer):
        async def guarded(request: Request) -> Response:
            if self.failures and (status := self.failures.pop(0)):
                return problem(status, "told to fail", self.retry_after)
            if request.headers.get("authorization") != f"Bearer {KEY}":
                return problem(401, "this key is not known")
            return await answer(request)

        return guarded

    async def post(self, request: Request) -> Response:
        body, key = await sent(request), request.headers["idempotency-key"]
        self.posts.append((key, body))
        if body.get("dry_run"):
            estimate = {"queue": "gemini-text", "requests_per_minute": 300, "estimated_seconds": 10}
            return JSONResponse({"dry_run": True, "would_enlist": 50, "already_live": 2, **estimate})
        items = body.get("items") or [{"url": f"http://daily.test/{n}"} for n in range(body.get("limit", 3))]
        made = self.batches.setdefault(key, {"id": f"b{len(self.batches) + 1}", "items": items, "settled": 0})
        if self.lost_answers:
            self.lost_answers -= 1
            return problem(502, "the answer was lost")
        return JSONResponse(self.view(made, body["function"]), status_code=202)

    async def get(self, request: Request) -> Response:
        for made in self.batches.values():
            if made["id"] == request.path_params["id"]:
                made["settled"] = min(made["settled"] + self.pace, len(made["items"]))
                self.looked.set()
                return JSONResponse(self.view(made))
        return problem(404, "no such batch")

    async def list(self, request: Request) -> Response:
        limit, start = int(request.query_params["limit"]), int(request.query_params.get("cursor", 0))
        found = [self.view(made) for made in self.batches.values()]
        more = str(start + limit) if start + limit < len(found) else None
        return JSONResponse({"batches": found[start : start + limit], "next_cursor": more})

    async def results(self, request: Request) -> Response:
        made = next(made for made in self.batches.values() if made["id"] == request.path_params["id"])
        wanted = request.query_params.get("state")
        rows = [self.row(number, item) for number, item in enumerate(made["items"])]
        rows = [row for row in rows if wanted in {None, row["state"]}]
        start = int(request.query_params.get("cursor", 0))
        more = str(start + 2) if start + 2 < len(rows) else None
        return JSONResponse({"results": rows[start : start + 2], "next_cursor": more})

    async def item(self, request: Request) -> Response:
        items = [item for made in self.batches.values() for item in made["items"]]
        return JSONResponse({"input": items[int(request.path_params["id"].removeprefix("i"))]})

    async def health(self, request: Request) -> Response:
        checks = {
            "database": {"state": self.status, "latency_ms": 3.2},
            "queues": {"gemini-text": {"state": "running"}},
            "breakers": [
                {"name": "slow.test", "state": "open", "rests_seconds": 90.0},
                {"name": "fine.test", "state": "closed", "rests_seconds": 0.0},
            ],
            "quotas": [{"name": "gemini-text", "requests_per_minute": 300, "waiting": 7, "running": 2}],
        }
        return JSONResponse({"status": self.status, "checks": checks}, 503 if self.status == "down" else 200)

    def view(self, made: dict[str, Any], function: str = "article") -> dict[str, Any]:
        ends = Counter(ending(item)[0] for item in made["items"][: made["settled"]])
        waiting = len(made["items"]) - made["settled"]
        state = self.state or "running" if waiting else "completed_with_errors" if ends["dead"] else "completed"
        return {
            "id": made["id"], "function": function, "source": "items", "state": state,
            "total": len(made["items"]), "counts": {"waiting": waiting, **ends}, "cached": 0, "duplicates": 0,
            "tokens_in": 1000 * made["settled"], "tokens_out": 0, "cost_usd": 0.001 * made["settled"],
            "rate_per_minute": 60, "eta_seconds": waiting or None, "created_at": self.created_at, "finished_at": None,
            "webhook": None,
        }  # fmt: skip

    def row(self, number: int, item: dict[str, Any]) -> dict[str, Any]:
        state, reason = ending(item)
        result = {"title": self.titles.get(item["url"], f"Title {number}"), "topics": ["a", "b"]}
        return {
            "item_id": f"i{number}", "custom_id": item.get("custom_id"), "state": state,
            # As the API does, though at another length: of a long one a list has the shortest members.
            "input": {"url": item["url"]} if "text" in item else item, "input_cut": "text" in item,
            "reason": reason, "error": None, "attempts": 1, "cached": False, "tokens_in": 1, "tokens_out": 1,
            "cost_usd": 0.1, "finished_at": None, "result": result if state == "done" else None,
        }  # fmt: skip


def ending(item: dict[str, Any]) -> tuple[str, str | None]:
    return next((end for word, end in ENDINGS.items() if word in item["url"]), ("done", None))


async def sent(request: Request) -> dict[str, Any]:
    """A submission as JSON, also one that came as JSON lines with its order in the query."""
    if request.headers["content-type"] != "application/x-ndjson":
        return dict(await request.json())
    items = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
    return {**request.query_params, "items": items}


def problem(status: int, detail: str, retry_after: int | None = None) -> Response:
    body = {"type": "about:blank", "title": "no", "status": status, "detail": detail}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


@pytest.fixture(scope="session")
def served():
    """Serve whichever API is `current`; yields (URL, the dict that names it)."""
    current = {}

    async def app(scope, receive, send):
        await current["app"](scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", current
    server.should_exit = server.force_exit = True
    thread.join(20)


@pytest.fixture
def api(served):
    url, current = served
    made = Api(url)
    current["app"] = made.app()
    return made


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def piecework(api, monkeypatch, capsys):
    """Run the command in this process against the API; its waits are short."""
    monkeypatch.setenv("PIECEWORK_URL", api.url)
    monkeypatch.setenv("PIECEWORK_KEY", KEY)
    monkeypatch.setattr(client, "WAITS_SECONDS", (0.0, 0.0, 0.0))
    monkeypatch.setattr(watch, "FIRST_POLL_SECONDS", 0.001)

    def run(*arguments: str) -> Ran:
        code = app.main(arguments)
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def urls(tmp_path):
    """Write a file of the given lines and return its name."""
    numbers = count()

    def write(*lines: str | dict[str, Any]) -> str:
        file = tmp_path / f"urls-{next(numbers)}.txt"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        file.write_text("\n".join(texts) + "\n")
        return str(file)

    return write
