"""What the verbs print: JSON for programs, tables for people.

Tables follow the width of a terminal. Where the output is not a terminal, every row is one line, as wide as
it needs to be and without colours, so that ``grep`` and ``less`` work on it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from netwright.devices.units import format_bytes, format_count

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
"""The option that every verb has which prints numbers."""

_WIDEST = 10_000
_LONG = 10**6


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        header: its title.
        right: whether its cells are numbers, which stand at the right.
    """

    header: str
    right: bool = False


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object; integers of any size are exact.

    Raises:
        ValueError: if a number is not finite, which JSON cannot say.
    """
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_line(text: str = "") -> None:
    """Print a line, as long as it is."""
    typer.echo(text)


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their headers; without any header only the rows.

    Args:
        columns: one for each cell of a row.
        rows: cells as text, which is printed as it is.
    """
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        show_header=any(column.header for column in columns),
        show_edge=False,
        pad_edge=False,
        header_style="bold",
    )
    for column in columns:
        table.add_column(
            Text(column.header),
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.right,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(highlight=False)
    if sys.stdout.isatty():
        console.print(table)
        return
    console.width = Measurement.get(console, console.options.update(max_width=_WIDEST), table).maximum
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        print_line(line.rstrip())


def exact_count(count: int) -> str:
    """Write a count in full, and in short where it is long.

    >>> exact_count(6561), exact_count(1099511627776)
    ('6,561', '1,099,511,627,776 (about 1.10e12)')
    """
    if count < _LONG:
        return f"{count:,}"
    digits = str(count)
    lead = round(int(digits[:4]), -1)  # 9996 rounds to 10000: one digit more
    power = len(digits) - 1 + (lead >= 10_000)
    return f"{count:,} (about {str(lead)[0]}.{str(lead)[1:3]}e{power})"


def short_bytes(size: int) -> str:
    """Write memory rounded to three digits, for tables."""
    return format_bytes(size, exact=False)


def short_count(count: int) -> str:
    """Write a count rounded to three digits, for tables."""
    return format_count(count, exact=False)
