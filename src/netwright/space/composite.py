"""Parts of a network with several tensors alive at once: what the calculus asks of them.

A chain passes one tensor on; a stack of cells or a trellis passes several, and one decision of a shared cell
shows at many places. Such a part therefore walks through its decisions by itself, at all of its places at
once, and tells the calculus what each option adds to the costs of the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol

from netwright.blocks.block import Block
from netwright.errors import GraphError, SpaceError
from netwright.ir.cost import cost
from netwright.ir.dtype import find_dtype
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.latency import LATENCY, describe_operation, operations
from netwright.ir.memory import Fusion, MemoryModel, Step, fuse
from netwright.ir.ops import Op, Shape
from netwright.ir.runtime import FLOORS, step_floors
from netwright.space.architecture import Value
from netwright.space.diagram import PEAK, SUMS

Signature = tuple[Shape, Fusion]
"""A tensor between two parts: its shape, and what may still be fused into its producer."""

Sums = tuple[int, ...]
"""Amounts of the costs that add up, see ``Meter.sums``; empty where all are nothing."""

NOTHING: Sums = ()


def plus(first: Sums, second: Sums, times: int = 1) -> Sums:
    """The first amounts and ``times`` the second."""
    if not second or not times:
        return first
    if not first:
        return second if times == 1 else tuple([times * b for b in second])
    return tuple([a + times * b for a, b in zip(first, second, strict=True)])


class Inner(Protocol):
    """A state within a part; hashable, and equal to another if nothing later can tell the two apart."""

    @property
    def decision(self) -> str:
        """The decision that comes next."""

    @property
    def step(self) -> int:
        """How many decisions were settled before; grows with every one."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where an option leads, and what it adds.

    Attributes:
        target: the next state within the part, or the signature of the part's output at its end.
        sums: added to the sums of the whole network.
        peak: peak memory of what it settles, in bytes.
    """

    target: Any
    sums: Sums
    peak: int
    ends: bool


class Walk(Protocol):
    """All ways through a part for one entry: see ``Composite.walk``."""

    def begin(self) -> Move:
        """To the first decision."""

    def options(self, state: Any) -> list[tuple[int, Move]]:
        """The options that a state leaves, by index, and where each leads."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """Which costs a diagram tells apart: sums, peak memory, both, or none (it only counts)."""

    sums: bool = True
    peak: bool = True


class Composite(Protocol):
    """A part of a network that walks through its decisions by itself."""

    @property
    def name(self) -> str:
        """Name of its place."""

    @property
    def arguments(self) -> tuple[tuple[str, Any], ...]:
        """Values and choices of values that are settled before it is entered."""

    def describe(self, describe: Callable[[Any], Any]) -> Any:
        """Its canonical form as JSON values, see ``netwright.space.expression.describe``."""

    def decisions(self) -> tuple[tuple[str, tuple[Value, ...]], ...]:
        """Names and options of its own decisions, in order; all are active."""

    def check(self, settled: Mapping[str, int]) -> None:
        """Raise SpaceError if its own decisions, all settled, do not go together."""

    def build(
        self, build: GraphBuilder, x: Tensor, arguments: Mapping[str, Any], settled: Mapping[str, int]
    ) -> Tensor:
        """Add the part with all decisions settled behind ``x``, in the current scope."""

    def walk(self, entry: Signature, arguments: Mapping[str, Any], meter: Meter, tracked: Tracked) -> Walk:
        """Explore all ways to settle its decisions behind a tensor."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The memory of a block without that of its input x, which may be needed elsewhere too.

    Attributes:
        with_input: the largest total, in bytes, over the steps at which the block itself needs x; -1 if none.
        without_input: the same over the steps behind them.
        alias: whether the output shares the memory of x.
        output: bytes of the output.
    """

    with_input: int
    without_input: int
    alias: bool
    output: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What a block costs behind a tensor.

    Attributes:
        sums: amounts of the costs that add up.
        peak: peak memory of the block in a chain, in bytes.
        profile: its memory without that of its input.
        exit: the signature of its output.
    """

    sums: Sums
    peak: int
    profile: Profile
    exit: Signature


