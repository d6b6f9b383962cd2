"""`piecework import posters`: good rows in, bad ones told of by line, whatever the file is."""

import builtins
import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from cli import client
from cli.problems import Unreachable

ROWS = [
    {"content_id": "t1", "title": "Tin", "url": "http://posters.test/1.jpg", "active": True},
    {"content_id": "t2", "title": 'Åland, "the" isle', "url": "http://posters.test/2.jpg", "active": False},
]


def kept(database):
    return {row["content_id"]: row for row in database.execute("select * from posters").fetchall()}


def as_parquet(file, rows):
    parquet.write_table(pa.Table.from_pylist(rows), file)


def as_csv(file, rows):
    cells = [[str(value).replace('"', '""') for value in row.values()] for row in rows]
    lines = [",".join(rows[0]), *(",".join(f'"{cell}"' for cell in row) for row in cells)]
    file.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")


def as_lines(file, rows):
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")


@pytest.mark.parametrize(("ending", "write"), [("csv", as_csv), ("jsonl", as_lines), ("parquet", as_parquet)])
def test_every_kind_of_file_comes_in(piecework, posters, tmp_path, ending, write):
    file = tmp_path / f"posters.{ending}"
    write(file, ROWS)

    first, second = piecework("import", "posters", str(file)), piecework("import", "posters", str(file))

    assert (first.code, first.err.strip()) == (0, "2 added, 0 changed, 0 unchanged, 0 bad")
    assert (second.code, second.err.strip()) == (0, "0 added, 0 changed, 2 unchanged, 0 bad")
    row = kept(posters)["t2"]
    assert (row["title"], row["active"]) == ('Åland, "the" isle', False)


def test_bad_lines_are_told_of_and_the_rest_goes_in(piecework, posters, tmp_path):
    file = tmp_path / "posters.csv"
    file.write_text(
        "content_id,url,active,title\n"
        "t1,http://posters.test/1.jpg,yes,One\n"
        ",http://posters.test/2.jpg,yes,No id\n"
        "t3,,yes,No url\n"
        "t4,ftp://posters.test/4.jpg,yes,\n"
        "t5,http://posters.test/5.jpg,perhaps,\n"
        "t6,http://posters.test/6.jpg,yes,x,y\n"
        '"t7\nt7",http://posters.test/7.jpg,yes,\n'
        "t8,http://posters.test/8.jpg,0,Eight\n"
    )

    ran = piecework("import", "posters", str(file))

    assert ran.code == 1
    assert set(kept(posters)) == {"t1", "t8"}
    assert kept(posters)["t8"]["active"] is False
    told = ran.err.splitlines()
    assert [line.partition(":")[0] for line in told[:-1]] == [
        "line 3",
        "line 4",
        "line 5",
        "line 6",
        "line 7",
        "line 9",
    ]
    assert told[-1] == "piecework: 2 added, 0 changed, 0 unchanged, 6 bad; the good ones are in."


def test_lines_that_are_no_json_are_told_of(piecework, posters, tmp_path):
    file = tmp_path / "posters.jsonl"
    file.write_text(
        '{"content_id": "t1", "url": "http://posters.test/1.jpg", "extra": 1}\n[]\n{"content_id":\n' + "[" * 9999
    )

    ran = piecework("import", "posters", str(file))

    assert ran.code == 1
    assert ran.err.startswith("line 2: not a JSON object\nline 3: not JSON")
    assert set(kept(posters)) == {"t1"}


def test_more_than_one_request_carries_keeps_its_line_numbers(piecework, posters, tmp_path):
    file = tmp_path / "posters.jsonl"
    rows = [{"content_id": f"t{n}", "url": f"http://posters.test/{n}.jpg"} for n in range(1201)]
    rows[700]["content_id"] = "x/../y"
    as_lines(file, rows)

    ran = piecework("import", "posters", str(file))

    assert "line 701: content_id:" in ran.err
    assert len(kept(posters)) == 1200


def test_columns_of_other_names_are_named(piecework, posters, tmp_path):
    file = tmp_path / "posters.parquet"
    as_parquet(file, [{"id": 7, "art": "http://posters.test/7.jpg", "is_active": True, "weight": 1.5}])

    assert piecework("import", "posters", str(file)).code == 2
    ran = piecework("import", "posters", str(file), "--column", "content_id=id", "--column", "url=art")

    assert ran.code == 0
    assert kept(posters)["7"]["url"] == "http://posters.test/7.jpg"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("posters.csv", b"id,url\n1,http://x.test/a\n", "no column content_id"),
        ("posters.csv", b"", "no column content_id"),
        ("posters.parquet", b"PAR1 and no more", "is no Parquet file"),
        ("posters.xlsx", b"", "must end with .csv"),
        ("missing.csv", None, "cannot be read"),
    ],
    ids=str,
)
def test_a_file_that_cannot_be_read_is_said(piecework, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    ran = piecework("import", "posters", str(tmp_path / name))

    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_without_pyarrow_it_says_what_to_install(piecework, tmp_path, monkeypatch):
    file = tmp_path / "posters.parquet"
    as_parquet(file, ROWS)
    real = builtins.__import__

    def without(name, *more):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    ran = piecework("import", "posters", str(file))

    assert (ran.code, "pip install pyarrow" in ran.err) == (2, True)


def test_a_customers_key_is_refused(piecework, tmp_path, customer, monkeypatch):
    file = tmp_path / "posters.jsonl"
    as_lines(file, ROWS)
    monkeypatch.setenv("PIECEWORK_KEY", customer.key)

    assert piecework("import", "posters", str(file)).code == 4


def test_an_import_that_breaks_off_says_how_far_it_came(piecework, posters, tmp_path, monkeypatch):
    file = tmp_path / "posters.jsonl"
    as_lines(file, [{"content_id": f"t{n}", "url": f"http://posters.test/{n}.jpg"} for n in range(600)])
    send, sent = client.Client.keep_posters, []

    def only_once(self, rows):
        sent.append(len(rows))
        if len(sent) > 1:
            raise Unreachable("No answer.")
        return send(self, rows)

    monkeypatch.setattr(client.Client, "keep_posters", only_once)
    ran = piecework("import", "posters", str(file))

    assert (ran.code, sent, len(kept(posters))) == (3, [500, 100], 500)
    assert ran.err.startswith("stopped: 500 added")
