"""The commands about posters."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from cli import posters
from cli.client import Client
from cli.poster_files import read_columns, read_posters
from cli.problems import FailOn
from cli.show import say

import_commands = typer.Typer(no_args_is_help=True, help="Bring rows in (with an operator's key).")
poster_commands = typer.Typer(no_args_is_help=True, help="Look at what was found on posters.")


def add_poster_commands(app: typer.Typer, client_of: Callable[[typer.Context], Client]) -> None:
    """`client_of` makes the client that a command's context means."""
    app.add_typer(import_commands, name="import")
    app.add_typer(poster_commands, name="poster")
    add_import(client_of)
    add_looks(client_of)
    add_analyze(app, client_of)


def add_import(client_of: Callable[[typer.Context], Client]) -> None:
    @import_commands.command("posters")
    def import_posters(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="A .csv, .jsonl or .parquet with content_id and url.")],
        column: Annotated[
            list[str] | None,
            typer.Option(metavar="FIELD=COLUMN", help="A column of another name, as url=poster_url; repeatable."),
        ] = None,
    ) -> None:
        """Import posters: good rows go in, bad ones are listed with their line. Exit code 1 if there were bad ones."""
        rows = read_posters(file, read_columns(column or []))
        say(str(posters.import_posters(client_of(context), rows)))


def add_looks(client_of: Callable[[typer.Context], Client]) -> None:
    @poster_commands.command("show")
    def show(
        context: typer.Context,
        content_id: Annotated[str, typer.Argument(metavar="ID")],
        open_it: Annotated[bool, typer.Option("--open", help="Open its overlay in the browser.")] = False,
        out: Annotated[Path | None, typer.Option(help="Write the overlay to this .svg.")] = None,
        image: Annotated[
            Literal["thumbnail", "url"], typer.Option(help="Below the zones: the row's thumbnail, or the image itself.")
        ] = "thumbnail",
    ) -> None:
        """Show how a poster stands, its slots and the best of them."""
        client = client_of(context)
        code = posters.show_poster(client.poster(content_id))
        if (open_it or out) and not code:
            file = posters.overlay_file(content_id, client.overlay(content_id, image), out)
            say(f"overlay: {file}")
            if open_it:
                posters.open_file(file)
        raise typer.Exit(code)

    @poster_commands.command("report")
    def report(
        context: typer.Context,
        file: Annotated[Path, typer.Argument(help="The page to write.")],
        limit: Annotated[int, typer.Option(min=1, max=1_000_000)] = 200,
        sort: Annotated[Literal["newest", "score", "-score"], typer.Option(help="Which come first.")] = "newest",
        open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    ) -> None:
        """Write what is known of analysed posters as one page."""
        found = islice(client_of(context).posters(sort), limit)
        posters.write_report(file, [{"reason": None, "error": None, **one} for one in found], "all analysed posters")
        if open_it:
            posters.open_file(file)


def add_analyze(app: typer.Typer, client_of: Callable[[typer.Context], Client]) -> None:
    @app.command("analyze-posters")
    def analyze_posters(  # noqa: PLR0913 - its parameters are its flags
        context: typer.Context,
        limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="This many at most.")] = 100,
        include_inactive: Annotated[
            bool, typer.Option("--include-inactive", help="Inactive posters too (with an operator's key).")
        ] = False,
        again: Annotated[
            bool, typer.Option("--again", help="Also posters that were analysed; unchanged ones cost nothing.")
        ] = False,
        batch_size: Annotated[int, typer.Option(min=1, max=10_000, help="Posters in a batch.")] = 1000,
        download_timeout: Annotated[
            float | None, typer.Option(min=1, max=60, help="Seconds that fetching an image may take.")
        ] = None,
        json_array: Annotated[bool, typer.Option("--json-array", help="One JSON array instead of lines.")] = False,
        report: Annotated[Path | None, typer.Option(help="Write a page of the posters with their overlays.")] = None,
        timeout: Annotated[
            float | None, typer.Option(min=0.1, help="Give up on a batch after so many seconds.")
        ] = None,
        fail_on: Annotated[FailOn, typer.Option(help="Which outcomes end with exit code 1.")] = FailOn.dead,
    ) -> None:
        """Find where overlays may go on posters that are new, and print a row for each (with an operator's key)."""
        options = {"download_timeout": download_timeout} if download_timeout else {}
        wish = posters.Wish(limit, batch_size, options, include_inactive, again, timeout)
        raise typer.Exit(
            posters.analyze(client_of(context), wish, as_array=json_array, report_file=report, fail_on=fail_on)
        )
