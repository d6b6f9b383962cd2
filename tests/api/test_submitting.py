"""Batches come in once, whole, and whatever else fails."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.running import free_port

BATCH = {"function": "probe", "items": [{"do": "done"}]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=[])), inner, max_size=3)
    ),
    max_leaves=6,
)


def nested(levels):
    value = "deep"
    for _ in range(levels):
        value = [value]
    return value


def counts(database):
    return database.execute(
        "select (select count(*) from batches) as batches, (select count(*) from items) as items"
    ).fetchone()


def is_problem(answer, status):
    body = answer.json()
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status
    assert {"type", "title", "detail"} <= set(body)
    return body["detail"]


def test_a_batch_of_items_is_enlisted_and_told_to_the_fan_out(api, database, topic):
    answer = api.post({"function": "probe", "items": [{"do": "done", "n": n} for n in range(3)]})

    batch = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == batch["links"]["self"] == f"/v3/batches/{batch['id']}"
    assert (batch["state"], batch["source"], batch["total"], batch["counts"]["waiting"]) == ("running", "items", 3, 3)
    assert topic.messages() == [{"batch_id": batch["id"]}]
    assert counts(database) == {"batches": 1, "items": 3}


def test_items_alike_are_enlisted_once(api, database):
    same = {"do": "fetch", "url": "http://daily.test/a"}
    tracked = {"do": "fetch", "url": "HTTP://Daily.TEST:80/a?utm_source=x#top"}

    batch = api.post({"function": "probe", "items": [same, same, tracked, {"do": "done"}]}).json()

    assert (batch["total"], batch["duplicates"]) == (2, 2)


def test_custom_ids_stay_with_their_items_and_out_of_their_inputs(api):
    batch = api.submit({"do": "done", "custom_id": "mine"}, {"do": "skip", "custom_id": 7})

    results = api.get(f"/v3/batches/{batch}/results").json()["results"]

    assert sorted((one["custom_id"], *one["input"].items()) for one in results) == [
        ("7", ("do", "skip")),
        ("mine", ("do", "done")),
    ]


def test_a_custom_id_may_have_200_characters_and_is_found_by_them(api):
    mine = "\U0001f600" * 200
    api.submit({"do": "done", "custom_id": mine}, {"do": nested(31)})

    (found,) = api.get("/v3/items", q=mine).json()["items"]

    assert found["custom_id"] == mine


def test_options_go_into_every_item(api, database):
    api.submit({"do": "done"}, {"do": "done", "n": 1}, options={"n": 5, "fresh": True})

    rows = database.execute("select input, fresh from items order by input ->> 'n'").fetchall()
    assert [(row["input"]["n"], row["fresh"]) for row in rows] == [(1, True), (5, True)]


@pytest.mark.parametrize("more", [{}, {"limit": 5}, {"dry_run": True}, {"options": {"colour": "red"}}])
def test_a_backlog_is_the_operators(api, database, door, topic, more):
    database.execute("insert into news_urls (url) values ('http://a.test/')")

    answer = api.post({"function": "probe", "source": "backlog", **more})

    assert is_problem(answer, 403).startswith("Backlogs are run by operators: send items of your own")
    assert door.calls["backlog_count_v1"] == 0
    assert counts(database) == {"batches": 0, "items": 0}
    assert topic.messages() == []


@pytest.mark.parametrize("more", [{}, {"dry_run": True}])
def test_a_run_over_a_backlog_has_no_made_up_options(operator, database, topic, more):
    answer = operator.post({"function": "probe", "source": "backlog", "options": {"colour": 1}, **more})

    assert is_problem(answer, 422) == "options: probe has no option 'colour'; it has: fresh, n, text, seconds."
    assert counts(database)["batches"] == 0
    assert topic.messages() == []


def test_a_backlog_is_ordered_from_the_fan_out(operator, database, topic):
    batch = operator.post({"function": "probe", "source": "backlog", "limit": 50}).json()

    (message,) = topic.messages()
    assert (message["function"], message["limit"], message["batch_id"]) == ("probe", 50, batch["id"])
    assert (batch["source"], batch["state"], batch["total"]) == ("backlog", "accepted", 0)


def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(operator, database, topic):
    database.execute("insert into news_urls (url) select 'http://a.test/' || n from generate_series(1, 9) n")

    answer = operator.post({"function": "probe", "source": "backlog", "limit": 5, "dry_run": True})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["dry_run"], told["would_enlist"], told["queue"]) == (True, 5, "probe")
    assert counts(database) == {"batches": 0, "items": 0}
    assert topic.messages() == []


def test_an_idempotency_key_makes_one_batch_of_many_calls(api, database, topic):
    answers = [api.post(BATCH, **{"Idempotency-Key": "once"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert counts(database) == {"batches": 1, "items": 1}
    assert len(topic.messages()) == 1


def test_an_idempotency_key_used_by_several_calls_at_once_makes_one_batch(api, database):
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: api.post(BATCH, **{"Idempotency-Key": "once"}), range(6)))

    assert {answer.status_code for answer in answers} == {202}
    assert counts(database) == {"batches": 1, "items": 1}


def test_an_idempotency_key_is_for_one_body(api, database):
    api.post(BATCH, **{"Idempotency-Key": "once"})

    answer = api.post({**BATCH, "items": [{"do": "skip"}]}, **{"Idempotency-Key": "once"})

    assert "use a new key" in is_problem(answer, 422)
    assert counts(database) == {"batches": 1, "items": 1}


def test_an_idempotency_key_belongs_to_its_caller(api, caller_of, database):
    api.post(BATCH, **{"Idempotency-Key": "once"})

    answer = caller_of().post(BATCH, **{"Idempotency-Key": "once"})

    assert answer.status_code == 202
    assert counts(database) == {"batches": 2, "items": 2}


@pytest.mark.parametrize("call", ["begin_batch_v1", "take_chunk_v1", "open_batch_v1"])
def test_a_call_that_died_halfway_goes_on_when_it_comes_again(api, database, door, topic, call):
    body = {"function": "probe", "items": [{"do": "done", "n": n} for n in range(700)]}
    door.cut(call)
    first = api.post(body, **{"Idempotency-Key": "once"})
    door.clear()

    second = api.post(body, **{"Idempotency-Key": "once"})

    is_problem(first, 503)
    assert (second.status_code, second.json()["state"]) == (202, "running")
    assert counts(database) == {"batches": 1, "items": 700}
    assert len(topic.messages()) == 1


def test_a_call_whose_answer_from_the_database_was_lost_is_told_to_the_fan_out_all_the_same(api, database, door, topic):
    door.lose("submit_v1")

    answer = api.post(BATCH)

    assert (answer.status_code, answer.json()["duplicates"]) == (202, 0)
    assert counts(database) == {"batches": 1, "items": 1}
    assert len(topic.messages()) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "function: Field required"),
        ({"function": "probe"}, 'send either "items" or "source": "backlog"'),
        ({"function": "probe", "items": [], "source": "backlog"}, "items: "),
        ({"function": "probe", "items": [{}], "source": "backlog"}, "send either"),
        ({"function": "probe", "items": []}, "items: List should have at least 1 item"),
        ({"function": "probe", "items": [{}] * 10_001}, "items: List should have at most 10000 items"),
        ({"function": "probe", "items": ["a"]}, "items.0: "),
        ({"function": "probe", "items": [{}], "dry_run": True}, "dry_run is for a backlog"),
        ({"function": "probe", "items": [{}], "speed": 9}, "speed: Extra inputs are not permitted"),
        ({"function": "probe", "source": "backlog", "limit": 0}, "limit: "),
        ({"function": "probe", "source": "elsewhere"}, "source: "),
        ({"function": "nobody", "items": [{}]}, "There is no function 'nobody'; there is: article, common, hasty"),
        ({"function": "api", "items": [{}]}, "There is no function 'api'"),
        (b"", "body"),
        (b"{", "JSON"),
        (b"[]", "body"),
        (b'{"function": "probe", "items": [{"do": "\\u0000"}]}', "items"),
        (b'{"function": "probe", "items": [{"do": "\\ud83d"}]}', "items"),
        (b'{"function": "probe", "items": [{"do": NaN}]}', "items"),
        (b'{"function": "probe", "items": [{"do": 1e999}]}', "items"),
        ({"function": "probe", "items": [{}, {"do": nested(100)}]}, "items.1: nested too deeply"),
        ({"function": "probe", "items": [{"do": nested(930)}]}, "items.0: nested too deeply"),
        ({"function": "probe", "items": [{}], "options": {"n": nested(300)}}, "options: nested too"),
        ({"function": "probe", "items": [{}, {"custom_id": "x" * 201}]}, "items.1: custom_id has at most"),
        (
            {"function": "probe", "items": [{}], "options": {"colour": 1, "n": 2}},
            "options: probe has no option 'colour'; it has: fresh, n",
        ),
        ({"function": "probe", "items": [{}], "options": {"custom_id": "x" * 201}}, "options: custom_id"),
    ],
)
def test_what_cannot_be_a_batch_is_told_why(api, database, topic, body, said):
    answer = api.post(body)

    assert said in is_problem(answer, 422)
    assert counts(database)["items"] == 0
    assert topic.messages() == []


@pytest.mark.parametrize("more", [{}, {"dry_run": True}])
def test_a_function_without_a_backlog_is_told_of(operator, more):
    answer = operator.post({"function": "twin", "source": "backlog", **more})

    assert "twin has no backlog" in is_problem(answer, 422)


def test_a_body_too_deep_to_be_read_is_refused(api):
    assert "nested too deeply" in is_problem(api.post(b"[" * 100_000), 422)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.builds(
        lambda items, more: {"function": "probe", "items": items, **more},
        JSON | st.lists(st.dictionaries(st.text(), JSON)),
        st.dictionaries(st.sampled_from(["options", "limit", "source", "more"]), JSON, max_size=1),
    )
)
def test_any_body_is_taken_or_told_why_not(api, body):
    answer = api.post(json.dumps(body).encode())

    assert answer.status_code in {202, 422}, answer.text
    assert "Traceback" not in answer.text


def test_too_much_at_once_is_refused_before_it_is_read(api, database):
    answer = api.post(b'{"function": "probe", "items": [{"do": "' + b"x" * 10_000_001 + b'"}]}')

    assert "at most 10,000,000 bytes" in is_problem(answer, 413)


def test_more_is_taken_of_what_is_read_as_it_comes_and_of_nothing_else(api):
    """Whatever stands beside the media type, or how it is written."""
    much = b'{"function": "probe", "items": [{"do": "' + b"x" * 10_000_001 + b'"}]}'
    line = b'{"do": "done"}\n'

    is_problem(api.post(much, **{"Content-Type": "application/json; x=application/x-ndjson"}), 413)
    lines = api.function.client.post(
        f"{api.function.url}/v3/batches?function=probe",
        content=b"\n" * 10_000_001 + line,
        headers={"Authorization": f"Bearer {api.key}", "Content-Type": "Application/X-NDJSON; charset=utf-8"},
    )

    assert lines.status_code == 202


def test_too_much_at_once_is_refused_also_when_its_length_was_not_told(api, database):
    def pieces():
        yield b'{"function": "probe", "items": [{"do": "'
        for _ in range(11):
            yield b"x" * 1_000_000
        yield b'"}]}'

    answer = api.function.client.post(
        f"{api.function.url}/v3/batches", content=pieces(), headers={"Authorization": f"Bearer {api.key}"}
    )

    is_problem(answer, 413)


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer pw_wrong", "Basic cHc6cHc=", "pw_wrong", "Bearer \xff"])
@pytest.mark.parametrize("path", ["/v3/batches", f"/v3/batches/{uuid4()}", f"/v3/batches/{uuid4()}/results"])
def test_without_a_known_key_nothing_is_told(api, header, path):
    headers = {"Authorization": header.encode("latin-1")} if header else {}

    answer = api.function.client.get(f"{api.function.url}{path}", headers=headers)

    is_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_revoked_key_opens_nothing(caller_of, database):
    is_problem(caller_of(revoked=True).post(BATCH), 401)

    assert counts(database) == {"batches": 0, "items": 0}


def test_somebody_without_a_key_submits_nothing(caller_of, database):
    is_problem(caller_of.nobody().post(BATCH), 401)

    assert counts(database) == {"batches": 0, "items": 0}


def test_a_fan_out_that_cannot_be_told_finds_the_items_by_its_sweep(deployer, api, deployed, database, queue):
    lonely = deployer.another("api", "api-lonely", PUBSUB_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    answer = type(api)(lonely, api.key).post(BATCH)
    database.execute("update items set created_at = now() - interval '5 minutes'")
    database.execute("update batches set fanned_at = null, created_at = now() - interval '5 minutes'")
    fanout = deployed("fanout")

    swept = fanout.post({"message": {"data": "eyJzd2VlcCI6IHRydWV9", "messageId": "1"}}, token=fanout.token("pubsub"))

    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    assert swept.json() == {"found": 1, "queued": 1}
    assert len(queue.waiting()) == 1


def test_a_backlog_that_cannot_be_ordered_is_not_taken(deployer, operator, database):
    lonely = deployer.another("api", "api-lonely", PUBSUB_ENDPOINT=f"http://127.0.0.1:{free_port()}")

    answer = type(operator)(lonely, operator.key).post({"function": "probe", "source": "backlog"})

    assert "topic_down" in is_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"


def test_with_the_database_away_it_is_said_so(api, door):
    door.cut()

    assert "store_down" in is_problem(api.post(BATCH), 503)
