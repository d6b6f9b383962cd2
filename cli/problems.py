"""What can go wrong, as one family: each is one line that says what to do, with the exit code that follows.

Problem
├── BadInput      2   usage, or what was given cannot be sent
├── Unreachable   3   the API does not answer, or is not ready
├── KeyRefused    4
├── TimedOut      5   --timeout passed
├── Limited       6   the rate limit, for longer than a command waits
└── Detached    130   Ctrl-C while waiting; the work goes on
"""

from enum import StrEnum


class Problem(Exception):
    exit_code = 1


class BadInput(Problem):
    exit_code = 2


class Unreachable(Problem):
    exit_code = 3


class KeyRefused(Problem):
    exit_code = 4


class TimedOut(Problem):
    exit_code = 5


class Limited(Problem):
    exit_code = 6


class Detached(Problem):
    exit_code = 130


SOME_DEAD = 1
EXIT_CODES = """Exit codes: 0 all ended, done or skipped. 1 some items dead (see --fail-on). 2 usage or bad input.
3 API unreachable or not ready. 4 key refused. 5 timed out. 6 rate limited for too long. 130 detached with Ctrl-C."""


class FailOn(StrEnum):
    """Which outcomes make the command fail."""

    dead = "dead"
    none = "none"
