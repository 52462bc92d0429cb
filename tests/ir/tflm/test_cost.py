"""Figures of whole networks, and what is alive at each operator."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given

from netwright import blocks as B
from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.tflm import tflm_cost
from netwright.ir.tflm.planner import aligned
from tests.ir.tflm.networks import networks


def small() -> Graph:
    build = GraphBuilder()
    x = build.input((3, 16, 16))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8, stride=2)(build, x)
    with build.scope("block"):
        x = B.inverted_residual(out=8, expand=4)(build, x)
    with build.scope("end"):
        return build.finish(B.classifier(classes=10)(build, x))


def test_the_head_of_a_residual_block_is_counted_by_hand() -> None:
    """The block's input, and the expanded map before and after its depthwise convolution, of 8 x 8 pixels."""
    found = tflm_cost(small())
    assert found.head_bytes == found.live_bytes == 64 * (8 + 32 + 32)
    assert cost(small()).peak_activation_bytes == 64 * (8 + 32 + 32)


def test_arena_is_head_and_the_tail_that_is_named() -> None:
    found = tflm_cost(small())
    assert found.arena_bytes_host64 == found.head_bytes + found.tail_bytes_host64
    assert found.arena_bytes_mcu32 == found.head_bytes + found.tail_bytes_mcu32
    assert found.to_dict()["arena_bytes_mcu32"] == found.arena_bytes_mcu32


@given(networks())
def test_a_microcontroller_keeps_less_than_a_host(graph: Graph) -> None:
    found = tflm_cost(graph)
    assert 0.3 * found.tail_bytes_host64 < found.tail_bytes_mcu32 < 0.8 * found.tail_bytes_host64


@given(networks())
def test_moments_add_up_to_the_head(graph: Graph) -> None:
    found = tflm_cost(graph)
    moments = found.moments()
    assert [moment.kind for moment in moments] == list(found.program.kinds)
    if moments:
        assert max(moment.reach_bytes for moment in moments) == found.head_bytes
        assert max(moment.live_bytes for moment in moments) == found.live_bytes
    for moment, operator in zip(moments, found.program.operators, strict=True):
        needed = {index for index in (*operator.inputs, operator.output) if index >= 0}
        least = sum(
            aligned(found.program.tensors[index].bytes)
            for index in needed
            if not found.program.tensors[index].constant
        )
        assert moment.live_bytes >= least
        assert moment.node == operator.node


def test_neither_torch_nor_numpy_is_needed() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['numpy'] = None; "
        "from netwright.ir.graph import GraphBuilder; from netwright.ir.ops import Conv; "
        "from netwright.ir.tflm import tflm_cost; build = GraphBuilder(); "
        "x = build.apply('conv', Conv(8), build.input((3, 8, 8))); "
        "print(tflm_cost(build.finish(x)).head_bytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == 64 * 3 + 64 * 8
