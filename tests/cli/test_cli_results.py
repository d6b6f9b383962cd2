"""piecework results: every item of a batch in the form that is asked for."""

import csv
import io
import json
from pathlib import Path

import pytest

from cli import posters
from cli.problems import BadInput

URLS = ("http://daily.test/a", "http://daily.test/huge", "http://daily.test/b")


@pytest.fixture
def batch(piecework, urls):
    items = [{"url": url, "custom_id": f"c{number}"} for number, url in enumerate(URLS)]
    piecework("run", "article", urls(*items))
    return "b1"


def test_json_lines_hold_every_item_over_all_pages(piecework, batch):
    ran = piecework("results", batch, "--jsonl")

    assert [json.loads(line)["input"]["url"] for line in ran.out.splitlines()] == list(URLS)


def test_inputs_that_lists_cut_are_whole(piecework, urls):
    piecework("run", "article", urls({"url": URLS[0], "text": "long"}, {"url": URLS[2]}))

    rows = [json.loads(line) for line in piecework("results", "b1", "--jsonl").out.splitlines()]

    assert [row["input"] for row in rows] == [{"url": URLS[0], "text": "long"}, {"url": URLS[2]}]
    assert not any(row["input_cut"] for row in rows)


def test_json_is_one_list(piecework, batch):
    assert [row["custom_id"] for row in json.loads(piecework("results", batch, "--json").out)] == ["c0", "c1", "c2"]


def test_a_state_narrows_them(piecework, batch):
    ran = piecework("results", batch, "--jsonl", "--state", "dead")

    assert [json.loads(line)["reason"] for line in ran.out.splitlines()] == ["too_large"]


def test_csv_has_a_column_for_every_field_of_a_result(piecework, batch):
    rows = list(csv.DictReader(io.StringIO(piecework("results", batch, "--csv").out)))

    assert [row["url"] for row in rows] == list(URLS)
    assert [row["title"] for row in rows] == ["Title 0", "", "Title 2"]
    assert json.loads(rows[0]["topics"]) == ["a", "b"]


def test_a_csv_cell_from_the_web_is_no_formula(piecework, api, batch):
    api.titles[URLS[0]] = '=HYPERLINK("http://evil.test")'

    rows = list(csv.DictReader(io.StringIO(piecework("results", batch, "--csv").out)))

    assert rows[0]["title"] == '\'=HYPERLINK("http://evil.test")'


def test_without_a_format_they_are_a_table(piecework, batch):
    ran = piecework("results", batch)

    assert ran.out.splitlines()[0].split() == ["url", "state", "reason", "title"]
    assert len(ran.out.splitlines()) == 4


@pytest.mark.parametrize("name", ["results.csv", "results.json", "results.jsonl", "results"])
def test_the_ending_of_the_file_says_the_format(piecework, batch, tmp_path, name):
    file = tmp_path / name

    ran = piecework("results", batch, "--out", str(file))

    first = file.read_text()[0]
    assert ran.out == ""
    assert first == {".csv": "i", ".json": "["}.get(file.suffix, "{")
    assert list(tmp_path.glob("*.part")) == []


def test_a_failure_halfway_leaves_the_old_file_alone(piecework, api, batch, tmp_path):
    file = tmp_path / "results.jsonl"
    file.write_text("old")
    api.failures = [0, *[503] * 10]

    ran = piecework("results", batch, "--out", str(file))

    assert ran.code == 3
    assert file.read_text() == "old"


def test_a_report_is_not_written_over_a_folder():
    with pytest.raises(BadInput, match="is a folder"):
        posters.write(Path(), "a page")


def test_a_file_that_cannot_be_written_is_told(piecework, batch):
    ran = piecework("results", batch, "--out", "/nowhere/results.csv")

    assert ran.code == 2
    assert "/nowhere/results.csv cannot be written" in ran.err
