"""All ways to settle the decisions of one cell, at all the places where it stands at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from netwright.blocks import conv_bn_act
from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.ir.memory import Fusion
from netwright.ir.ops import Add, Concat, Shape
from netwright.space import cell_memory as memories
from netwright.space.cell_grammar import Cell, Slot, SlotKind
from netwright.space.cell_memory import Bytes, CellMemory, Room, Term
from netwright.space.composite import NOTHING, Meter, Profile, Sums, Tracked, plus


@dataclass(frozen=True, slots=True)
class Geometry:
    """What a cell meets at some of its places.

    Attributes:
        shape: of each of its inputs, (C, H, W).
        entries: what may be fused into the producer of each input.
        inner: shape of its nodes.
    """

    shape: Shape
    entries: tuple[Fusion, ...]
    inner: Shape


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell with some decisions settled; equal states cannot be told apart later.

    Attributes:
        action: index of the next action.
        pending: tensors that the current node has taken and not yet applied an operation to.
        used: bits of the tensors that some node takes, where that matters.
        memory: see ``CellMemory``; None where memory is not tracked.
    """

    action: int
    pending: tuple[int, ...]
    used: int
    memory: CellMemory | None


@dataclass(frozen=True, slots=True)
class _Action:
    """A step in the walk.

    Attributes:
        kind: ``input`` and ``inputs`` take tensors, ``operation`` applies one, ``combine`` ends a node.
        node: index of the node.
        term: which of its inputs.
        slot: the decision it needs, None where there is only one option.
        certain: tensors that are sure to be used after it, but for those that the node has taken already.
        later: tensors that may be.
    """

    kind: SlotKind
    node: int
    term: int
    slot: Slot | None
    certain: int
    later: int


@dataclass(frozen=True, slots=True)
class CellEnd:
    """A whole cell, as the network around it sees it.

    Attributes:
        leaving: number of node outputs that are concatenated.
        peaks: peak memory within the cell at each geometry, without what is held around it.
        first_used: whether a node takes the first input.
    """

    leaving: int
    peaks: Bytes
    first_used: bool


Costs = tuple[Sums, ...]
"""What is added to the sums at each geometry."""

PROJECTION = "projection"
"""Place of the convolution behind a concatenation within a node."""


def projection(channels: int) -> Block:
    """What follows a concatenation within a node: back to the width of the cell."""
    return conv_bn_act(out=channels, kernel=1)


