"""The smoke test passes for a deployment that works, and says in one line what is wrong with one that does not."""

import hashlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from cli.client import Client
from cli.problems import KeyRefused
from cli.settings import Settings
from infra import smoke
from infra.smoke import Failed, Smoke, key_for_this_run

KEY = "pw_smoke_0123456789"
PAGE = "http://daily.test/economy/harbour-bridge"
DONE = {"state": "done", "reason": None, "error": None, "result": {"url": PAGE, "title": "The bridge"}}


@dataclass
class Api:
    """A deployment of one item, which ends at the third look."""

    item: dict = field(default_factory=lambda: dict(DONE))
    statuses: list[int] = field(default_factory=list)  # answered first, before all goes well
    lawful: Callable[[str], bool] = lambda key: key == KEY
    ends: bool = True
    orders: list[dict] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    looks: int = 0

    async def answer(self, request):
        if self.statuses:
            return JSONResponse({"detail": "not yet"}, self.statuses.pop(0))
        if request.url.path == "/ready":
            return JSONResponse({"status": "ready"})
        key = request.headers["authorization"].removeprefix("Bearer ")
        self.keys.append(key)
        if not self.lawful(key):
            return JSONResponse({"detail": "This API key is not known."}, 401, media_type="application/problem+json")
        if request.method == "POST":
            self.orders.append(await request.json())
            return JSONResponse({"id": "b1"}, 202)
        if request.url.path.endswith("/results"):
            return JSONResponse({"results": [self.item], "next_cursor": None})
        self.looks += 1
        ended = self.ends and self.looks > 2
        finished_at = "2027-01-04T00:00:00Z" if ended else None
        return JSONResponse({"id": "b1", "finished_at": finished_at, "counts": {"waiting": 1}})


@pytest.fixture(scope="module")
def served():
    """Serve whichever answer is `current`; yields (URL, the dict that names it)."""
    current = {}

    async def answer(request):
        return await current["answer"](request)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", current
    server.should_exit = server.force_exit = True
    thread.join(20)


@pytest.fixture
def api(served):
    served[1]["answer"] = (made := Api()).answer
    return made


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def smoked(served):
    """Run it; its clock moves only as it waits."""
    clock = Clock()

    def smoked(url=served[0]):
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as http:
            return Smoke(http, patience=60, clock=clock, sleep=clock.sleep).run(PAGE)

    smoked.clock = clock
    return smoked


@pytest.fixture
def command(served, monkeypatch, capsys):
    """The whole command with these settings; what it prints, or its exit message."""

    def command(*arguments, **settings):
        for name in (
            "PIECEWORK_URL",
            "PIECEWORK_KEY",
            "PIECEWORK_ID_TOKEN",
            "PIECEWORK_AUDIENCE",
            "PIECEWORK_DATA",
            "SUPABASE_DB_URL",
        ):
            monkeypatch.delenv(name, raising=False)
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["smoke", *arguments])
        monkeypatch.setattr(smoke, "POLL_SECONDS", 0.001)
        smoke.main()
        return capsys.readouterr().out

    return command


def test_an_item_that_gets_its_row_passes(api, smoked):
    row = smoked()

    assert row == DONE["result"]
    assert api.orders == [{"function": "article", "items": [{"url": PAGE}], "options": {"fresh": True}}]
    assert smoked.clock.now == 2 * smoke.POLL_SECONDS


def test_a_revision_that_is_still_coming_up_is_waited_for(api, smoked):
    api.statuses = [503, 429, 500]

    assert smoked() == DONE["result"]


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({**DONE, "state": "skipped", "reason": "paywall"}, r"ended skipped \(paywall\): try another page with --page"),
        ({**DONE, "state": "dead", "reason": "gave_up", "error": "no key"}, r"ended dead \(gave_up: no key\)"),
        ({**DONE, "result": None}, "done, but has no row: are the migrations applied"),
    ],
    ids=["skipped", "dead", "rowless"],
)
def test_an_item_that_ends_without_a_row_fails_with_its_reason(api, smoked, item, said):
    api.item = item

    with pytest.raises(Failed, match=said):
        smoked()


def test_an_item_that_does_not_end_is_given_up_after_a_while(api, smoked):
    api.ends = False

    with pytest.raises(Failed, match=r"has not ended: \{'waiting': 1\}\. Is its queue paused"):
        smoked()

    assert 50 < smoked.clock.now <= 60


def test_a_refused_key_is_said_at_once(api, smoked):
    api.lawful = lambda _: False

    with pytest.raises(Failed, match=r"refused the key \(401\): make one with `bin/piecework keys make smoke`"):
        smoked()

    assert smoked.clock.now == 0


