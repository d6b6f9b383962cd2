"""The commands that look at the whole: the dashboard as tables, and the cache."""

import json
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from cli import show
from cli.client import Client
from cli.flags import AsJson
from cli.watch import duration

Row = dict[str, Any]
STATES = ("waiting", "running", "done", "skipped", "dead", "cancelled")


def add_monitoring_commands(app: typer.Typer, client_of: Callable[[typer.Context], Client]) -> None:
    """`client_of` makes the client that a command's context means."""

    @app.command()
    def dashboard(context: typer.Context, as_json: AsJson = False) -> None:
        """Show items, quotas, breakers, dead letters and cost: yours, or with an operator's key all."""
        told = client_of(context).get("/v3/monitoring/dashboard")
        if as_json:
            typer.echo(json.dumps(told, indent=2))
        else:
            tables_of(show.console(), told)

    @app.command()
    def cache(context: typer.Context, as_json: AsJson = False) -> None:
        """Show how the cache of the process that answers is doing."""
        told = client_of(context).get("/v3/cache/stats")
        if as_json:
            typer.echo(json.dumps(told, indent=2))
        else:
            show.table(show.console(), ("cache", ""), list(told.items()))


def tables_of(out: Console, told: Row) -> None:
    items = told["items"]
    by_function = [(name, *(states[state] for state in STATES)) for name, states in items["by_function"].items()]
    total = ("all", *(items["states"][state] for state in STATES))
    show.table(out, ("items", *STATES), [*by_function, total])
    show.table(out, ("quota", "per minute", "used", "tokens/min", "used", "waiting", "running", "rests"), quotas(told))
    if ill := [breaker for breaker in told["breakers"] if breaker["state"] != "closed"]:
        show.table(out, ("breaker", "state", "failures", "rests", "reason"), [breaker_row(one) for one in ill])
    if letters := told["dead_letters"]["reasons"]:
        rows = [(one["reason"], one["function"], one["items"]) for one in letters]
        show.table(out, ("dead letters", "function", "items"), rows)
    show.table(
        out,
        ("day", "cost", "of it estimated", "tokens", "calls"),
        [day_row(day) for day in told["costs"] if day["model_calls"]],
    )
    show.batch_rows(out, told["batches"])


def quotas(told: Row) -> list[tuple[Any, ...]]:
    return [
        (
            quota["name"], f"{quota['requests_per_minute']:g}", quota["requests_used"], quota["tokens_per_minute"],
            quota["tokens_used"], quota["waiting"], quota["running"], rest_of(quota),
        )
        for quota in told["quotas"]
    ]  # fmt: skip


def breaker_row(breaker: Row) -> tuple[Any, ...]:
    return breaker["name"], breaker["state"], breaker["failures"], rest_of(breaker), breaker["reason"]


def rest_of(resting: Row) -> str:
    return f"for {duration(resting['rests_seconds'])}" if resting["rests_seconds"] else ""


def day_row(day: Row) -> tuple[Any, ...]:
    tokens = f"{day['tokens_in'] + day['tokens_out']:,}"
    return day["day"], f"${day['cost_usd']:.4f}", f"${day['estimated_usd']:.4f}", tokens, day["model_calls"]
