"""Architectures as rows of integers, and the costs of many of them at once.

A row has a column for every decision of the space, in the order of the space: the index of the option, or -1
where the decision is not active. Rows are what predictors and estimators in bulk take; their costs are looked
up for all of them together, so that a million architectures take a second or two.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from netwright.errors import BudgetError, SpaceError, TooLargeError
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace, SearchSpace
from netwright.space.diagram import PEAK, Diagram
from netwright.space.layers import INACTIVE, PEAKS, SETTLED, Integers, Layer, layers_of
from netwright.space.members import counting_diagram, diagram_of, of_expression
from netwright.space.program import Decision

Rows = NDArray[Any]
"""``(N, decisions)`` integers."""

CHUNK = 8192
"""Rows that walk abreast: all that is known of them fits in a core's cache."""

TABLE = 16_384
"""Entries of a table of several columns: likewise."""


def encode(space: SearchSpace, architectures: Iterable[Architecture]) -> Rows:
    """Write architectures as rows.

    Args:
        space: the space, which may be opaque.
        architectures: N members of it.

    Returns:
        ``(N, decisions)`` option indices, -1 where a decision is not active, in the smallest of int8, int16
        and int32 that holds them.

    Raises:
        SpaceError: if one is not an architecture of this space.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, repeat, sequential, unrank
    >>> stage = repeat("s", B.inverted_residual(out=8, kernel=choice(3, 5)), depth=choice(1, 2))
    >>> space = compile_space(sequential(stage, input=(8, 8, 8)), "stage")
    >>> [decision.name for decision in space.decisions]
    ['s.depth', 's.0.kernel', 's.1.kernel']
    >>> encode(space, [unrank(space, 1), unrank(space, 4)]).tolist()
    [[0, 1, -1], [1, 1, 0]]
    """
    columns = {decision.name: number for number, decision in enumerate(space.decisions)}
    known: list[dict[tuple[type, Any], int]] = [{} for _ in columns]
    rows = []
    for number, architecture in enumerate(architectures):
        if architecture.space != space.id:
            raise SpaceError(
                f"architecture {number}: expected one of space {space.id}, got one of {architecture.space}"
            )
        row = [INACTIVE] * len(columns)
        for name, value in architecture:
            if name not in columns:
                raise SpaceError(
                    f"architecture {number}: {name}: {space.id} has no such decision; "
                    f"expected some of {list(columns)}"
                )
            column = columns[name]
            option = known[column].get((type(value), value))
            if option is None:
                option = space.decisions[column].index(value)
                known[column][type(value), value] = option
            row[column] = option
        rows.append(row)
    table = np.array(rows, dtype=row_type(space)).reshape(len(rows), len(columns))
    if isinstance(space, ExpressionSpace):
        _Walkers(space, counting_diagram(space)).check(table)
    return table


def decode(space: SearchSpace, rows: ArrayLike) -> list[Architecture]:
    """Read rows as architectures; the inverse of ``encode``.

    Rows of an opaque space are read without asking whether it has such an architecture.

    Args:
        space: the space.
        rows: ``(N, decisions)`` integers.

    Raises:
        SpaceError: if a row is not an architecture of this space.
    """
    table = _table(space, rows)
    if isinstance(space, ExpressionSpace):
        _Walkers(space, counting_diagram(space)).check(table)
    else:
        _check_range(space.decisions, table, 0)
    columns = [(decision.name, decision.options) for decision in space.decisions]
    return [
        Architecture(
            space.id,
            tuple((name, options[i]) for (name, options), i in zip(columns, row, strict=True) if i >= 0),
        )
        for row in table.tolist()
    ]


