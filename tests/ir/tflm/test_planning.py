"""The smallest arena, against the real interpreter that is given less and less."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Conv, Flatten, GlobalPool, Linear, Multiply
from netwright.ir.tflm import lower, tflm_cost
from tests.ir.tflm import files

tflite = pytest.importorskip("netwright.export.tflite", reason='needs pip install "netwright[edge]"')


def chain(layers: int, channels: int, pixels: int) -> Graph:
    build = GraphBuilder()
    x = build.input((3, pixels, pixels))
    for number in range(layers):
        x = build.apply(f"conv{number}", Conv(channels, (3, 3)), x)
    return build.finish(x)


def classified() -> Graph:
    build = GraphBuilder()
    x = build.input((3, 4, 4))
    for number in range(8):
        x = build.apply(f"conv{number}", Conv(4, (3, 3)), x)
    for name, op in (("pool", GlobalPool()), ("flatten", Flatten()), ("linear", Linear(10))):
        x = build.apply(name, op, x)
    return build.finish(x)


def gated() -> Graph:
    build = GraphBuilder()
    x = build.input((4, 4, 4))
    for number in range(6):
        x = build.apply(f"conv{number}", Conv(4), x)
        gate = build.apply(f"pool{number}", GlobalPool(), x)
        gate = build.apply(f"gate{number}", Conv(4, bias=True), gate)
        x = build.apply(f"multiply{number}", Multiply(), x, gate)
    return build.finish(x)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: chain(1, 4, 4),
        lambda: chain(16, 4, 4),
        lambda: chain(32, 8, 16),
        lambda: chain(6, 16, 24),
        classified,
        gated,
    ],
    ids=["one layer", "deep", "deep and wider", "a large head", "classifier", "scratch buffers"],
)
def test_the_smallest_arena_is_predicted_and_never_too_small(make: Callable[[], Graph]) -> None:
    graph = make()
    found = tflm_cost(graph)
    measured = tflite.smallest_arena(files.write(lower(graph)))
    assert measured <= found.smallest_arena_host64 <= measured + 32


def test_planning_decides_where_the_head_is_small() -> None:
    deep, large = tflm_cost(chain(16, 4, 4)), tflm_cost(chain(6, 16, 24))
    assert deep.planning_bytes_host64 > deep.head_bytes
    assert deep.smallest_arena_host64 >= deep.tail_bytes_host64 + deep.planning_bytes_host64
    assert large.planning_bytes_host64 < large.head_bytes
    assert 0 <= large.smallest_arena_host64 - large.arena_bytes_host64 < 16
