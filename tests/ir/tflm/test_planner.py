"""The planner against a simulation byte by byte, and against the real interpreter."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.ir.graph import Graph
from netwright.ir.tflm.cost import scratch_of, tflm_cost
from netwright.ir.tflm.lowering import lower
from netwright.ir.tflm.planner import Lifetime, lifetimes, live_sum, plan
from tests.ir.tflm.networks import networks

spans = st.tuples(st.integers(1, 6), st.integers(0, 9), st.integers(0, 4)).map(
    lambda drawn: Lifetime(16 * drawn[0], drawn[1], drawn[1] + drawn[2])
)


def place_in_a_grid(buffers: list[Lifetime]) -> list[int]:
    """Offsets by the rules of the interpreter, on a grid of 16 bytes by time that is filled in."""
    taken: set[tuple[int, int]] = set()
    offsets = [0] * len(buffers)
    numbered = sorted(enumerate(buffers), key=lambda item: item[0], reverse=True)
    for index, (size, first, last) in sorted(numbered, key=lambda item: item[1].size, reverse=True):
        row = 0
        times = range(first, last + 1)
        while any((row + n, time) in taken for n in range(size // 16) for time in times):
            row += 1
        taken |= {(row + n, time) for n in range(size // 16) for time in times}
        offsets[index] = 16 * row
    return offsets


@given(st.lists(spans, max_size=12))
def test_offsets_equal_those_of_the_grid(buffers: list[Lifetime]) -> None:
    found = plan(buffers)
    assert list(found.offsets) == place_in_a_grid(buffers)
    ends = [offset + buffer.size for offset, buffer in zip(found.offsets, buffers, strict=True)]
    assert found.bytes == max(ends, default=0)


@given(st.lists(spans, max_size=14))
def test_buffers_that_are_alive_together_do_not_overlap(buffers: list[Lifetime]) -> None:
    placed = list(zip(plan(buffers).offsets, buffers, strict=True))
    for (start, a), (other, b) in combinations(placed, 2):
        if a.first <= b.last and b.first <= a.last:
            assert start + a.size <= other or other + b.size <= start


@given(st.lists(spans, max_size=14))
def test_the_head_is_no_less_than_what_is_alive_at_any_time(buffers: list[Lifetime]) -> None:
    times = range(20)
    most = max(sum(b.size for b in buffers if b.first <= time <= b.last) for time in times)
    assert live_sum(buffers) == most <= plan(buffers).bytes


def test_a_plan_can_have_gaps() -> None:
    """Twice the same buffer to the left and to the right of one that is alive throughout."""
    buffers = [Lifetime(64, 0, 1), Lifetime(48, 1, 2), Lifetime(80, 2, 3)]
    assert plan(buffers).bytes == 128 == live_sum(buffers)
    buffers = [Lifetime(96, 0, 1), Lifetime(16, 1, 3), Lifetime(96, 3, 4), Lifetime(112, 2, 3)]
    assert plan(buffers).bytes > live_sum(buffers) - 16


@settings(max_examples=30)
@given(networks())
def test_the_real_interpreter_takes_the_same_arena(graph: Graph) -> None:
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    from tests.ir.tflm.files import measure, write

    found = tflm_cost(graph)
    measured = measure(write(found.program))
    assert (found.head_bytes, found.tail_bytes_host64) == measured


@pytest.mark.slow
@settings(max_examples=1000)
@given(networks(most_ops=25))
def test_the_real_interpreter_takes_the_same_arena_for_many(graph: Graph) -> None:
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    from tests.ir.tflm.files import measure, write

    found = tflm_cost(graph)
    assert (found.head_bytes, found.tail_bytes_host64) == measure(write(found.program))


@given(networks())
def test_lifetimes_span_from_the_writer_to_the_last_reader(graph: Graph) -> None:
    program = lower(graph)
    order, buffers = lifetimes(program, scratch_of(program))
    for index, (size, first, last) in zip(order, buffers, strict=False):
        writers = [t for t, op in enumerate(program.operators, 1) if op.output == index]
        readers = [t for t, op in enumerate(program.operators, 1) if index in op.inputs]
        readers += [len(program.operators)] if index in program.outputs else []
        assert size % 16 == 0
        assert first == (writers[0] if writers else 0)
        assert last == max([first, *readers])
