"""Paths through a trellis of resolutions: at every layer the network goes up, stays or goes down a level.

At level k the map is 2^k times smaller than in front of the trellis, and a cell's nodes are 2^k times wider
[Liu et al. 2019, Auto-DeepLab, arXiv:1901.02985, Sec. 3.2]. One cell, shared by all layers, stands at every
place of the path; or a plain block does, which leaves the path alone to be decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from netwright.blocks import resize_relu_conv_bn
from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Concat, Shape
from netwright.space.architecture import Value
from netwright.space.cell_grammar import Cell, SettledNode, check_cell, settled_nodes
from netwright.space.cell_memory import Bytes
from netwright.space.cell_stack import NEVER, add_cell, width_argument
from netwright.space.cell_walk import CellState, CellWalk, Costs, Geometry
from netwright.space.composite import NOTHING, Measured, Meter, Move, Signature, Sums, Tracked, plus
from netwright.space.expression import Part, checked_name

INPUTS = 2
"""Inputs of the cell: the outputs of the layer before the last and of the last."""


def trellis(name: str, body: Cell | Block, *, layers: int, levels: int, width: Any, start: int = 0) -> Part:
    """A path of ``layers`` places through ``levels`` resolutions, with a cell or block at every place.

    Args:
        name: name of the place.
        body: a cell of stride 1 whose output is ``all`` or ``last``; it takes the outputs of the last two
            layers, each resized and brought to its width. Or a block that keeps the shape.
        layers: number of places; the first is at ``start``, the level of each later one is a decision.
        levels: number of levels.
        width: channels of the cell's nodes at level 0, a number or a choice.
        start: level of the first place.

    Raises:
        SpaceError: if an argument is not valid.
    """
    where = checked_name(name)
    for label, value, least in (("layers", layers, 2), ("levels", levels, 2), ("start", start, 0)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise SpaceError(f"{where}.{label}: expected an integer of at least {least}, got {value!r}")
    if start >= levels:
        raise SpaceError(f"{where}.start: expected a level below {levels}, got {start}")
    if isinstance(body, Cell):
        check_cell(where, body, INPUTS)
        if body.output == "loose" or body.stride != 1:
            raise SpaceError(
                f"{where}: expected a cell of stride 1 whose output is 'all' or 'last', as its width must "
                f"not depend on its decisions; got {body.output!r}, stride {body.stride}"
            )
    elif not isinstance(body, Block):
        raise SpaceError(f"{where}: expected a cell or a block, got {body!r}")
    return Part(Trellis(where, body, layers, levels, width, start))


@dataclass(frozen=True, slots=True)
class Trellis:
    """See ``trellis``."""

    name: str
    body: Cell | Block
    layers: int
    levels: int
    width: Any
    start: int

    @property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        """The width."""
        return (("width", self.width),)

    def describe(self, describe: Callable[[Any], Any]) -> Any:
        """The canonical form as JSON values."""
        body = self.body.describe() if isinstance(self.body, Cell) else describe(self.body)
        return ["trellis", self.name, body, self.layers, self.levels, describe(self.width), self.start]

    def level_name(self, layer: int) -> str:
        """Name of the decision about a layer's level."""
        return f"{self.name}.{layer}.level"

    def decisions(self) -> tuple[tuple[str, tuple[Value, ...]], ...]:
        """The level of every layer behind the first, then the decisions of the cell."""
        path = tuple((self.level_name(layer), tuple(range(self.levels))) for layer in range(1, self.layers))
        if not isinstance(self.body, Cell):
            return path
        own = ((f"{self.body.name}.{slot.name}", slot.options) for slot in self.body.slots(INPUTS))
        return (*path, *own)

    def path(self, settled: Mapping[str, int]) -> tuple[int, ...]:
        """The level of every layer."""
        return (self.start, *(settled[self.level_name(layer)] for layer in range(1, self.layers)))

    def check(self, settled: Mapping[str, int]) -> None:
        """Raise SpaceError if two layers that follow each other are more than a level apart."""
        path = self.path(settled)
        for layer in range(1, self.layers):
            before, level = path[layer - 1], path[layer]
            if abs(level - before) > 1:
                near = [k for k in range(self.levels) if abs(k - before) <= 1]
                raise SpaceError(
                    f"{self.level_name(layer)}: expected one of {near}, as the layer before is at level "
                    f"{before}, got {level}"
                )

    def nodes(self, settled: Mapping[str, int]) -> tuple[SettledNode, ...]:
        """The cell with its decisions settled; no nodes for a block."""
        body = self.body
        if isinstance(body, Block):
            return ()
        return settled_nodes(body, INPUTS, lambda name: settled[f"{body.name}.{name}"])

    def build(
        self, build: GraphBuilder, x: Tensor, arguments: Mapping[str, Any], settled: Mapping[str, int]
    ) -> Tensor:
        """Add the path behind ``x``."""
        width = width_argument(self.name, arguments)
        sizes = _sizes(x.shape, self.levels)
        before, last = x, x
        for layer, level in enumerate(self.path(settled)):
            channels = width << level
            prepare = resize_relu_conv_bn(out=channels, size=sizes[level])
            with build.scope(f"{layer}.level{level}"):
                if isinstance(self.body, Block):
                    with build.scope("input"):
                        y = prepare(build, last)
                    with build.scope("body"):
                        before, last = last, self.body(build, y)
                    continue
                tensors = []
                for number, source in enumerate((before, last)):
                    with build.scope(f"input{number}"):
                        tensors.append(prepare(build, source))
                before, last = last, add_cell(build, self.body, self.nodes(settled), tensors, channels)
        return last

    def walk(
        self, entry: Signature, arguments: Mapping[str, Any], meter: Meter, tracked: Tracked
    ) -> TrellisWalk:
        """Explore all paths behind a tensor."""
        return TrellisWalk(self, entry, width_argument(self.name, arguments), meter, tracked)


