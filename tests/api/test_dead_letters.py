"""Dead letters: found, looked at, replayed, discarded; each once, and written down."""

from uuid import uuid4

import pytest

from tests.api.test_submitting import is_problem


@pytest.fixture
def dead(api, work_off):
    """dead(3, "text"): the ids of so many new dead letters of the caller, oldest first."""

    def dead(count=1, caller=api, **more):
        batch = caller.submit(*({"do": "reject", "n": n, **more} for n in range(count)))
        work_off()
        return [item["item_id"] for item in caller.get(f"/v3/batches/{batch}/items").json()["items"]]

    return dead


def listed(caller, **query):
    return [one["item_id"] for one in caller.get("/v3/dead-letters", **query).json()["dead_letters"]]


def state(database, item):
    return database.execute("select state from items where id = %s", [item]).fetchone()["state"]


def test_dead_letters_are_listed_the_newest_first_in_pages(api, dead):
    made = dead(5)

    first = api.get("/v3/dead-letters", limit=3).json()
    second = api.get("/v3/dead-letters", limit=3, cursor=first["next_cursor"]).json()

    assert [one["item_id"] for one in first["dead_letters"] + second["dead_letters"]] == made[::-1]
    assert second["next_cursor"] is None


def test_dead_letters_are_found_by_what_they_have_in_common(api, dead, database):
    one = dead(1, url="http://one.test/")[0]
    two = dead(1, url="http://two.test/")[0]
    database.execute("update items set reason = 'else', finished_at = now() - interval '1 hour' where id = %s", [two])
    batch = str(database.execute("select batch_id from items where id = %s", [one]).fetchone()["batch_id"])

    assert listed(api, domain="two.test") == listed(api, reason="else") == listed(api, older_than_seconds=60) == [two]
    assert listed(api, batch=batch) == listed(api, younger_than_seconds=60) == [one]
    assert listed(api, function="probe", reason="hopeless") == [one]
    assert listed(api, function="twin") == []


def test_one_dead_letter_shows_what_was_sent_and_each_attempt(api, dead):
    (item,) = dead(text="why it failed")

    told = api.get(f"/v3/dead-letters/{item}").json()

    assert told["input"] == {"do": "reject", "n": 0, "text": "why it failed"}
    assert (told["state"], told["reason"], told["error"]) == ("dead", "hopeless", "why it failed")
    (attempt,) = told["history"]
    assert (attempt["attempt"], attempt["outcome"], attempt["error"]) == (1, "dead", "why it failed")


def test_what_is_no_dead_letter_is_not_shown_as_one(api):
    batch = api.submit({"do": "done"})
    (item,) = api.get(f"/v3/batches/{batch}/items").json()["items"]

    assert "is no dead letter" in is_problem(api.get(f"/v3/dead-letters/{item['item_id']}"), 404)
    assert "You have no item" in is_problem(api.get(f"/v3/dead-letters/{uuid4()}"), 404)


def test_a_replayed_dead_letter_is_worked_on_again(api, dead, database, topic, work_off):
    (item,) = dead()
    topic.messages()

    answers = [api.act(f"/v3/dead-letters/{item}/replay").json() for _ in range(2)]

    batch = str(database.execute("select batch_id from items").fetchone()["batch_id"])
    assert [answer["replayed"] for answer in answers] == [1, 0]
    assert topic.messages() == [{"batch_id": batch}]
    assert (listed(api), state(database, item)) == ([], "waiting")
    work_off()
    assert listed(api) == [item]
    assert len(api.get(f"/v3/items/{item}").json()["history"]) == 2


def test_many_are_replayed_by_what_they_have_in_common_and_no_more_than_asked(api, dead, database):
    dead(5, url="http://daily.test/")
    dead(2, url="http://other.test/")

    first = api.act("/v3/dead-letters/replay", {"domain": "daily.test", "limit": 3}).json()
    rest = api.act("/v3/dead-letters/replay", {"domain": "daily.test", "limit": 3}).json()

    assert (first, rest) == ({"replayed": 3, "goes_on": True}, {"replayed": 2, "goes_on": False})
    assert len(listed(api)) == 2
    assert api.act("/v3/dead-letters/replay", {"all": True}).json()["replayed"] == 2


