"""After submitting: wait for the batches if asked to, and show how they ended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cli import show
from cli.client import Client
from cli.problems import SOME_DEAD, FailOn
from cli.watch import Batch, Watch


@dataclass(frozen=True)
class Following:
    """What the flags ask for."""

    wait: bool
    details: bool
    timeout: float | None
    fail_on: FailOn


def follow(client: Client, batches: Sequence[Batch], following: Following) -> int:
    """Wait for the batches if asked to and show how they ended; return the exit code."""
    out = show.console()
    ids = [batch["id"] for batch in batches]
    if not following.wait:
        show.batch_rows(out, batches)
        show.say(f"Follow it with: piecework batch {ids[0]} --wait")
        return 0
    show.say(f"batch {', '.join(ids)}: {sum(batch['total'] for batch in batches)} items")
    whole = Watch(client, show.console(stderr=True)).until_ended(ids, following.timeout)
    show.summary(out, whole, _reasons(client, ids, whole))
    if following.details:
        show.details(out, (result for batch_id in ids for result in client.results(batch_id)))
    return SOME_DEAD if following.fail_on is FailOn.dead and _has_failed(whole) else 0


def _has_failed(whole: Batch) -> bool:
    return any(whole["counts"].get(state) for state in ("dead", "cancelled"))


def _reasons(client: Client, ids: Sequence[str], whole: Batch) -> Counter[tuple[str, str]]:
    """Return how many items ended how and why; only what is not done has a reason worth fetching."""
    reasons: Counter[tuple[str, str]] = Counter({("done", ""): whole["counts"].get("done", 0)})
    for state in ("skipped", "dead", "cancelled"):
        if whole["counts"].get(state):
            for batch_id in ids:
                reasons += show.reasons_of(client.results(batch_id, state))
    return +reasons
