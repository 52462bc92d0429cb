"""The planner of TensorFlow Lite Micro, simulated: where in the arena every buffer lies.

The rules of ``GreedyMemoryPlanner`` and ``AllocationInfoBuilder`` of the interpreter: every buffer is
rounded up to 16 bytes. The largest is placed first, of equal ones the one with the higher index; each goes
to the first gap, from the start of the arena, between the buffers that are alive at some time at which it
is. The input is alive from time 0, the operator with index i runs at time i + 1, outputs stay to the end,
and what a kernel asks for as scratch is alive while it runs and has a higher index than all tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netwright.ir.tflm.program import Program

ALIGNMENT = 16


class Lifetime(NamedTuple):
    """A buffer that has to be placed.

    Attributes:
        size: bytes, a multiple of 16.
        first: time from which it is alive.
        last: last time at which it is.
    """

    size: int
    first: int
    last: int


class Plan(NamedTuple):
    """Where the buffers lie.

    Attributes:
        offsets: distance of each from the start of the arena in bytes, in the order of the lifetimes.
        bytes: the end of the one that reaches furthest: the head of the arena.
    """

    offsets: tuple[int, ...]
    bytes: int


def aligned(size: int, alignment: int = ALIGNMENT) -> int:
    """The size rounded up."""
    return -(-size // alignment) * alignment


def lifetimes(program: Program, scratch: Sequence[Sequence[int]]) -> tuple[list[int], list[Lifetime]]:
    """All buffers of a program.

    Args:
        program: the file.
        scratch: for every operator the sizes of the buffers that its kernel asks for.

    Returns:
        Indices of the tensors, and the lifetimes: first those of the tensors, then those of the scratch
        buffers.
    """
    first: dict[int, int] = dict.fromkeys(program.inputs, 0)
    last: dict[int, int] = dict.fromkeys(program.inputs, 0)
    tensors = program.tensors
    time = 0
    for time, operator in enumerate(program.operators, 1):
        output = operator.output
        first[output] = last[output] = time
        for index in operator.inputs:
            if index in first:
                last[index] = time
    for index in program.outputs:
        last[index] = time
    order = sorted(first)
    buffers = [Lifetime(aligned(tensors[index].bytes), first[index], last[index]) for index in order]
    for time, sizes in enumerate(scratch, 1):
        buffers += [Lifetime(aligned(size), time, time) for size in sizes]
    return order, buffers


def plan(buffers: Sequence[Lifetime]) -> Plan:
    """Place the buffers as the interpreter does.

    >>> plan([Lifetime(32, 0, 1), Lifetime(64, 1, 2), Lifetime(16, 2, 3), Lifetime(48, 3, 3)])
    Plan(offsets=(64, 0, 64, 0), bytes=96)
    """
    offsets = [0] * len(buffers)
    placed: list[tuple[int, int, int, int]] = []
    reach = 0
    for index in sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, -i)):
        size, first, last = buffers[index]
        offset = 0
        position = 0
        for start, end, begins, ends in placed:
            if begins > last or ends < first:
                continue
            if start - offset >= size:
                break
            if end > offset:
                offset = end
        for other in placed:
            if other[0] > offset:
                break
            position += 1
        placed.insert(position, (offset, offset + size, first, last))
        offsets[index] = offset
        if offset + size > reach:
            reach = offset + size
    return Plan(tuple(offsets), reach)


def live_sum(buffers: Sequence[Lifetime]) -> int:
    """The largest sum of buffers that are alive at one time: no plan can need less."""
    if not buffers:
        return 0
    end = max(buffer.last for buffer in buffers) + 1
    change = [0] * (end + 1)
    for size, first, last in buffers:
        change[first] += size
        change[last + 1] -= size
    total = most = 0
    for delta in change:
        total += delta
        if total > most:
            most = total
    return most
