"""Tables on standard output. What comes from the web is stripped of control characters first."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.watch import Batch, duration, spent

_COLOURS = {
    "done": "green", "ok": "green", "completed": "green", "skipped": "yellow", "degraded": "yellow",
    "completed_with_errors": "yellow", "dead": "red", "down": "red",
}  # fmt: skip


def console(*, stderr: bool = False) -> Console:
    """Return a console; one that is no terminal is as wide as its longest row."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=1000)


def say(line: str) -> None:
    """Print one line on standard error, whatever is in it."""
    print(plain(line), file=sys.stderr, flush=True)


def heading(out: Console, word: Any) -> None:
    """Print one word in the colour it has in tables."""
    out.print(_cell(word))


def table(out: Console, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    lines = box.SIMPLE_HEAD if out.is_terminal else None
    made = Table(box=lines, header_style="bold", pad_edge=False)
    cells = [[_cell(value) for value in row] for row in rows]
    for place, column in enumerate(columns):
        # What stands first is copied into the next command, so it is never cut short.
        whole = max((min(40, len(row[0])) for row in cells), default=0) if place == 0 and out.width >= 80 else None
        made.add_column(column, min_width=whole, overflow="fold")
    for row in cells:
        made.add_row(*row)
    out.print(made)


def _cell(value: Any) -> Text:
    text = plain(value)
    return Text(text, style=_COLOURS.get(text, ""))


def plain(value: Any) -> str:
    """Return the value as one printable line."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def summary(out: Console, batch: Batch, reasons: Counter[tuple[str, str]]) -> None:
    """Show how the items ended and why, then what it cost."""
    rows = sorted(reasons.items(), key=lambda row: (-row[1], row[0]))
    table(out, ("outcome", "reason", "count"), [(state, reason, count) for (state, reason), count in rows])
    cached = f", {batch['cached']} from cache" if batch.get("cached") else ""
    twice = f", {batch['duplicates']} given twice" if batch.get("duplicates") else ""
    out.print(f"{batch['total']} items{cached}{twice}, {spent(batch)}", highlight=False)


def details(out: Console, results: Iterable[dict[str, Any]]) -> None:
    table(out, ("url", "state", "reason", "title"), [detail_row(result) for result in results])


def detail_row(result: dict[str, Any]) -> tuple[Any, ...]:
    written = result.get("result") or {}
    given = result.get("input") or {}
    return given.get("url"), result.get("state"), result.get("reason"), written.get("title")


def reasons_of(results: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter((str(result.get("state") or ""), str(result.get("reason") or "")) for result in results)


def batch_rows(out: Console, batches: Iterable[Batch]) -> None:
    columns = ("batch", "function", "state", "total", "done", "skipped", "dead", "waiting", "cost", "created")
    table(out, columns, [_batch_row(batch) for batch in batches])


def _batch_row(batch: Batch) -> list[Any]:
    counts = batch.get("counts") or {}
    numbers = [counts.get(state, 0) for state in ("done", "skipped", "dead", "waiting")]
    cost = f"${float(batch.get('cost_usd') or 0):.4f}"
    created = str(batch["created_at"])[:16].replace("T", " ")
    return [batch["id"], batch["function"], batch["state"], batch["total"], *numbers, cost, created]


def estimate(out: Console, plan: dict[str, Any]) -> None:
    """Show what a dry run says."""
    live = f", {plan['already_live']} under way already" if plan.get("already_live") else ""
    pace = f"{plan.get('requests_per_minute')} a minute through queue {plan.get('queue')}"
    takes = duration(plan.get("estimated_seconds") or 0)
    out.print(plain(f"Would enlist {plan['would_enlist']} items{live}: about {takes} at {pace}."), highlight=False)
