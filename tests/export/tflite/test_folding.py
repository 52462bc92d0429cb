from __future__ import annotations

import pytest
import torch

from netwright.errors import ExportError
from netwright.export.tflite.folding import fold
from netwright.export.tflite.module import Deployed
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Concat, Conv, Identity, Linear
from netwright.ir.tflm import reordered
from netwright.nn.lower import build
from tests.export.networks import classifier, pixel_labeller
from tests.export.tflite.small import GRAPHS, images, random_weights
from tests.torch_oracle import random_network

# Pools with padding on one side become what the network computes only when the pad is folded into them.
PADDED_POOLS = ("branches", "shuffled", "signals")


@pytest.mark.parametrize("name", sorted(set(GRAPHS) - set(PADDED_POOLS)))
def test_the_module_computes_what_the_network_computes(name: str) -> None:
    graph = GRAPHS[name]()
    network = random_weights(graph).double()
    batch = images(graph, 3).double()
    module = Deployed(fold(network)).double().eval()
    with torch.no_grad():
        found, expected = module(batch.permute(0, 2, 3, 1)), network(batch)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_maps_come_out_with_their_channels_last() -> None:
    graph = pixel_labeller()
    network = random_network(graph)
    batch = images(graph, 2).double()
    with torch.no_grad():
        found, expected = Deployed(fold(network)).double()(batch.permute(0, 2, 3, 1)), network(batch)
    torch.testing.assert_close(found.permute(0, 3, 1, 2), expected, rtol=1e-4, atol=1e-4)


def test_batch_norm_goes_into_the_layer_that_only_it_reads() -> None:
    build_graph = GraphBuilder()
    x = build_graph.input((4, 5, 5))
    x = build_graph.apply("first", BatchNorm(), x)
    y = build_graph.apply("conv", Conv(6, (3, 3)), x)
    y = build_graph.apply("pass", Identity(), y)
    y = build_graph.apply("bn", BatchNorm(affine=False), y)
    z = build_graph.apply("shared", Conv(6), x)
    w = build_graph.apply("other", BatchNorm(), z)
    graph = build_graph.finish(build_graph.apply("add", Add(), y, z, w))
    network = random_network(graph)
    folded = fold(network)
    kinds = {node.name: node.op.kind for node in folded.graph.nodes}
    # The first norm has no layer before it, and the result of "shared" is read without its norm as well.
    assert kinds == {
        "input": "input",
        "first": "conv",
        "conv": "conv",
        "shared": "conv",
        "other": "conv",
        "add": "add",
    }
    batch = images(graph, 2).double()
    with torch.no_grad():
        found = Deployed(folded).double()(batch.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        torch.testing.assert_close(found, network(batch), rtol=1e-5, atol=1e-5)


def test_batch_norm_behind_a_linear_layer_goes_into_it_and_elsewhere_is_an_error() -> None:
    build_graph = GraphBuilder()
    x = build_graph.input((6,))
    x = build_graph.apply("linear", Linear(5), x)
    x = build_graph.apply("bn", BatchNorm(), x)
    x = build_graph.apply("act", Activation("relu"), x)
    network = random_network(build_graph.finish(x))
    assert [node.name for node in fold(network).graph.nodes] == ["input", "linear", "act"]
    graph = build_graph.finish(build_graph.apply("late", BatchNorm(), x))
    with pytest.raises(ExportError, match="late: a batch norm on a vector"):
        fold(random_network(graph))


def test_the_network_that_is_folded_stays_as_it_is() -> None:
    network = random_network(classifier())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fold(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def _two_branches() -> Graph:
    build_graph = GraphBuilder()
    x = build_graph.input((2, 4, 4))
    a = build_graph.apply("a.conv", Conv(2), x)
    a = build_graph.apply("a.bn", BatchNorm(), a)
    b = build_graph.apply("b.conv", Conv(3), x)
    b = build_graph.apply("b.act", Activation("relu"), b)
    return build_graph.finish(build_graph.apply("concat", Concat(), a, b))


def test_an_order_of_steps_takes_what_is_fused_with_them() -> None:
    graph = reordered(_two_branches(), ["input", "b.conv", "a.conv", "concat"])
    assert [node.name for node in graph.nodes] == ["input", "b.conv", "b.act", "a.conv", "a.bn", "concat"]
    assert graph.outputs == ("concat",)
    network = build(graph, seed=0).eval()
    batch = images(graph, 2)
    same = build(_two_branches(), seed=0).eval()
    assert torch.equal(network(batch), same(batch))
