"""The customer's table becomes rows of posters: page by page, again and again, whatever happens on the way."""

import pytest

from functions.catalog.refusals import CatalogFailed
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


async def test_a_run_whose_time_is_up_ends_cleanly_and_keeps_its_place(run, workspace, cursor, posters):
    workspace.rows(content(6))

    original = workspace.tables.run

    def second_is_slow(*args, **more):
        workspace.faults.add({"fault": "slow", "at": "submit", "seconds": 5000})
        workspace.tables.run = original
        return original(*args, **more)

    workspace.tables.run = second_is_slow
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


async def test_a_poster_that_was_taken_out_becomes_inactive(run, workspace, posters):
    await run()
    workspace.rows(content(3, is_active=False))

    await run(fresh=True)

    assert not any(row["active"] for row in posters().values())


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


async def test_of_rows_with_one_content_id_the_first_url_counts(run, workspace, posters):
    twins = [{**content(1)[0], "poster_url": f"http://posters.test/{name}.jpg"} for name in "cab"]
    workspace.rows([*twins, content(2)[1]])

    report = await run()

    assert report["state"] == "finished"
    assert posters()["t000"]["url"] == "http://posters.test/a.jpg"


async def test_a_table_without_rows_is_read_to_its_end(run, workspace, cursor):
    workspace.rows([{**content(1)[0], "content_id": None}])

    assert (await run())["state"] == "finished"
    assert cursor()["finished_at"] is not None


async def test_other_columns_under_other_names_are_read(run, workspace, posters):
    workspace.rows([{"asset id": 7, "art": "http://posters.test/7.jpg", "lang": "sv"}])

    await run(catalog_columns={"content_id": "asset id", "url": "art", "language": "lang"})

    assert (posters()["7"]["language"], posters()["7"]["active"]) == ("sv", True)
