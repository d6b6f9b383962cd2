"""The commands. Each reads what it was given, asks the API, shows the answer; none knows more."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from cli import __version__, export, show, stack
from cli.batch_commands import add_batch_commands
from cli.client import Client
from cli.dead_letter_commands import add_dead_letter_commands
from cli.flags import AsJson, Details, FailOnOption, Timeout, Wait
from cli.follow import Following, follow
from cli.health import health as show_health
from cli.item_commands import add_item_commands
from cli.key_commands import key_commands
from cli.limit_commands import add_limit_commands
from cli.monitoring_commands import add_monitoring_commands
from cli.poster_commands import add_poster_commands
from cli.problems import EXIT_CODES, BadInput, FailOn, Problem, Unreachable
from cli.settings import read_settings
from cli.spans import read_moment
from cli.submit import read_items, read_options, submit_backlog, submit_items

app = typer.Typer(
    help=f"Turn backlogs of URLs into rows: submit items, watch them, fetch the results.\n\n{EXIT_CODES}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def connect(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="Where the API is; else PIECEWORK_URL.")] = None,
    key: Annotated[
        str | None, typer.Option(help="Else PIECEWORK_KEY; else .local/key of the checkout, for a local URL.")
    ] = None,
) -> None:
    """Remember which API is meant; a client is made when a command asks for one."""
    context.obj = (url, key)


def _client(context: typer.Context) -> Client:
    url, key = context.obj
    return Client(read_settings(url, key), tell=show.say)


@app.command(help=f"Submit items to a function.\n\n{EXIT_CODES}")
def run(  # noqa: PLR0913 - its parameters are its flags
    context: typer.Context,
    function: Annotated[str, typer.Argument(help="Such as article.")],
    file: Annotated[
        str | None, typer.Argument(help="URLs, one per line, or JSON lines or CSV with a url; - for stdin.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="An option of the function; repeatable.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do the work again even where a result is kept.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Send nothing when a line is bad.")] = False,
    backlog: Annotated[
        bool, typer.Option("--backlog", help="Take the items from the function's backlog (with an operator's key).")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="With --backlog: this many at most.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --backlog: only say what would happen.")] = False,
    wait: Wait = False,
    details: Details = False,
    timeout: Timeout = None,
    fail_on: FailOnOption = FailOn.dead,
) -> None:
    if backlog == (file is not None):
        raise BadInput("Give either a file of URLs (or - ) or --backlog; see piecework run --help.")
    if not backlog and (limit or dry_run):
        raise BadInput("--limit and --dry-run go with --backlog.")
    options = {**read_options(option or []), **({"fresh": True} if fresh else {})}
    ask = {"function": function, **({"options": options} if options else {})}
    client = _client(context)
    if dry_run:
        show.estimate(show.console(), submit_backlog(client, ask, limit, dry_run=True))
        return
    batches = (
        [submit_backlog(client, ask, limit)]
        if backlog
        else submit_items(client, ask, read_items(str(file), strict=strict))
    )
    raise typer.Exit(follow(client, batches, Following(wait, details, timeout, fail_on)))


@app.command()
def batches(  # noqa: PLR0913 - its parameters are its flags
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1)] = 20,
    function: Annotated[str | None, typer.Option(help="Only of this function.")] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="Only in this state, as running or completed_with_errors; repeatable.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only submitted since: 2h, 3d, or 2026-11-22T08:00Z.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the newest batches."""
    filters = {"function": function, "state": state or None, "since": read_moment(since) if since else None}
    found = _client(context).batches(limit, **filters)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        show.batch_rows(show.console(), found)


@app.command()
def batch(  # noqa: PLR0913
    context: typer.Context,
    batch_id: Annotated[str, typer.Argument(metavar="ID")],
    wait: Wait = False,
    details: Details = False,
    timeout: Timeout = None,
    fail_on: FailOnOption = FailOn.dead,
    as_json: AsJson = False,
) -> None:
    """Show one batch, or wait for it."""
    client = _client(context)
    found = client.batch(batch_id)
    if as_json and not wait:
        typer.echo(json.dumps(found, indent=2))
    else:
        raise typer.Exit(follow(client, [found], Following(wait, details, timeout, fail_on)))


@app.command()
def results(  # noqa: PLR0913
    context: typer.Context,
    batch_id: Annotated[str, typer.Argument(metavar="BATCH")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Cells a spreadsheet would run get a ' in front.")] = False,
    state: Annotated[str | None, typer.Option(help="Only these, such as done or dead.")] = None,
    out: Annotated[Path | None, typer.Option(help="A file; its ending says the format.")] = None,
) -> None:
    """Fetch the items of a batch with their results."""
    chosen = [form for form, asked in zip(export.Format, (as_json, as_jsonl, as_csv), strict=True) if asked]
    if len(chosen) > 1:
        raise BadInput("Choose one of --json, --jsonl and --csv.")
    found = _client(context).results(batch_id, state)
    if chosen or out:
        export.write(found, chosen[0] if chosen else _format_of(out), out)
    else:
        show.details(show.console(), found)


def _format_of(file: Path | None) -> export.Format:
    ending = file.suffix.lstrip(".") if file else ""
    return export.Format(ending) if ending in set(export.Format) else export.Format.jsonl


@app.command()
def health(context: typer.Context, as_json: AsJson = False) -> None:
    """Say whether the API and what it stands on are well; exit code 3 when down."""
    report = _client(context).health()
    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        show_health(show.console(), report)
    if report.get("status") == "down":
        raise Unreachable("The API says it is down; the check above that is not ok says why.")


@app.command()
def metrics(context: typer.Context) -> None:
    """Print the API's metrics in Prometheus text (with an operator's key)."""
    typer.echo(_client(context).metrics(), nl=False)


_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=_PASS_ON)
def up(context: typer.Context) -> None:
    """Start the local stack of this checkout."""
    raise typer.Exit(stack.run_local("up", context.args))


@app.command(context_settings=_PASS_ON)
def down(context: typer.Context) -> None:
    """Stop the local stack of this checkout."""
    raise typer.Exit(stack.run_local("down", context.args))


@app.command()
def version() -> None:
    """Print the version of this command."""
    typer.echo(__version__)


app.add_typer(key_commands, name="keys")
for add_commands in (
    add_batch_commands, add_item_commands, add_dead_letter_commands, add_poster_commands, add_limit_commands,
    add_monitoring_commands,
):  # fmt: skip
    add_commands(app, _client)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; every problem is one line on standard error."""
    try:
        code = app(args=arguments, prog_name="piecework", standalone_mode=False)
    except Problem as problem:
        show.say(f"piecework: {problem}")
        return problem.exit_code
    except TyperException as error:
        show.say(f"piecework: {error.format_message().rstrip('.')}. See piecework --help.")
        return BadInput.exit_code
    except UnicodeEncodeError as error:
        letter = ascii(error.object[error.start])
        show.say(f"piecework: {letter} cannot stand here ({error.encoding} has no such letter); leave it out.")
        return BadInput.exit_code
    return code if isinstance(code, int) else 0
