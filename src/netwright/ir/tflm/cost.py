"""What a network costs on a microcontroller that runs TensorFlow Lite Micro: arena and flash, to the byte.

| figure | what it is |
|---|---|
| ``head_bytes`` | activations and scratch, as the interpreter's own planner lays them out |
| ``tail_bytes_host64`` | persistent structures on a 64-bit computer: what can be measured with the wheel |
| ``tail_bytes_mcu32`` | the same on a 32-bit microcontroller: modelled, see ``kernels.MCU32`` |
| ``flash_bytes`` | the converted file, which lies in flash |
| ``live_bytes`` | largest sum of live tensors, the usual estimate of the head; never more than it |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

from netwright.ir.graph import Graph
from netwright.ir.tflm.flash import flash_bytes
from netwright.ir.tflm.kernels import HOST64, INTERPRETER, MCU32, REDUCTIONS, scratch_sizes
from netwright.ir.tflm.lowering import lower
from netwright.ir.tflm.order import reordered
from netwright.ir.tflm.planner import Lifetime, lifetimes, live_sum, plan
from netwright.ir.tflm.program import Program
from netwright.ir.tflm.tail import tail_bytes

_LIFETIME, _PLANNED, _REQUEST, _MOST_REQUESTS, _VIEW, _PREPARING = 32, 40, 16, 12, 104, 688


class Buffer(NamedTuple):
    """One buffer in the head.

    Attributes:
        node: the node whose output it is, or whose kernel asked for it.
        scratch: whether a kernel asked for it.
        offset: distance from the start of the arena in bytes.
        bytes: its size, a multiple of 16.
    """

    node: str
    scratch: bool
    offset: int
    bytes: int


class OperatorMoment(NamedTuple):
    """The head while one operator runs.

    Attributes:
        kind: TFLite's name of the operator.
        node: the node that it comes from.
        alive: the buffers that are alive, in order of creation.
        live_bytes: their sum.
        reach_bytes: the end of the one that reaches furthest; more than their sum where there are gaps.
    """

    kind: str
    node: str
    alive: tuple[Buffer, ...]
    live_bytes: int
    reach_bytes: int


@dataclass(frozen=True, slots=True)
class TflmCost:
    """Arena and flash of one network in one order of execution.

    Attributes:
        program: the converted file, predicted.
        head_bytes: the planned part of the arena.
        live_bytes: the largest sum of live buffers.
        tail_bytes_host64: the persistent part, on a 64-bit computer with the wheel ``INTERPRETER``.
        tail_bytes_mcu32: the persistent part, modelled for a 32-bit microcontroller.
        flash_bytes: size of the file.
        planning_bytes_host64: memory beside the tail that the interpreter takes while it plans, on a 64-bit
            computer, see ``planning_bytes``; given back before the first run.
    """

    program: Program
    head_bytes: int
    live_bytes: int
    tail_bytes_host64: int
    tail_bytes_mcu32: int
    flash_bytes: int
    planning_bytes_host64: int

    @property
    def arena_bytes_host64(self) -> int:
        """Head and the tail of a 64-bit computer: what the interpreter of the wheel reports."""
        return self.head_bytes + self.tail_bytes_host64

    @property
    def smallest_arena_host64(self) -> int:
        """The smallest arena that is sure to be enough for planning too, a multiple of 16.

        At most 32 bytes more than the interpreter can start with.
        """
        beside = max(self.head_bytes, self.planning_bytes_host64)
        return -(-(self.tail_bytes_host64 + beside) // 16) * 16

    @property
    def arena_bytes_mcu32(self) -> int:
        """Head and the modelled tail of a 32-bit microcontroller."""
        return self.head_bytes + self.tail_bytes_mcu32

    @property
    def fragmented(self) -> bool:
        """Whether the planner leaves gaps, so that the head is more than any sum of live buffers."""
        return self.head_bytes > self.live_bytes

    def moments(self) -> tuple[OperatorMoment, ...]:
        """For every operator what is alive while it runs, and where it lies."""
        return _moments(self.program)

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain JSON values, with the interpreter's version."""
        return {
            "head_bytes": self.head_bytes,
            "live_bytes": self.live_bytes,
            "tail_bytes_host64": self.tail_bytes_host64,
            "tail_bytes_mcu32": self.tail_bytes_mcu32,
            "arena_bytes_host64": self.arena_bytes_host64,
            "smallest_arena_host64": self.smallest_arena_host64,
            "arena_bytes_mcu32": self.arena_bytes_mcu32,
            "flash_bytes": self.flash_bytes,
            "interpreter": INTERPRETER,
        }


