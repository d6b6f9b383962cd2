"""Statements: PENDING while the warehouse wakes, RUNNING, then SUCCEEDED with a result, FAILED or CANCELED."""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.databricks.refusals import no_statement
from local.databricks.warehouse import Result, StatementFailed, Warehouse

INLINE_BYTES = 25 * 1024 * 1024
KEPT_SECONDS = 3600.0


@dataclass(frozen=True)
class Pace:
    """How long a statement waits and runs, and how many rows a chunk of its result has."""

    wake_seconds: float = 0.0
    run_seconds: float = 0.05
    chunk_rows: int = 1000


@dataclass
class Statement:
    """One statement and how it stands. It runs once, when somebody looks after its time has come."""

    ask: Mapping[str, Any]
    pace: Pace
    began: float
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    result: Result | None = None
    error: StatementFailed | None = None
    canceled: bool = False
    extra_seconds: float = 0.0
    truncated: bool = False

    @property
    def over_at(self) -> float:
        return self.began + self.pace.wake_seconds + self.pace.run_seconds + self.extra_seconds

    def is_over(self, now: float) -> bool:
        return self.canceled or self.error is not None or now >= self.over_at

    def state(self, now: float) -> str:
        if self.canceled:
            return "CANCELED"
        if self.error is not None:
            return "FAILED"
        if self.is_over(now):
            return "SUCCEEDED"
        return "PENDING" if now < self.began + self.pace.wake_seconds else "RUNNING"

    def settle(self, warehouse: Warehouse) -> None:
        """Run it, unless that was done."""
        if self.result or self.error or self.canceled:
            return
        namespace = [self.ask.get("catalog") or "main", self.ask.get("schema") or "default"]
        try:
            result = warehouse.run(self.ask["statement"], self.ask.get("parameters") or [], namespace=namespace)
            self._keep(result)
        except StatementFailed as failed:
            self.error = failed

    def _keep(self, result: Result) -> None:
        most = self.ask.get("row_limit")
        if most is not None and len(result.rows) > most:
            result, self.truncated = Result(result.columns, result.rows[:most]), True
        if self.ask.get("disposition", "INLINE") == "INLINE" and len(json.dumps(result.rows)) > INLINE_BYTES:
            raise StatementFailed("54000", "Inline byte limit exceeded. Statements with INLINE end at 26214400 bytes.")
        self.result = result

    def chunks(self) -> list[Sequence[Sequence[str | None]]]:
        rows = self.result.rows if self.result else []
        size = self.pace.chunk_rows
        return [rows[start : start + size] for start in range(0, max(1, len(rows)), size)]


class Statements:
    """All statements of the last hour."""

    def __init__(self, warehouse: Warehouse, pace: Pace, clock: Callable[[], float]) -> None:
        self._warehouse = warehouse
        self._known: dict[str, Statement] = {}
        self.pace = pace
        self.clock = clock

    def submit(self, ask: Mapping[str, Any]) -> Statement:
        statement = Statement(ask, self.pace, self.clock())
        self._known[statement.id] = statement
        return statement

    def find(self, statement_id: str) -> Statement:
        """Raises Refused (404) for one that is not known, or too old."""
        statement = self._known.get(statement_id)
        if statement is None or self.clock() > statement.over_at + KEPT_SECONDS:
            self._known.pop(statement_id, None)
            raise no_statement(statement_id)
        if statement.is_over(self.clock()):
            statement.settle(self._warehouse)
        return statement

    def asked(self) -> list[Mapping[str, Any]]:
        """Every request there was, in its order."""
        return [statement.ask for statement in self._known.values()]
