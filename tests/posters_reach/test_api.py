"""Posters over HTTP: coming in, being looked at, and being seen by those alone whom they concern."""

import json

import pytest


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [poster["content_id"] for poster in answer.json()["posters"]]


def poster(number, **differs):
    return {
        "content_id": f"t{number}",
        "url": f"http://posters.test/{number}.jpg",
        "title": f"Title {number}",
        **differs,
    }


def kept(database):
    return {row["content_id"]: row for row in database.execute("select * from posters").fetchall()}


def test_posters_are_kept_and_sent_again_nothing_changes(operator, posters):
    first = operator.post({"posters": [poster(1), poster(2)]})
    second = operator.post({"posters": [poster(1), poster(2, title="Another")]})

    assert first.json() == {"added": 2, "changed": 0, "unchanged": 0, "bad": []}
    assert second.json() == {"added": 0, "changed": 1, "unchanged": 1, "bad": []}
    assert kept(posters)["t2"]["title"] == "Another"


def test_what_is_left_out_leaves_what_is_there(operator, posters):
    operator.post({"posters": [poster(1, active=False, language="sv")]})

    operator.post({"posters": [{"content_id": "t1", "url": "http://posters.test/new.jpg"}]})

    row = kept(posters)["t1"]
    assert (row["url"], row["title"], row["active"], row["language"]) == (
        "http://posters.test/new.jpg", "Title 1", False, "sv",
    )  # fmt: skip


