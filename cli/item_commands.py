"""The commands that find items and look at one."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console

from cli import show
from cli.client import Client
from cli.flags import AsJson, Limit

Row = dict[str, Any]
LINE = ("item_id", "function", "state", "reason", "attempts", "custom_id", "subject", "created_at")
FACTS = (
    "item_id", "batch_id", "function", "custom_id", "state", "reason", "error", "attempts", "deferrals", "cached",
    "tokens_in", "tokens_out", "cost_usd", "estimated_usd", "created_at", "not_before", "finished_at", "discarded_at",
)  # fmt: skip
ATTEMPT = (
    "attempt", "outcome", "reason", "error", "seconds", "model_calls", "tokens_in", "tokens_out", "cost_usd",
    "estimated", "ended_at",
)  # fmt: skip

item_commands = typer.Typer(no_args_is_help=True, help="Find items, and look at one with its attempts.")


def add_item_commands(app: typer.Typer, client_of: Callable[[typer.Context], Client]) -> None:
    """`client_of` makes the client that a command's context means."""
    app.add_typer(item_commands, name="items")

    @item_commands.command("find")
    def find(
        context: typer.Context,
        words: Annotated[str, typer.Argument(help="An item's id, its custom_id, or a part of its address.")],
        limit: Limit = 20,
        as_json: AsJson = False,
    ) -> None:
        """Search the items, the newest first."""
        found = client_of(context).some("/v3/items", "items", limit, q=words)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            item_rows(show.console(), found)

    @item_commands.command("show")
    def show_item(
        context: typer.Context, item_id: Annotated[str, typer.Argument(metavar="ITEM")], as_json: AsJson = False
    ) -> None:
        """Show one item: what was sent, each attempt, what came of it."""
        found = client_of(context).get("/v3/items", item_id)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            whole_item(show.console(), found)


def item_rows(out: Console, items: list[Row]) -> None:
    show.table(out, LINE, [[subject(item) if name == "subject" else item.get(name) for name in LINE] for item in items])


def subject(item: Row) -> str:
    """Return what it is about in one line: its address, else its input."""
    given = item.get("input") or {}
    return str(given.get("url") or json.dumps(given, ensure_ascii=False))[:200]


def whole_item(out: Console, item: Row) -> None:
    told = [(name, item[name]) for name in FACTS if item.get(name) is not None]
    show.table(out, ("item", ""), [*told, ("input", json.dumps(item["input"], ensure_ascii=False))])
    if item["history"]:
        show.table(out, ATTEMPT, [[one.get(name) for name in ATTEMPT] for one in item["history"]])
    if item["result"]:
        rows = item["result"].items()
        show.table(out, ("result", ""), [(name, in_line(value)) for name, value in rows if value is not None])


def in_line(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= 300 else f"{text[:300]}... (--json shows all)"
