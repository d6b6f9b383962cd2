"""How a batch ends: by itself, cancelled, too late, and once more after its dead items were tried again."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.api.test_submitting import is_problem
from tests.fanout.conftest import envelope


def soon(**apart):
    return (datetime.now(UTC) + timedelta(**apart)).isoformat()


def test_a_cancelled_batch_has_nothing_that_waits(api, database):
    batch = api.submit(*({"do": "done", "n": n} for n in range(3)))

    answer = api.act(f"/v3/batches/{batch}/cancel")

    told = answer.json()
    assert (answer.status_code, told["state"], told["counts"]["cancelled"]) == (202, "cancelled", 3)
    assert api.get(f"/v3/batches/{batch}").json()["state"] == "cancelled"
    assert api.act(f"/v3/batches/{batch}/cancel").json()["state"] == "cancelled"
    (deed,) = api.get("/v3/audit").json()["deeds"]
    assert (deed["action"], deed["target"], deed["affected"]) == ("cancel", {"batch_id": batch}, 3)


def test_what_was_done_before_the_cancellation_stays_done(api, work_off, database, deployed):
    batch = api.submit({"do": "done"}, {"do": "defer"})
    work_off()
    api.act(f"/v3/batches/{batch}/cancel")

    told = api.get(f"/v3/batches/{batch}").json()

    assert (told["counts"]["done"], told["counts"]["cancelled"], told["state"]) == (1, 1, "cancelled")


def test_a_task_of_a_cancelled_item_does_nothing(api, database, deployed):
    batch = api.submit({"do": "done"})
    item = database.execute("select id from items").fetchone()["id"]
    api.act(f"/v3/batches/{batch}/cancel")

    answer = deployed("probe").deliver(item)

    assert (answer.status_code, answer.text) == (200, "done")
    assert api.get(f"/v3/items/{item}").json()["state"] == "cancelled"
    assert database.execute("select count(*) as n from attempts").fetchone()["n"] == 0


def test_a_batch_that_has_ended_is_not_cancelled(api, work_off):
    batch = api.submit({"do": "done"})
    work_off()

    assert "has ended already" in is_problem(api.act(f"/v3/batches/{batch}/cancel"), 409)


def test_an_order_of_a_backlog_can_be_cancelled_before_it_is_filled(operator, database, deployed):
    database.execute("insert into news_urls (url) values ('http://a.test/')")
    batch = operator.post({"function": "probe", "source": "backlog"}).json()["id"]
    operator.act(f"/v3/batches/{batch}/cancel")

    fanout = deployed("fanout")
    report = fanout.post(envelope({"function": "probe", "batch_id": batch}), token=fanout.token("pubsub")).json()

    assert report == {"enlisted": 0, "queued": 0}
    assert operator.get(f"/v3/batches/{batch}").json()["state"] == "cancelled"


def test_a_batch_too_late_expires(api, database, deployed):
    batch = api.submit({"do": "done"}, deadline=soon(hours=1))
    database.execute("update batches set deadline = now()")
    item = database.execute("select id from items").fetchone()["id"]

    deployed("probe").deliver(item)

    told = api.get(f"/v3/batches/{batch}").json()
    assert (told["state"], told["counts"]["cancelled"]) == ("expired", 1)
    assert api.get(f"/v3/items/{item}").json()["reason"] == "expired"


def test_a_deadline_that_has_passed_is_refused_unless_it_is_the_same_batch_again(api, database):
    body = {"function": "probe", "items": [{"do": "done"}], "deadline": soon(seconds=2)}
    first = api.post(body, **{"Idempotency-Key": "once"})
    database.execute("update batches set deadline = now() - interval '1 hour'")
    late = {**body, "deadline": soon(seconds=-10)}

    assert "has passed" in is_problem(api.post(late), 422)
    assert "use a new key" in is_problem(api.post(late, **{"Idempotency-Key": "once"}), 422)
    assert api.post(body, **{"Idempotency-Key": "once"}).json()["id"] == first.json()["id"]


@pytest.mark.parametrize("deadline", ["2020-01-01", "tomorrow", "2030-01-01T00:00:00", 5e30])
def test_a_deadline_is_a_moment(api, deadline):
    assert "deadline" in is_problem(api.post({"function": "probe", "items": [{}], "deadline": deadline}), 422)


def test_dead_items_are_tried_again_and_the_batch_ends_once_more(api, work_off, database, topic):
    batch = api.submit({"do": "reject"}, {"do": "done"})
    work_off()
    before = api.get(f"/v3/batches/{batch}").json()
    database.execute("""update items set input = '{"do": "done"}' where state = 'dead'""")
    topic.messages()

    answer = api.act(f"/v3/batches/{batch}/retry-failed")
    work_off()

    told = answer.json()
    assert (answer.status_code, told["retried"], told["state"], told["finished_at"]) == (202, 1, "running", None)
    assert topic.messages() == [{"batch_id": batch}]
    after = api.get(f"/v3/batches/{batch}").json()
    assert (before["state"], after["state"]) == ("completed_with_errors", "completed")
    assert after["finished_at"] > before["finished_at"]


def test_to_try_again_twice_is_once(api, work_off):
    batch = api.submit({"do": "reject"})
    work_off()

    retried = [api.act(f"/v3/batches/{batch}/retry-failed").json()["retried"] for _ in range(2)]

    assert retried == [1, 0]


def test_a_stopped_batch_is_not_tried_again(api, work_off):
    batch = api.submit({"do": "reject"}, {"do": "defer"})
    work_off()
    api.act(f"/v3/batches/{batch}/cancel")

    assert "as a new batch" in is_problem(api.act(f"/v3/batches/{batch}/retry-failed"), 409)


@pytest.mark.parametrize("deed", ["cancel", "retry-failed"])
def test_a_batch_that_is_not_there_is_left_alone(api, deed):
    is_problem(api.act(f"/v3/batches/{uuid4()}/{deed}"), 404)


def test_batches_are_listed_by_state_function_and_age(api, work_off, database):
    done = api.submit({"do": "done"})
    work_off()
    running = api.submit({"do": "done", "n": 1})
    database.execute("update batches set created_at = now() - interval '1 day' where id = %s", [done])

    def listed(**query):
        return [batch["id"] for batch in api.get("/v3/batches", **query).json()["batches"]]

    assert listed(state="completed") == [done]
    assert listed(state=["running", "completed"]) == [running, done]
    assert listed(state="expired") == listed(function="twin") == []
    assert listed(since=soon(hours=-1)) == [running]
    # An offset that Postgres has no place for.
    assert listed(since="2020-01-01T00:00:00+21:02") == [running, done]


def test_a_status_that_has_not_changed_is_not_sent_again(api, work_off):
    batch = api.submit({"do": "done"})
    work_off()
    url = f"{api.function.url}/v3/batches/{batch}"
    first = api.get(f"/v3/batches/{batch}")

    again = api.function.client.get(
        url, headers={"Authorization": f"Bearer {api.key}", "If-None-Match": first.headers["etag"]}
    )

    assert (again.status_code, again.content) == (304, b"")


def test_results_come_as_csv_that_no_spreadsheet_runs(api, work_off):
    batch = api.submit(
        {"do": "done", "custom_id": "=cmd()"}, {"do": "skip", "custom_id": "b", "text": 'a "quoted", one'}
    )
    work_off()

    answer = api.get(f"/v3/batches/{batch}/results", format="csv")

    header, first, second = answer.text.splitlines()
    assert answer.headers["content-type"].startswith("text/csv")
    assert header.split(",")[:4] == ["item_id", "custom_id", "state", "reason"]
    assert header.endswith("input,said,number,url,created_at")
    assert first.split(",")[1:3] == ["'=cmd()", "done"]
    assert second.split(",")[1:4] == ["b", "skipped", "nothing_here"]


def test_an_open_batch_shows_the_results_it_has(api, work_off):
    batch = api.submit({"do": "done"}, {"do": "defer"})
    work_off()

    rows = api.get(f"/v3/batches/{batch}/results").json()["results"]

    assert [(row["state"], row["result"] is None) for row in rows] == [("done", False), ("waiting", True)]


def test_the_items_of_a_batch_come_without_their_results_by_state(api, work_off):
    batch = api.submit({"do": "done"}, {"do": "skip"}, {"do": "reject"})
    work_off()

    def listed(**query):
        return [item["input"]["do"] for item in api.get(f"/v3/batches/{batch}/items", **query).json()["items"]]

    assert listed() == ["done", "skip", "reject"]
    assert listed(state=["skipped", "dead"]) == ["skip", "reject"]
    first = api.get(f"/v3/batches/{batch}/items", limit=2).json()
    assert listed(limit=2, cursor=first["next_cursor"]) == ["reject"]


def test_a_cancellation_that_takes_long_is_left_to_the_sweep(api, database):
    batch = api.submit(*({"do": "done", "n": n} for n in range(30)))
    (told,) = database.execute("select * from cancel_batch_v1(%s, null, null, 10)", [batch]).fetchall()

    swept = database.execute("select * from tend_batches_v1()").fetchone()

    assert (told["state"], told["cancelled"], told["goes_on"]) == ("cancelling", 10, True)
    assert (swept["cancelled"], swept["closed"]) == (20, 1)
    assert api.get(f"/v3/batches/{batch}").json()["state"] == "cancelled"
