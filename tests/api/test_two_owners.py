"""Two owners share their inputs: what one of them types, pays for or knows never reaches the other, at any endpoint."""

import json
from dataclasses import replace

import pytest

from functions.webhook.webhook import body_of
from shared.enlisting import entry
from tests.api.neighbours import (
    NOTHING,
    OPERATORS,
    PAGE,
    POSTER,
    SHARED,
    Neighbour,
    know_their_ids,
    what_is_said,
    worked_off,
)
from tests.api.walking import Said, requests_of, sent
from tests.engine.here import manifests_of


@pytest.fixture
def operator(caller_of, database, project):
    """Whose backlogs hold the same page and poster, and one poster that nobody else has."""
    one = Neighbour(caller_of(operator=True), "mark-op-1c55")
    database.execute("insert into news_urls (url) values (%s)", [one.spelled(PAGE)])
    database.execute(
        "insert into posters (content_id, title, url) values (%s, %s, %s), (%s, %s, %s)",
        [SHARED, f"The {one.mark}", one.spelled(POSTER), OPERATORS, f"Another {one.mark}", one.spelled(POSTER)],
    )
    known = manifests_of(project).functions
    scheduled(database, known["article"], {"url": one.spelled(PAGE)})
    scheduled(database, known["poster"], {"url": one.spelled(POSTER), "content_id": SHARED})
    scheduled(database, known["poster"], {"url": one.spelled(POSTER), "content_id": OPERATORS, "title": one.mark})
    return one


def scheduled(database, manifest, given):
    """An item of a scheduled run, whose batch belongs to no key."""
    batch = database.execute(
        "insert into batches (function, source, state) values (%s, 'backlog', 'open') returning id", [manifest.name]
    ).fetchone()["id"]
    database.execute(
        "select enlist_v1(array[%s::jsonb], %s, %s, %s)",
        [json.dumps(entry(given, manifest)), batch, manifest.name, manifest.quota],
    )


@pytest.fixture
def neighbours(caller_of, operator, database, deployed):
    """Two customers, the second one after the first: what the operator and the first have is known by then."""
    both = [Neighbour(caller_of(), "mark-a-7f3a"), Neighbour(caller_of(), "mark-b-9d0e")]
    worked_off(database, deployed)
    for one in both:
        one.types()
        worked_off(database, deployed)
    for one in both:
        one.fails()
    worked_off(database, deployed)
    know_their_ids(database, both)
    operator.ids = {
        "batch": ids_of(database, "select id from batches where owner is null and function <> 'webhook'"),
        "item": ids_of(database, "select i.id from items i join batches b on b.id = i.batch_id where b.owner is null"),
    }
    return both


def ids_of(database, query):
    return [str(row["id"]) for row in database.execute(query).fetchall()]


@pytest.fixture
def document(neighbours):
    return neighbours[0].caller.get("/openapi.json").json()


def test_no_request_brings_one_owner_a_word_of_another(document, neighbours, operator):
    first, second = neighbours
    found = []
    for asker, other in ((second, first), (first, second)):
        foreign = other.words() | operator.words()
        for request in requests_of(document, what_is_said(asker, [other, operator])):
            heard = sent(asker.caller, request)
            said = request.words()
            leaked = sorted(word for word in foreign if word in heard.text and word not in said)
            if leaked or heard.status >= 500:
                found.append(f"{asker.mark}: {request} -> {heard.status} {leaked}")

    assert not found, "\n".join(found)


def test_what_is_anothers_is_answered_as_what_is_not_there(document, neighbours, operator):
    first, second = neighbours
    theirs, nothing = what_is_said(second, [first, operator]), {}
    compared = 0
    for request in requests_of(document, theirs):
        strange = [one for one in foreign_ids(first, operator) if one in request.path]
        if not strange:
            continue
        unknown = replace(request, path=request.path.replace(strange[0], NOTHING), body=request.body)
        told, said = sent(second.caller, request), sent(second.caller, unknown)
        if (told.status, told.body.replace(strange[0], NOTHING)) != (said.status, said.body):
            nothing[str(request)] = (told, said)
        compared += 1

    assert nothing == {}
    assert compared > 100


def foreign_ids(*others):
    return [one for other in others for kind in ("batch", "item") for one in other.ids[kind]]


def test_with_cache_all_a_result_is_told_to_each_owner_in_his_own_words(neighbours):
    first, second = (results_of(one, "common") for one in neighbours)

    assert (first["cached"], second["cached"]) == (False, True)
    assert first["result"]["said"] == second["result"]["said"] == "attempt 1"
    for one, told in zip(neighbours, (first, second), strict=True):
        assert (told["result"]["item_id"], told["result"]["url"]) == (told["item_id"], one.spelled(PAGE))
    assert (second["attempts"], second["cost_usd"]) == (0, 0)
    assert second["result"]["created_at"] == second["finished_at"]
    assert [results_of(one, "article")["cached"] for one in neighbours] == [False, False]


def results_of(neighbour, function):
    (batch,) = neighbour.caller.get("/v3/batches", function=function).json()["batches"]
    return neighbour.caller.get(f"/v3/batches/{batch['id']}/results").json()["results"][0]


def test_an_owner_is_told_of_his_own(document, neighbours):
    """Else the walk would hold for an API that knows nothing."""
    _, second = neighbours
    own = {
        request.template
        for request in requests_of(document, what_is_said(second, []))
        if request.method == "GET" and second.mark in sent(second.caller, request).text
    }

    assert own >= {
        "/v3/batches", "/v3/batches/{batch_id}", "/v3/batches/{batch_id}/items", "/v3/batches/{batch_id}/results",
        "/v3/items", "/v3/items/{item_id}", "/v3/dead-letters", "/v3/dead-letters/{item_id}", "/v3/posters",
        "/v3/posters/{content_id}", "/v3/posters/{content_id}/overlay.svg", "/v3/monitoring/dashboard",
    }  # fmt: skip


def test_neither_log_lines_nor_webhooks_of_one_owner_have_a_word_of_another(neighbours, operator, deployed, database):
    first, second = neighbours
    lines = [
        json.dumps(line)
        for function in ("article", "poster", "probe", "common")
        for line in deployed(function).lines()
        if line.get("item_id") in second.ids["item"]
    ]
    told = database.execute(
        "select to_jsonb(w) as told from batches b, webhook_v1(b.id) w where b.id = any (%s)", [second.ids["batch"]]
    ).fetchall()
    messages = [body_of(row["told"], row["told"]["round"]).decode() for row in told]

    assert len(lines) >= len(second.ids["item"])
    assert len(messages) == 4
    assert [one for one in lines + messages if any(word in one for word in first.words() | operator.words())] == []


def test_a_parameter_that_the_walk_does_not_know_stops_it():
    document = {"paths": {"/v3/new": {"get": {"parameters": [{"in": "query", "name": "colour"}]}}}}

    with pytest.raises(pytest.fail.Exception, match="/v3/new has a parameter 'colour' that the walk does not know"):
        list(requests_of(document, Said({}, {})))


def test_a_body_that_the_walk_does_not_know_stops_it():
    document = {"paths": {"/v3/new": {"post": {"requestBody": {}}}}}

    with pytest.raises(pytest.fail.Exception, match="/v3/new takes a body that the walk does not know"):
        list(requests_of(document, Said({}, {})))