def costs(
    space: ExpressionSpace, rows: ArrayLike, metrics: Sequence[str] | None = None
) -> dict[str, Integers]:
    """The exact costs of many architectures at once.

    Making the tables takes a part of a second; for many calls make them once: ``row_costs(space)(rows)``.

    Args:
        space: a space made from an expression.
        rows: ``(N, decisions)`` integers, see ``encode``.
        metrics: some of ``space.costs``; all by default.

    Returns:
        For each metric ``(N,)`` int64, in the order asked for.

    Raises:
        SpaceError: if a row is not an architecture of this space; it names the row and the decision.
        BudgetError: if a metric is unknown.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, sequential
    >>> body = sequential(B.conv_bn_act(out=8, kernel=choice(1, 3)), input=(1, 8, 8))
    >>> costs(compile_space(body, "two"), [[0], [1]], ["macs"])
    {'macs': array([ 512, 4608])}
    """
    return row_costs(space, metrics)(rows)


def row_costs(space: ExpressionSpace, metrics: Sequence[str] | None = None) -> RowCosts:
    """Make the tables that ``costs`` looks into, for many calls.

    Raises:
        TooLargeError: if there would be too many entries; ask for the sums or the peak alone then.
        BudgetError: if a metric is unknown.
    """
    known = of_expression(space).costs
    metrics = known if metrics is None else metrics
    for name in metrics:
        if name not in known:
            raise BudgetError(f"costs: expected some of {known}, got {name!r}")
    sums = tuple(name for name in metrics if name != PEAK)
    try:
        groups = [(tuple(metrics), diagram_of(space, metrics))]
    except TooLargeError:
        if not sums or PEAK not in metrics:
            raise
        groups = [(part, diagram_of(space, part)) for part in (sums, (PEAK,))]
    return RowCosts(tuple(metrics), tuple((part, _Walkers(space, diagram)) for part, diagram in groups))


@dataclass(frozen=True)
class RowCosts:
    """The tables of a space, to be called with rows; see ``row_costs``.

    Attributes:
        metrics: what is looked up.
    """

    metrics: tuple[str, ...]
    _groups: tuple[tuple[tuple[str, ...], _Walkers], ...]

    def __call__(self, rows: ArrayLike) -> dict[str, Integers]:
        """The costs of rows, see ``costs``."""
        found: dict[str, Integers] = {}
        for metrics, walkers in self._groups:
            found |= walkers.costs(_table(walkers.space, rows), metrics)
        return {name: found[name] for name in self.metrics}