def test_lines_are_taken_too(operator, posters):
    lines = b"\n".join(json.dumps(poster(n)).encode() for n in range(3))

    assert operator.post(lines, content_type="application/x-ndjson").json()["added"] == 3


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"content_id": "t1"}, "url: Field required"),
        ({"url": "http://x.test/a.jpg"}, "content_id: Field required"),
        (poster(1, url="ftp://x.test/a.jpg"), "url:"),
        (poster(1, content_id="a\nb"), "content_id:"),
        (poster(1, content_id="../x"), "content_id: it is no empty word"),
        (poster(1, price=3), "price: Extra inputs"),
        (poster(1, active="maybe"), "active:"),
        (poster(1, title="\x00"), "NUL"),
        ("t1", "poster: Input should be"),
    ],
    ids=str,
)
def test_a_bad_poster_is_told_of_and_the_good_ones_are_kept(operator, posters, bad, said):
    answer = operator.post({"posters": [poster(8), bad, poster(9)]})

    assert answer.json()["added"] == 2
    ((problem),) = answer.json()["bad"]
    assert problem["index"] == 1
    assert said in problem["reason"]
    assert set(kept(posters)) == {"t8", "t9"}


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"posters": []}', b'{"posters": {}}', b'{"posters": ' + b"[" * 5000]
)
def test_a_body_that_is_none_is_refused(operator, body):
    answer = operator.post(body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def test_too_many_at_once_are_refused(operator):
    assert operator.post({"posters": [poster(n) for n in range(501)]}).status_code == 422


def test_only_operators_keep_and_list(customer):
    assert customer.post({"posters": [poster(1)]}).status_code == 403
    assert customer.get("/v3/poster-list").status_code == 403


def test_a_poster_is_told_with_its_newest_analysis(operator, analysed):
    analysed("t1", score=0.2)
    newest = analysed("t1", score=0.8)

    known = operator.get("/v3/posters/t1").json()

    assert known["analysis"]["item_id"] == str(newest)
    assert (known["state"], known["score"]) == ("done", 0.8)


def test_a_poster_nobody_knows_is_not_found(operator):
    answer = operator.get("/v3/posters/nothing")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_ids_with_slashes_and_spaces_are_found(operator, analysed):
    analysed("series/1/season 2")

    assert operator.get("/v3/posters/series/1/season%202").json()["content_id"] == "series/1/season 2"
    assert operator.get("/v3/posters/series%2F1%2Fseason%202/overlay.svg").status_code == 200


def test_an_analysis_is_seen_by_its_owner_and_by_operators(customer, caller_of, operator, analysed):
    analysed("mine", owner=customer.id)
    stranger = caller_of()

    for path in ("/v3/posters/mine", "/v3/posters/mine/overlay.svg"):
        assert customer.get(path).status_code == operator.get(path).status_code == 200
        assert stranger.get(path).status_code == 404
    assert ids(customer.get("/v3/posters")) == ids(operator.get("/v3/posters")) == ["mine"]
    assert ids(stranger.get("/v3/posters")) == []


def test_the_newest_that_i_may_see_is_shown(customer, caller_of, analysed):
    analysed("t1", owner=customer.id, score=0.3)
    analysed("t1", owner=caller_of().id, score=0.9)

    assert customer.get("/v3/posters/t1").json()["score"] == 0.3
    assert [poster["score"] for poster in customer.get("/v3/posters").json()["posters"]] == [0.3]


def test_what_a_scheduled_run_found_is_seen_by_operators_alone(customer, operator, analysed):
    analysed("t1", owner=None)

    for path in ("/v3/posters/t1", "/v3/posters/t1/overlay.svg"):
        assert (customer.get(path).status_code, operator.get(path).status_code) == (404, 200)
    assert (ids(customer.get("/v3/posters")), ids(operator.get("/v3/posters"))) == ([], ["t1"])


def test_a_customers_poster_shows_nothing_of_the_operators_row_of_it(customer, operator, analysed):
    operator.post({"posters": [poster(1, title="A secret title", url="http://posters.test/secret.jpg", active=False)]})
    analysed("t1", owner=customer.id)

    told = [customer.get("/v3/posters/t1").json(), *customer.get("/v3/posters").json()["posters"]]

    for one in told:
        assert (one["title"], one["url"], one["active"]) == ("The Tin Exchange", "http://posters.test/t1.jpg", None)


def test_a_result_of_anothers_is_shown_as_ones_own(customer, caller_of, analysed, item_of, posters):
    """As it would be with `cache: all`."""
    source = analysed("t1", owner=caller_of().id)
    borrowed = item_of("t1", owner=customer.id, url="http://posters.test/t1.jpg#mine")
    posters.execute("update items set result_id = %s where id = %s", [source, borrowed])

    told = [customer.get("/v3/posters/t1").json(), *customer.get("/v3/posters").json()["posters"]]

    assert len(told) == 2
    for one in told:
        assert one["url"] == one["analysis"]["url"] == "http://posters.test/t1.jpg#mine"
        assert (one["analysis"]["item_id"], one["analysis"]["tokens_in"]) == (str(borrowed), 0)
        assert str(source) not in str(one)


def test_pages_go_on_behind_a_result_of_anothers(customer, caller_of, analysed, item_of, posters):
    stranger = caller_of()
    for name in ("t1", "t2", "t3"):
        source = analysed(name, owner=stranger.id)
        posters.execute("update items set result_id = %s where id = %s", [source, item_of(name, owner=customer.id)])

    found, cursor = [], {}
    for _ in range(4):
        page = customer.get("/v3/posters", limit=1, **cursor)
        found += ids(page)
        cursor = {"cursor": page.json()["next_cursor"]}
        if cursor["cursor"] is None:
            break

    assert found == ["t3", "t2", "t1"]


def test_an_address_that_came_back_shows_its_own_analysis(operator, customer, analysed, item_of, posters):
    first = analysed("t1", score=0.8, owner=customer.id)
    analysed("t1", score=0.2, owner=customer.id)
    again = item_of("t1", owner=customer.id)
    posters.execute("update items set result_id = %s where id = %s", [first, again])

    for caller in (operator, customer):
        (shown,) = caller.get("/v3/posters").json()["posters"]
        assert shown["score"] == caller.get("/v3/posters/t1").json()["score"] == 0.8


def test_an_analysis_whose_item_was_deleted_is_left_to_operators(operator, customer, analysed, posters):
    analysed("t1", score=0.3, owner=customer.id)
    analysed("t1", score=0.8, owner=customer.id)
    posters.execute("delete from items")

    assert [poster["score"] for poster in operator.get("/v3/posters").json()["posters"]] == [0.8]
    assert ids(customer.get("/v3/posters")) == []


@pytest.mark.parametrize(
    ("sort", "order"), [("newest", ["c", "b", "a"]), ("score", ["b", "c", "a"]), ("-score", ["a", "c", "b"])]
)
def test_pages_come_in_the_order_that_was_asked_for(operator, analysed, sort, order):
    for name, score in (("a", 0.1), ("b", 0.9), ("c", 0.5)):
        analysed(name, score=score)

    found, cursor = [], {}
    for _ in range(4):
        page = operator.get("/v3/posters", sort=sort, limit=1, **cursor)
        found += ids(page)
        cursor = {"cursor": page.json()["next_cursor"]}
        if cursor["cursor"] is None:
            break

    assert found == order


@pytest.mark.parametrize("cursor", ["x", "1~", "0.5~1", "nan~00000000-0000-0000-0000-000000000000", "' or 1=1"])
def test_a_cursor_of_somebody_elses_is_refused(operator, cursor):
    assert operator.get("/v3/posters", cursor=cursor).status_code == 422
    assert operator.get("/v3/poster-list", cursor=cursor).status_code == 422


def test_the_table_is_listed_with_what_is_still_to_do(operator, item_of, posters):
    operator.post({"posters": [poster(1), poster(2, active=False), poster(3), poster(4)]})
    item_of("t1", url="http://posters.test/1.jpg")
    item_of("t3", url="http://posters.test/old.jpg")

    assert ids(operator.get("/v3/poster-list")) == ["t1", "t3", "t4"]
    assert ids(operator.get("/v3/poster-list", unseen=True)) == ["t3", "t4"]
    assert ids(operator.get("/v3/poster-list", unseen=True, inactive=True)) == ["t2", "t3", "t4"]
    posters.execute("update posters set url = 'http://posters.test/xmas.jpg' where content_id = 't1'")
    posters.execute("update posters set url = 'http://posters.test/1.jpg' where content_id = 't1'")
    assert ids(operator.get("/v3/poster-list", unseen=True)) == ["t1", "t3", "t4"]
    page = operator.get("/v3/poster-list", limit=2)
    assert ids(operator.get("/v3/poster-list", limit=2, cursor=page.json()["next_cursor"])) == ["t4"]
