"""Misbehaviour on request, so that a client's care can be seen.

POST /faults {"fault": "429", "at": "poll", "count": 2, "retry_after": 1}
"""

from dataclasses import dataclass
from typing import Any

from local.databricks.refusals import Refused, bad_parameter

PLACES = ("submit", "poll", "chunk", "link")
REFUSALS = ("429", "500", "503", "forbidden", "stopped", "expired")
FAULTS = (*REFUSALS, "slow", "failed", "garbage", "drop")
_KEYS = frozenset({"fault", "at", "count", "retry_after", "seconds"})


@dataclass
class Rule:
    """The next `count` requests at this place fail so. `slow`: the statement takes that many seconds."""

    fault: str
    at: str
    count: int
    retry_after: float | None
    seconds: float
    fired: int = 0

    def refusal(self) -> Refused | None:
        """What is answered instead, if this fault is an answer."""
        known = {
            "429": Refused(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests.", retry_after=self.retry_after),
            "500": Refused(500, "INTERNAL_ERROR", "Something went wrong."),
            "503": Refused(503, "TEMPORARILY_UNAVAILABLE", "Try again later.", retry_after=self.retry_after),
            "forbidden": Refused(403, "PERMISSION_DENIED", "You do not have permission to use the SQL warehouse."),
            "stopped": Refused(400, "BAD_REQUEST", "The SQL warehouse is stopped and cannot be started by this user."),
            "expired": Refused(404, "RESOURCE_DOES_NOT_EXIST", "The statement has expired."),
        }
        return known.get(self.fault)


class Faults:
    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, raw: Any) -> Rule:
        """One rule as JSON. Raises Refused when it is none."""
        if not isinstance(raw, dict) or raw.get("fault") not in FAULTS or raw.keys() - _KEYS:
            raise bad_parameter(f"a rule has a fault ({', '.join(FAULTS)}) and any of {', '.join(sorted(_KEYS))}")
        at = raw.get("at", "submit")
        if at not in PLACES:
            raise bad_parameter(f"at is one of {', '.join(PLACES)}")
        waits = raw.get("retry_after")
        rule = Rule(
            raw["fault"],
            at,
            int(raw.get("count", 1)),
            None if waits is None else float(waits),
            float(raw.get("seconds", 60)),
        )
        self.rules.append(rule)
        return rule

    def strike(self, at: str) -> Rule | None:
        """The first rule that fires for a request at this place."""
        for rule in self.rules:
            if rule.at == at and rule.fired < rule.count:
                rule.fired += 1
                return rule
        return None

    def clear(self) -> None:
        self.rules.clear()
