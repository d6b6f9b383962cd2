"""The customer's table becomes rows of posters: page by page, again and again, whatever happens on the way."""

import pytest

from functions.catalog.refusals import CatalogFailed
from local.databricks.statements import Pace
from shared.store import ROWS_PER_CALL, RowRefused
from tests.catalog.conftest import content


async def test_every_row_becomes_a_poster(run, posters, workspace):
    workspace.rows(content(7))

    report = await run(catalog_page_rows=3)

    assert report == {"read": 7, "added": 7, "changed": 0, "unusable": 0, "state": "finished"}
    assert list(posters()) == [f"t{n:03}" for n in range(7)]
    poster = posters()["t003"]
    assert (poster["title"], poster["url"], poster["source"]) == ("Title 3", "http://posters.test/3.jpg", "catalog")


async def test_pages_are_asked_for_by_key_and_values_are_parameters(run, workspace):
    workspace.rows(content(3))

    await run(catalog_page_rows=2)

    asked = workspace.statements.asked()
    assert [[given["value"] for given in ask["parameters"]] for ask in asked] == [["2"], ["2", "t001"], ["2", "t002"]]
    assert all("t00" not in ask["statement"] for ask in asked)


async def test_a_second_pass_changes_what_has_changed_and_nothing_else(run, posters, workspace):
    workspace.rows(content(3))
    await run()
    before = posters()
    workspace.rows([*content(2), {**content(3)[2], "poster_url": "http://posters.test/new.jpg"}])

    report = await run(fresh=True)

    assert (report["added"], report["changed"]) == (0, 1)
    assert posters()["t002"]["url"] == "http://posters.test/new.jpg"
    assert posters()["t001"] == before["t001"]


async def test_nothing_is_asked_while_the_last_pass_is_young(run, workspace):
    await run()
    asked = len(workspace.statements.asked())

    report = await run()

    assert report["state"] == "not_due"
    assert len(workspace.statements.asked()) == asked


async def test_the_next_pass_begins_when_its_hours_are_over(run, catalog):
    await run()
    catalog.execute("update catalog_cursors set started_at = now() - interval '25 hours'")

    report = await run()

    assert (report["state"], report["read"]) == ("finished", 3)


@pytest.fixture
def second_page_is_slow(workspace):
    """second_page_is_slow(): the next run ends behind its first page."""

    def second_page_is_slow():
        original = workspace.tables.run

        def then_slow(*args, **more):
            workspace.faults.add({"fault": "slow", "at": "submit", "seconds": 5000})
            workspace.tables.run = original
            return original(*args, **more)

        workspace.tables.run = then_slow

    return second_page_is_slow


async def test_a_run_whose_time_is_up_ends_cleanly_and_keeps_its_place(
    run, workspace, cursor, posters, second_page_is_slow
):
    workspace.rows(content(6))

    second_page_is_slow()
    report = await run(catalog_page_rows=2, seconds=60)

    assert (report["state"], report["read"], cursor()["after"]) == ("goes_on", 2, "t001")
    stopped = list(workspace.statements._known.values())[-1]
    assert stopped.canceled
    workspace.faults.clear()
    assert (await run(catalog_page_rows=2))["read"] == 4
    assert len(posters()) == 6


async def test_a_run_in_which_no_page_came_says_so(run, workspace, cursor):
    workspace.faults.add({"fault": "slow", "at": "submit", "seconds": 5000})

    with pytest.raises(CatalogFailed, match="CATALOG_PAGE_ROWS lower"):
        await run(seconds=60)

    assert "too_slow" in cursor()["problem"]


async def test_a_run_in_which_it_was_asked_to_wait_too_long_says_that(run, workspace, cursor):
    workspace.faults.add({"fault": "429", "at": "submit", "retry_after": 3600})

    with pytest.raises(CatalogFailed, match="too many requests"):
        await run(seconds=60)

    assert "rate_limited" in cursor()["problem"]


