"""A key sees and touches what is its own and nothing else, at every endpoint that /openapi.json names."""

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from functions.api.admission import is_guarded
from tests.api.test_submitting import is_problem

# Stands in all that the first customer has.
SECRET = "harbour-7f3a"
URL = f"http://{SECRET}.test/"
BODIES = {
    "/v3/batches": {"function": "probe", "items": [{"do": "done"}]},
    "/v3/dead-letters/replay": {"all": True},
    "/v3/dead-letters/discard": {"all": True},
    "/v3/posters": {"posters": [{"content_id": "another", "url": "https://example.com/another.png"}]},
}
QUERIES = {"/v3/items": {"q": SECRET}}
KEPT = """
    select (select jsonb_agg(to_jsonb(b) order by b.id) from batches b where owner = %(owner)s) as batches,
      (select jsonb_agg(to_jsonb(i) order by i.id) from items i join batches b on b.id = i.batch_id
       where b.owner = %(owner)s) as items
"""


@dataclass(frozen=True)
class Operation:
    method: str
    path: str

    def __str__(self):
        return f"{self.method} {self.path}"


@pytest.fixture
def world(api, work_off, database):
    """What the first customer has: a batch with a result, a dead letter, a poster, a deed in the audit."""
    batch = api.submit(
        {"do": "done", "custom_id": SECRET, "url": URL}, {"do": "reject", "custom_id": f"{SECRET}-2", "text": SECRET},
        {"do": "reject", "n": 1, "custom_id": f"{SECRET}-3", "text": SECRET},
        webhook_url=f"https://{SECRET}.example/", webhook_secret=f"{SECRET}-whsec-0123",
    )  # fmt: skip
    work_off()
    items = {item["state"]: item["item_id"] for item in api.get(f"/v3/batches/{batch}/items").json()["items"]}
    api.act(f"/v3/dead-letters/{items['dead']}/replay")
    work_off()
    database.execute(
        """
        insert into poster_analyses (item_id, content_id, url, image, elements, title, zones, recommended, crops,
          quality, thumbnail, model, prompt_version, slots_version, tokens_in, tokens_out, cost_usd, latency_ms,
          attempts)
        values (%s, %s, %s, '{"width": 2, "height": 3, "sha256": ""}', '[]', null, '[]', '[]', '[]', '{}', '', 'm', '1',
          '1', 1, 1, 0, 1, 1)
        """,
        [items["done"], SECRET, URL],
    )
    database.execute(
        "update items set function = 'poster', input = input || jsonb_build_object('content_id', %s::text) "
        "where id = %s",
        [SECRET, items["done"]],
    )
    owner = database.execute("select owner from batches where id = %s", [batch]).fetchone()["owner"]
    places = {"batch_id": batch, "item_id": items["dead"], "content_id": SECRET}
    return SimpleNamespace(places=places, ids={batch, *items.values(), str(owner)}, owner=owner)


@pytest.fixture
def operations(api):
    paths = api.get("/openapi.json").json()["paths"]
    found = [Operation(method, path) for path, methods in paths.items() for method in methods if is_guarded(path)]
    assert len(found) > 15
    return found


def ask(caller, operation, places):
    path = operation.path
    for name, value in places.items():
        path = path.replace(f"{{{name}}}", value)
    assert "{" not in path, f"{operation}: say in `places` whose thing it is about"
    url = f"{caller.function.url}{path}"
    body = BODIES.get(operation.path)
    return caller.function.client.request(
        operation.method, url, params=QUERIES.get(operation.path), headers=caller._headers(),
        **({"json": body} if body and operation.method == "post" else {}),
    )  # fmt: skip


def leaks(answer, places, ids):
    """What of the first customer stands in it, but for what was asked with."""
    text = answer.text
    for value in places.values():
        text = text.replace(f"You have no batch {value}", "").replace(f"You have no item {value}", "")
        text = text.replace(f"You have no poster '{value}'", "")
    text = text.replace(json.dumps(answer.request.url.path), "")
    return [word for word in (SECRET, *ids) if word in text]


def test_no_endpoint_tells_one_customer_of_another(world, operations, caller_of):
    other, found = caller_of(), {}
    for operation in operations:
        answer = ask(other, operation, world.places)

        leaked = leaks(answer, world.places, world.ids)
        hidden = answer.status_code in {403, 404} if "{" in operation.path else answer.status_code < 500
        if leaked or not hidden:
            found[str(operation)] = (answer.status_code, leaked, answer.text[:300])

    assert found == {}


def test_no_endpoint_lets_one_customer_change_what_is_anothers(world, operations, caller_of, database):
    other, before = caller_of(), database.execute(KEPT, {"owner": world.owner}).fetchone()
    for operation in operations:
        ask(other, operation, world.places)

    assert database.execute(KEPT, {"owner": world.owner}).fetchone() == before
    assert before["items"]


def test_the_same_endpoints_tell_their_owner(world, operations, api):
    """Else the tests above would hold for an API that knows nothing."""
    told = {}
    for operation in operations:
        if operation.method == "get":
            answer = ask(api, operation, world.places)
            told[str(operation)] = bool(leaks(answer, {}, world.ids))

    assert {name for name, known in told.items() if not known and "{" in name} <= {
        # It draws; it tells no id.
        "get /v3/posters/{content_id}/overlay.svg",
    }
    assert told["get /v3/batches"]
    assert told["get /v3/items"]
    assert told["get /v3/dead-letters"]
    assert told["get /v3/audit"]


def test_no_endpoint_answers_without_a_key(world, operations, caller_of):
    nobody = caller_of.nobody()

    answers = {str(operation): ask(nobody, operation, world.places) for operation in operations}

    for answer in answers.values():
        is_problem(answer, 401)


def test_an_operator_sees_what_everybody_has(world, operations, caller_of):
    operator = caller_of(operator=True)

    answers = {
        str(operation): ask(operator, operation, world.places).status_code
        for operation in operations
        if operation.method == "get" and "{" in operation.path
    }

    assert {name: status for name, status in answers.items() if status not in {200, 409}} == {}


def test_what_the_scheduler_runs_is_seen_by_operators_alone(api, caller_of, database, operations):
    (row,) = database.execute(
        "insert into batches (function, source, state) values ('probe', 'backlog', 'open') returning id"
    ).fetchall()

    is_problem(api.get(f"/v3/batches/{row['id']}"), 404)
    assert caller_of(operator=True).get(f"/v3/batches/{row['id']}").status_code == 200
