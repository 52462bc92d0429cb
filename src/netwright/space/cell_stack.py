"""Networks of stacked cells: one decision of a cell shows at every place where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from netwright.blocks import factorized_reduce, relu_conv_bn
from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.memory import Fusion
from netwright.ir.ops import Add, Concat, Shape
from netwright.space.architecture import Value
from netwright.space.cell_grammar import Cell, SettledNode, check_cell, loose_ends, settled_nodes
from netwright.space.cell_memory import Bytes
from netwright.space.cell_walk import PROJECTION, CellEnd, CellState, CellWalk, Costs, Geometry, projection
from netwright.space.composite import NOTHING, Meter, Move, Signature, Sums, Tracked, plus
from netwright.space.expression import Part, checked_name

NEVER = 1 << 62
"""More bytes than there are."""

FLOOR_LIMIT = 1000
"""Ways in which outputs leave the cells that are looked through for what the network needs anyway."""


def cells(name: str, *layout: Cell | Block, width: Any, inputs: int = 2) -> Part:
    """A stack of cells.

    A cell of two inputs takes the outputs of the two cells before it (the first one takes the stem's output
    twice), each brought to the cell's width by relu, 1x1 convolution and batch norm, or by a factorized
    reduction where the map is twice as large. A cell of one input takes the output before it as it is, and
    blocks may stand between such cells. The width doubles at every cell of stride 2.

    Args:
        name: name of the place.
        *layout: cells, and blocks between cells of one input, in order.
        width: channels of the first cell's nodes, a number or a choice.
        inputs: inputs of each cell, 1 or 2.

    Raises:
        SpaceError: if the layout is not valid.
    """
    where = checked_name(name)
    if inputs not in (1, 2):
        raise SpaceError(f"{where}.inputs: expected 1 or 2, got {inputs!r}")
    found: dict[str, Cell] = {}
    for item in layout:
        if isinstance(item, Cell):
            if found.setdefault(item.name, item) != item:
                raise SpaceError(f"{where}: two different cells are called {item.name!r}; rename one")
            check_cell(where, item, inputs)
            if inputs == 1 and item.stride != 1:
                raise SpaceError(
                    f"{where}.{item.name}: expected stride 1, as a cell of one input keeps its width; "
                    "put a block of stride 2 between cells"
                )
        elif not isinstance(item, Block):
            raise SpaceError(f"{where}: expected cells and blocks, got {item!r}")
        elif inputs == 2:
            raise SpaceError(f"{where}: blocks may stand between cells of one input only, got {item.kind}")
    if not found:
        raise SpaceError(f"{where}: expected at least one cell, got {layout!r}")
    return Part(CellStack(where, layout, width, inputs))


@dataclass(frozen=True, slots=True)
class _Spot:
    """A cell at a place of the stack.

    Attributes:
        index: position in the layout.
        cell: the cell.
        shape: of its inputs as its nodes see them, (C, H, W).
        inner: of its nodes.
        shrink: whether the first input comes from a map twice as large.
        entry: what may be fused into the producer of its only input; closed for two inputs.
    """

    index: int
    cell: Cell
    shape: Shape
    inner: Shape
    shrink: bool
    entry: Fusion

    def geometry(self, inputs: int) -> Geometry:
        """Where a walk of the cell meets it."""
        if inputs == 1:
            return Geometry(self.shape, (self.entry,), self.inner)
        # A relu may be folded into a convolution and its batch norm, but not into the batch norm behind the
        # concatenation of a factorized reduction.
        entries: tuple[Fusion, ...] = ("closed" if self.shrink else "norm", "norm")
        return Geometry(self.shape, entries, self.inner)


@dataclass(frozen=True, slots=True)
class CellStack:
    """See ``cells``."""

    name: str
    layout: tuple[Cell | Block, ...]
    width: Any
    inputs: int

    @property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        """The width."""
        return (("width", self.width),)

    @property
    def kinds(self) -> tuple[Cell, ...]:
        """The different cells, in the order in which they are met."""
        return tuple({item.name: item for item in self.layout if isinstance(item, Cell)}.values())

    def describe(self, describe: Callable[[Any], Any]) -> Any:
        """The canonical form as JSON values."""
        layout = [item.name if isinstance(item, Cell) else describe(item) for item in self.layout]
        kinds = [cell.describe() for cell in self.kinds]
        return ["cells", self.name, kinds, layout, describe(self.width), self.inputs]

    def decisions(self) -> tuple[tuple[str, tuple[Value, ...]], ...]:
        """Names and options, cell after cell."""
        return tuple(
            (f"{cell.name}.{slot.name}", slot.options)
            for cell in self.kinds
            for slot in cell.slots(self.inputs)
        )

    def check(self, settled: Mapping[str, int]) -> None:
        """Any options go together."""

    def nodes(self, cell: Cell, settled: Mapping[str, int]) -> tuple[SettledNode, ...]:
        """A cell with its decisions settled."""
        return settled_nodes(cell, self.inputs, lambda name: settled[f"{cell.name}.{name}"])

    def build(
        self, build: GraphBuilder, x: Tensor, arguments: Mapping[str, Any], settled: Mapping[str, int]
    ) -> Tensor:
        """Add the stack behind ``x``."""
        width = width_argument(self.name, arguments)
        settled_cells = {cell.name: self.nodes(cell, settled) for cell in self.kinds}
        before, last = x, x
        for index, item in enumerate(self.layout):
            with build.scope(str(index)):
                if isinstance(item, Block):
                    before, last = last, item(build, last)
                    continue
                # Blocks between cells of one input may have changed the width.
                width = width * item.stride if self.inputs == 2 else last.channels
                tensors = _prepared(build, before, last, width) if self.inputs == 2 else [last]
                before, last = last, add_cell(build, item, settled_cells[item.name], tensors, width)
        return last

    def walk(
        self, entry: Signature, arguments: Mapping[str, Any], meter: Meter, tracked: Tracked
    ) -> StackWalk:
        """Explore all cells behind a tensor."""
        return StackWalk(self, entry, width_argument(self.name, arguments), meter, tracked)


def width_argument(name: str, arguments: Mapping[str, Any]) -> int:
    """The settled width of a part.

    Raises:
        SpaceError: if it is not a positive integer.
    """
    width = arguments["width"]
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise SpaceError(f"{name}.width: expected a positive number of channels, got {width!r}")
    return width


def prepare(shrink: bool, width: int) -> Block:
    """What brings an input to the width of a cell."""
    return factorized_reduce(out=width) if shrink else relu_conv_bn(out=width, kernel=1)


def _prepared(build: GraphBuilder, before: Tensor, last: Tensor, width: int) -> list[Tensor]:
    found = []
    for number, x in enumerate((before, last)):
        with build.scope(f"input{number}"):
            found.append(prepare(x.shape[1:] != last.shape[1:], width)(build, x))
    return found


def add_cell(
    build: GraphBuilder, cell: Cell, nodes: Sequence[SettledNode], tensors: list[Tensor], width: int
) -> Tensor:
    """Add a cell with its decisions settled.

    Args:
        build: the builder.
        cell: the cell.
        nodes: its nodes.
        tensors: its inputs, of its width.
        width: its width.
    """
    inputs = len(tensors)
    tensors = list(tensors)
    for number, node in enumerate(nodes):
        with build.scope(f"node{number + 1}"):
            tensors.append(_built_node(build, cell, number, node, tensors, inputs, width))
    if cell.output == "last":
        return tensors[-1]
    ends = range(len(nodes)) if cell.output == "all" else loose_ends(nodes, inputs)
    leaving = [tensors[inputs + number] for number in ends]
    return leaving[0] if len(leaving) == 1 else build.apply("concat", Concat(), *leaving)


def _built_node(
    build: GraphBuilder,
    cell: Cell,
    number: int,
    node: SettledNode,
    tensors: Sequence[Tensor],
    inputs: int,
    width: int,
) -> Tensor:
    results = []
    ordered = cell.nodes[number].picks and not cell.nodes[number].together
    for term, (source, label, block) in enumerate(zip(node.sources, node.labels, node.blocks, strict=True)):
        # Weights belong to the place of the expression: the slot where inputs are ordered, else the edge.
        slot = f"input{term + 1}" if ordered else f"from{source}"
        outer = source < inputs and cell.stride != 1
        with build.scope(f"{slot}.{label}"):
            results.append((block.replace(stride=cell.stride) if outer else block)(build, tensors[source]))
    if len(results) == 1:
        return results[0]
    if node.combine == "add":
        return build.apply("add", Add(), *results)
    joined = build.apply("concat", Concat(), *results)
    with build.scope(PROJECTION):
        return projection(width)(build, joined)


@dataclass(frozen=True, slots=True)
class _StackState:
    """Cells settled so far; see ``netwright.space.composite.Inner``."""

    step: int
    decision: str
    kind: int
    inner: CellState
    ends: tuple[CellEnd, ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the peak memory before the cells are decided.

    Attributes:
        least: peak of what stands around the cells, at least.
        floors: for every cell and geometry the peak within the cell up to which, with what is held beside
            it, something around the cells takes as much.
        beside: for every cell and geometry the bytes held beside it, at least.
    """

    least: int
    floors: list[Bytes]
    beside: list[Bytes]