def _sizes(shape: Shape, levels: int) -> list[tuple[int, int]]:
    _, height, width = shape
    return [(-(-height // (1 << level)), -(-width // (1 << level))) for level in range(levels)]


@dataclass(frozen=True, slots=True)
class _Path:
    """What of a path matters for later.

    Attributes:
        before: level of the layer before the last; -1 for what stands in front of the trellis.
        last: level of the last layer; -1 likewise.
        visits: number of layers at each level, where sums are tracked and the body is a cell.
        beside: for each level the most bytes that are held beside a cell there, -1 if there is none, where
            memory is tracked and the body is a cell.
        prepared: peak memory while the second input is prepared, should the first be used; 0 where that is
            not above ``peak``.
        peak: peak memory of the path so far without its cells.
    """

    before: int
    last: int
    visits: tuple[int, ...]
    beside: tuple[int, ...]
    prepared: int
    peak: int


@dataclass(frozen=True, slots=True)
class _TrellisState:
    """See ``netwright.space.composite.Inner``."""

    step: int
    decision: str
    path: _Path
    inner: CellState | None


class TrellisWalk:
    """Walks along the paths, then through the decisions of the cell at all places of a path at once."""

    def __init__(
        self, trellis: Trellis, entry: Signature, width: int, meter: Meter, tracked: Tracked
    ) -> None:
        if len(entry[0]) != 3:
            raise SpaceError(f"{trellis.name}: expected a feature map (C, H, W) before it, got {entry[0]}")
        if meter.memory_model != "standard" and tracked.peak:
            raise SpaceError(
                f"{trellis.name}: peak memory of a trellis is known for the memory model 'standard' only, "
                f"got {meter.memory_model!r}"
            )
        self._trellis = trellis
        self._entry = entry
        self._meter = meter
        self._tracked = tracked
        self._sizes = _sizes(entry[0], trellis.levels)
        inner: list[Shape] = [(width << level, *size) for level, size in enumerate(self._sizes)]
        self._inner = inner
        self._walks: dict[Bytes, CellWalk] = {}
        self._exits: dict[int, Signature] = {}
        self._steps: dict[Any, tuple[Sums, int, int]] = {}

    def begin(self) -> Move:
        """Through the first layer, whose level is fixed."""
        levels = self._trellis.levels if isinstance(self._trellis.body, Cell) else 0
        none = (0,) * levels if self._tracked.sums else ()
        beside = (-1,) * levels if self._tracked.peak else ()
        return self._to(_Path(-1, -1, none, beside, 0, 0), self._trellis.start, 0)

    def options(self, state: _TrellisState) -> list[tuple[int, Move]]:
        """Levels within reach, or options of the cell."""
        if state.inner is None:
            near = (state.path.last - 1, state.path.last, state.path.last + 1)
            layer = state.step + 1
            return [(k, self._to(state.path, k, layer)) for k in near if 0 <= k < self._trellis.levels]
        return [
            (option, self._within(state.path, inner, state.step + 1, self._weighted(state.path, costs), 0))
            for option, inner, costs in self._cell(state.path).options(state.inner)
        ]

    def _cell(self, path: _Path) -> CellWalk:
        """The walk of the cell on a path; a peak within it matters above that of the path only."""
        body = self._trellis.body
        assert isinstance(body, Cell)
        floor = tuple(path.peak - b if b >= 0 else NEVER for b in path.beside) or (0,) * len(self._inner)
        if floor not in self._walks:
            # The convolution that prepares an input ends with batch norm.
            geometries = [Geometry(shape, ("norm", "norm"), shape) for shape in self._inner]
            name = self._trellis.name
            self._walks[floor] = CellWalk(body, INPUTS, geometries, self._meter, self._tracked, name, floor)
        return self._walks[floor]

    def _to(self, path: _Path, level: int, layer: int) -> Move:
        """Put a layer at a level."""
        final = layer == self._trellis.layers - 1
        key = (path.before, path.last, level, final)
        if key not in self._steps:
            self._steps[key] = self._step(*key)
        sums, peak, prepared = self._steps[key]
        after = replace(path, before=path.last, last=level)
        if path.visits:
            visits = tuple(n + (k == level) for k, n in enumerate(path.visits))
            after = replace(after, visits=visits)
        if path.beside:
            held = 0 if final else self._bytes(path.last)
            beside = tuple(max(b, held) if k == level else b for k, b in enumerate(path.beside))
            high = max(path.peak, peak)
            prepared = max(path.prepared, prepared)
            after = replace(after, beside=beside, prepared=prepared if prepared > high else 0, peak=high)
        if not final:
            decision = self._trellis.level_name(layer + 1)
            return Move(_TrellisState(layer, decision, after, None), sums, peak, ends=False)
        if isinstance(self._trellis.body, Block):
            return Move(self._exit(level), sums, peak, ends=True)
        # What is in front of the last layer does not matter any more.
        after = replace(after, before=-1)
        inner, costs = self._cell(after).begin()
        return self._within(after, inner, layer, plus(sums, self._weighted(after, costs)), peak)

    def _within(self, path: _Path, inner: CellState, step: int, sums: Sums, peak: int) -> Move:
        walk = self._cell(path)
        if not walk.finished(inner):
            body = self._trellis.body
            assert isinstance(body, Cell)
            decision = f"{body.name}.{walk.decision(inner)}"
            peak = max(peak, walk.sure(inner, path.beside)) if path.beside else peak
            return Move(_TrellisState(step, decision, path, inner), sums, peak, ends=False)
        if self._tracked.peak:
            end = walk.end(inner)
            totals = [high + b for high, b in zip(end.peaks, path.beside, strict=True) if b >= 0]
            peak = max(peak, *totals, path.prepared if end.first_used else 0)
        return Move(self._exit(path.last), sums, peak, ends=True)

    def _weighted(self, path: _Path, costs: Costs) -> Sums:
        sums = NOTHING
        if path.visits:
            for times, added in zip(path.visits, costs, strict=True):
                sums = plus(sums, added, times)
        return sums

    def _exit(self, level: int) -> Signature:
        """The output of a layer at a level; of a level that no path reaches it is never asked."""
        if level not in self._exits:
            body, shape = self._trellis.body, self._inner[level]
            if isinstance(body, Cell):
                leaving = len(body.nodes) if body.output == "all" else 1
                self._exits[level] = ((shape[0] * leaving, *shape[1:]), "closed")
            else:
                self._exits[level] = self._placed(level).exit
        return self._exits[level]

    def _source(self, level: int) -> Shape:
        return self._entry[0] if level < 0 else self._exit(level)[0]

    def _bytes(self, level: int) -> int:
        return self._meter.bytes(self._source(level))

    def _prepare(self, source: int, level: int, fusion: Signature | None = None) -> Measured:
        block = resize_relu_conv_bn(out=self._inner[level][0], size=self._sizes[level])
        entry = fusion or (self._source(source), "closed")
        return self._meter.measure(f"{self._trellis.name}.level{level}.input", block, entry)

    def _placed(self, level: int) -> Measured:
        body = self._trellis.body
        assert isinstance(body, Block)
        where = f"{self._trellis.name}.level{level}.body"
        found = self._meter.measure(where, body, (self._inner[level], "norm"))
        if found.exit[0] != self._inner[level]:
            raise SpaceError(
                f"{where}: expected a block that keeps the shape {self._inner[level]}, got {found.exit[0]}"
            )
        return found

    def _step(self, before: int, last: int, level: int, final: bool) -> tuple[Sums, int, int]:
        """Costs of a layer but for the cell's nodes; its peak without and with the first input in use."""
        if isinstance(self._trellis.body, Block):
            entry = self._entry if last < 0 else self._exit(last)
            first, body = self._prepare(last, level, entry), self._placed(level)
            return plus(first.sums, body.sums), max(first.peak, body.peak), 0
        first, second = self._prepare(before, level), self._prepare(last, level)
        held = self._bytes(last)
        old = 0 if last < 0 else self._bytes(before)
        beside = 0 if final else held
        kept = first.profile.output
        sums = plus(first.sums, second.sums)
        leaving = self._exit(level)[0][0] // self._inner[level][0]
        if leaving > 1:
            where = f"{self._trellis.name}.level{level}.concat"
            sums = plus(sums, self._meter.joined(where, Concat(), (self._inner[level],) * leaving))
        early = max(first.profile.with_input + old + held, first.profile.without_input + held)
        late = max(second.profile.with_input + held, second.profile.without_input + beside)
        return sums, max(early, late), late + kept


def paths(levels: int, steps: int, start: int = 0) -> int:
    """Number of paths of ``steps`` free steps through a trellis, by adding up neighbours.

    >>> paths(4, 11), paths(4, 12)
    (28657, 75025)
    """
    counts = [int(level == start) for level in range(levels)]
    for _ in range(steps):
        counts = [sum(counts[max(k - 1, 0) : k + 2]) for k in range(levels)]
    return sum(counts)
