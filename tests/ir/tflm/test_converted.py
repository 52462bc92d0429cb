"""Converted networks: operators, arena and file against the prediction."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from netwright import blocks as B
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Add, Concat
from netwright.ir.tflm import best_order, reconcile, reordered, tflm_cost

pytestmark = pytest.mark.slow


def _inverted(build: GraphBuilder, x: Tensor) -> Tensor:
    with build.scope("first"):
        x = B.inverted_residual(out=8, expand=3, se=0.25)(build, x)
    with build.scope("second"):
        return B.inverted_residual(out=16, stride=2, expand=4, kernel=5, activation="hardswish")(build, x)


def _shuffled(build: GraphBuilder, x: Tensor) -> Tensor:
    with build.scope("first"):
        x = B.shuffle_v2(out=16, stride=2)(build, x)
    with build.scope("second"):
        return B.shuffle_v2(out=16)(build, x)


def _branched(build: GraphBuilder, x: Tensor) -> Tensor:
    layer = partial(B.conv_bn_act, kernel=1)
    ways = []
    for number, width in enumerate((48, 72)):
        with build.scope(f"way{number}"):
            with build.scope("wide"):
                y = layer(out=width)(build, x)
            with build.scope("narrow"):
                ways.append(layer(out=8 if number == 0 else 2, activation=None)(build, y))
    total = build.apply("sum", Add(), x, ways[0])
    return build.apply("join", Concat(), total, ways[1])


def network(name: str) -> Graph:
    middle = {"inverted": _inverted, "shuffled": _shuffled, "branched": _branched}[name]
    build = GraphBuilder()
    x = build.input((3, 20, 20))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8, stride=2, activation="relu6")(build, x)
    with build.scope("middle"):
        x = middle(build, x)
    with build.scope("end"):
        graph = build.finish(B.classifier(classes=10)(build, x))
    return reordered(graph, best_order(graph))


@pytest.mark.parametrize("name", ["inverted", "shuffled", "branched"])
def test_a_converted_network_takes_what_was_predicted(name: str) -> None:
    needed = 'needs pip install "netwright[edge]"'
    pytest.importorskip("tflite_micro", reason=needed)
    pytest.importorskip("litert_torch", reason=needed)
    export: Any = pytest.importorskip("netwright.export.tflite", reason="the exporter is not there")
    import torch

    from netwright.nn.lower import build

    graph = network(name)
    net = build(graph, seed=0)
    generator = torch.Generator().manual_seed(0)
    # As if trained: batch norms and biases at their start would let branches and biases fold away.
    for key, value in net.state_dict().items():
        if key.endswith(("bn.weight", "running_var")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif key.endswith(("bias", "running_mean")):
            value.normal_(0, 0.3, generator=generator)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(4, *graph.input_shape)).astype(np.float32)
    file = export.convert(net.eval(), images)
    found = tflm_cost(graph)
    reconcile(found.program, export.kinds(file))
    run = export.run_micro(file, images[:1])
    assert (run.head_bytes, run.tail_bytes) == (found.head_bytes, found.tail_bytes_host64)
    assert len(file) == found.flash_bytes
