"""Blocks of the MobileNets against published numbers and torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.blocks import (
    depthwise_separable,
    grouped_inverted_residual,
    inverted_residual,
    make_divisible,
    squeeze_excite,
)
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import GraphBuilder
from netwright.ir.ops import Activation, Conv
from tests.torch_oracle import ask_torch, graph_of, random_network


@pytest.mark.parametrize("size", [1, 7, 14])
def test_published_inverted_residual(size: int) -> None:
    """FACTS: 160 channels, expansion 6, kernel 3: 315,840 * H * W."""
    graph = graph_of(inverted_residual(out=160), (160, size, size))
    assert cost(graph).macs == 315_840 * size * size


@settings(max_examples=30)
@given(
    out=st.sampled_from((8, 12)),
    kernel=st.sampled_from((3, 5, 7)),
    stride=st.sampled_from((1, 2)),
    expand=st.sampled_from((1, 2.5, 3, 6)),
    se=st.sampled_from((0.0, 0.25)),
    padding=st.sampled_from(("same", "symmetric")),
    size=st.integers(5, 12),
)
def test_inverted_residual_is_what_torch_finds(
    out: int, kernel: int, stride: int, expand: float, se: float, padding: Any, size: int
) -> None:
    block = inverted_residual(out=out, kernel=kernel, stride=stride, expand=expand, se=se, padding=padding)
    graph = graph_of(block, (8, size, size))
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes
    names = verdict.shapes.keys()
    assert ("add" in names) == (stride == 1 and out == 8)
    assert ("expand.conv" in names) == (expand != 1)
    hidden, after = int(8 * expand), graph["project.conv"].shape[1]
    formula = (8 * hidden * size**2 if expand != 1 else 0) + hidden * (kernel**2 + out) * after**2
    assert found.macs == formula + (2 * hidden * make_divisible(hidden * se) if se else 0)


def test_places_of_an_inverted_residual() -> None:
    graph = graph_of(inverted_residual(out=16, se=0.25, activation="hardswish"), (16, 8, 8))
    assert [node.name for node in graph.nodes[1:]] == [
        *("expand.conv", "expand.bn", "expand.act"),
        *("depthwise.conv", "depthwise.bn", "depthwise.act"),
        *("se.pool", "se.reduce", "se.act", "se.expand", "se.gate", "se.scale"),
        *("project.conv", "project.bn"),
        "add",
    ]
    assert graph["depthwise.act"].op == Activation("hardswish")
    assert graph["se.act"].op == Activation("relu")
    assert graph["se.gate"].op == Activation("hardsigmoid")


def test_mobilenet_v2_block_has_relu6_and_a_linear_end() -> None:
    graph = graph_of(inverted_residual(out=16), (16, 8, 8))
    functions = {node.name: node.op for node in graph.nodes if isinstance(node.op, Activation)}
    assert functions == {"expand.act": Activation("relu6"), "depthwise.act": Activation("relu6")}


@pytest.mark.parametrize(("hidden", "squeezed"), [(16, 8), (72, 24), (120, 32), (672, 168), (960, 240)])
def test_squeezed_width_of_mobilenet_v3(hidden: int, squeezed: int) -> None:
    """The widths of the published MobileNetV3-Large."""
    graph = graph_of(inverted_residual(out=40, hidden=hidden, se=0.25), (16, 8, 8))
    assert graph["se.reduce"].op == Conv(squeezed, bias=True)
    assert graph["depthwise.conv"].shape[0] == hidden
    assert ("expand.conv" in {node.name for node in graph.nodes}) == (hidden != 16)


def test_hidden_replaces_expand() -> None:
    by_ratio = graph_of(inverted_residual(out=24, expand=4.5), (16, 8, 8))
    assert graph_of(inverted_residual(out=24, hidden=72), (16, 8, 8)) == by_ratio


@pytest.mark.parametrize("arguments", [{"expand": 0}, {"hidden": 0}, {"expand": 0.01}])
def test_expansion_to_nothing_is_refused(arguments: dict[str, Any]) -> None:
    build = GraphBuilder()
    x = build.input((16, 8, 8), name="stem")
    name, value = next(iter(arguments.items()))
    message = rf"inverted_residual\.{name}, behind stem: .* got {value}"
    with pytest.raises(GraphError, match=message):
        inverted_residual(out=24, **arguments)(build, x)


@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_separable_computes_both_convolutions(stride: int) -> None:
    graph = graph_of(depthwise_separable(out=12, kernel=5, stride=stride), (8, 9, 9))
    after = graph["pointwise.act"].shape[1]
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert found.macs == 8 * (25 + 12) * after**2
    assert found.params_without_bn == 8 * 25 + 8 * 12


@pytest.mark.parametrize("gate", ["hardsigmoid", "sigmoid"])
def test_squeeze_excite_is_the_published_formula(gate: Any) -> None:
    """[Hu et al. 2017, arXiv:1709.01507, Eq. 2 to 4]."""
    graph = graph_of(squeeze_excite(ratio=0.5, divisor=4, gate=gate), (16, 5, 5))
    network = random_network(graph)
    state, image = network.state_dict(), torch.randn(2, 16, 5, 5, dtype=torch.float64)
    squeezed = image.mean((2, 3))
    hidden = F.relu(squeezed @ state["reduce.weight"].flatten(1).T + state["reduce.bias"])
    logits = hidden @ state["expand.weight"].flatten(1).T + state["expand.bias"]
    factor = torch.sigmoid(logits) if gate == "sigmoid" else F.relu6(logits + 3) / 6
    with torch.no_grad():
        torch.testing.assert_close(network(image), image * factor[:, :, None, None])
    found = cost(graph)
    assert (found.macs, found.params) == (2 * 16 * 8, 2 * 16 * 8 + 16 + 8)


@settings(max_examples=30)
@given(
    out=st.sampled_from((8, 12)),
    kernel=st.sampled_from((3, 5)),
    stride=st.sampled_from((1, 2)),
    expand=st.sampled_from((1, 3, 6)),
    groups=st.sampled_from((1, 2, 4)),
    padding=st.sampled_from(("same", "symmetric")),
    size=st.integers(5, 12),
)
def test_grouped_inverted_residual_is_what_torch_finds(
    out: int, kernel: int, stride: int, expand: int, groups: int, padding: Any, size: int
) -> None:
    block = grouped_inverted_residual(
        out=out, kernel=kernel, stride=stride, expand=expand, groups=groups, padding=padding
    )
    graph = graph_of(block, (8, size, size))
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes
    hidden, after = 8 * expand, graph["project.conv"].shape[1]
    formula = 8 * hidden * size**2 // groups + hidden * (kernel**2 * groups + out) * after**2 // groups
    assert found.macs == formula


def test_grouped_inverted_residual_shuffles_between_its_groups() -> None:
    """[Wu et al. 2018, arXiv:1812.03443, Fig. 3]; every output channel sees every input channel."""
    network = random_network(graph_of(grouped_inverted_residual(out=8, groups=2, expand=1), (8, 5, 5)))
    image = torch.randn(1, 8, 5, 5, dtype=torch.float64, requires_grad=True)
    output = network(image) - image
    for channel in range(8):
        (gradient,) = torch.autograd.grad(output[0, channel].sum(), image, retain_graph=True)
        assert (gradient[0].abs().sum((1, 2)) > 0).all()
    names = [node.name for node in graph_of(grouped_inverted_residual(out=8, expand=1), (8, 5, 5)).nodes]
    assert "shuffle" not in names
    assert "expand.conv" in names


def test_grouped_inverted_residual_needs_channels() -> None:
    build = GraphBuilder()
    x = build.input((16, 8, 8), name="stem")
    with pytest.raises(GraphError, match=r"grouped_inverted_residual\.expand, behind stem: .* got 0"):
        grouped_inverted_residual(out=24, expand=0)(build, x)


@pytest.mark.parametrize("stride", [1, (1, 1)])
def test_a_stride_of_1_keeps_the_shortcut_however_it_is_written(stride: int | tuple[int, int]) -> None:
    graph = graph_of(inverted_residual(out=4, kernel=(1, 5), stride=stride), (4, 1, 32))
    assert [node.name for node in graph.nodes if node.op.kind == "add"] == ["add"]


def test_a_stride_in_one_direction_has_no_shortcut() -> None:
    graph = graph_of(inverted_residual(out=4, kernel=(1, 5), stride=(1, 2)), (4, 1, 32))
    assert graph.nodes[-1].shape == (4, 1, 16)
    assert not [node for node in graph.nodes if node.op.kind == "add"]