class CellWalk:
    """Walks through the decisions of a cell.

    Args:
        cell: the cell.
        inputs: number of its inputs.
        geometries: where it stands.
        meter: counts its operations.
        tracked: what is to be told apart.
        where: its place, for messages.
        floor: peaks up to which a geometry does not matter, see ``netwright.space.cell_memory``.
    """

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        geometries: Sequence[Geometry],
        meter: Meter,
        tracked: Tracked,
        where: str,
        floor: Bytes | None = None,
    ) -> None:
        self._cell = cell
        self._inputs = inputs
        self._geometries = tuple(geometries)
        self._meter = meter
        self._tracked = tracked
        self._where = where
        self._terms: dict[Any, tuple[Costs, Term, Fusion]] = {}
        self._joined: dict[Any, tuple[Costs, tuple[Profile, ...]]] = {}
        self._advanced: dict[Any, CellMemory] = {}
        self._nothing: Costs = (NOTHING,) * len(self._geometries)
        count = inputs + len(cell.nodes)
        sizes = tuple(
            tuple(meter.bytes(g.shape if tensor < inputs else g.inner) for g in self._geometries)
            for tensor in range(count)
        )
        lasting = memories.bits(range(inputs, count)) if cell.output == "all" else 0
        single = cell.terms(0, inputs) == 1
        watched = memories.bits(range(inputs + single))
        self._room = Room(sizes, lasting, watched, floor or (0,) * len(self._geometries))
        self._actions = self._planned()

    def begin(self) -> tuple[CellState, Costs]:
        """The state before the first decision, and the costs of what is settled without any."""
        memory = None
        if self._tracked.peak:
            memory = memories.entered(self._inputs, len(self._geometries))
        return self._on(CellState(0, (), 0, memory), self._nothing)

    def finished(self, state: CellState) -> bool:
        """Whether no decision is left."""
        return state.action == len(self._actions)

    def decision(self, state: CellState) -> str:
        """Name of the next decision within the cell."""
        slot = self._actions[state.action].slot
        assert slot is not None
        return slot.name

    def options(self, state: CellState) -> list[tuple[int, CellState, Costs]]:
        """The options of the next decision: index, state behind it, what it adds at each geometry."""
        slot = self._actions[state.action].slot
        assert slot is not None
        return [(option, *self._on(*self._act(state, option))) for option in range(len(slot.options))]

    def _on(self, state: CellState, costs: Costs) -> tuple[CellState, Costs]:
        """Do what needs no decision."""
        while not self.finished(state) and self._actions[state.action].slot is None:
            state, added = self._act(state, 0)
            if added is not self._nothing:
                costs = tuple(plus(a, b) for a, b in zip(costs, added, strict=True))
        return state, costs

    def _act(self, state: CellState, option: int) -> tuple[CellState, Costs]:
        action = self._actions[state.action]
        if action.kind in ("input", "inputs"):
            return self._taken(state, self._sources(action, option)), self._nothing
        if action.kind == "operation":
            return self._applied(state, action, option)
        return self._combined(state, action, option)

    def _sources(self, action: _Action, option: int) -> tuple[int, ...]:
        if action.slot is not None:
            return action.slot.sources[option]
        if action.kind == "inputs":
            return tuple(range(self._cell.nodes[action.node].picks))
        return (0,) if self._cell.nodes[action.node].picks else (action.term,)

    def _taken(self, state: CellState, sources: tuple[int, ...]) -> CellState:
        used = state.used | memories.bits(sources) if self._cell.output == "loose" else 0
        if state.memory is None or self._cell.output == "all":
            # No more matters than whether it is an input of the cell: nodes all stay to the end.
            sources = tuple(min(source, self._inputs) for source in sources)
        return replace(state, action=state.action + 1, pending=state.pending + sources, used=used)

    def _applied(self, state: CellState, action: _Action, option: int) -> tuple[CellState, Costs]:
        source, *rest = state.pending
        costs, term, exit_fusion = self._term(action, source, option, state.memory)
        memory = state.memory
        if memory is not None:
            certain, later = self._future(state, action, tuple(rest))
            key = (memory, action.node, action.term, source, term, certain, later)
            if key not in self._advanced:
                found = memories.apply_term(memory, self._room, source, term, certain, later)
                self._advanced[key] = replace(found, fusible=exit_fusion)
            memory = self._advanced[key]
        return CellState(state.action + 1, tuple(rest), state.used, memory), costs

    def _combined(self, state: CellState, action: _Action, option: int) -> tuple[CellState, Costs]:
        node = self._cell.nodes[action.node]
        terms = self._cell.terms(action.node, self._inputs)
        costs, memory = self._nothing, state.memory
        profiles: tuple[Profile, ...] | None = None
        if terms > 1:
            costs, profiles = self._joins(action.node, node.combine[option], terms)
        if memory is not None:
            certain, later = self._future(state, action, ())
            key = (memory, action.node, profiles, certain, later)
            if key not in self._advanced:
                self._advanced[key] = memories.combined(memory, self._room, profiles, certain, later)
            memory = self._advanced[key]
        return CellState(state.action + 1, (), state.used, memory), costs

    def _future(self, state: CellState, action: _Action, taken: tuple[int, ...]) -> tuple[int, int]:
        """Bits of the tensors that are sure to be used from here on, and of those that may be."""
        certain = action.certain | memories.bits(taken)
        later = action.later | certain
        if self._cell.output == "loose":
            nodes = memories.bits(range(self._inputs, len(self._room.sizes)))
            later |= nodes & ~state.used
        return certain, later

    def _term(
        self, action: _Action, source: int, option: int, memory: CellMemory | None
    ) -> tuple[Costs, Term, Fusion]:
        """What an operation on a tensor costs at each geometry, and its memory."""
        outer = source < self._inputs
        # Only the first node of a cell with one input can have a result that the next may be fused into.
        first = source == self._inputs and memory is not None and memory.first != "closed"
        fusion = memory.first if memory and first else None
        key = (action.node, source if outer else self._inputs, option, fusion)
        if key not in self._terms:
            self._terms[key] = self._measured(action, source, option, fusion)
        return self._terms[key]

    def _measured(
        self, action: _Action, source: int, option: int, fusion: Fusion | None
    ) -> tuple[Costs, Term, Fusion]:
        outer, operations = source < self._inputs, self._cell.nodes[action.node].operations
        block: Block = operations.options[option]
        where = f"{self._where}.{self._cell.name}.{action.node + 1}.{operations.labels[option]}"
        if outer and self._cell.stride != 1:
            block = block.replace(stride=self._cell.stride)
        costs, shared, alone = [], [], []
        exit_fusion: Fusion = "closed"
        for geometry in self._geometries:
            shape = geometry.shape if outer else geometry.inner
            entry = geometry.entries[source] if outer else fusion or "closed"
            found = self._meter.measure(where, block, (shape, "closed"))
            if found.exit[0] != geometry.inner:
                raise SpaceError(
                    f"{where}: expected an operation from {shape} to {geometry.inner}, got {found.exit[0]}; "
                    "an operation of a cell keeps the channels, and the size but for its stride"
                )
            alone_here = self._meter.measure(where, block, (shape, entry))
            if alone_here.sums != found.sums:
                # What a fold saves would depend on who else reads the tensor, which is not decided yet.
                raise SpaceError(
                    f"{where}: expected an operation that does not begin with a batch norm, as it stands "
                    "behind a convolution without one; begin with an activation or a convolution"
                )
            costs.append(found.sums)
            shared.append(found.profile)
            alone.append(alone_here.profile)
            exit_fusion = "closed" if found.profile.alias else found.exit[1]
        return tuple(costs), Term(tuple(shared), tuple(alone)), exit_fusion

    def _joins(self, node: int, combine: str, terms: int) -> tuple[Costs, tuple[Profile, ...]]:
        key = (combine, terms)
        if key not in self._joined:
            costs, profiles = [], []
            for geometry in self._geometries:
                size = self._meter.bytes(geometry.inner)
                place = f"{self._where}.{self._cell.name}.{node + 1}"
                if combine == "add":
                    where = f"{place}.add"
                    costs.append(self._meter.joined(where, Add(), (geometry.inner,) * terms))
                    profiles.append(Profile(size, -1, False, size))
                    continue
                channels, *area = geometry.inner
                wide = (channels * terms, *area)
                found = self._meter.measure(f"{place}.{PROJECTION}", projection(channels), (wide, "closed"))
                joined = size * terms
                together = self._meter.joined(f"{place}.concat", Concat(), (geometry.inner,) * terms)
                costs.append(plus(together, found.sums))
                profiles.append(Profile(joined, joined + found.profile.with_input, False, size))
            self._joined[key] = tuple(costs), tuple(profiles)
        return self._joined[key]

    def _planned(self) -> tuple[_Action, ...]:
        """The actions, node by node, with what may and must be used after each."""
        cell, inputs = self._cell, self._inputs
        slots = {(slot.node, slot.kind, slot.term): slot for slot in cell.slots(inputs)}
        steps: list[tuple[SlotKind, int, int]] = []
        for number, node in enumerate(cell.nodes):
            if node.together:
                steps.append(("inputs", number, 0))
            for term in range(cell.terms(number, inputs)):
                if not node.together:
                    steps.append(("input", number, term))
                steps.append(("operation", number, term))
            steps.append(("combine", number, 0))
        actions: list[_Action] = []
        certain = later = 0
        for kind, number, term in reversed(steps):
            actions.append(_Action(kind, number, term, slots.get((number, kind, term)), certain, later))
            if kind in ("input", "inputs"):
                later |= memories.bits(range(cell.sources(number, inputs)))
                if not cell.nodes[number].picks:
                    certain |= 1 << term
        return tuple(reversed(actions))

    def sure(self, state: CellState, beside: Sequence[int]) -> int:
        """Peak memory that every completion has at least; see ``cell_memory.sure``."""
        return 0 if state.memory is None else memories.sure(state.memory, beside)

    def end(self, state: CellState) -> CellEnd:
        """What a whole cell is, seen from around it."""
        inputs, count = self._inputs, len(self._room.sizes)
        if self._cell.output == "last":
            leaving = [count - 1]
        elif self._cell.output == "all":
            leaving = list(range(inputs, count))
        else:
            leaving = [t for t in range(inputs, count) if not state.used >> t & 1]
        peaks: Bytes = (0,) * len(self._geometries)
        first_used = True
        if state.memory is not None:
            joined = None
            if len(leaving) > 1:
                joined = tuple(self._meter.bytes(g.inner) * len(leaving) for g in self._geometries)
            peaks = memories.finished(state.memory, self._room, memories.bits(leaving), joined)
            first_used = bool(state.memory.used & 1)
        return CellEnd(len(leaving), peaks, first_used)
