"""The commands about who may ask how much, and who did what."""

import json
from collections.abc import Callable
from typing import Any

import typer

from cli import show
from cli.client import Client
from cli.flags import AsJson, Limit
from cli.watch import duration


def add_limit_commands(app: typer.Typer, client_of: Callable[[typer.Context], Client]) -> None:
    """`client_of` makes the client that a command's context means."""

    @app.command()
    def limits(context: typer.Context, as_json: AsJson = False) -> None:
        """Show how much your key may ask in a minute, and what is left of it."""
        told = client_of(context).get("/v3/rate-limit/status")
        if as_json:
            typer.echo(json.dumps(told, indent=2))
            return
        out = show.console()
        out.print(show.plain(f"tier {told['tier']}"), highlight=False)
        columns = ("bucket", "per minute", "remaining", "full in", "refused")
        show.table(out, columns, [limit_row(one) for one in told["limits"]])

    @app.command()
    def blocked(context: typer.Context, as_json: AsJson = False) -> None:
        """List the addresses that are turned away for a while (with an operator's key)."""
        told = client_of(context).get("/v3/rate-limit/blocked")["blocked"]
        if as_json:
            typer.echo(json.dumps(told, indent=2))
            return
        rows = [(one["address"], one["misses"], duration(one["retry_seconds"])) for one in told]
        show.table(show.console(), ("address", "unknown keys", "for another"), rows)

    @app.command()
    def audit(context: typer.Context, limit: Limit = 50, as_json: AsJson = False) -> None:
        """List who cancelled, retried, replayed or discarded what, the newest first."""
        told = client_of(context).some("/v3/audit", "deeds", limit)
        if as_json:
            typer.echo(json.dumps(told, indent=2))
            return
        columns = ("at", "key", "action", "items", "target")
        show.table(show.console(), columns, [audit_row(one) for one in told])


def limit_row(limit: dict[str, Any]) -> tuple[Any, ...]:
    full_in = duration(limit["reset_seconds"]) if limit["reset_seconds"] else ""
    return limit["bucket"], limit["per_minute"], limit["remaining"], full_in, limit["refused"]


def audit_row(deed: dict[str, Any]) -> tuple[Any, ...]:
    target = " ".join(f"{name}={value}" for name, value in deed["target"].items()) or "all"
    return deed["at"], deed["key_id"], deed["action"], deed["affected"], target