class Meter:
    """Builds blocks concretely and counts them; each block, arguments and input only once.

    Args:
        dtype: number format of weight bytes and memory.
        memory_model: see ``netwright.ir.memory.MemoryModel``.
        latency: the time of the operations of a block, if that is counted.
        runtime: whether to count what the runtime's structures and its file take at least, see
            ``netwright.ir.runtime.FLOORS``.
        floors: whether these are more than nothing.
    """

    def __init__(
        self,
        dtype: str,
        memory_model: MemoryModel,
        latency: Callable[[Sequence[str]], int] | None = None,
        *,
        runtime: bool = False,
        floors: bool = True,
    ) -> None:
        self._dtype = dtype
        self._model: MemoryModel = memory_model
        self._latency = latency
        self._runtime = runtime
        self._floors = floors
        self._known: dict[Any, Measured] = {}

    @property
    def sums(self) -> tuple[str, ...]:
        """The costs that add up."""
        return (
            *SUMS,
            *(() if self._latency is None else (LATENCY,)),
            *(FLOORS if self._runtime else ()),
        )

    def within_parts(self) -> Meter:
        """The same with floors of nothing: much of a cell may lead nowhere, and is not deployed then."""
        if not self._runtime:
            return self
        return Meter(self._dtype, self._model, self._latency, runtime=True, floors=False)

    def untimed(self) -> Meter:
        """The same without latency, for what may not occur in any network."""
        if self._latency is None:
            return self
        return Meter(self._dtype, self._model, runtime=self._runtime, floors=self._floors)

    @property
    def memory_model(self) -> MemoryModel:
        """The memory model."""
        return self._model

    def bytes(self, shape: Shape) -> int:
        """Bytes of a tensor."""
        return prod(shape) * find_dtype(self._dtype).activation

    def measure(self, where: str, block: Block, entry: Signature) -> Measured:
        """What a block with settled arguments costs.

        Args:
            where: the place, for messages.
            block: the block.
            entry: signature of its input.

        Raises:
            SpaceError: if the block cannot be built behind such a tensor.
        """
        key = (block.function, block.arguments, entry)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._measured(where, block, entry)
        return found

    def _measured(self, where: str, block: Block, entry: Signature) -> Measured:
        shape, fusion = entry
        build = GraphBuilder()
        try:
            graph = build.finish(block(build, build.input(shape)))
        except GraphError as error:
            raise SpaceError(f"{where}: {error}; input {shape}") from None
        totals = cost(graph, dtype=self._dtype, memory_model=self._model, entry=fusion)
        figures = totals.totals()
        output = graph[graph.outputs[0]]
        moments = [row.memory for row in totals.nodes if row.memory is not None]
        steps, _ = fuse(graph, fusion)
        last_read = max((i for i, step in enumerate(steps) if graph.nodes[0].name in step.reads), default=0)
        own = self.bytes(shape)
        alias = graph.outputs[0] in steps[0].members
        with_input = max((m.bytes - own for m in moments[1 : last_read + 1]), default=-1)
        held = own if alias else 0
        without = max((m.bytes - held for m in moments[last_read + 1 :]), default=-1)
        return Measured(
            (
                *(figures[name] for name in SUMS),
                *self._timed(where, lambda: operations(graph)),
                *(self._floors_of(graph, steps)),
            ),
            figures[PEAK],
            Profile(with_input, without, alias, self.bytes(output.shape)),
            (output.shape, totals.fusable),
        )

    def joined(self, where: str, op: Op, shapes: Sequence[Shape]) -> Sums:
        """What it costs to bring tensors together by an op without weights.

        Args:
            where: the place, for messages.
            op: an addition or a concatenation.
            shapes: of the tensors.
        """
        if self._latency is None:
            return NOTHING
        output = op.output_shape(tuple(shapes))
        return (
            *(0 for _ in SUMS),
            *self._timed(where, lambda: [describe_operation(op, shapes, output)]),
            *(0 for _ in FLOORS if self._runtime),
        )

    def _floors_of(self, graph: Graph, steps: Sequence[Step]) -> Sums:
        if not self._runtime:
            return ()
        return step_floors(graph, steps) if self._floors else (0,) * len(FLOORS)

    def _timed(self, where: str, parts: Callable[[], Sequence[str]]) -> Sums:
        """The latency as the last of the sums; nothing, and nothing is described, where it is not counted."""
        if self._latency is None:
            return ()
        try:
            return (self._latency(parts()),)
        except GraphError as error:
            raise SpaceError(f"{where}: {error}") from None
