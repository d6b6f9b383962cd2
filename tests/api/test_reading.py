"""What became of a batch, for its owner alone."""

import json
from uuid import uuid4

import pytest

from tests.api.test_submitting import is_problem

ENDS = {"done": "done", "skip": "skipped", "reject": "dead"}


def test_a_batch_tells_how_far_it_is(api, work_off):
    batch = api.submit(*({"do": do, "n": n} for do in ENDS for n in range(2)), {"do": "defer"})
    work_off()

    told = api.get(f"/v3/batches/{batch}").json()

    assert (told["state"], told["total"], told["finished_at"]) == ("running", 7, None)
    assert told["counts"] == {"waiting": 1, "running": 0, "done": 2, "skipped": 2, "dead": 2, "cancelled": 0}
    assert told["rate_per_minute"] > 0
    assert told["eta_seconds"] == round(60 / told["rate_per_minute"])


@pytest.mark.parametrize(
    ("dos", "state"), [(["done", "skip"], "completed"), (["done", "reject"], "completed_with_errors")]
)
def test_a_batch_is_complete_when_every_item_has_ended(api, work_off, dos, state):
    batch = api.submit(*({"do": do} for do in dos))
    work_off()

    told = api.get(f"/v3/batches/{batch}").json()

    assert told["state"] == state
    assert told["finished_at"].endswith("Z")
    assert told["eta_seconds"] is None


def test_a_batch_tells_what_it_cost(api, work_off, gemini):
    batch = api.submit({"do": "ask", "text": "A bridge was opened in the harbour. People came to see it."})
    work_off()

    told = api.get(f"/v3/batches/{batch}").json()

    (result,) = api.get(f"/v3/batches/{batch}/results").json()["results"]
    assert told["cost_usd"] == result["cost_usd"] > 0
    assert (told["tokens_in"], told["tokens_out"]) == (result["tokens_in"], result["tokens_out"])


def test_results_list_every_item_with_its_row_or_its_reason(api, work_off):
    batch = api.submit(
        {"do": "done", "custom_id": "a"}, {"do": "reject", "custom_id": "b"}, {"do": "defer", "custom_id": "c"}
    )
    work_off()

    answer = api.get(f"/v3/batches/{batch}/results").json()

    done, dead, waiting = sorted(answer["results"], key=lambda one: one["custom_id"])
    assert answer["next_cursor"] is None
    assert (done["state"], done["result"]["said"], done["attempts"]) == ("done", "attempt 1", 1)
    assert (dead["state"], dead["reason"], dead["error"], dead["result"]) == ("dead", "hopeless", "a detail", None)
    assert (waiting["state"], waiting["reason"], waiting["finished_at"]) == ("waiting", "closed", None)


@pytest.mark.parametrize("states", [["done"], ["skipped", "dead"], ["running"]])
def test_results_can_be_asked_for_by_state(api, work_off, states):
    batch = api.submit(*({"do": do} for do in ENDS))
    work_off()

    results = api.get(f"/v3/batches/{batch}/results", state=states).json()["results"]

    assert sorted(one["state"] for one in results) == sorted(set(states) & set(ENDS.values()))


def test_results_come_in_pages_that_hold_every_item_once(api):
    batch = api.submit(*({"do": "done", "n": n} for n in range(7)))
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        answer = api.get(f"/v3/batches/{batch}/results", limit=3, **({"cursor": cursor} if cursor else {})).json()
        seen += [one["input"]["n"] for one in answer["results"]]
        cursor, pages = answer["next_cursor"], pages + 1

    assert sorted(seen) == list(range(7))
    assert pages == 3


@pytest.mark.parametrize("asked", ["format", "accept"])
def test_results_come_as_json_lines_to_the_end(api, asked):
    batch = api.submit(*({"do": "done", "n": n} for n in range(7)))
    url = f"{api.function.url}/v3/batches/{batch}/results"
    headers = {"Authorization": f"Bearer {api.key}"}
    query = {"limit": 2, **({"format": "jsonl"} if asked == "format" else {})}
    headers |= {"Accept": "application/x-ndjson"} if asked == "accept" else {}

    answer = api.function.client.get(url, params=query, headers=headers)

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert sorted(json.loads(line)["input"]["n"] for line in answer.text.splitlines()) == list(range(7))


def test_a_batch_of_somebody_else_is_not_there(api, caller_of):
    batch, other = api.submit({"do": "done"}), caller_of()

    for path in (f"/v3/batches/{batch}", f"/v3/batches/{batch}/results"):
        assert is_problem(other.get(path), 404) == is_problem(other.get(path), 404) == f"You have no batch {batch}."
    assert other.get("/v3/batches").json()["batches"] == []
    assert is_problem(api.get(f"/v3/batches/{uuid4()}"), 404).startswith("You have no batch ")


def test_batches_are_listed_the_newest_first_in_pages(api):
    made = [api.submit({"do": "done", "n": n}) for n in range(5)]

    first = api.get("/v3/batches", limit=3).json()
    second = api.get("/v3/batches", limit=3, cursor=first["next_cursor"]).json()

    assert [batch["id"] for batch in first["batches"] + second["batches"]] == made[::-1]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v3/batches/x", {}),
        ("/v3/batches", {"limit": 0}),
        ("/v3/batches", {"limit": 101}),
        ("/v3/batches", {"cursor": "x"}),
        (f"/v3/batches/{uuid4()}/results", {"state": "lost"}),
        (f"/v3/batches/{uuid4()}/results", {"format": "xml"}),
    ],
)
def test_a_question_that_cannot_be_understood_is_told_why(api, path, query):
    assert is_problem(api.get(path, **query), 422)


@pytest.mark.parametrize("path", ["/nothing", "/v3", "/v3/", "/v2/batches", "/%00", "/v3/batches/../../etc/passwd"])
def test_what_is_not_there_says_where_to_look(api, path):
    assert "/openapi.json lists what there is" in is_problem(api.get(path), 404)


@pytest.mark.parametrize(("path", "allowed"), [("/v3/batches", "GET, POST"), ("/", "GET"), ("/docs", "GET")])
def test_a_method_that_is_not_there_is_a_problem_too(api, path, allowed):
    answer = api.function.client.delete(f"{api.function.url}{path}", headers={"Authorization": f"Bearer {api.key}"})

    assert f"{path} takes {allowed}, not DELETE" in is_problem(answer, 405)
    assert answer.headers["allow"] == allowed


def test_json_that_is_none_is_said_so(api):
    answer = api.function.client.post(
        f"{api.function.url}/v3/dead-letters/replay",
        content=b'{"reason": ',
        headers={"Authorization": f"Bearer {api.key}", "Content-Type": "application/json"},
    )

    assert is_problem(answer, 422).startswith("body: this is not JSON (")


def test_the_api_describes_itself(api):
    paths = api.get("/openapi.json").json()["paths"]

    assert {"/v3/batches", "/v3/batches/{batch_id}", "/v3/batches/{batch_id}/results", "/health"} <= set(paths)
