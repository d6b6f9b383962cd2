"""Posters: import them, have them analysed, look at what was found."""

import json
import tempfile
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from cli import report, show
from cli.client import Client
from cli.inputs import BadLine
from cli.problems import SOME_DEAD, BadInput, FailOn, Problem
from cli.watch import Watch

FUNCTION = "poster"
CHUNK = 500
BROWSABLE = "".join(chr(code) for code in range(128) if chr(code).isalnum()) + "-_."
Row = dict[str, Any]


class SomeBad(Problem):
    """Good rows were imported, and there were bad ones."""

    exit_code = 1


@dataclass
class Import:
    """How an import stands."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: int = 0
    pending: list[tuple[int, Row]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.added} added, {self.changed} changed, {self.unchanged} unchanged, {self.bad} bad"


def import_posters(client: Client, rows: Iterable[tuple[int, Row] | BadLine]) -> Import:
    """Send the good rows, tell of the bad ones. Raises SomeBad at the end if there were any."""
    done = Import()
    try:
        for row in rows:
            if isinstance(row, BadLine):
                tell(done, row)
                continue
            done.pending.append(row)
            if len(done.pending) == CHUNK:
                send(client, done)
        if done.pending:
            send(client, done)
    except Problem:
        if done != Import(pending=done.pending):
            show.say(f"stopped: {done}; the same file may be imported again")
        raise
    if done.bad:
        raise SomeBad(f"{done}; the good ones are in.")
    return done


def send(client: Client, done: Import) -> None:
    answer = client.keep_posters([row for _, row in done.pending])
    for name in ("added", "changed", "unchanged"):
        setattr(done, name, getattr(done, name) + answer[name])
    for bad in answer["bad"]:
        tell(done, BadLine(done.pending[bad["index"]][0], bad["reason"]))
    done.pending.clear()


def tell(done: Import, bad: BadLine) -> None:
    done.bad += 1
    show.say(str(bad))


def show_poster(known: Row) -> int:
    """Show how it stands, and its slots; return the exit code."""
    out = show.console()
    out.print(show.plain(known["title"] or known["content_id"]), style="bold", markup=False, highlight=False)
    if not known["analysis"]:
        words = (known["state"] or "not submitted", known["reason"], known["error"])
        out.print(show.plain(": ".join(word for word in words if word)), markup=False, highlight=False)
        return SOME_DEAD
    row = known["analysis"]
    out.print(show.plain(facts(row)), markup=False, highlight=False)
    zones = sorted(row["zones"], key=lambda zone: -zone["score"])
    columns = ("slot", "safe", "score", "reasons", "contrast", "text")
    show.table(out, columns, [zone_row(zone) for zone in zones])
    picks = row["recommended"].items()
    show.table(
        out, ("role", "best slot", "safe"), [(role, pick["slot"], yes(good=pick["safe"])) for role, pick in picks]
    )
    return 0


def facts(row: Mapping[str, Any]) -> str:
    image, flags = row["image"], row["quality"]["flags"]
    counted = f"{len(row['elements'])} elements"
    return ", ".join([f"{image['width']} x {image['height']} {image['format']}", counted, *flags, row["model"]])


def zone_row(zone: Mapping[str, Any]) -> Sequence[Any]:
    reasons = ", ".join(zone["reasons"])
    return (
        zone["slot"],
        yes(good=zone["safe"]),
        f"{zone['score']:.2f}",
        reasons,
        f"{zone['contrast']:.1f}",
        zone["text_color"],
    )


def yes(*, good: bool) -> str:
    return "yes" if good else "no"


def overlay_file(content_id: str, picture: str, out: Path | None) -> Path:
    """Write the overlay. Raises BadInput when that fails."""
    name = "".join(letter if letter in BROWSABLE else "_" for letter in content_id)[:80]
    file = out or Path(tempfile.mkdtemp(prefix="piecework-")) / f"{name}.svg"
    write(file, picture)
    return file


def open_file(file: Path) -> None:
    if not webbrowser.open(file.resolve().as_uri()):
        show.say(f"No browser was found; open {file} yourself.")


def write(file: Path, content: str) -> None:
    if file.is_dir():
        raise BadInput(f"{file} is a folder; choose another.")
    try:
        report.write(file, content)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}; choose another.") from error


@dataclass(frozen=True)
class Wish:
    """What `analyze-posters` was asked for."""

    limit: int
    batch_size: int
    options: Mapping[str, Any]
    include_inactive: bool = False
    again: bool = False
    timeout: float | None = None

    @property
    def picks(self) -> bool:
        """The backlog has active posters that are new; for others we look for ourselves."""
        return self.include_inactive or self.again


def analyse(client: Client, wish: Wish) -> Iterator[list[Row]]:
    """Have posters analysed, a batch after the other; yield the items of each when it has ended."""
    asks = picked_asks(client, wish) if wish.picks else backlog_asks(wish)
    for ask in asks:
        batch = client.submit({"function": FUNCTION, **({"options": wish.options} if wish.options else {}), **ask})
        whole = Watch(client, show.console(stderr=True)).until_ended([batch["id"]], wish.timeout)
        if not whole["total"]:
            return
        show.say(f"batch {batch['id']}: {whole['total']} posters")
        yield list(client.results(batch["id"]))


def backlog_asks(wish: Wish) -> Iterator[Row]:
    for start in range(0, wish.limit, wish.batch_size):
        yield {"source": "backlog", "limit": min(wish.batch_size, wish.limit - start)}


def picked_asks(client: Client, wish: Wish) -> Iterator[Row]:
    rows = client.poster_list(inactive=wish.include_inactive, unseen=not wish.again)
    posters = islice(rows, wish.limit)
    while chunk := list(islice(posters, wish.batch_size)):
        yield {"items": [{name: row[name] for name in ("content_id", "title", "url") if row[name]} for row in chunk]}


def line_of(item: Row) -> Row:
    """An item as it is printed: how it ended, and its row without the picture."""
    given, row = item.get("input") or {}, item.get("result") or {}
    ended = {name: item.get(name) for name in ("state", "reason", "error", "cached")}
    return {
        "content_id": given.get("content_id"),
        "url": given.get("url"),
        **ended,
        **{name: value for name, value in row.items() if name not in {"thumbnail", "content_id", "url"}},
    }


def analyze(
    client: Client, wish: Wish, *, as_array: bool, report_file: Path | None, fail_on: FailOn = FailOn.dead
) -> int:
    """Print the rows as they come, or as one array at the end; write the report; return the exit code."""
    items: list[Row] = []
    for batch in analyse(client, wish):
        items += batch
        if not as_array:
            for item in batch:
                print(json.dumps(line_of(item)))
    if as_array:
        print(json.dumps([line_of(item) for item in items], indent=2))
    if not items:
        show.say("There was nothing new to analyse; --again takes what was analysed before as well.")
    if report_file:
        write_report(report_file, report.of_items(items), "analyze-posters")
    dead = any(item["state"] in {"dead", "cancelled"} for item in items)
    return SOME_DEAD if dead and fail_on is FailOn.dead else 0


def write_report(file: Path, results: Iterable[Row], source: str) -> None:
    write(file, report.page(results, made_at=datetime.now(UTC), source=source))
    show.say(f"report: {file}")
