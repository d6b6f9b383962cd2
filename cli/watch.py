"""Wait for batches to end: a live bar on a terminal, a plain line every few seconds elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Client
from cli.problems import Detached, TimedOut, Unreachable

FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.2, 2.0
PLAIN_LINE_SECONDS = 5.0
# The API may restart under a long wait.
PATIENCE_SECONDS = 60.0
UNDER_WAY = ("accepted", "running", "cancelling")
FINAL = ("done", "skipped", "dead", "cancelled")
Batch = dict[str, Any]
Report = Callable[[Batch], None]


class Watch:
    """Polls until every batch has ended; the clock and its sleep come from outside."""

    def __init__(
        self,
        client: Client,
        console: Console,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._console = console
        self._clock = clock
        self._sleep = sleep

    def until_ended(self, ids: Sequence[str], timeout: float | None) -> Batch:
        """Return the batches as one once all have ended. Raises TimedOut, Detached or Unreachable."""
        again = f"come back with: piecework batch {ids[0]} --wait"
        try:
            with self._reporting() as report:
                return self._poll(ids, report, self._clock() + timeout if timeout else None)
        except KeyboardInterrupt:
            raise Detached(f"Detached, the work goes on; {again}") from None
        except TimedOut as timed_out:
            raise TimedOut(f"{timed_out}; {again}") from None

    def _poll(self, ids: Sequence[str], report: Report, deadline: float | None) -> Batch:
        wait = FIRST_POLL_SECONDS
        while True:
            whole = together([self._patiently(batch_id) for batch_id in ids])
            report(whole)
            if whole["ended"]:
                return whole
            if deadline is not None and self._clock() + wait > deadline:
                raise TimedOut(f"Not ended in time ({settled(whole)} of {whole['total']})")
            self._sleep(wait)
            wait = min(wait * 1.5, LAST_POLL_SECONDS)

    def _patiently(self, batch_id: str) -> Batch:
        """Return the batch, waiting out an API that is away for a while."""
        since: float | None = None
        while True:
            try:
                return self._client.batch(batch_id)
            except Unreachable as problem:
                if since is None:
                    since = self._clock()
                    self._console.print(f"{problem} Still waiting.", markup=False, highlight=False)
                elif self._clock() - since > PATIENCE_SECONDS:
                    raise
                self._sleep(LAST_POLL_SECONDS)

    def _reporting(self) -> AbstractContextManager[Report]:
        return _live(self._console) if self._console.is_terminal else self._plain()

    @contextmanager
    def _plain(self) -> Iterator[Report]:
        printed_at: float | None = None

        def report(batch: Batch) -> None:
            nonlocal printed_at
            now = self._clock()
            if printed_at is None or batch["ended"] or now - printed_at >= PLAIN_LINE_SECONDS:
                printed_at = now
                self._console.print(line(batch), markup=False, highlight=False, soft_wrap=True)

        yield report


@contextmanager
def _live(console: Console) -> Iterator[Report]:
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda batch: progress.update(
            task, completed=settled(batch), total=batch["total"], description=_story(batch)
        )


def together(batches: Sequence[Batch]) -> Batch:
    """Return several batches as one: sums, the longest ETA, ended when all are."""
    counts: Counter[str] = Counter()
    for batch in batches:
        counts.update(batch.get("counts") or {})
    etas = [batch["eta_seconds"] for batch in batches if batch.get("eta_seconds") is not None]
    sums = ("total", "tokens_in", "tokens_out", "cost_usd", "rate_per_minute", "cached", "duplicates")
    return {
        "counts": dict(counts),
        "ended": all(batch.get("state") not in UNDER_WAY for batch in batches),
        "eta_seconds": max(etas, default=None),
        **{name: sum(batch.get(name) or 0 for batch in batches) for name in sums},
    }


def settled(batch: Batch) -> int:
    return sum(batch["counts"].get(state, 0) for state in FINAL)


def line(batch: Batch) -> str:
    """Return one plain line: how far, how it ended so far, how fast, what it cost."""
    done, total = settled(batch), batch["total"]
    percent = 100 * done // total if total else 0
    return f"{done}/{total} {percent}%  {_story(batch)}"


def _story(batch: Batch) -> str:
    outcomes = [f"{state} {batch['counts'][state]}" for state in FINAL if batch["counts"].get(state)]
    rate = [f"{batch['rate_per_minute']:.0f}/min"] if batch["rate_per_minute"] and not batch["ended"] else []
    eta = [f"eta {duration(batch['eta_seconds'])}"] if batch["eta_seconds"] and not batch["ended"] else []
    return "  ".join([*outcomes, *rate, *eta, spent(batch)])


def spent(batch: Batch) -> str:
    tokens = (batch.get("tokens_in") or 0) + (batch.get("tokens_out") or 0)
    return f"{tokens:,} tokens  ${float(batch.get('cost_usd') or 0):.4f}"


def duration(seconds: float) -> str:
    """Return 45s, 3m05s or 2h04m."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