def tflm_cost(graph: Graph, order: Sequence[str] | None = None) -> TflmCost:
    """Arena and flash of a network.

    Args:
        graph: the network.
        order: names of nodes in order of execution, see ``reordered``; None takes that of the graph.

    Raises:
        GraphError: if an op has no rule or the order is not valid.

    >>> from netwright.ir.graph import GraphBuilder
    >>> from netwright.ir.ops import Conv
    >>> build = GraphBuilder()
    >>> x = build.input((3, 8, 8))
    >>> found = tflm_cost(build.finish(build.apply("conv", Conv(8, (3, 3)), x)))
    >>> found.head_bytes, found.tail_bytes_host64, found.flash_bytes
    (704, 1056, 1104)
    """
    program = lower(graph if order is None else reordered(graph, order))
    _, buffers = _buffers(program)
    return TflmCost(
        program=program,
        head_bytes=plan(buffers).bytes,
        live_bytes=live_sum(buffers),
        tail_bytes_host64=tail_bytes(program, HOST64),
        tail_bytes_mcu32=tail_bytes(program, MCU32),
        flash_bytes=flash_bytes(program),
        planning_bytes_host64=planning_bytes(program),
    )


def planning_bytes(program: Program) -> int:
    """Memory beside the tail while the interpreter plans, on a 64-bit computer.

    For every tensor, constants too, and every scratch buffer a record of its lifetime (32 bytes); for each
    that is planned the planner's own records (40: four numbers, a size, an index, an entry of three numbers,
    an offset); requests for scratch buffers, and room for 12 more (16 each). The views of input and output
    (104 each) that the tail has in the end are not there yet. While layers are prepared, up to 688 bytes are
    taken. Measured on the wheel ``INTERPRETER``; where blocks have to be aligned, up to 16 bytes too much.

    Args:
        program: the converted file.
    """
    scratch = sum(len(sizes) for sizes in scratch_of(program))
    planned = sum(not tensor.constant for tensor in program.tensors)
    records = _LIFETIME * (len(program.tensors) + scratch) + _PLANNED * (planned + scratch)
    requests = _REQUEST * (scratch + _MOST_REQUESTS)
    views = _VIEW * (len(program.inputs) + len(program.outputs))
    return max(_PREPARING, records + requests - views + 16)


def scratch_of(program: Program) -> list[tuple[int, ...]]:
    """For every operator the sizes of the buffers that its kernel asks for, in bytes."""
    tensors = program.tensors
    return [
        scratch_sizes(op.kind, prod(tensors[op.output].shape)) if op.kind in REDUCTIONS else ()
        for op in program.operators
    ]


def _buffers(program: Program) -> tuple[list[int], list[Lifetime]]:
    return lifetimes(program, scratch_of(program))


def _moments(program: Program) -> tuple[OperatorMoment, ...]:
    order, buffers = _buffers(program)
    places = plan(buffers).offsets
    nodes = [program.tensors[index].node for index in order]
    for operator, sizes in zip(program.operators, scratch_of(program), strict=True):
        nodes += [operator.node] * len(sizes)
    moments = []
    for time, operator in enumerate(program.operators, 1):
        alive = tuple(
            Buffer(node, number >= len(order), place, size)
            for number, (node, place, (size, first, last)) in enumerate(
                zip(nodes, places, buffers, strict=True)
            )
            if first <= time <= last
        )
        moments.append(
            OperatorMoment(
                operator.kind,
                operator.node,
                alive,
                sum(buffer.bytes for buffer in alive),
                max(buffer.offset + buffer.bytes for buffer in alive),
            )
        )
    return tuple(moments)