class StackWalk:
    """Walks through the cells of a stack, one after the other, each at all of its places at once."""

    def __init__(
        self, stack: CellStack, entry: Signature, width: int, meter: Meter, tracked: Tracked
    ) -> None:
        if meter.memory_model != "standard" and tracked.peak:
            raise SpaceError(
                f"{stack.name}: peak memory of cells is known for the memory model 'standard' only, "
                f"got {meter.memory_model!r}"
            )
        self._stack = stack
        self._tracked = tracked
        self._kinds = stack.kinds
        self._around = _Around(stack, entry, width, meter)
        spots = self._around.spots
        self._times: list[list[int]] = []
        self._walks: list[CellWalk] = []
        self._places: list[dict[int, int]] = []
        found: list[tuple[Geometry, ...]] = []
        for cell in self._kinds:
            geometries: dict[Geometry, int] = {}
            places: dict[int, int] = {}
            times: list[int] = []
            for spot in spots:
                if spot.cell.name != cell.name:
                    continue
                number = geometries.setdefault(spot.geometry(stack.inputs), len(geometries))
                if number == len(times):
                    times.append(0)
                times[number] += 1
                places[spot.index] = number
            self._times.append(times)
            self._places.append(places)
            found.append(tuple(geometries))
        self._known = None
        if tracked.peak:
            # It looks at all that could leave the cells, not only at what does.
            around = _Around(stack, entry, width, meter.untimed())
            self._known = around.known(self._kinds, self._places)
        for number, (cell, where) in enumerate(zip(self._kinds, found, strict=True)):
            floor = self._known.floors[number] if self._known else None
            self._walks.append(CellWalk(cell, stack.inputs, where, meter, tracked, stack.name, floor))
        self._closed: dict[tuple[CellEnd, ...], Move] = {}

    def begin(self) -> Move:
        """To the first decision of the first cell."""
        move = self._entered(0, (), 0, NOTHING)
        return replace(move, peak=max(move.peak, self._known.least)) if self._known else move

    def options(self, state: _StackState) -> list[tuple[int, Move]]:
        """The options of a state."""
        walk = self._walks[state.kind]
        found = []
        for option, inner, costs in walk.options(state.inner):
            sums = self._weighted(state.kind, costs)
            found.append((option, self._next(state.kind, inner, state.ends, state.step + 1, sums)))
        return found

    def _weighted(self, kind: int, costs: Costs) -> Sums:
        sums = NOTHING
        if self._tracked.sums:
            for times, added in zip(self._times[kind], costs, strict=True):
                sums = plus(sums, added, times)
        return sums

    def _entered(self, kind: int, ends: tuple[CellEnd, ...], step: int, sums: Sums) -> Move:
        inner, costs = self._walks[kind].begin()
        return self._next(kind, inner, ends, step, plus(sums, self._weighted(kind, costs)))

    def _next(self, kind: int, inner: CellState, ends: tuple[CellEnd, ...], step: int, sums: Sums) -> Move:
        walk = self._walks[kind]
        if not walk.finished(inner):
            decision = f"{self._kinds[kind].name}.{walk.decision(inner)}"
            peak = walk.sure(inner, self._known.beside[kind]) if self._known else 0
            return Move(_StackState(step, decision, kind, inner, ends), sums, peak, ends=False)
        ends = (*ends, walk.end(inner))
        if kind + 1 < len(self._walks):
            return self._entered(kind + 1, ends, step, sums)
        if ends not in self._closed:
            self._closed[ends] = self._around.close(ends, self._places, self._tracked)[0]
        closed = self._closed[ends]
        return Move(closed.target, plus(sums, closed.sums), closed.peak, ends=True)


