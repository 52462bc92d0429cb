"""Converted networks: operators, arena and file against the prediction."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from netwright import blocks as B
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, Concat, Conv, Pool, Slice
from netwright.ir.tflm import TflmCost, best_order, reconcile, reordered, tflm_cost
from netwright.space import size, unrank
from netwright.spaces.catalog import make_space

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


def _cropped(build: GraphBuilder, x: Tensor) -> Tensor:
    x = build.apply("first", Conv(6, (3, 3)), x)
    with build.scope("even"):
        x = B.factorized_reduce(out=12)(build, x)
    x = build.apply("second", Conv(6, (3, 3)), x)
    with build.scope("odd"):
        return B.factorized_reduce(out=16)(build, x)


def _repeated(build: GraphBuilder, x: Tensor) -> Tensor:
    """What is written twice is computed once: activations, pools, slices and sums."""
    x = build.apply("first", Conv(8, (3, 3)), x)
    relus = [build.apply(f"relu{number}", Activation("relu"), x) for number in range(2)]
    layers = []
    for number, relu in enumerate(relus):
        with build.scope(f"way{number}"):
            layers.append(B.conv_bn_act(out=8, kernel=3 - 2 * number)(build, relu))
    pools = [build.apply(f"pool{number}", Pool("max", (3, 3), (1, 1)), layers[0]) for number in range(2)]
    sums = [build.apply(f"sum{number}", Add(), pool, layers[1]) for number, pool in enumerate(pools)]
    halves = [build.apply(f"half{number}", Slice(0, 4), total) for number, total in enumerate(sums)]
    return build.apply("join", Concat(), *sums, *halves)


def network(name: str) -> Graph:
    middles = {
        "inverted": _inverted,
        "shuffled": _shuffled,
        "branched": _branched,
        "cropped": _cropped,
        "repeated": _repeated,
    }
    middle = middles[name]
    build = GraphBuilder()
    x = build.input((3, 20, 20))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8, stride=2, activation="relu6")(build, x)
    with build.scope("middle"):
        x = middle(build, x)
    with build.scope("end"):
        graph = build.finish(B.classifier(classes=10)(build, x))
    return reordered(graph, best_order(graph))


@pytest.mark.parametrize("name", ["inverted", "shuffled", "branched", "cropped", "repeated"])
def test_a_converted_network_takes_what_was_predicted(name: str) -> None:
    found, made = predicted_and_made(network(name))
    assert made[:2] == (found.head_bytes, found.tail_bytes_host64)
    # Some biases that the quantizer adds lack a field of one byte (has_rank), which may spare an alignment.
    assert 0 <= found.flash_bytes - made[2] <= (16 if name == "cropped" else 0)


@pytest.mark.parametrize("rank", [0.2, 0.7])
@pytest.mark.parametrize("name", ["darts", "nasnet"])
def test_networks_of_cells_take_what_was_predicted(name: str, rank: float) -> None:
    space = make_space(name, (3, 16, 16), 10)
    graph = space.to_graph(unrank(space, int(rank * size(space))))
    found, made = predicted_and_made(reordered(graph, best_order(graph)))
    assert made[:2] == (found.head_bytes, found.tail_bytes_host64)
    assert found.flash_bytes == pytest.approx(made[2], rel=0.01)


def predicted_and_made(graph: Graph) -> tuple[TflmCost, tuple[int, int, int]]:
    """What is counted, and head, tail and file of the converted network."""
    needed = 'needs pip install "netwright[edge]"'
    pytest.importorskip("tflite_micro", reason=needed)
    pytest.importorskip("litert_torch", reason=needed)
    export: Any = pytest.importorskip("netwright.export.tflite", reason="the exporter is not there")
    import torch

    from netwright.nn.lower import build

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
    return found, (run.head_bytes, run.tail_bytes, len(file))