@pytest.fixture
def private(served):
    """As an API that is not public: who has no token of Google's is answered before the API is asked."""
    made = Api()

    async def answer(request):
        if request.headers.get("x-serverless-authorization") != "Bearer google's":
            return PlainTextResponse("<title>403 Forbidden</title>", 403, media_type="text/html")
        return await made.answer(request)

    served[1]["answer"] = answer
    return made


def test_a_private_api_lets_the_token_of_a_caller_through_to_the_key(private, served, command):
    said = command(PIECEWORK_URL=served[0], PIECEWORK_KEY=KEY, PIECEWORK_ID_TOKEN="google's\n")

    assert '"title": "The bridge"' in said
    assert set(private.keys) == {KEY}


def test_a_private_api_without_the_token_is_not_blamed_on_the_key(private, served, command):
    with pytest.raises(
        SystemExit, match=r"before the API was asked \(403\): with public_api = false.*PIECEWORK_ID_TOKEN"
    ):
        command(PIECEWORK_URL=served[0], PIECEWORK_KEY=KEY)


def test_the_command_line_too_lets_itself_into_a_private_api(private, served, monkeypatch):
    def batch():
        return Client(Settings(served[0], KEY), tell=print).batch("b1")

    with pytest.raises(KeyRefused, match=r"before the API was asked \(403 Forbidden\).*set PIECEWORK_ID_TOKEN"):
        batch()
    monkeypatch.setenv("PIECEWORK_ID_TOKEN", "google's")

    assert batch()["id"] == "b1"


def test_an_address_where_nothing_answers_is_named(smoked):
    with pytest.raises(Failed, match=r"no answer from http://127\.0\.0\.1:1.*is PIECEWORK_URL right"):
        smoked("http://127.0.0.1:1")


def test_what_is_no_api_of_ours_is_named(served, smoked):
    async def answer(request):
        return PlainTextResponse("hello")

    served[1]["answer"] = answer

    with pytest.raises(Failed, match="is no Piecework API"):
        smoked()


def test_the_command_makes_a_key_for_its_run_and_revokes_it(api, served, command, db):
    lawful = "select count(*) as found from api_keys where key_hash = %s and revoked_at is null"
    api.lawful = lambda key: db.execute(lawful, [hashlib.sha256(key.encode()).hexdigest()]).fetchone()["found"] == 1

    for _ in range(2):
        said = command("--page", PAGE, PIECEWORK_URL=served[0], SUPABASE_DB_URL=db.info.dsn)

    assert '"title": "The bridge"' in said
    assert len(set(api.keys)) == 2
    assert db.execute("select revoked_at is not null as revoked from api_keys").fetchall() == [{"revoked": True}]


def test_two_runs_at_once_have_a_key_each_and_the_next_takes_one_of_theirs(db):
    lawful = "select key_hash from api_keys where revoked_at is null"

    with key_for_this_run(db.info.dsn) as first, key_for_this_run(db.info.dsn) as second:
        both = {row["key_hash"] for row in db.execute(lawful).fetchall()}
    with key_for_this_run(db.info.dsn):
        pass

    assert both == {hashlib.sha256(key.encode()).hexdigest() for key in (first, second)}
    assert db.execute(lawful).fetchall() == []
    assert db.execute("select count(*) as found from api_keys").fetchone()["found"] == 2


def test_the_key_is_revoked_also_when_the_run_fails(api, served, command, db):
    api.item = {**DONE, "state": "dead", "reason": "too_large"}

    api.lawful = lambda _: True
    with pytest.raises(SystemExit, match="smoke: the item ended dead"):
        command(PIECEWORK_URL=served[0], SUPABASE_DB_URL=db.info.dsn)

    assert db.execute("select revoked_at is not null as revoked from api_keys").fetchall() == [{"revoked": True}]


def test_without_a_url_the_local_stack_is_asked_with_its_own_key(api, served, command, monkeypatch, tmp_path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setattr(smoke, "LOCAL_URL", served[0])

    said = command(PIECEWORK_DATA=str(tmp_path))

    assert '"title": "The bridge"' in said
    assert api.orders[0]["items"] == [{"url": smoke.LOCAL_PAGE}]


def test_without_any_key_it_says_how_to_get_one(api, served, command):
    with pytest.raises(SystemExit, match="smoke: set PIECEWORK_KEY, or SUPABASE_DB_URL"):
        command(PIECEWORK_URL=served[0])