async def test_what_was_kept_stays_when_a_later_page_fails(run, workspace, cursor, posters):
    workspace.rows(content(1200))
    workspace.faults.add({"fault": "forbidden", "at": "chunk"})

    with pytest.raises(CatalogFailed, match="refused the token"):
        await run(catalog_page_rows=5000)

    assert cursor()["after"] == sorted(row["content_id"] for row in content(1200))[999]
    assert len(posters()) == 1000
    assert (await run(catalog_page_rows=5000))["read"] == 200
    assert cursor()["problem"] is None


async def test_two_runs_at_once_do_no_harm(run, workspace, cursor, posters, catalog):
    workspace.rows(content(6))
    original = workspace.tables.run

    def another_run_moves_on(*args, **more):
        catalog.execute("update catalog_cursors set after = 't004'")
        workspace.tables.run = original
        return original(*args, **more)

    workspace.tables.run = another_run_moves_on
    report = await run()

    assert (report["state"], report["read"]) == ("taken_over", 0)
    assert cursor()["after"] == "t004"
    assert posters() == {}


async def test_a_fresh_order_begins_in_place_of_the_pass_under_way(run, workspace, posters, second_page_is_slow):
    workspace.rows(content(6))
    second_page_is_slow()
    await run(catalog_page_rows=2, seconds=60)
    workspace.faults.clear()
    workspace.rows([{**content(1)[0], "title": "Another"}, *content(6)[1:]])

    report = await run(fresh=True)

    assert (report["state"], report["read"], posters()["t000"]["title"]) == ("finished", 6, "Another")


async def test_a_lost_answer_of_the_database_loses_no_row(run, workspace, posters, door):
    workspace.rows(content(6))
    door.lose("catalog_keep_v1")

    first = await run()
    second = await run() if first["state"] != "finished" else first

    assert second["state"] == "finished"
    assert len(posters()) == 6


@pytest.mark.parametrize("asked_for", ["setting", "order"])
async def test_inactive_posters_come_in_only_when_asked_for(run, workspace, posters, asked_for):
    workspace.rows([*content(1), {**content(2)[1], "is_active": False}])

    report = await run()
    assert (report["read"], list(posters())) == (2, ["t000"])

    await run(
        fresh=True, **({"catalog_include_inactive": True} if asked_for == "setting" else {"include_inactive": True})
    )
    assert {row["content_id"]: row["active"] for row in posters().values()} == {"t000": True, "t001": False}


async def test_inactive_posters_are_asked_for_until_the_end_of_the_pass(run, workspace, posters, second_page_is_slow):
    workspace.rows(content(4, is_active=False))
    second_page_is_slow()
    assert (await run(fresh=True, include_inactive=True, catalog_page_rows=2, seconds=60))["added"] == 2
    workspace.faults.clear()

    assert (await run(catalog_page_rows=2))["added"] == 2

    workspace.rows(content(6, is_active=False))
    await run(fresh=True)
    assert list(posters()) == ["t000", "t001", "t002", "t003"]


async def test_inactive_posters_asked_for_during_a_pass_come_in_from_there(
    run, workspace, posters, second_page_is_slow
):
    workspace.rows(content(4, is_active=False))
    second_page_is_slow()
    await run(catalog_page_rows=2, seconds=60)
    workspace.faults.clear()

    await run(include_inactive=True)

    assert list(posters()) == ["t002", "t003"]


async def test_a_poster_that_was_taken_out_becomes_inactive(run, workspace, posters):
    await run()
    workspace.rows(content(3, is_active=False))

    await run(fresh=True)

    assert not any(row["active"] for row in posters().values())


@pytest.mark.parametrize("url", [None, "gone"])
async def test_a_poster_that_was_taken_out_with_its_url_becomes_inactive(run, workspace, posters, url):
    await run()
    workspace.rows(content(4, is_active=False, poster_url=url))

    report = await run(fresh=True, include_inactive=True)

    assert (report["added"], report["changed"], report["unusable"]) == (0, 3, 0)
    assert [(row["active"], row["url"]) for row in posters().values()] == [
        (False, f"http://posters.test/{n}.jpg") for n in range(3)
    ]


