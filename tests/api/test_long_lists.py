"""Lists are whole though a project's max-rows ends an answer of the database early (here after 50 rows)."""

import json

import pytest

from tests.engine.door import MAX_ROWS

MORE = 2 * MAX_ROWS + 20


@pytest.fixture
def batch(api, database):
    """A batch of items that are dead."""
    batch = api.submit(*({"do": "reject", "n": n, "custom_id": f"number {n}"} for n in range(MORE)))
    database.execute("update items set state = 'dead', reason = 'bad_input', finished_at = public.moment()")
    return batch


@pytest.mark.parametrize(
    ("path", "named", "most"),
    [
        ("/v3/batches/{}/items", "items", 500),
        ("/v3/batches/{}/results", "results", 500),
        ("/v3/dead-letters", "dead_letters", 500),
        ("/v3/items?q=number", "items", 100),
    ],
)
def test_a_page_is_as_long_as_was_asked_for(api, batch, path, named, most):
    answer = api.get(path.format(batch).split("?")[0], limit=most, **({"q": "number"} if "?" in path else {})).json()

    assert len(answer[named]) == min(most, MORE)
    assert (answer["next_cursor"] is None) == (most > MORE)


def test_results_as_lines_are_all_of_them(api, batch):
    lines = api.get(f"/v3/batches/{batch}/results", format="jsonl").text.splitlines()

    assert [json.loads(line)["custom_id"] for line in lines] == [f"number {n}" for n in range(MORE)]


def test_batches_are_listed_as_many_as_were_asked_for(api, database):
    database.execute(
        "insert into batches (function, source, owner) "
        "select 'probe', 'items', (select id from api_keys) from generate_series(1, %s)", [MORE],
    )  # fmt: skip

    first = api.get("/v3/batches", limit=100).json()
    rest = api.get("/v3/batches", limit=100, cursor=first["next_cursor"]).json()

    assert (len(first["batches"]), len(rest["batches"]), rest["next_cursor"]) == (100, MORE - 100, None)


def test_the_audit_is_listed_to_its_end(api, database):
    database.execute(
        "insert into audit (key_id, action, target, affected) "
        "select (select id from api_keys), 'cancel', '{}', 1 from generate_series(1, %s)", [MORE],
    )  # fmt: skip

    answer = api.get("/v3/audit", limit=500).json()

    assert (len(answer["deeds"]), answer["next_cursor"]) == (MORE, None)
