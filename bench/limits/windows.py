"""windows: arithmetic on the times of calls. Any window counts, not only those that begin with a minute."""

import bisect
from collections.abc import Sequence
from itertools import accumulate


def most_in(times: Sequence[float], seconds: float) -> int:
    """The most calls within any window of so many seconds. `times` in order."""
    return max((bisect.bisect_left(times, at + seconds) - place for place, at in enumerate(times)), default=0)


def count_in(times: Sequence[float], start: float, end: float) -> int:
    """The calls from `start` on, before `end`."""
    return bisect.bisect_left(times, end) - bisect.bisect_left(times, start)


def most_spent(spent: Sequence[tuple[float, int]], seconds: float) -> int:
    """The largest sum within any window, by (time, tokens) in order, its last call left out: the one that overruns."""
    times = [at for at, _ in spent]
    sums = [0, *accumulate(tokens for _, tokens in spent)]
    return max(
        (sums[bisect.bisect_left(times, at + seconds) - 1] - sums[place] for place, at in enumerate(times)), default=0
    )


def spent_in(spent: Sequence[tuple[float, int]], start: float, end: float) -> int:
    return sum(tokens for at, tokens in spent if start <= at < end)
