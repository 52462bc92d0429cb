"""A CSV file of a user's own as a table."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from netwright.errors import DataError, SpaceError
from netwright.estimators.tables.published import File, read_columns
from netwright.estimators.tables.table import TEST, VALIDATION, Column, Table, latency_of
from netwright.space import Architecture, ExpressionSpace, decode
from netwright.space.layers import INACTIVE
from netwright.space.program import Decision
from netwright.trial import Metric

SECONDS = "seconds"
"""Name of the column with the seconds of the full training."""

_METRIC = re.compile(r"(?P<name>[^@#]+)(@(?P<epochs>[1-9][0-9]*))?(#(?P<seed>[0-9]+))?")


def read_table(
    path: str | Path, space: ExpressionSpace, *, minimize: Collection[str] = (), dataset: str = ""
) -> Table:
    """Read a table from a CSV file, which may be compressed (.gz).

    The first line names the columns. A column named after a decision of the space holds its options; the
    cell of a decision that is not active in an architecture is empty. The column ``seconds`` has the seconds
    of the full training. Every other column is a metric: ``NAME``, ``NAME@EPOCHS`` for one of several lengths
    of training, ``NAME#SEED`` or ``NAME@EPOCHS#SEED`` for one of several trainings; an empty cell is a value
    that is not known. Metrics named ``latency_DEVICE`` are milliseconds, and small ones are good.

    Args:
        path: the file.
        space: where the architectures are from.
        minimize: names of further metrics of which small values are good.
        dataset: name of the data set, for titles.

    Raises:
        DataError: if the file cannot be read; the message says at which line and column.
    """
    file = read_columns(Path(path))
    names = {decision.name for decision in space.decisions}
    metrics = [name for name in file.header if name not in names and name != SECONDS]
    if not metrics:
        raise DataError(
            f"{file.path}, line 1: expected at least one column that is no decision of {space.name}, for a "
            f"metric, got {', '.join(file.header)}"
        )
    architectures = _architectures(file, space)
    columns = tuple(_column(file, name, minimize) for name in metrics)
    known = {column.metric.name for column in columns}
    for name in minimize:
        if name not in known:
            raise DataError(
                f"{file.path}, line 1: expected the metric {name!r}, which is to be minimised, among "
                f"{', '.join(sorted(known))}"
            )
    # A mean over seeds that the file does not give is not made up.
    seconds = file.numbers(SECONDS) if SECONDS in file.header else None
    return Table(Path(path).name, dataset, space, tuple(architectures), columns, seconds, str(path))


def _architectures(file: File, space: ExpressionSpace) -> list[Architecture]:
    missing = [decision.name for decision in space.decisions if decision.name not in file.header]
    if len(missing) == len(space.decisions):
        raise DataError(
            f"{file.path}, line 1: expected columns named after the decisions of {space.name}, "
            f"{', '.join(missing[:6])} ..., got {', '.join(file.header)}"
        )
    columns = [
        (decision, file.header.index(decision.name) if decision.name in file.header else None)
        for decision in space.decisions
    ]
    rows: list[list[int]] = [[] for _ in file.rows]
    for decision, at in columns:
        known = {str(option): index for index, option in enumerate(decision.options)} | {"": INACTIVE}
        for line, (row, cells) in enumerate(zip(rows, file.rows, strict=True), 2):
            word = "" if at is None else cells[at].strip()
            option = known.get(word)
            if option is None:
                option = known[word] = _option(file, line, decision, word)
            row.append(option)
    architectures = _decoded(file, space, rows)
    lines: dict[Architecture, int] = {}
    for line, architecture in enumerate(architectures, 2):
        if architecture in lines:
            raise DataError(
                f"{file.path}, line {line}: expected every architecture once, got that of line "
                f"{lines[architecture]} again; keep one of them"
            )
        lines[architecture] = line
    return architectures


def _decoded(file: File, space: ExpressionSpace, rows: list[list[int]]) -> list[Architecture]:
    try:
        return decode(space, rows)
    except SpaceError:
        for line, row in enumerate(rows, 2):
            choices = {
                decision.name: decision.options[option]
                for decision, option in zip(space.decisions, row, strict=True)
                if option != INACTIVE
            }
            try:
                space.architecture(choices)
            except SpaceError as error:
                raise DataError(f"{file.path}, line {line}: {error}") from None
        raise


def _option(file: File, line: int, decision: Decision, word: str) -> int:
    for index, option in enumerate(decision.options):  # 3.0 for 3, say
        if not isinstance(option, str):
            try:
                if float(word) == float(option):
                    return index
            except ValueError:
                break
    raise DataError(
        f"{file.path}, line {line}, column {decision.name}: expected one of "
        f"{', '.join(map(str, decision.options))}, got {word!r}"
    )


def _column(file: File, header: str, minimize: Collection[str]) -> Column:
    parts = _METRIC.fullmatch(header)
    if parts is None:
        raise DataError(
            f"{file.path}, line 1, column {header!r}: expected NAME, NAME@EPOCHS, NAME#SEED or "
            "NAME@EPOCHS#SEED for a metric"
        )
    name = parts["name"]
    if name in (VALIDATION.name, TEST.name):
        metric = VALIDATION if name == VALIDATION.name else TEST
    elif name.startswith(latency_of("").name):
        metric = latency_of(name.removeprefix(latency_of("").name))
    else:
        metric = Metric(name, "", "minimize" if name in minimize else "maximize")
    epochs, seed = (None if parts[group] is None else int(parts[group]) for group in ("epochs", "seed"))
    return Column(metric, file.numbers(header), epochs, seed)
