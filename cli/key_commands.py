"""The commands about API keys."""

import json
from typing import Annotated

import typer

from cli import show
from cli.flags import AsJson
from cli.keys import Keys

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
def revoke_key(key_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Revoke an API key; it stops working at once."""
    Keys.from_environment().revoke(key_id)
    show.say(f"revoked {key_id}")
