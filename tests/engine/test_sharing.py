"""What deliveries share: one item, one quota, one round trip, one database that may be away."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest

from tests.engine.running import free_port


@pytest.fixture
def probe(deployed):
    return deployed("probe")


@pytest.fixture
def instance(deployed, deployer):
    """A second instance of the probe."""
    return deployer.another("probe", "probe-2")


@pytest.fixture
def meanwhile():
    with ThreadPoolExecutor(8) as threads:
        yield threads.submit


def rows(database):
    return database.execute("select * from probe_rows").fetchall()


def test_an_item_that_two_instances_get_runs_once(
    probe, instance, enlist, item_of, attempts_of, door, meanwhile, queue
):
    item = enlist(do="done")
    keep = door.hold("keep_v1")

    first = meanwhile(probe.deliver, item)
    keep.wait_for_somebody()
    second = instance.deliver(item)
    keep.open.set()

    assert (second.status_code, second.text) == (200, "rest")
    assert first.result().text == "done"
    assert [one.attempt for one in attempts_of(item)] == [1]
    # Its task comes back when the first one's lease has ended: should that one die, nothing is lost.
    assert [task.item_id for task in queue.waiting()] == [item]
    assert item_of(item).state == "done"


def test_an_item_that_one_instance_gets_many_times_at_once_runs_once(probe, enlist, item_of, attempts_of, database):
    item = enlist(do="done")

    answers = probe.deliver_all([item] * 8)

    assert {answer.status_code for answer in answers} == {200}
    assert len(attempts_of(item)) == 1
    assert item_of(item).state == "done"
    assert len(rows(database)) == 1


def test_the_first_result_wins(probe, instance, enlist, item_of, attempts_of, door, meanwhile, database):
    item = enlist(do="done")
    keep = door.hold("keep_v1")
    slow = meanwhile(probe.deliver, item)
    keep.wait_for_somebody()
    database.execute("update items set leased_until = now() - interval '1 second' where id = %s", [item])

    quick = instance.deliver(item)
    keep.open.set()

    assert (quick.text, slow.result().text) == ("done", "done")
    assert len(attempts_of(item)) == 2
    assert [row["said"] for row in rows(database)] == ["attempt 2"]
    assert item_of(item).result_id == item


def test_a_busy_instance_shares_its_round_trips(probe, enlist, door, database):
    items = [enlist(do="done", n=n) for n in range(40)]
    probe.deliver(enlist(do="done"))
    door.calls.clear()

    answers = probe.deliver_all(items)

    assert {answer.text for answer in answers} == {"done"}
    assert len(rows(database)) == 41
    assert door.calls["claim_v1"] <= 20
    assert door.calls["keep_v1"] <= 20


@pytest.mark.parametrize("do", ["misfit", "unspeakable"])
def test_a_row_that_is_refused_does_not_sink_its_group(probe, enlist, item_of, door, meanwhile, database, do):
    good = [enlist(do="done", n=n) for n in range(12)]
    bad = enlist(do=do)
    keep = door.hold("keep_v1", times=2)
    rest = meanwhile(probe.deliver_all, [*good[:6], bad, *good[6:]])
    keep.wait_for_somebody()

    keep.open.set()

    assert sorted(answer.text for answer in rest.result()) == ["dead"] + ["done"] * 12
    assert (item_of(bad).state, item_of(bad).reason) == ("dead", "row_refused")
    assert {item_of(item).state for item in good} == {"done"}
    assert len(rows(database)) == 12
    assert probe.lines(bad)[-1]["reason"] == "row_refused"


def test_functions_on_one_quota_share_its_pace(deployed, enlist, database, item_of, gemini, meanwhile):
    """60 a minute: one goes now, and whatever cannot go within the patience of 1 s comes back in single file."""
    for name in ("narrow", "narrow_twin"):  # a function's first question is late: it loads the SDK
        deployed(name).deliver(enlist(name, "narrow", do="ask", n=9))
        database.execute("update quotas set request_slot = '-infinity', tail = '-infinity' where name = 'narrow'")
    gemini.stats.clear()
    items = [enlist(name, "narrow", do="ask", n=n) for n, name in enumerate(["narrow", "narrow_twin"] * 3)]

    answers = [meanwhile(deployed(item_of(item).function).deliver, item) for item in items]

    assert {answer.result().text for answer in answers} == {"done", "rest"}
    waits = sorted(item_of(item).not_before for item in items if item_of(item).state == "waiting")
    assert len(waits) >= 3
    assert all(later - sooner >= timedelta(seconds=0.99) for sooner, later in pairwise(waits))
    departures = [when for when, *_ in gemini.stats.report(log=True)["log"]]
    assert all(later - sooner >= 0.9 for sooner, later in pairwise(departures))


def test_with_the_database_away_nothing_is_done_and_nothing_lost(probe, enlist, item_of, attempts_of, door):
    item = enlist(do="ask")
    door.cut()

    answer = probe.deliver(item)

    assert (answer.status_code, answer.text) == (500, "failed")
    assert (item_of(item).state, item_of(item).attempts) == ("waiting", 0)
    assert probe.lines(item)[-1]["reason"] == "store_down"
    door.clear()
    assert probe.deliver(item, retry=1).text == "done"


async def test_a_database_at_a_port_with_nothing_says_where_it_was_looked_for(here, enlist, item_of, capsys):
    port = free_port()
    item = enlist(do="done")

    answer = await here(supabase_url=f"http://127.0.0.1:{port}").deliver(item)

    assert answer.status_code == 500
    assert f"http://127.0.0.1:{port} (ConnectError): check SUPABASE_URL" in capsys.readouterr().out
    assert item_of(item).state == "waiting"


@pytest.mark.parametrize("trouble", ["cut", "lose"])
def test_a_database_that_stumbles_at_the_keep_costs_no_second_call(
    probe, enlist, item_of, attempts_of, door, gemini, trouble
):
    item = enlist(do="ask", text="A bridge was opened in the harbour. People came to see it.")
    getattr(door, trouble)("keep_v1", times=3)

    answer = probe.deliver(item)

    assert answer.text == "done"
    assert (item_of(item).state, item_of(item).attempts) == ("done", 1)
    (attempt,) = attempts_of(item)
    assert (attempt.model_calls, attempt.tokens_in) == (1, item_of(item).tokens_in)
    assert gemini.stats.report()["requests"] == 1


async def test_a_result_that_could_not_be_kept_in_time_is_made_again(here, enlist, item_of, door, database):
    item = enlist(do="done")
    door.cut("keep_v1")

    lost = await here(timeout_seconds=10).deliver(item)

    assert (lost.status_code, lost.text) == (500, "failed")
    assert (item_of(item).state, item_of(item).attempts) == ("running", 1)
    door.clear()
    database.execute("update items set leased_until = now() where id = %s", [item])
    assert (await here().deliver(item)).text == "done"


@pytest.mark.parametrize("answers_lost", [2, 3])
async def test_an_item_whose_claims_went_unheard_is_worked_on_in_its_first_attempt(
    here, enlist, item_of, attempts_of, door, answers_lost
):
    item = enlist(do="done")
    door.lose("claim_v1", times=answers_lost)

    assert (await here().deliver(item)).text == "done"
    assert (item_of(item).state, item_of(item).attempts) == ("done", 1)
    assert len(attempts_of(item)) == 1


async def test_a_rest_that_was_never_kept_does_not_make_deaf_for_the_next(here, enlist, database):
    handler = here()
    await handler.deliver(enlist(do="done"))
    handler.engine.rests(time.monotonic())

    database.execute("update quotas set rests_until = now() + interval '1 hour' where name = 'probe'")
    await handler.deliver(enlist(do="done"))

    assert handler.engine.rests_until - time.monotonic() > 3000


async def test_what_was_reserved_for_a_row_that_is_refused_is_given_back(here, enlist, item_of, database):
    handler = here(reserve_tokens=1000)
    await handler.deliver(enlist(do="ask"))
    database.execute("update quotas set tokens_per_minute = 60000, token_slot = now() where name = 'probe'")
    item = enlist(do="ask_misfit", text="A bridge was opened in the harbour.")

    assert (await handler.deliver(item)).text == "dead"

    (pace,) = database.execute(
        "select extract(epoch from token_slot - now())::float as ahead from quotas where name = 'probe'"
    ).fetchall()
    used = item_of(item).tokens_in
    assert (item_of(item).reason, 0 < used < 200) == ("row_refused", True)
    assert pace["ahead"] < 0.5, "1,000 tokens are a second"


async def test_a_queue_that_takes_no_task_for_later_lets_this_one_come_again(here, enlist, item_of, attempts_of):
    item = enlist(do="defer")

    answer = await here(tasks_endpoint=f"http://127.0.0.1:{free_port()}").deliver(item)

    assert (answer.status_code, answer.text) == (500, "failed")
    assert (item_of(item).state, item_of(item).attempts) == ("waiting", 0)
    assert item_of(item).not_before is not None


async def test_an_answer_that_makes_no_sense_is_a_failure_with_an_outcome(here, enlist, item_of, monkeypatch):
    item, one = enlist(do="done"), here()

    async def nonsense(*_args):
        return "<html>not today</html>"

    monkeypatch.setattr(one.engine.store, "_execute", nonsense)
    answer = await one.deliver(item)

    assert (answer.status_code, answer.text) == (500, "failed")
    assert item_of(item).state == "waiting"


def test_the_metered_call_goes_out_at_most_once_a_dispatch(probe, enlist, item_of, attempts_of, gemini):
    item = enlist(do="ask_twice", text="A bridge was opened in the harbour. People came to see it.")

    answer = probe.deliver(item)

    assert (answer.status_code, item_of(item).reason) == (200, "second_call")
    assert gemini.stats.report()["requests"] == 1
    assert attempts_of(item)[0].model_calls == 1
    assert item_of(item).cost_usd > 0


def test_work_that_missed_its_slot_claims_another_one(probe, enlist, item_of, door):
    item = enlist(do="ask_late", seconds=0.4)

    answer = probe.deliver(item)

    assert answer.text == "done"
    assert door.calls["claim_v1"] >= 2
    assert item_of(item).attempts == 1


def test_work_that_missed_its_slot_waits_its_turn_when_the_quota_rests(
    probe, enlist, item_of, database, gemini, meanwhile, wait_until, queue
):
    item = enlist(do="ask_late", seconds=1)
    answer = meanwhile(probe.deliver, item)
    wait_until(lambda: item_of(item).state == "running")

    database.execute(
        "update quotas set rests_until = now() + interval '1 hour', rest_reason = 'daily_quota' where name = 'probe'"
    )

    assert answer.result().text == "deferred"
    assert (item_of(item).state, item_of(item).reason, item_of(item).attempts) == ("waiting", "daily_quota", 0)
    assert gemini.stats.report()["requests"] == 0
    assert [task.item_id for task in queue.waiting()] == [item]


@pytest.mark.parametrize("by", ["304", "content"])
def test_a_page_that_has_not_changed_is_not_paid_for_again(probe, enlist, item_of, database, gemini, by):
    first, second = (enlist(do="fetch", n=1) for _ in range(2))
    assert probe.deliver(first).text == "done"
    database.execute("update items set finished_at = now() - interval '31 days' where id = %s", [first])
    if by == "content":
        database.execute("update items set validators = validators - 'etag' - 'last_modified'")

    answer = probe.deliver(second)

    assert answer.text == "done"
    assert (item_of(second).result_id, item_of(second).reason) == (first, "unchanged")
    assert item_of(second).cost_usd == 0
    assert gemini.stats.report()["requests"] == 1


def test_what_was_answered_lately_is_answered_again_without_any_work(probe, enlist, item_of, attempts_of, gemini):
    first, second = (enlist(do="ask") for _ in range(2))
    probe.deliver(first)

    answer = probe.deliver(second)

    assert answer.text == "cached"
    assert (item_of(second).state, item_of(second).result_id) == ("done", first)
    assert attempts_of(second) == []
    assert gemini.stats.report()["requests"] == 1


async def test_another_version_of_the_prompt_asks_anew(here, enlist, gemini):
    first, second = (enlist(do="ask") for _ in range(2))
    await here().deliver(first)

    answer = await here(version="probe-2").deliver(second)

    assert answer.text == "done"
    assert gemini.stats.report()["requests"] == 2


def test_items_that_hold_the_same_are_paid_for_once(probe, enlist, item_of, attempts_of, database):
    first, second = (
        enlist(do="share", n=1, text="The bridge opened today."),
        enlist(do="share", n=2, text="The bridge opened today."),
    )

    answers = [probe.deliver(first).text, probe.deliver(second).text]

    assert answers == ["done", "done"]
    said = {row["item_id"]: row["said"] for row in rows(database)}
    assert said[second] == f"like {said[first]}"
    assert [attempt.model_calls for attempt in (*attempts_of(first), *attempts_of(second))] == [1, 0]


def test_one_that_holds_what_another_is_asking_about_comes_back_later(
    probe, instance, enlist, attempts_of, door, meanwhile, queue
):
    first, second = (
        enlist(do="share", n=1, text="The tunnel is closed."),
        enlist(do="share", n=2, text="The tunnel is closed."),
    )
    keep = door.hold("keep_v1")

    asking = meanwhile(probe.deliver, first)
    keep.wait_for_somebody()
    other = instance.deliver(second)
    keep.open.set()

    assert (asking.result().text, other.text) == ("done", "deferred")
    assert [task.item_id for task in queue.waiting()] == [second]
    assert attempts_of(second)[0].model_calls == 0
