"""``netwright space operations``: what a table of latency has to know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netwright.cli.output import Json, print_json, print_line
from netwright.cli.space.question import Question, asks_about_a_space
from netwright.devices.latency import template
from netwright.errors import ConfigError


@asks_about_a_space(budget=False)
def list_operations(
    question: Question,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a latency table to fill in; an existing file is kept."),
    ] = None,
    json: Json = False,
) -> None:
    """List the operations of all architectures, which a latency table gives times for.

    With --out, they are written as a table without times. Measure each on the device and write down its
    milliseconds; then ask with --latency-table FILE.
    """
    found = question.space.operations
    if out is not None:
        try:
            with out.open("x", encoding="utf-8") as file:
                file.write(template(question.space.name, found))
        except FileExistsError:
            raise ConfigError(f"--out: expected a new file, got {out}, which exists; name another") from None
        except OSError as error:
            why = f"got {out} ({error.strerror})"
            raise ConfigError(f"--out: expected a file that can be written, {why}") from None
    if json:
        print_json({**question.origin, "operations": list(found), "out": None if out is None else str(out)})
        return
    question.print_heading()
    for operation in found:
        print_line(operation)
    print_line()
    print_line(f"{len(found)} operations" + ("" if out is None else f", to be measured in {out}"))
