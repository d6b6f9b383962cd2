"""Every way an attempt can end, seen from the queue, from the database and in the log."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.endings import backoff_seconds

FIRST, MIDDLE, LAST = 1, 3, 5  # of five attempts

ENDS = {
    "done": (200, "done", "done", None),
    "skip": (200, "skipped", "skipped", "nothing_here"),
    "reject": (200, "dead", "dead", "hopeless"),
    "defer": (200, "deferred", "waiting", "closed"),
    "overload": (200, "overloaded", "waiting", "minute_quota"),
    "fail": (200, "failed", "waiting", "hiccup"),
    "domain_fail": (200, "failed", "waiting", "http_500"),
    "model_fail": (200, "failed", "waiting", "model_error"),
    "crash": (200, "failed", "waiting", "unforeseen"),
    "given_up": (200, "failed", "waiting", "unforeseen"),
}
LOGGED = {
    "severity", "message", "time", "logging.googleapis.com/trace", "function", "item_id", "batch_id", "queue",
    "delivery", "attempt", "outcome", "state", "reason", "error", "seconds", "tokens_in", "tokens_out", "cost_usd",
}  # fmt: skip


@pytest.fixture
def probe(deployed):
    return deployed("probe")


@pytest.fixture
def on_attempt(database, enlist):
    """An item whose next attempt is the given one."""

    def on_attempt(attempt, **given):
        item = enlist(**given)
        database.execute("update items set attempts = %s where id = %s", [attempt - 1, item])
        return item

    return on_attempt


@pytest.mark.parametrize("attempt", [FIRST, MIDDLE, LAST])
@pytest.mark.parametrize("do", ENDS)
def test_an_attempt_ends_as_its_work_says(probe, on_attempt, item_of, attempts_of, queue, do, attempt):
    status, word, state, reason = ENDS[do]
    item = on_attempt(attempt, do=do)

    answer = probe.deliver(item, retry=attempt - 1)

    if word == "failed" and attempt == LAST:
        status, state, reason = 200, "dead", "attempts_exhausted"
    kept = item_of(item)
    assert (answer.status_code, answer.text) == (status, word)
    assert (kept.state, kept.reason) == (state, reason)
    assert kept.attempts == attempt - (word in {"deferred", "overloaded"})
    assert [(one.attempt, one.outcome) for one in attempts_of(item)] == [(attempt, word)]
    assert (kept.finished_at is not None) == (state in {"done", "skipped", "dead"})
    tasks = queue.waiting()
    if word in {"deferred", "overloaded"}:
        assert [task.item_id for task in tasks] == [item]
        assert abs(tasks[0].at - kept.not_before) < timedelta(seconds=5)
        assert kept.not_before > datetime.now(UTC) + timedelta(seconds=50)
    elif state == "waiting":
        assert [task.item_id for task in tasks] == [item]
        assert timedelta(0) < tasks[0].at - datetime.now(UTC) < timedelta(seconds=2**attempt)
        assert kept.not_before is None
    else:
        assert tasks == []


def test_a_queue_never_hears_of_an_attempt_that_failed(probe, enlist):
    """It would slow down for all who use it: one owner's thousand dead links would be everybody's."""
    answers = [probe.deliver(enlist(do=do, n=n)) for n, do in enumerate(["fail", "domain_fail", "crash"] * 3)]

    assert [answer.status_code for answer in answers] == [200] * 9


def test_the_wait_between_attempts_doubles_up_to_a_minute():
    assert [backoff_seconds(attempt) for attempt in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize("do", ENDS)
def test_a_delivery_writes_one_line_that_says_it_all(probe, on_attempt, item_of, do):
    _, word, state, reason = ENDS[do]
    item = on_attempt(MIDDLE, do=do)
    trace = "0af7651916cd43dd8448eb211c80319c"

    probe.deliver(item, retry=6, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})

    (line,) = [line for line in probe.lines(item) if line["message"] == "item"]
    assert set(line) == LOGGED
    assert line["logging.googleapis.com/trace"] == f"projects/piecework-local/traces/{trace}"
    assert (line["function"], line["queue"], line["delivery"], line["attempt"]) == ("probe", "probe", 7, MIDDLE)
    assert (line["outcome"], line["state"], line["reason"]) == (word, state, reason)
    assert line["batch_id"] == str(item_of(item).batch_id)
    assert line["severity"] == ("WARNING" if word in {"failed", "dead", "overloaded"} else "INFO")


def test_a_task_for_later_is_one_the_function_itself_accepts(probe, enlist, queue):
    probe.deliver(enlist(do="defer"), headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})

    (task,) = queue.waiting()
    assert (task.url, task.audience) == (probe.url, probe.audience)
    assert task.headers["traceparent"].startswith(f"00-{'a' * 32}-")
    assert task.deadline_seconds == 75


def test_a_deferred_item_comes_back_by_itself_and_is_done(probe, enlist, queue, item_of, wait_until):
    item = enlist(do="two_steps")

    queue.deliver()
    first = probe.deliver(item)

    assert first.text == "deferred"
    wait_until(lambda: item_of(item).state == "done")
    assert item_of(item).attempts == 1


def test_overload_rests_the_quota_for_everybody(deployed, probe, enlist, queue, item_of, attempts_of):
    probe.deliver(enlist(do="overload", seconds=600))
    item = enlist("twin", do="done")

    answer = deployed("twin").deliver(item)

    assert (answer.status_code, answer.text) == (200, "rest")
    assert (item_of(item).state, item_of(item).reason, item_of(item).attempts) == ("waiting", "minute_quota", 0)
    assert attempts_of(item) == []
    assert len(queue.waiting()) == 2


def test_failures_of_the_model_open_the_breaker_of_its_quota(probe, enlist, item_of, database):
    for n in range(5):
        probe.deliver(enlist(do="model_fail", n=n))
    item = enlist(do="done")

    answer = probe.deliver(item)

    assert answer.text == "rest"
    assert item_of(item).reason == "quota_broken"
    assert database.execute("select state from breakers where name = 'quota:probe'").fetchone()["state"] == "open"


def test_failures_of_a_domain_open_its_own_breaker_alone(probe, enlist, item_of):
    for n in range(5):
        probe.deliver(enlist(do="domain_fail", n=n, url="http://ill.test/story"))
    same, other = enlist(do="done", url="http://www.ill.test/else"), enlist(do="done", url="http://well.test/")

    answers = [probe.deliver(item).text for item in (same, other)]

    assert answers == ["rest", "done"]
    assert item_of(same).reason == "domain_rests"


def test_a_crash_is_kept_with_its_message_and_told_to_nobody_outside(probe, enlist, item_of):
    item = enlist(do="crash", text="the fan is on fire")

    answer = probe.deliver(item)

    assert answer.text == "failed"
    assert item_of(item).error == "ZeroDivisionError: the fan is on fire"
    assert any("Traceback" in line.get("exception", "") for line in probe.lines(item))


@pytest.mark.parametrize("text", ["nul \x00 inside", "\ud83d alone", "x" * 100_000], ids=["nul", "surrogate", "long"])
@pytest.mark.parametrize("do", ["crash", "fail", "skip"])
async def test_an_odd_message_does_not_change_the_outcome(here, enlist, item_of, do, text):
    item = enlist(do=do)

    answer = await here(text=text).deliver(item)

    assert answer.status_code == ENDS[do][0]
    assert (item_of(item).state, item_of(item).reason) == ENDS[do][2:]


def test_work_that_takes_too_long_has_failed(deployed, enlist, item_of, attempts_of):
    item = enlist("hasty", do="slow", seconds=60)

    answer = deployed("hasty").deliver(item)

    assert (answer.status_code, answer.text) == (200, "failed")
    assert (item_of(item).state, item_of(item).reason) == ("waiting", "timeout")
    assert attempts_of(item)[0].error == "The work took longer than 0.5 s"


@pytest.mark.parametrize(
    ("given", "where"),
    [({}, "do"), ({"do": 5}, "do"), ({"do": "done", "n": "x"}, "n"), ({"do": "done", "more": 1}, "more")],
)
def test_an_input_its_function_cannot_read_is_dead_at_once(probe, enlist, item_of, given, where):
    item = enlist(**given)

    answer = probe.deliver(item)

    kept = item_of(item)
    assert (answer.status_code, answer.text) == (200, "dead")
    assert (kept.state, kept.reason) == ("dead", "bad_input")
    assert kept.error.startswith(f"{where}: ")


def test_an_unknown_item_is_finished_with(probe, queue):
    answer = probe.deliver("01234567-89ab-7def-8123-456789abcdef")

    assert (answer.status_code, answer.text) == (200, "unknown")
    assert queue.waiting() == []


def test_a_delivery_after_the_end_does_nothing(probe, enlist, item_of, attempts_of):
    item = enlist(do="done")
    probe.deliver(item)
    before = item_of(item)

    answer = probe.deliver(item, retry=1)

    assert (answer.status_code, answer.text) == (200, "done")
    assert item_of(item) == before
    assert len(attempts_of(item)) == 1


def test_an_item_of_a_cancelled_batch_is_not_worked_on(probe, enlist, item_of, attempts_of, database):
    item = enlist(do="done")
    database.execute("update batches set state = 'cancelled' where id = %s", [item_of(item).batch_id])

    answer = probe.deliver(item)

    assert (answer.status_code, answer.text) == (200, "cancelled")
    assert item_of(item).state == "cancelled"
    assert attempts_of(item) == []
