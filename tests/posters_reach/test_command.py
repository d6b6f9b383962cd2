"""`piecework poster` and `piecework analyze-posters`, over the API, the fan-out and the database."""

import json
from xml.etree import ElementTree as ET

import pytest

from cli import client
from cli import posters as commands
from tests.fanout.conftest import envelope
from tests.posters_reach.rows import analysis, as_columns


@pytest.fixture
def at_work(database, deployed, topic, monkeypatch):
    """From now on, each look at a batch finds its items ended, as the fan-out and the function poster leave them."""
    fanout = deployed("fanout")
    look = client.Client.batch

    def after_work(self, batch_id):
        for order in topic.messages():
            assert push(fanout, order).status_code == 200
        work_off(database)
        return look(self, batch_id)

    monkeypatch.setattr(client.Client, "batch", after_work)


def push(fanout, order):
    return fanout.post(envelope(order), token=fanout.token("pubsub"))


def work_off(database):
    for item in database.execute("select id, input from items where state = 'waiting'").fetchall():
        content_id = item["input"]["content_id"]
        if content_id.startswith("bad"):
            database.execute(
                "update items set state = 'dead', reason = 'truncated', finished_at = now() where id = %s",
                [item["id"]],
            )
            continue
        row = as_columns({"item_id": item["id"], **analysis(content_id, url=item["input"]["url"])})
        database.execute(
            f"insert into poster_analyses ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )
        database.execute(
            "update items set state = 'done', result_id = id, finished_at = now() where id = %s", [item["id"]]
        )
    database.execute("select close_batches(array(select id from batches))")


@pytest.fixture
def backlog(operator):
    def backlog(*names, **more):
        rows = [
            {"content_id": name, "url": f"http://posters.test/{name}.jpg", "title": name.title(), **more}
            for name in names
        ]
        assert operator.post({"posters": rows}).json()["bad"] == []

    return backlog


def rows_of(ran):
    return [json.loads(line) for line in ran.out.splitlines()]


def test_new_posters_are_analysed_and_printed_a_row_a_line(piecework, at_work, backlog):
    backlog("a", "b", "bad")

    ran = piecework("analyze-posters", "--limit", "10")

    rows = {row["content_id"]: row for row in rows_of(ran)}
    assert ran.code == 1
    assert (rows["a"]["state"], len(rows["a"]["zones"]), rows["bad"]["reason"]) == ("done", 5, "truncated")
    assert "thumbnail" not in rows["a"]


def test_a_second_run_has_nothing_to_do(piecework, at_work, backlog):
    backlog("a")
    piecework("analyze-posters")

    ran = piecework("analyze-posters")

    assert (ran.code, ran.out) == (0, "")
    assert "--again" in ran.err


def test_batches_are_as_large_as_asked_for(piecework, at_work, backlog, database):
    backlog(*"abcde")

    ran = piecework("analyze-posters", "--limit", "4", "--batch-size", "3", "--json-array")

    assert len(json.loads(ran.out)) == 4
    sizes = database.execute("select count(*) as n from items group by batch_id order by batch_id").fetchall()
    assert [row["n"] for row in sizes] == [3, 1]


def test_inactive_posters_are_left_alone_unless_asked_for(piecework, at_work, backlog):
    backlog("off", active=False)

    assert piecework("analyze-posters").out == ""
    assert [row["content_id"] for row in rows_of(piecework("analyze-posters", "--include-inactive"))] == ["off"]


def test_the_download_timeout_travels_with_every_item(piecework, at_work, backlog, database):
    backlog("a")

    piecework("analyze-posters", "--download-timeout", "7.5")

    (item,) = database.execute("select input from items").fetchall()
    assert item["input"]["download_timeout"] == 7.5


def test_the_report_has_posters_and_failures(piecework, at_work, backlog, tmp_path):
    backlog("a", "bad")
    file = tmp_path / "report.html"

    ran = piecework("analyze-posters", "--report", str(file), "--fail-on", "none")

    page = file.read_text()
    assert ran.code == 0
    assert 'data-find="a a"' in page
    assert "truncated" in page


def test_what_was_analysed_before_can_be_a_report_too(piecework, analysed, tmp_path):
    analysed("t1", score=0.2)
    analysed("t2", score=0.8)

    ran = piecework("poster", "report", str(tmp_path / "r.html"), "--sort", "-score", "--limit", "1")

    page = (tmp_path / "r.html").read_text()
    assert ran.code == 0
    assert ('data-find="the tin exchange t1"' in page, "t2.jpg" in page) == (True, False)


def test_a_poster_is_shown_with_its_slots(piecework, analysed):
    analysed("t1", score=0.2)

    ran = piecework("poster", "show", "t1")

    assert ran.code == 0
    assert "badge_top_left" in ran.out
    assert "covers_face" in ran.out


def test_opening_writes_the_overlay_and_asks_the_browser(piecework, analysed, monkeypatch, tmp_path):
    analysed("a/b c")
    opened = []
    monkeypatch.setattr(commands.webbrowser, "open", lambda uri: opened.append(uri) or True)
    monkeypatch.setattr(commands.tempfile, "mkdtemp", lambda prefix: str(tmp_path))

    ran = piecework("poster", "show", "a/b c", "--open")

    file = tmp_path / "a_b_c.svg"
    assert ran.code == 0
    assert opened == [file.as_uri()]
    assert ET.fromstring(file.read_text()).get("role") == "img"


def test_a_poster_without_analysis_says_why(piecework, item_of):
    item_of("t1", state="skipped", reason="not_an_image", error="It is HTML.")

    ran = piecework("poster", "show", "t1", "--open")

    assert ran.code == 1
    assert "skipped: not_an_image: It is HTML." in ran.out


@pytest.mark.parametrize(
    "command", [("run", "poster", "--backlog"), ("run", "poster", "--backlog", "--dry-run"), ("analyze-posters",)]
)
def test_a_customer_is_told_that_backlogs_are_run_by_operators(piecework, customer, monkeypatch, command):
    monkeypatch.setenv("PIECEWORK_KEY", customer.key)

    ran = piecework(*command)

    assert ran.code == 4
    assert "does not let this key do that" in ran.err
    assert "Backlogs are run by operators: send items of your own, or ask whoever runs Piecework" in ran.err


def test_metrics_are_an_operators(piecework, customer, monkeypatch):
    assert piecework("metrics").code == 0
    monkeypatch.setenv("PIECEWORK_KEY", customer.key)

    assert piecework("metrics").code == 4


@pytest.mark.parametrize("content_id", ["nobody", "../keys", ""])
def test_a_poster_nobody_knows_is_bad_input(piecework, content_id):
    assert piecework("poster", "show", content_id).code == 2