class _Walkers:
    """Walks through a diagram with many rows at once.

    Args:
        space: the space.
        diagram: one of its diagrams.
    """

    def __init__(self, space: ExpressionSpace, diagram: Diagram) -> None:
        self.space = space
        self._diagram = diagram
        self._layers = layers_of(diagram, [len(d.options) + 1 for d in space.decisions], TABLE)
        # A row of a table begins at its node's index times the number of codes.
        after = [layer.codes for layer in self._layers[1:]] + [1]
        self._following = [
            (layer.following * codes).ravel() for layer, codes in zip(self._layers, after, strict=True)
        ]
        self._amounts = [
            [np.ascontiguousarray(one).ravel() for one in layer.amounts] for layer in self._layers
        ]
        limits = np.array([len(decision.options) for decision in space.decisions])
        self._limits = limits[:, None]

    def check(self, rows: Rows) -> None:
        """Raise SpaceError for the first row that is not an architecture of the space."""
        self.costs(rows, ())

    def costs(self, rows: Rows, metrics: tuple[str, ...]) -> dict[str, Integers]:
        wanted = [PEAKS if name == PEAK else self._diagram.term(name) for name in metrics]
        found = np.empty((len(wanted), len(rows)), dtype=np.int64)
        for start in range(0, len(rows), CHUNK):
            self._walk(rows[start : start + CHUNK], start, wanted, found[:, start : start + CHUNK])
        for number, name in enumerate(metrics):
            if name == PEAK:
                np.maximum(found[number], self._diagram.base_peak, out=found[number])
            else:
                found[number] += self._diagram.base_sums[self._diagram.term(name)]
        return dict(zip(metrics, found, strict=True))

    def _walk(self, rows: Rows, start: int, wanted: list[int], found: Integers) -> None:
        columns = np.ascontiguousarray(rows.T)
        if ((columns < INACTIVE) | (columns >= self._limits)).any():
            _check_range(self.space.decisions, rows, start)
        active = np.count_nonzero(columns >= 0, axis=0)
        values = columns.astype(np.int32)
        values += 1
        found[:] = 0
        settled = np.zeros(len(rows), dtype=np.int64)
        index = np.zeros(len(rows), dtype=np.int64)
        amount = np.empty(len(rows), dtype=np.int64)
        for layer, following, amounts in zip(self._layers, self._following, self._amounts, strict=True):
            index += _codes(layer, values)
            for number, term in enumerate(wanted):
                amounts[term].take(index, out=amount, mode="clip")
                if term == PEAKS:
                    np.maximum(found[number], amount, out=found[number])
                else:
                    found[number] += amount
            amounts[SETTLED].take(index, out=amount, mode="clip")
            settled += amount
            index = following.take(index, mode="clip")
        # Behind the last layer 0 is the end, and 1 stands for rows that lost their way.
        lost = np.flatnonzero((index != 0) | (settled != active))
        if len(lost):
            self._explain(rows[lost[0]].tolist(), start + int(lost[0]))

    def _explain(self, row: list[int], number: int) -> None:
        """Raise SpaceError that says at which decision a row is wrong."""
        decisions = self.space.decisions
        rest = {column for column, option in enumerate(row) if option != INACTIVE}
        index = self._diagram.root
        while (node := self._diagram.nodes[index]).decision >= 0:
            decision, option = decisions[node.decision], row[node.decision]
            children = {edge.option: edge.child for edge in node.edges}
            if option not in children:
                why = "is active here" if option == INACTIVE else "does not have all options here"
                raise SpaceError(
                    f"row {number}: {decision.name}: this decision {why}; expected an index of "
                    f"{[decision.options[o] for o in children]}, so one of {list(children)}, got {option}"
                )
            rest.discard(node.decision)
            index = children[option]
        column = min(rest)
        raise SpaceError(
            f"row {number}: {decisions[column].name}: this decision is not active in the architecture; "
            f"expected {INACTIVE}, got {row[column]}"
        )


def _codes(layer: Layer, values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Code of every row at a layer, from its columns' values + 1."""
    code: NDArray[np.int32] = values[layer.columns[0]].copy()
    for column, width in zip(layer.columns[1:], layer.widths[1:], strict=True):
        code *= np.int32(width)
        code += values[column]
    return code


def row_type(space: SearchSpace) -> type[np.signedinteger[Any]]:
    """The smallest integer type for the rows of a space."""
    most = max((len(decision.options) for decision in space.decisions), default=0)
    return np.int8 if most <= 1 << 7 else np.int16 if most <= 1 << 15 else np.int32


def _table(space: SearchSpace, rows: ArrayLike) -> Rows:
    table: Rows = np.asarray(rows)
    columns = len(space.decisions)
    if not table.size and table.ndim < 2:
        table = np.zeros((0, columns), dtype=np.int8)
    if table.ndim != 2 or table.shape[1] != columns:
        raise SpaceError(
            f"rows: expected shape (N, {columns}), a column for each decision of {space.id}, "
            f"got {table.shape}"
        )
    if not np.issubdtype(table.dtype, np.integer):
        raise SpaceError(f"rows: expected integers, the indices of options, got {table.dtype}")
    return table


def _check_range(decisions: tuple[Decision, ...], rows: Rows, start: int) -> None:
    """Raise SpaceError for the first row with an index that no decision has."""
    limits = np.array([len(decision.options) for decision in decisions])
    for row, column in np.argwhere((rows < INACTIVE) | (rows >= limits)).tolist():
        decision = decisions[column]
        raise SpaceError(
            f"row {start + row}: {decision.name}: expected the index of one of {decision.options}, so 0 to "
            f"{len(decision.options) - 1}, or {INACTIVE} where it is not active, got {rows[row, column]}"
        )
