"""Misbehaviour on request: rules that make the next answers fail the way the real service fails."""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.gemini.problems import (
    Problem,
    bad_request,
    cancelled,
    exhausted,
    internal,
    no_billing,
    no_credit,
    overloaded,
    requests_per_day,
    requests_per_minute,
)

PLAIN: dict[str, Callable[[], Problem]] = {
    "400_billing": no_billing, "402": no_credit, "499": cancelled, "500": internal, "503": overloaded,
}  # fmt: skip
REFUSALS = ("429_minute", "429_day", *PLAIN)
ANSWERS = ("truncated", "unsafe", "blocked_prompt", "recitation", "fenced", "garbage", "empty")
FAULTS = (*REFUSALS, *ANSWERS, "slow", "hang", "drop")
_KEYS = frozenset({"fault", "count", "probability", "seconds", "retry_after", "delay", "match", "seed"})


@dataclass
class Rule:
    """One kind of fault, for so many requests, so long, or with a probability; all three may be combined."""

    fault: str
    count: int | None = None
    probability: float = 1.0
    until: float | None = None  # on the clock of Faults
    retry_after: str = "20s"
    delay: float = 5.0
    match: str = ""
    chance: random.Random = field(default_factory=random.Random)
    fired: int = 0

    def refusal(self, model: str) -> Problem | None:
        """What is raised instead of an answer."""
        if self.fault == "429_minute":
            return exhausted(requests_per_minute(10), model, self.retry_after)
        if self.fault == "429_day":
            return exhausted(requests_per_day(250), model, self.retry_after)
        return PLAIN[self.fault]() if self.fault in PLAIN else None

    def _is_over(self, now: float) -> bool:
        return (self.count is not None and self.fired >= self.count) or (self.until is not None and now >= self.until)

    def fires(self, text: str, now: float) -> bool:
        if self._is_over(now) or self.match not in text or self.chance.random() >= self.probability:
            return False
        self.fired += 1
        return True


class Faults:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rules: list[Rule] = []

    def add(self, rules: Any) -> list[Rule]:
        """Takes a rule or a list of them as JSON. Raises Problem (400) and takes none where one is wrong."""
        added = [self._rule(rule) for rule in (rules if isinstance(rules, list) else [rules])]
        self._rules += added
        return added

    def clear(self) -> None:
        self._rules.clear()

    def strike(self, model: str, prompt: str) -> Rule | None:
        """The first rule that fires for this request."""
        text, now = f"{model}\n{prompt}", self._clock()
        return next((rule for rule in self._rules if rule.fires(text, now)), None)

    def counts(self) -> Sequence[Mapping[str, Any]]:
        return [{"fault": rule.fault, "match": rule.match, "fired": rule.fired} for rule in self._rules]

    def _rule(self, raw: Any) -> Rule:
        if not isinstance(raw, dict) or raw.get("fault") not in FAULTS or raw.keys() - _KEYS:
            raise bad_request(f"A rule has a fault, one of {', '.join(FAULTS)}, and any of {', '.join(sorted(_KEYS))}.")
        seconds = _number(raw, "seconds")
        retry_after = str(raw.get("retry_after", "20s"))
        if not re.fullmatch(r"\d+(\.\d+)?s", retry_after):
            raise bad_request('retry_after is seconds as Google writes them: "20s".')
        return Rule(
            fault=raw["fault"],
            count=None if (count := _number(raw, "count")) is None else int(count),
            probability=1.0 if (chance := _number(raw, "probability")) is None else chance,
            until=None if seconds is None else self._clock() + seconds,
            retry_after=retry_after,
            delay=5.0 if (delay := _number(raw, "delay")) is None else delay,
            match=str(raw.get("match", "")),
            chance=random.Random(raw.get("seed")),
        )


def _number(raw: Mapping[str, Any], key: str) -> float | None:
    value = raw.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
        raise bad_request(f"{key} is a number, 0 or more.")
    return value
