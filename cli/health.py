"""The health report as tables: what is checked, then each quota."""

from typing import Any

from rich.console import Console

from cli.show import heading, table
from cli.watch import duration

Row = tuple[Any, ...]


def health(out: Console, report: dict[str, Any]) -> None:
    checks = report.get("checks") or {}
    heading(out, report.get("status"))
    table(out, ("check", "state", "detail"), [*_database(checks), *_queues(checks), *_breakers(checks)])
    quotas = checks.get("quotas") or []
    if quotas:
        columns = ("quota", "requests/min", "tokens/min", "waiting", "running", "rests", "why")
        table(out, columns, [_quota(quota) for quota in quotas])


def _database(checks: dict[str, Any]) -> list[Row]:
    check = checks.get("database") or {}
    latency = f"{check['latency_ms']:.0f} ms" if "latency_ms" in check else None
    return [("database", check.get("state"), check.get("detail") or latency)]


def _queues(checks: dict[str, Any]) -> list[Row]:
    queues = (checks.get("queues") or {}).items()
    return [(f"queue {name}", queue.get("state"), queue.get("detail")) for name, queue in queues]


def _breakers(checks: dict[str, Any]) -> list[Row]:
    """Return a row for each breaker that holds something back, and one for the web domains that rest."""
    breakers = [breaker for breaker in checks.get("breakers") or [] if breaker.get("state") != "closed"]
    rows = [(f"breaker {breaker.get('name')}", breaker.get("state"), _rest(breaker)) for breaker in breakers]
    resting = checks.get("domains_resting")
    return [*rows, ("web domains", f"{resting} resting", "`piecework dashboard` names them")] if resting else rows


def _quota(quota: dict[str, Any]) -> Row:
    keys = ("name", "requests_per_minute", "tokens_per_minute", "waiting", "running")
    return *(quota.get(key) for key in keys), _rest(quota), quota.get("reason") or quota.get("rest_reason")


def _rest(resting: dict[str, Any]) -> str:
    seconds = resting.get("rests_seconds")
    return f"for {duration(seconds)}" if seconds else str(resting.get("rests_until") or "")
