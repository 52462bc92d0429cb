"""Convolution with batch norm and activation, and the classifier."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.blocks import (
    classifier,
    conv_bn_act,
    convolve,
    depthwise,
    make_divisible,
    mixing_classifier,
    pointwise,
    skip,
)
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import GraphBuilder
from netwright.ir.ops import BatchNorm
from tests.torch_oracle import ask_torch, graph_of


def torchvision_make_divisible(value: float, divisor: int) -> int:
    """The rule as torchvision and TensorFlow publish it, written out step by step."""
    lowest = divisor
    rounded = int(value + divisor / 2)
    rounded -= rounded % divisor
    rounded = max(lowest, rounded)
    if rounded < 0.9 * value:
        rounded += divisor
    return rounded


@given(value=st.floats(0.01, 5000), divisor=st.sampled_from((1, 4, 8, 16)))
def test_make_divisible(value: float, divisor: int) -> None:
    rounded = make_divisible(value, divisor)
    assert rounded == torchvision_make_divisible(value, divisor)
    assert rounded % divisor == 0
    assert rounded >= 0.9 * value


@pytest.mark.parametrize("value", [0, -8])
def test_make_divisible_wants_a_width(value: int) -> None:
    with pytest.raises(GraphError, match=f"expected a width above 0, got {value}"):
        make_divisible(value)


@settings(max_examples=40)
@given(
    out=st.integers(1, 6),
    kernel=st.sampled_from((1, 3, 5, (3, 1))),
    stride=st.sampled_from((1, 2, (2, 1))),
    dilation=st.sampled_from((1, 2)),
    groups=st.sampled_from((1, 2)),
    activation=st.sampled_from((None, "relu", "relu6", "hardswish", "silu")),
    padding=st.sampled_from(("same", "symmetric", (2, 3, 2, 2))),
    size=st.integers(6, 13),
)
def test_conv_bn_act_is_what_torch_finds(
    out: int, kernel: Any, stride: Any, dilation: int, groups: int, activation: Any, padding: Any, size: int
) -> None:
    block = conv_bn_act(
        out=out * groups,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        activation=activation,
        padding=padding,
    )
    if padding not in ("same", "symmetric") and kernel == 5 and dilation == 2:
        return  # the window would not fit the smallest of these maps
    graph = graph_of(block, (4, size, size + 1))
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert {node.name: node.shape for node in graph.nodes[1:]} == verdict.shapes
    assert [node.name for node in graph.nodes[1:]] == (
        ["conv", "bn"] if activation is None else ["conv", "bn", "act"]
    )


def test_convolve_names_its_place() -> None:
    build = GraphBuilder()
    x = build.input((3, 8, 8))
    with build.scope("stage1.0"):
        y = convolve(build, x, "expand", out=8, activation="relu6", bn_eps=1e-3, bn_momentum=0.01)
    graph = build.finish(y)
    assert [node.name for node in graph.nodes[1:]] == [
        "stage1.0.expand.conv",
        "stage1.0.expand.bn",
        "stage1.0.expand.act",
    ]
    assert graph["stage1.0.expand.bn"].op == BatchNorm(eps=1e-3, momentum=0.01)


def test_depthwise_and_pointwise_formulas() -> None:
    """FACTS: C * K² * H * W and F * C * H * W."""
    assert cost(graph_of(depthwise(), (8, 16, 16))).macs == 18_432
    assert cost(graph_of(pointwise(out=16), (8, 16, 16))).macs == 32_768
    assert graph_of(depthwise(kernel=5, stride=2), (8, 15, 16)).nodes[-1].shape == (8, 8, 8)
    assert cost(graph_of(pointwise(out=16, groups=4), (8, 16, 16))).macs == 8_192


def test_classifier() -> None:
    graph = graph_of(classifier(classes=10), (64, 7, 7))
    found = cost(graph)
    assert [node.name for node in graph.nodes[1:]] == ["pool", "flatten", "linear"]
    assert (found.macs, found.params) == (640, 650)


def test_classifier_with_a_hidden_layer() -> None:
    graph = graph_of(classifier(classes=10, hidden=32, activation="hardswish"), (64, 7, 7))
    found = cost(graph)
    assert [node.name for node in graph.nodes[3:]] == ["hidden.linear", "hidden.act", "linear"]
    assert (found.macs, found.params) == (32 * (64 + 10), 32 * 65 + 10 * 33)


def test_error_names_place_and_attribute() -> None:
    build = GraphBuilder()
    x = build.input((4, 8, 8))
    with build.scope("stem"), pytest.raises(GraphError, match=r"^stem\.conv: conv\.groups: .* 4 input"):
        conv_bn_act(out=9, groups=3)(build, x)
    with build.scope("stem2"), pytest.raises(GraphError, match=r"conv\.out_channels: .* got 0"):
        conv_bn_act(out=0)(build, x)
    with build.scope("stem3"), pytest.raises(GraphError, match=r"activation\.function: .* got 'tanh'"):
        conv_bn_act(out=8, activation="tanh")(build, x)


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize(("out", "stride"), [(8, 1), (12, 1), (8, 2), (12, 2)])
def test_skip_is_the_identity_or_the_cheapest_change_of_shape(out: int, stride: int, activation: Any) -> None:
    graph = graph_of(skip(out=out, stride=stride, activation=activation), (8, 7, 7))
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert graph.nodes[-1].shape == ((out, 7, 7) if stride == 1 else (out, 4, 4))
    if (out, stride) == (8, 1):
        assert [node.name for node in graph.nodes[1:]] == ["identity"]
        assert (found.macs, found.params) == (0, 0)
    else:
        names = ["conv", "bn"] if activation is None else ["conv", "bn", "act"]
        assert [node.name for node in graph.nodes[1:]] == names
        assert found.macs == 8 * out * graph.nodes[-1].shape[1] ** 2
        assert found.params == 8 * out + 2 * out


def test_mixing_classifier_has_no_bias_before_the_last_layer() -> None:
    graph = graph_of(mixing_classifier(classes=10, features=32), (16, 7, 7))
    verdict, found = ask_torch(graph), cost(graph)
    assert (found.macs, found.params) == (verdict.macs, verdict.params)
    assert found.macs == 32 * (16 + 10)
    assert found.params == 32 * (16 + 10) + 10
    assert [node.name for node in graph.nodes[1:]] == [
        *("pool", "features.conv", "features.act", "flatten", "linear")
    ]
