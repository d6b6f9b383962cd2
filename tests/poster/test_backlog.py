"""posters is the backlog: what is active and was not enlisted yet, once for each address."""

import json

import psycopg
import pytest


def backlog(db):
    return [row["input"]["content_id"] for row in db.execute("select input from poster_backlog order by source_id")]


def add(db, content_id, **differs):
    given = {"title": None, "active": True, "url": f"https://images.example/{content_id}.jpg", **differs}
    db.execute(
        "insert into posters (content_id, title, url, active) values (%s, %s, %s, %s)",
        [content_id, given["title"], given["url"], given["active"]],
    )


def enlist(db):
    """As the fan-out does, for all of it."""
    db.execute('select sync_quotas_v1(array[\'{"name": "gemini-vision", "requests_per_minute": 30}\'::jsonb])')
    (batch,) = db.execute("insert into batches (function, source) values ('poster', 'backlog') returning id")
    inputs = [
        json.dumps({"input": row["input"], "input_key": row["source_key"], "source_key": row["source_key"]})
        for row in db.execute("select * from poster_backlog order by source_id")
    ]
    db.execute("select enlist_v1(%s::jsonb[], %s, 'poster', 'gemini-vision')", [inputs, batch["id"]])


def test_an_input_names_the_content_its_title_and_its_address(db):
    add(db, "tt-1", title="Night Ferry")

    (row,) = db.execute("select * from poster_backlog")

    assert row["input"] == {
        "content_id": "tt-1", "title": "Night Ferry", "url": "https://images.example/tt-1.jpg",
    }  # fmt: skip


def test_inactive_posters_wait_until_they_are_active(db):
    add(db, "tt-1", active=False)
    add(db, "tt-2")

    assert backlog(db) == ["tt-2"]

    db.execute("update posters set active = true")

    assert backlog(db) == ["tt-1", "tt-2"]


def test_what_is_enlisted_leaves_the_backlog_until_its_address_changes(db):
    add(db, "tt-1")
    add(db, "tt-2")
    enlist(db)

    assert backlog(db) == []

    db.execute("update posters set url = 'https://images.example/new.jpg' where content_id = 'tt-2'")

    assert backlog(db) == ["tt-2"]


def test_an_address_that_comes_back_is_in_the_backlog_again(db):
    add(db, "tt-1")
    for name in ("xmas", "tt-1", "xmas"):
        enlist(db)
        db.execute("update posters set url = %s", [f"https://images.example/{name}.jpg"])
        assert backlog(db) == ["tt-1"]

    enlist(db)
    db.execute("update posters set title = 'Night Ferry'")

    assert backlog(db) == []


def test_a_cancelled_item_gives_its_poster_back(db):
    add(db, "tt-1")
    enlist(db)

    db.execute("update items set state = 'cancelled'")

    assert backlog(db) == ["tt-1"]


def test_a_poster_tells_when_it_last_changed(db):
    add(db, "tt-1")
    db.execute("alter table posters disable trigger poster_changed")
    db.execute("update posters set updated_at = '2020-01-01'")
    db.execute("alter table posters enable trigger poster_changed")

    db.execute("update posters set title = title")
    (same,) = db.execute("select updated_at from posters")
    db.execute("update posters set title = 'Night Ferry'")
    (changed,) = db.execute("select updated_at from posters")

    assert same["updated_at"].year == 2020
    assert changed["updated_at"].year > 2020


@pytest.mark.parametrize(("column", "value"), [("content_id", "''"), ("source", "'guess'"), ("url", "null")])
def test_a_poster_without_a_content_or_an_address_is_refused(db, column, value):
    add(db, "tt-1")

    with pytest.raises(psycopg.errors.IntegrityError):
        db.execute(f"update posters set {column} = {value}")
