"""The commands about API keys."""

import json
from typing import Annotated

import typer

from cli import show
from cli.flags import AsJson
from cli.keys import Keys, Revoked

COLUMNS = ("id", "name", "tier", "operator", "created_at", "revoked_at")
key_commands = typer.Typer(
    no_args_is_help=True,
    help="Make and revoke API keys (with a deployment's SUPABASE_URL and SUPABASE_SECRET_KEY, or the local stack).",
)


@key_commands.command("make")
def make_key(
    name: Annotated[str, typer.Argument(help="Whose key it is.")],
    tier: Annotated[str, typer.Option(help="How much it may ask: default, premium, enterprise, internal.")] = "default",
    operator: Annotated[bool, typer.Option("--operator", help="It sees and does everything, for everybody.")] = False,
) -> None:
    """Make an API key and print it; only its hash is kept, so it is shown this once."""
    typer.echo(Keys.from_environment().make(name, tier=tier, operator=operator))


@key_commands.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the API keys by name; never the keys themselves."""
    rows = Keys.from_environment().all()
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        show.table(show.console(), COLUMNS, [[row[column] for column in COLUMNS] for row in rows])


@key_commands.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="ID")],
    let_finish: Annotated[
        bool, typer.Option("--let-finish", help="Its batches go on to their end; otherwise they are cancelled.")
    ] = False,
) -> None:
    """Revoke an API key: it opens nothing from its next request on, and its unfinished batches are cancelled."""
    revoked = Keys.from_environment().revoke(key_id, let_finish=let_finish)
    show.say(f"revoked {key_id} ({revoked.name}): {what_becomes(revoked, let_finish=let_finish)}")


def what_becomes(revoked: Revoked, *, let_finish: bool) -> str:
    """What becomes of the batches of a revoked key."""
    if not revoked.batches:
        return "it had no unfinished batches"
    batches = counted(revoked.batches, "batch", "batches")
    what = f"{batches} with {counted(revoked.waiting, 'waiting item', 'waiting items')}"
    if let_finish:
        return (
            f"its work goes on: {what}, {revoked.at_work:,} at work; revoke it again without --let-finish to cancel it"
        )
    return f"cancelled {what}; still at work, and left to end: {revoked.at_work:,}"


def counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
