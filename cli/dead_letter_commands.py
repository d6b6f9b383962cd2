"""The commands about dead letters: items that ended as dead. One, or all that fit a filter."""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from cli import show
from cli.client import Client
from cli.flags import AsJson, Limit
from cli.item_commands import item_rows, whole_item
from cli.problems import BadInput
from cli.spans import read_span

ClientOf = Callable[[typer.Context], Client]
PATH = "/v3/dead-letters"
PAGE = 500
# So many are counted before somebody is asked whether they are meant.
MOST_COUNTED = 10_000
DONE = {"replay": "replayed", "discard": "discarded"}

Function = Annotated[str | None, typer.Option(help="Only of this function.")]
Reason = Annotated[str | None, typer.Option(help="Only with this reason, as attempts_exhausted.")]
Domain = Annotated[str | None, typer.Option(help="Only of this web domain.")]
BatchOption = Annotated[str | None, typer.Option(metavar="BATCH", help="Only of this batch.")]
OlderThan = Annotated[str | None, typer.Option(metavar="SPAN", help="Dead for at least so long: 30m, 2h, 3d.")]
YoungerThan = Annotated[str | None, typer.Option(metavar="SPAN", help="Dead for at most so long.")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ITEM...")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it to all that fit the filter.")]
Everything = Annotated[bool, typer.Option("--all", help="All of them, instead of a filter.")]


def add_dead_letter_commands(app: typer.Typer, client_of: ClientOf) -> None:
    """`client_of` makes the client that a command's context means."""
    commands = typer.Typer(no_args_is_help=True, help="Look at dead items; try them again, or take them off the list.")
    app.add_typer(commands, name="dead-letters")
    add_looks(commands, client_of)
    add_deed(commands, client_of, "replay", "Let dead items wait again, with all their attempts. Twice is once.")
    add_deed(commands, client_of, "discard", "Take dead items off the list; they stay dead. Twice is once.")


def filter_of(  # noqa: PLR0913 - as many as there are flags
    function: str | None,
    reason: str | None,
    domain: str | None,
    batch: str | None,
    older: str | None,
    younger: str | None,
) -> dict[str, Any]:
    """Return the filter as the API takes it, without what was not given. Raises BadInput."""
    told = {
        "function": function,
        "reason": reason,
        "domain": domain,
        "batch": batch,
        "older_than_seconds": read_span(older) if older else None,
        "younger_than_seconds": read_span(younger) if younger else None,
    }
    return {name: value for name, value in told.items() if value is not None}


def add_looks(commands: typer.Typer, client_of: ClientOf) -> None:
    @commands.command("list")
    def listed(  # noqa: PLR0913 - its parameters are its flags
        context: typer.Context,
        function: Function = None,
        reason: Reason = None,
        domain: Domain = None,
        batch: BatchOption = None,
        older_than: OlderThan = None,
        younger_than: YoungerThan = None,
        limit: Limit = 50,
        as_json: AsJson = False,
    ) -> None:
        """List dead letters, the newest first."""
        which = filter_of(function, reason, domain, batch, older_than, younger_than)
        found = client_of(context).some(PATH, "dead_letters", limit, page=PAGE, **which)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            item_rows(show.console(), found)

    @commands.command("show")
    def show_one(
        context: typer.Context, item_id: Annotated[str, typer.Argument(metavar="ITEM")], as_json: AsJson = False
    ) -> None:
        """Show one: what was sent, each attempt, each error."""
        found = client_of(context).get(PATH, item_id)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            whole_item(show.console(), found)


def add_deed(commands: typer.Typer, client_of: ClientOf, deed: str, about: str) -> None:
    @commands.command(deed, help=about)
    def do(  # noqa: PLR0913 - its parameters are its flags
        context: typer.Context,
        item_ids: Ids = None,
        function: Function = None,
        reason: Reason = None,
        domain: Domain = None,
        batch: BatchOption = None,
        older_than: OlderThan = None,
        younger_than: YoungerThan = None,
        everything: Everything = False,
        yes: Yes = False,
        as_json: AsJson = False,
    ) -> None:
        which = filter_of(function, reason, domain, batch, older_than, younger_than)
        if sum(map(bool, (item_ids, which, everything))) != 1:
            raise BadInput(f"Say which to {deed}: ids, or a filter such as --reason, or --all.")
        client = client_of(context)
        count = to_each(client, deed, item_ids) if item_ids else to_all(client, deed, which, yes=yes)
        if as_json:
            typer.echo(json.dumps({DONE[deed]: count}))
        else:
            show.say(f"{count} {DONE[deed]}")


def to_each(client: Client, deed: str, item_ids: Sequence[str]) -> int:
    return sum(int(client.act(PATH, item_id, deed)[DONE[deed]]) for item_id in item_ids)


def to_all(client: Client, deed: str, which: dict[str, Any], *, yes: bool) -> int:
    """Do it to all that fit, or say how many those are. Raises BadInput without `yes`."""
    if not yes:
        count = len(client.some(PATH, "dead_letters", MOST_COUNTED, page=PAGE, **which))
        or_more = " or more" if count == MOST_COUNTED else ""
        raise BadInput(f"{count}{or_more} dead letters fit; add --yes to {deed} them.")
    count, goes_on = 0, True
    while goes_on:
        done = client.act(PATH, deed, body=which or {"all": True})
        count, goes_on = count + done[DONE[deed]], done["goes_on"]
    return count
