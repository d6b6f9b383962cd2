"""The commands that make batches of files and do something to batches."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer

from cli import show
from cli.client import Client
from cli.flags import AsJson, Details, FailOnOption, Timeout, Wait
from cli.follow import Following, follow
from cli.problems import EXIT_CODES, BadInput, FailOn
from cli.spans import read_deadline
from cli.submit import read_options
from cli.upload import open_upload
from cli.watch import UNDER_WAY, Watch

ClientOf = Callable[[typer.Context], Client]
BatchId = Annotated[str, typer.Argument(metavar="BATCH")]
# A batch older than that is not the one this command has just made.
JUST_NOW = timedelta(minutes=2)


def add_batch_commands(app: typer.Typer, client_of: ClientOf) -> None:
    """`client_of` makes the client that a command's context means."""
    add_submit(app, client_of)
    add_watch(app, client_of)
    add_deeds(app, client_of)


def add_submit(app: typer.Typer, client_of: ClientOf) -> None:
    @app.command(help=f"Submit a file of JSON lines, 50,000 items at most, as one batch.\n\n{EXIT_CODES}")
    def submit(  # noqa: PLR0913 - its parameters are its flags
        context: typer.Context,
        function: Annotated[str, typer.Argument(help="Such as article.")],
        file: Annotated[str, typer.Argument(help='One item a line: {"url": "...", "custom_id": "..."}; - for stdin.')],
        option: Annotated[
            list[str] | None, typer.Option(metavar="K=V", help="An option of the function; repeatable.")
        ] = None,
        fresh: Annotated[bool, typer.Option("--fresh", help="Do the work again even where a result is kept.")] = False,
        priority: Annotated[
            Literal["normal", "low"], typer.Option(help="low: only what batches of normal priority leave over.")
        ] = "normal",
        deadline: Annotated[
            str | None, typer.Option(help="What still waits then is cancelled, as 2026-11-22T08:00Z.")
        ] = None,
        webhook_url: Annotated[str | None, typer.Option(help="https address that is told of the end.")] = None,
        idempotency_key: Annotated[
            str | None, typer.Option(help="The same key and file again is the same batch; else made of the file.")
        ] = None,
        again: Annotated[
            bool, typer.Option("--again", help="A new batch even if this very file was submitted before.")
        ] = False,
        wait: Wait = False,
        details: Details = False,
        timeout: Timeout = None,
        fail_on: FailOnOption = FailOn.dead,
        as_json: AsJson = False,
    ) -> None:
        if again and idempotency_key:
            raise BadInput("Give either --again or --idempotency-key.")
        options = {**read_options(option or []), **({"fresh": True} if fresh else {})}
        order = order_of(function, options, priority, read_deadline(deadline) if deadline else None, webhook_url)
        upload = open_upload(file)
        key = idempotency_key or (str(uuid.uuid4()) if again else upload.key(order))
        client = client_of(context)
        made = client.upload(upload, order, key)
        tell_of(made, upload.items)
        if as_json and not wait:
            typer.echo(json.dumps(made, indent=2))
        else:
            raise typer.Exit(follow(client, [made], Following(wait, details, timeout, fail_on)))


def order_of(
    function: str, options: dict[str, Any], priority: str, deadline: str | None, webhook_url: str | None
) -> dict[str, Any]:
    """Return an upload's query."""
    order = {
        "function": function,
        "options": json.dumps(options, sort_keys=True) if options else None,
        "priority": priority if priority != "normal" else None,
        "deadline": deadline,
        "webhook_url": webhook_url,
    }
    return {name: value for name, value in order.items() if value is not None}


def tell_of(batch: dict[str, Any], items: int) -> None:
    """Say what nobody would see otherwise: that the batch is an earlier one, and the webhook's secret."""
    if datetime.now(UTC) - datetime.fromisoformat(batch["created_at"]) > JUST_NOW:
        show.say(
            f"This file was submitted at {batch['created_at']} already; this is that batch. --again makes another."
        )
    if batch["duplicates"]:
        show.say(f"{batch['duplicates']} of {items} lines were given twice.")
    if secret := (batch.get("webhook") or {}).get("secret"):
        show.say(f"The webhook is signed with {secret}; it is told this once.")


def add_watch(app: typer.Typer, client_of: ClientOf) -> None:
    @app.command(help=f"Stay until batches have ended, and show how.\n\n{EXIT_CODES}")
    def watch(  # noqa: PLR0913 - its parameters are its flags
        context: typer.Context,
        batch_ids: Annotated[list[str], typer.Argument(metavar="BATCH...")],
        details: Annotated[bool, typer.Option("--details", help="One row per item too.")] = False,
        timeout: Annotated[float | None, typer.Option(min=0.1, help="Give up after so many seconds.")] = None,
        fail_on: Annotated[FailOn, typer.Option(help="Which outcomes end with exit code 1.")] = FailOn.dead,
        as_json: AsJson = False,
    ) -> None:
        client = client_of(context)
        batches = [client.batch(batch_id) for batch_id in batch_ids]
        if as_json:
            Watch(client, show.console(stderr=True)).until_ended(batch_ids, timeout)
            typer.echo(json.dumps([client.batch(batch_id) for batch_id in batch_ids], indent=2))
        else:
            raise typer.Exit(follow(client, batches, Following(True, details, timeout, fail_on)))


def add_deeds(app: typer.Typer, client_of: ClientOf) -> None:
    @app.command()
    def cancel(context: typer.Context, batch_id: BatchId, as_json: AsJson = False) -> None:
        """Cancel what waits of a batch; what runs ends by itself, and what was done stays."""
        batch = client_of(context).act("/v3/batches", batch_id, "cancel")
        if as_json:
            typer.echo(json.dumps(batch, indent=2))
            return
        show.batch_rows(show.console(), [batch])
        show.say(told_of_cancelled(batch))

    @app.command("retry-failed")
    def retry_failed(  # noqa: PLR0913 - its parameters are its flags
        context: typer.Context,
        batch_id: BatchId,
        wait: Wait = False,
        details: Details = False,
        timeout: Timeout = None,
        fail_on: FailOnOption = FailOn.dead,
        as_json: AsJson = False,
    ) -> None:
        """Try the dead items of a batch again, with all their attempts."""
        client = client_of(context)
        batch = client.act("/v3/batches", batch_id, "retry-failed")
        if as_json and not wait:
            typer.echo(json.dumps(batch, indent=2))
            return
        show.say(f"{batch['retried']} dead items wait again")
        raise typer.Exit(follow(client, [batch], Following(wait, details, timeout, fail_on)))


def told_of_cancelled(batch: dict[str, Any]) -> str:
    counts = batch["counts"]
    said = f"{counts['cancelled']} cancelled, {counts['done']} done before"
    left = counts["running"] + counts["waiting"]
    under_way = f"; {left} still end: piecework watch {batch['id']}"
    return said + (under_way if batch["state"] in UNDER_WAY else "")
