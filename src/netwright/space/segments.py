"""Two sums at once over a diagram that is a chain of independent segments.

A node that every path passes cuts a diagram in two, and what a path costs before it says nothing about what
it costs behind it. In a network of stages, once its resolution and width are settled, such nodes stand
between the stages. Within a segment few different pairs of costs occur, as layers of a stage are alike, so
these are listed exactly; then segments are added up on a grid. Costs are rounded once a segment rather than
once a layer, which makes the bounds several times tighter than those of ``netwright.space.tables``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from netwright.space.diagram import Diagram

PAIRS = 20_000
"""Different pairs of costs that a segment may have."""

MERGED = 2_500
"""Pairs up to which segments that follow each other are made one."""

ROWS, COLUMNS = 256, 160
"""Cells of the grid for the limited sum and for the other one."""

_SLACK = 1e-9
"""Relative; far more than rounding of floats adds up to."""

_Integers = NDArray[np.int64]
_Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Segment:
    """The pairs of costs of all ways through a segment, each pair once.

    Attributes:
        limited: the sum that is limited.
        other: the other sum.
        paths: how many ways cost so much.
    """

    limited: _Integers
    other: _Integers
    paths: _Numbers


def segments_of(diagram: Diagram, index: int, term: int) -> list[Segment] | None:
    """Cut a diagram into segments.

    Args:
        diagram: the diagram; what it settles before its first decision is not in the segments.
        index: the sum that is limited, as an index into the diagram's ``names``.
        term: the other sum.

    Returns:
        The segments, or None if one has too many pairs.
    """
    found: list[Segment] = []
    for start, end in zip(cuts := _cuts(diagram), cuts[1:], strict=False):
        segment = _through(diagram, start, end, index, term)
        if segment is None:
            return None
        if found and len(found[-1].paths) * len(segment.paths) <= MERGED:
            segment = _joined([_moved(found.pop(), segment)])
        found.append(segment)
    return found


def _cuts(diagram: Diagram) -> list[int]:
    """The nodes that every path passes, from the root to the end."""
    arrivals = [0] * len(diagram.nodes)
    arrivals[diagram.root] = 1
    for node in range(diagram.root, -1, -1):
        for edge in diagram.nodes[node].edges:
            arrivals[edge.child] += arrivals[node]
    total = diagram.counts[diagram.root]
    nodes = range(diagram.root, -1, -1)
    return [node for node in nodes if arrivals[node] * diagram.counts[node] == total]


def _through(diagram: Diagram, start: int, end: int, index: int, term: int) -> Segment | None:
    """All ways from one cut to the next; children stand before parents, so what is between is the segment."""
    tables = {end: Segment(np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1))}
    for node in range(end + 1, start + 1):
        parts = []
        for edge in diagram.nodes[node].edges:
            below = tables[edge.child]
            moved = (below.limited + edge.sums[index], below.other + edge.sums[term], below.paths)
            parts.append(Segment(*moved))
        tables[node] = _joined(parts)
        if len(tables[node].paths) > PAIRS:
            return None
    return tables[start]


def _moved(first: Segment, second: Segment) -> Segment:
    """Every way through the first with every way through the second."""
    return Segment(
        np.add.outer(first.limited, second.limited).ravel(),
        np.add.outer(first.other, second.other).ravel(),
        np.multiply.outer(first.paths, second.paths).ravel(),
    )


def _joined(parts: Sequence[Segment]) -> Segment:
    """The ways of all parts, those of equal costs together."""
    limited = np.concatenate([part.limited for part in parts])
    other = np.concatenate([part.other for part in parts])
    span = int(other.max()) + 1
    keys, places = np.unique(limited * span + other, return_inverse=True)
    paths = np.bincount(places, weights=np.concatenate([part.paths for part in parts]))
    return Segment(keys // span, keys % span, paths.astype(np.float64))


def counted_within(
    segments: Sequence[Segment], limit: int, values: Sequence[int], *, round_up: bool
) -> tuple[int, ...]:
    """Bounds of how many paths keep the limit on one sum and a value of the other one.

    Args:
        segments: of the diagram.
        limit: on the limited sum, without what is settled before the first decision.
        values: of the other sum, likewise.
        round_up: whether lower bounds are asked for rather than upper ones.
    """
    ordered = sorted(segments, key=lambda segment: len(segment.paths))
    last, first = ordered[-1], ordered[:-1]
    room = max(0, limit - sum(int(segment.limited.min()) for segment in ordered))
    width = max(values) - sum(int(segment.other.min()) for segment in ordered)
    units = max(1, -(-room // ROWS)), max(1, -(-max(0, width) // COLUMNS))
    # Rounded up, each segment may reach one cell further than the costs do.
    shape = (room // units[0] + 1, max(0, width) // units[1] + 1 + len(first))
    grid = np.zeros(shape)
    grid[0, 0] = 1
    for segment in first:
        grid = _added(grid, segment, units, round_up)
    within = grid.cumsum(axis=0).cumsum(axis=1)
    left = room - (last.limited - last.limited.min())
    keeps = left >= 0
    rows, paths = left[keeps] // units[0], last.paths[keeps]
    beyond = last.other[keeps] - last.other.min()
    base = max(values) - width
    found = []
    for value in values:
        columns = np.floor_divide(value - base - beyond, units[1])
        inside = columns >= 0
        total = float((within[rows[inside], np.minimum(columns[inside], shape[1] - 1)] * paths[inside]).sum())
        found.append(_bound(total, round_up))
    return tuple(found)


def _bound(total: float, lower: bool) -> int:
    """A sum of whole numbers as a bound; below 2^53 none of them was rounded."""
    if total < 2**53:
        return int(total)
    return floor(total * (1 - _SLACK)) if lower else ceil(total * (1 + _SLACK))


def _added(grid: _Numbers, segment: Segment, units: tuple[int, int], round_up: bool) -> _Numbers:
    """The grid with every way through one more segment."""
    rows, columns = (
        -(-(costs - costs.min()) // unit) if round_up else (costs - costs.min()) // unit
        for costs, unit in zip((segment.limited, segment.other), units, strict=True)
    )
    inside = (rows < grid.shape[0]) & (columns < grid.shape[1])
    keys, places = np.unique(rows[inside] * grid.shape[1] + columns[inside], return_inverse=True)
    paths = np.bincount(places, weights=segment.paths[inside], minlength=len(keys))
    found = np.zeros_like(grid)
    for key, times in zip(keys.tolist(), paths.tolist(), strict=True):
        row, column = divmod(key, grid.shape[1])
        found[row:, column:] += times * grid[: grid.shape[0] - row, : grid.shape[1] - column]
    return found
