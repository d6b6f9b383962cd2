"""The store renames what goes wrong into one line that says what to do."""

import json
from base64 import b64encode

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared.errors import Failed, StoreDown, Unheard
from shared.store import RowRefused, Store
from tests.engine.running import free_port, served


@pytest.fixture
async def store_at(environment, database):
    made = []

    def store_at(url=environment["SUPABASE_URL"], key=environment["SUPABASE_SECRET_KEY"]):
        made.append(Store(url, key, seconds=5))
        return made[-1]

    yield store_at
    for store in made:
        await store.aclose()


async def problem(store):
    with pytest.raises(StoreDown) as raised:
        await store.check()
    assert "\n" not in raised.value.detail
    return raised.value.detail


async def test_a_database_that_is_there_passes_the_check(store_at):
    await store_at().check()


async def test_a_wrong_address_is_said(store_at):
    url = f"http://127.0.0.1:{free_port()}"

    assert await problem(store_at(url)) == (
        f"Supabase did not answer at {url} (ConnectError): check SUPABASE_URL and the project"
    )


async def test_an_address_of_something_else_is_said(store_at, sample_site):
    assert f"http://{sample_site}" in await problem(store_at(f"http://{sample_site}"))


@pytest.mark.parametrize("key", ["sb_secret_wrong", "eyJhbGciOiJIUzI1NiJ9.e30.x"])
async def test_a_wrong_key_is_said_without_it(store_at, key):
    said = await problem(store_at(key=key))

    assert said.startswith("Supabase refused the key (")
    assert said.endswith("check SUPABASE_SECRET_KEY")
    assert key not in said


async def test_a_missing_grant_is_no_wrong_key(store_at, database):
    database.execute("revoke select on items from service_role")
    try:
        with pytest.raises(StoreDown) as raised:
            await store_at().select("items")
    finally:
        database.execute("grant select on items to service_role")

    assert raised.value.detail == (
        "permission denied for table items; the migrations grant it to service_role: apply them (`make migrate`)"
    )


@pytest.mark.parametrize("role", ["anon", "service_role"])
@pytest.mark.parametrize("legacy", [True, False])
async def test_the_public_key_is_told_from_a_missing_grant(store_at, role, legacy):
    """Supabase takes both kinds of both keys; who may do nothing gets the same code for either."""

    async def refuse(request):
        assert request.headers.get("authorization") == (f"Bearer {key}" if legacy else None)
        assert request.headers["apikey"] == key
        return JSONResponse({"code": "42501", "message": "permission denied for function mark_queued_v1"}, 401)

    claims = b64encode(json.dumps({"iss": "supabase", "role": role}, separators=(",", ":")).encode()).decode()
    kind = "publishable" if role == "anon" else "secret"
    key = f"eyJhbGciOiJIUzI1NiJ9.{claims.rstrip('=')}.c2lnbmVk" if legacy else f"sb_{kind}_abc"

    refusing = Starlette(routes=[Route("/{path:path}", refuse, methods=["POST"])])
    with served(refusing) as url:
        said = await problem(store_at(url, key))

    assert ("SUPABASE_SECRET_KEY" in said) == (role == "anon")
    assert ("make migrate" in said) == (role == "service_role")


async def test_missing_migrations_are_said(store_at, environment):
    with pytest.raises(StoreDown, match=rf"apply supabase/migrations to {environment['SUPABASE_URL']}$"):
        await store_at().call("claim_v99", claims=[])


async def test_a_missing_table_is_said(store_at):
    with pytest.raises(StoreDown, match="apply supabase/migrations to"):
        await store_at().select("no_such_table")


@pytest.mark.parametrize(
    "row", [{"said": None}, {"said": "x", "number": float("inf")}, {"said": "\ud83d"}, {"said": "\0"}]
)
async def test_a_row_the_database_cannot_hold_is_refused_for_good(store_at, row):
    with pytest.raises(RowRefused):
        await store_at().insert("probe_rows", [{"item_id": "01234567-89ab-7def-8123-456789abcdef", **row}])


@pytest.mark.parametrize(
    ("code", "kind"), [("54000", RowRefused), ("22P02", RowRefused), ("23514", RowRefused), ("57014", StoreDown)]
)
async def test_what_the_database_says_of_the_data_is_told_from_what_ails_itself(store_at, code, kind):
    async def refuse(_request):
        return JSONResponse({"code": code, "message": "index row size 2872 exceeds btree version 4 maximum 2704"}, 500)

    refusing = Starlette(routes=[Route("/{path:path}", refuse, methods=["POST"])])
    with served(refusing) as url, pytest.raises(Failed) as raised:
        await store_at(url).check()

    assert type(raised.value) is kind


async def test_a_question_that_was_never_asked_is_told_from_an_answer_that_was_lost(store_at, door):
    with pytest.raises(StoreDown) as unasked:
        await store_at(f"http://127.0.0.1:{free_port()}").check()
    door.lose("mark_queued_v1", times=2)
    with pytest.raises(StoreDown) as lost:
        await store_at().check()

    assert (type(unasked.value), type(lost.value)) == (StoreDown, Unheard)


async def test_pages_bring_every_row_once_in_order(store_at, database):
    database.execute("insert into news_urls (url) select 'http://a.test/' || n from generate_series(1, 25) n")

    pages = [page async for page in store_at().pages("news_urls", "id", key="id", size=10)]

    assert [len(page) for page in pages] == [10, 10, 5]
    assert [row["id"] for page in pages for row in page] == list(range(1, 26))


async def test_pages_end_when_the_last_one_is_full(store_at, database, door):
    database.execute("insert into news_urls (url) select 'http://a.test/' || n from generate_series(1, 20) n")

    pages = [page async for page in store_at().pages("news_urls", "id", key="id", size=10, after=10)]

    assert [row["id"] for page in pages for row in page] == list(range(11, 21))


async def test_a_connection_that_breaks_once_is_not_noticed(store_at, door):
    door.cut("mark_queued_v1", times=1)

    await store_at().check()

    assert door.calls["mark_queued_v1"] == 2


def test_nobody_without_the_secret_key_sees_a_row(environment, database, supabase_keys):
    database.execute("insert into news_urls (url) values ('http://a.test/')")
    public = supabase_keys[2]["SUPABASE_PUBLISHABLE_KEY"]

    for path in ("news_urls", "items", "api_keys", "rpc/claim_v1"):
        url = f"{environment['SUPABASE_URL']}/rest/v1/{path}"
        answer = httpx.request(
            "POST" if "/" in path else "GET", url, headers={"apikey": public}, json={} if "/" in path else None
        )
        assert answer.status_code in {401, 403, 404} or json.loads(answer.text) == []