def test_a_discarded_dead_letter_is_seen_no_more_and_stays_dead(api, dead, database):
    one, two, three = dead(3)

    answers = [api.act(f"/v3/dead-letters/{one}/discard").json() for _ in range(2)]
    many = api.act("/v3/dead-letters/discard", {"reason": "hopeless"}).json()

    assert [answer["discarded"] for answer in answers] == [1, 0]
    assert many == {"discarded": 2, "goes_on": False}
    assert listed(api) == []
    assert {state(database, item) for item in (one, two, three)} == {"dead"}
    assert api.act(f"/v3/dead-letters/{two}/replay").json()["replayed"] == 0


def test_what_was_done_is_written_down_with_who_and_how_many(api, dead, database, caller_of):
    dead(3)
    api.act("/v3/dead-letters/replay", {"reason": "hopeless", "limit": 1})
    api.act("/v3/dead-letters/discard", {"function": "probe"})
    api.act("/v3/dead-letters/discard", {"function": "probe"})

    deeds = api.get("/v3/audit").json()["deeds"]

    assert [(deed["action"], deed["target"], deed["affected"]) for deed in deeds] == [
        ("discard", {"function": "probe"}, 2),
        ("replay", {"reason": "hopeless"}, 1),
    ]
    owner = database.execute("select id from api_keys").fetchone()["id"]
    assert {deed["key_id"] for deed in deeds} == {str(owner)}
    assert caller_of(operator=True).get("/v3/audit").json()["deeds"] == deeds


def test_a_dead_letter_of_a_stopped_batch_is_not_replayed(api, work_off, database):
    batch = api.submit({"do": "reject"}, {"do": "defer"})
    work_off()
    api.act(f"/v3/batches/{batch}/cancel")
    (item,) = listed(api)

    assert "was stopped" in is_problem(api.act(f"/v3/dead-letters/{item}/replay"), 409)
    assert state(database, item) == "dead"


@pytest.mark.parametrize("deed", ["replay", "discard"])
@pytest.mark.parametrize(
    "body",
    [{}, {"limit": 5}, {"all": True, "reason": "x"}, {"limit": 0, "all": True}, {"reasons": "x"}, {"reason": ""}, []],
)
def test_a_filter_that_says_nothing_is_refused(api, dead, database, deed, body):
    (item,) = dead()

    is_problem(api.act(f"/v3/dead-letters/{deed}", body), 422)

    assert state(database, item) == "dead"


def test_items_are_found_by_id_custom_id_and_a_part_of_their_address(api, caller_of):
    batch = api.submit(
        {"do": "done", "custom_id": "mine-1", "url": "http://daily.test/a_b"},
        {"do": "done", "custom_id": "mine-2", "url": "http://other.test/a%b"},
    )
    first, second = (item["item_id"] for item in api.get(f"/v3/batches/{batch}/items").json()["items"])

    def found(words, caller=api, **query):
        return [item["item_id"] for item in caller.get("/v3/items", q=words, **query).json()["items"]]

    assert found(first) == found("mine-1") == found("daily.test") == found("a_b") == [first]
    assert found("a%b") == [second]
    assert found("mine") == found("TEST/a") == [second, first]
    assert found("mine", limit=1) == [second]
    assert found("mine", limit=1, cursor=second) == [first]
    assert found(first, caller_of()) == found("mine", caller_of()) == []
    assert found("mine", caller_of(operator=True)) == [second, first]


def test_an_item_shows_its_result(api, work_off):
    batch = api.submit({"do": "done"})
    work_off()
    (item,) = api.get(f"/v3/batches/{batch}/items").json()["items"]

    told = api.get(f"/v3/items/{item['item_id']}").json()

    assert (told["state"], told["result"]["said"], told["attempts"]) == ("done", "attempt 1", 1)
    assert [attempt["outcome"] for attempt in told["history"]] == ["done"]
