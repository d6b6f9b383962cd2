"""slots: how closely a metered call keeps to its slot, and what any window may hold because of it. Pure.

claim_pace hands out the slots of a quota at least WIDENED * 60 / requests_per_minute seconds apart. A call reaches its
upstream SPREAD_SECONDS after its slot at the latest, and never before it. docs/decisions/014 has the arithmetic.
"""

import math
from collections.abc import Sequence

# How much wider than the limit asks slots are apart; claim_pace has the same number.
WIDENED = 1.02
# So late a call's first byte may leave. Later, and it would crowd a neighbour's: the call takes another slot.
GRACE_SECONDS = 0.08
# Allowed for how far an instance's idea of the database's clock may be from another's, ...
CLOCK_SECONDS = 0.03
# ... and for how much longer one call is under way than another: the event loop's last turn, the kernel, the network.
WAY_SECONDS = 0.08
SPREAD_SECONDS = GRACE_SECONDS + CLOCK_SECONDS + WAY_SECONDS

# The slot of an idle quota is this far off at least while too few answers came to know how late they may be.
FIRST_LEAD_SECONDS, ENOUGH_ANSWERS = 0.5, 10
# Nobody's slot is put off further, for the quota is idle meanwhile.
LONGEST_LEAD_SECONDS = 1.0
# Above the latest of the recent answers: the work needs a moment with it. One that is later still has the grace.
LEAD_MARGIN_SECONDS = 0.02


def most_in_window(seconds: float, per_minute: float, spread: float = SPREAD_SECONDS) -> int:
    """The most calls that can reach an upstream within any half-open window of so many seconds."""
    gap = 60 * WIDENED / per_minute
    return math.ceil(round((seconds + spread) / gap, 6))


def lead(lateness: Sequence[float], missed: int = 0) -> float:
    """How far off a slot has to be for the answer that tells it to arrive in time.

    `lateness`: how much later than the quickest each recent answer of the database came, in seconds. Every slot that
    was `missed` by the same work doubles it.
    """
    known = max(lateness, default=0.0) + LEAD_MARGIN_SECONDS
    if len(lateness) < ENOUGH_ANSWERS:
        known = max(known, FIRST_LEAD_SECONDS)
    return min(known * 2.0**missed, LONGEST_LEAD_SECONDS)
