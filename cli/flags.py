"""Flags that several commands share."""

from typing import Annotated

import typer

from cli.problems import FailOn

Wait = Annotated[bool, typer.Option("--wait", help="Stay until all items have ended.")]
Details = Annotated[bool, typer.Option("--details", help="With --wait: one row per item too.")]
Timeout = Annotated[float | None, typer.Option(min=0.1, help="With --wait: give up after so many seconds.")]
FailOnOption = Annotated[FailOn, typer.Option(help="With --wait: which outcomes end with exit code 1.")]
AsJson = Annotated[bool, typer.Option("--json", help="The API's own answer.")]
Limit = Annotated[int, typer.Option(min=1, help="So many at most.")]