class _Around:
    """What stands around the nodes of the cells: preparation of their inputs, blocks between them."""

    def __init__(self, stack: CellStack, entry: Signature, width: int, meter: Meter) -> None:
        self._stack = stack
        self._entry = entry
        self._meter = meter
        self.spots: list[_Spot] = []
        shape, fusion = entry
        if len(shape) != 3:
            raise SpaceError(f"{stack.name}: expected a feature map (C, H, W) before the cells, got {shape}")
        shrunk = False
        for index, item in enumerate(stack.layout):
            if isinstance(item, Block):
                shape, fusion = meter.measure(f"{stack.name}.{index}", item, (shape, fusion)).exit
                shrunk, width = False, shape[0]
                continue
            width *= item.stride
            outer = (width, *shape[1:])
            if stack.inputs == 1 and shape[0] != width // item.stride:
                raise SpaceError(
                    f"{stack.name}.{index}: expected {width // item.stride} channels before the cell, "
                    f"got {shape[0]}; cells of one input take it as it is"
                )
            if stack.inputs == 1:
                outer = shape
            inner = (width, *(-(-size // item.stride) for size in shape[1:]))
            self.spots.append(_Spot(index, item, outer, inner, shrunk, fusion))
            shape, fusion, shrunk = inner, "closed", item.stride != 1

    def known(self, kinds: Sequence[Cell], places: Sequence[Mapping[int, int]]) -> _Known:
        """What is known of the peak before any cell is decided, whatever leaves the cells."""
        leaving = [
            range(1, len(cell.nodes) + 1)
            if cell.output == "loose"
            else (len(cell.nodes),)
            if cell.output == "all"
            else (1,)
            for cell in kinds
        ]
        floors: list[dict[int, int]] = [{} for _ in kinds]
        besides: list[dict[int, int]] = [{} for _ in kinds]
        least = NEVER
        if prod(map(len, leaving)) > FLOOR_LIMIT:
            nothing = [(0,) * len(set(place.values())) for place in places]
            return _Known(0, nothing, nothing)
        for numbers in product(*leaving):
            ends = tuple(
                CellEnd(number, (0,) * len(set(place.values())), False)
                for number, place in zip(numbers, places, strict=True)
            )
            move, beside = self.close(ends, places, Tracked(sums=False))
            least = min(least, move.peak)
            for floor, low, place in zip(floors, besides, places, strict=True):
                most: dict[int, int] = {}
                for index, geometry in place.items():
                    most[geometry] = max(most.get(geometry, 0), beside[index])
                for geometry, held in most.items():
                    floor[geometry] = min(floor.get(geometry, NEVER), max(move.peak - held, 0))
                    low[geometry] = min(low.get(geometry, NEVER), held)
        return _Known(
            least,
            [tuple(floor[geometry] for geometry in sorted(floor)) for floor in floors],
            [tuple(low[geometry] for geometry in sorted(low)) for low in besides],
        )

    def close(
        self, ends: tuple[CellEnd, ...], places: Sequence[Mapping[int, int]], tracked: Tracked
    ) -> tuple[Move, dict[int, int]]:
        """What stands around cells that are settled.

        Returns:
            Its costs with the output's signature, and for every cell the bytes that are held beside it.
        """
        held: dict[int, int] = {}
        by_name = {
            cell.name: (end, place) for cell, end, place in zip(self._stack.kinds, ends, places, strict=True)
        }
        spots = {spot.index: spot for spot in self.spots}
        before, last = self._entry, self._entry
        same = True
        sums, peak = NOTHING, 0
        for index, item in enumerate(self._stack.layout):
            where = f"{self._stack.name}.{index}"
            if isinstance(item, Block):
                measured = self._meter.measure(where, item, last)
                sums, peak = plus(sums, measured.sums), max(peak, measured.peak)
                before, last, same = last, measured.exit, False
                continue
            spot, (end, place) = spots[index], by_name[item.name]
            inside = end.peaks[place[index]]
            if self._stack.inputs == 2:
                # The last output is held beside the cell if another follows, which takes it as well.
                follows = index + 1 < len(self._stack.layout)
                held[index] = self._meter.bytes(last[0]) if follows else 0
                added, high = self._prepare(where, spot, before[0], last[0], same, held[index], end)
                sums, peak = plus(sums, added), max(peak, high, inside + held[index])
            else:
                held[index] = 0
                peak = max(peak, inside)
            if end.leaving > 1 and tracked.sums:
                together = self._meter.joined(f"{where}.concat", Concat(), (spot.inner,) * end.leaving)
                sums = plus(sums, together)
            channels, *area = spot.inner
            leaving: Signature = ((channels * end.leaving, *area), "closed")
            before, last, same = last, leaving, False
        if not tracked.sums:
            sums = NOTHING
        return Move(last, sums, peak if tracked.peak else 0, ends=True), held

    def _prepare(
        self,
        where: str,
        spot: _Spot,
        before: Shape,
        last: Shape,
        same: bool,
        beside: int,
        end: CellEnd,
    ) -> tuple[Sums, int]:
        """Costs of preparing both inputs."""
        width = spot.shape[0]
        first = self._meter.measure(f"{where}.input0", prepare(spot.shrink, width), (before, "closed"))
        second = self._meter.measure(f"{where}.input1", prepare(False, width), (last, "closed"))
        held = self._meter.bytes(last)
        old = 0 if same else self._meter.bytes(before)
        prepared = first.profile.output if end.first_used else 0
        totals = [
            first.profile.with_input + old + held,
            first.profile.without_input + held,
            second.profile.with_input + held + prepared,
            second.profile.without_input + beside + prepared,
        ]
        return plus(first.sums, second.sums), max(totals)