async def test_rows_that_are_no_posters_are_counted_and_left_out(run, workspace, posters, cursor, capsys):
    good = content(4)
    workspace.rows(
        [
            good[0],
            {**good[1], "poster_url": None},
            {**good[2], "poster_url": "ftp://x/y"},
            {**good[3], "content_id": None},
        ]
    )

    report = await run()

    assert (report["read"], report["unusable"], list(posters())) == (3, 2, ["t000"])
    assert cursor()["unusable"] == 2
    assert "'t001': no url" in capsys.readouterr().out


async def test_a_content_id_with_a_nul_at_the_end_of_a_page_is_no_place_to_go_on_from(run, workspace, posters, cursor):
    rows = content(5)
    workspace.rows([*rows[:1], {**rows[1], "content_id": "t001\0"}, *rows[2:]])

    report = await run(catalog_page_rows=2)

    assert (report["state"], list(posters())) == ("finished", ["t000", "t002", "t003", "t004"])
    assert cursor()["after"] == "t004"


@pytest.mark.parametrize("before", [0, 2])
async def test_a_page_of_nothing_but_nuls_is_said(run, workspace, cursor, before):
    workspace.rows(
        [*content(before), {**content(1)[0], "content_id": "t9\0"}, {**content(1)[0], "content_id": "t9\0\0"}]
    )

    with pytest.raises(CatalogFailed, match="mend them there"):
        await run(catalog_page_rows=2)

    assert "bad_id" in cursor()["problem"]


async def test_what_the_database_refuses_stands_beside_the_place(run, workspace, cursor, catalog):
    catalog.execute("alter table posters add constraint none_but_t000 check (1 / strpos(content_id, 't000') = 1)")
    try:
        with pytest.raises(RowRefused):
            await run()
    finally:
        catalog.execute("alter table posters drop constraint none_but_t000")

    assert "division by zero" in cursor()["problem"]


async def test_of_rows_with_one_content_id_the_first_url_counts(run, workspace, posters):
    twins = [{**content(1)[0], "poster_url": f"http://posters.test/{name}.jpg"} for name in "cab"]
    workspace.rows([*twins, content(2)[1]])

    report = await run()

    assert report["state"] == "finished"
    assert posters()["t000"]["url"] == "http://posters.test/a.jpg"


@pytest.mark.parametrize("no_url", [None, "", " "])
@pytest.mark.parametrize("page_rows", [1, 2, 100])
async def test_a_row_without_a_url_hides_none_that_has_one(run, workspace, posters, page_rows, no_url):
    rows = content(3)
    workspace.rows([rows[0], {**rows[1], "poster_url": no_url}, *rows[1:]])

    await run(catalog_page_rows=page_rows)

    assert list(posters()) == ["t000", "t001", "t002"]


@pytest.mark.parametrize("chunk_rows", [1000, ROWS_PER_CALL])
async def test_rows_with_one_content_id_may_lie_in_two_pieces(run, workspace, posters, chunk_rows):
    workspace.statements.pace = Pace(run_seconds=0, chunk_rows=chunk_rows)
    rows = content(ROWS_PER_CALL)
    workspace.rows([*rows, {**rows[-1], "poster_url": "http://posters.test/zzz.jpg"}])
    await run(catalog_page_rows=5000)

    report = await run(catalog_page_rows=5000, fresh=True)

    assert (report["changed"], posters()["t499"]["url"]) == (0, "http://posters.test/499.jpg")


async def test_a_table_without_rows_is_read_to_its_end(run, workspace, cursor):
    workspace.rows([{**content(1)[0], "content_id": None}])

    assert (await run())["state"] == "finished"
    assert cursor()["finished_at"] is not None


async def test_other_columns_under_other_names_are_read(run, workspace, posters):
    workspace.rows([{"asset id": 7, "art": "http://posters.test/7.jpg", "lang": "sv"}])

    await run(catalog_columns={"content_id": "asset id", "url": "art", "language": "lang"})

    assert (posters()["7"]["language"], posters()["7"]["active"]) == ("sv", True)
