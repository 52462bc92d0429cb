"""Operations of cells against the published code in torch, their formulas, and what they refuse."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from netwright.blocks import (
    CELL_OPERATIONS,
    Block,
    avg_pool,
    bn_relu,
    cell_operation,
    dil_conv,
    factorized_reduce,
    max_pool,
    normal_conv,
    relu_conv_bn,
    residual_reduction,
    row_column_conv,
    sep_conv,
    skip_connect,
    zero,
)
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.nn.lower import build
from tests.cell_reference import published, reduced
from tests.torch_oracle import ask_torch, graph_of, random_network


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (9, 7)])
@pytest.mark.parametrize("name", CELL_OPERATIONS)
def test_operations_compute_what_the_published_code_does(
    name: str, size: tuple[int, int], stride: int
) -> None:
    block = cell_operation(name, stride=stride, padding="symmetric")
    network = random_network(graph_of(block, (6, *size)))
    image = torch.randn(2, 6, *size, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(image), published(name, image, network.state_dict(), stride))


@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", CELL_OPERATIONS)
def test_operations_keep_the_channels_and_halve_the_map(name: str, stride: int, padding: str) -> None:
    for height, width in ((8, 8), (7, 5), (2, 3)):
        block = cell_operation(name, stride=stride, padding=padding)  # type: ignore[arg-type]
        graph = graph_of(block, (4, height, width))
        assert graph.nodes[-1].shape == (4, -(-height // stride), -(-width // stride))
        verdict, found = ask_torch(graph), cost(graph)
        assert (found.macs, found.params) == (verdict.macs, verdict.params)


def test_a_known_operation_of_each_kind() -> None:
    assert cell_operation("sep_conv_7x7", stride=2) == sep_conv(kernel=7, stride=2)
    assert cell_operation("nor_conv_3x3_d2") == normal_conv(dilation=2)
    assert cell_operation("none", stride=2) == zero(stride=2)
    with pytest.raises(GraphError, match=r"operation: expected one of none, skip_connect, .* got 'conv'"):
        cell_operation("conv")


C, F_, K, H, W = 6, 10, 5, 8, 12
SMALL = H // 2 * W // 2
FORMULAS: dict[str, tuple[Block, int]] = {
    "relu_conv_bn": (relu_conv_bn(out=F_, kernel=K, stride=2), C * F_ * K * K * SMALL),
    "factorized_reduce": (factorized_reduce(out=F_), C * F_ * SMALL),
    "normal_conv": (normal_conv(kernel=K, stride=2), C * C * K * K * SMALL),
    "sep_conv": (sep_conv(kernel=K, stride=2), 2 * C * (K * K + C) * SMALL),
    "dil_conv": (dil_conv(kernel=K, stride=2), C * (K * K + C) * SMALL),
    "row_column_conv": (row_column_conv(kernel=K, stride=2), C * C * K * (H * W // 2 + SMALL)),
    "skip_connect": (skip_connect(stride=2), C * C * SMALL),
    "identity": (skip_connect(), 0),
    "zero": (zero(stride=2), 0),
    "residual_reduction": (
        residual_reduction(out=F_),
        (9 * C * F_ + 9 * F_ * F_ + C * F_) * SMALL,
    ),
    "bn_relu": (bn_relu(), 0),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_macs_follow_the_formula(name: str) -> None:
    block, macs = FORMULAS[name]
    assert cost(graph_of(block, (C, H, W))).macs == macs


@pytest.mark.parametrize("size", [(8, 8), (8, 7), (2, 2), (3, 3)])
def test_factorized_reduction_reads_even_and_odd_pixels(size: tuple[int, int]) -> None:
    graph = graph_of(factorized_reduce(out=4), (3, *size))
    network = random_network(graph)
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(image), reduced(image, network.state_dict()))
    assert graph["odd"].shape == graph["even"].shape
    assert Graph.from_json(graph.to_json()) == graph


def test_factorized_reduction_refuses_what_it_cannot_halve() -> None:
    with pytest.raises(GraphError, match=r"factorized_reduce\.out, behind input: .* even .* got 5"):
        graph_of(factorized_reduce(out=5), (3, 8, 8))
    with pytest.raises(GraphError, match=r"at least 2x2 pixels, got shape \(4, 1, 8\); use fewer"):
        graph_of(factorized_reduce(out=4), (4, 1, 8))
    with pytest.raises(GraphError, match=r"skip_connect\.stride, behind input: expected 1 or 2, got 3"):
        graph_of(skip_connect(stride=3), (4, 8, 8))


@pytest.mark.parametrize("make", [max_pool, avg_pool])
def test_pooling_may_be_normalised_without_weights(make: type[Block]) -> None:
    """The pooling of DARTS' mixed operations: batch norm with neither scale nor shift."""
    graph = graph_of(make(stride=1, padding="symmetric", norm=True), (3, 6, 6))  # type: ignore[call-arg]
    assert cost(graph).params == 0
    image = torch.randn(4, 3, 6, 6)
    found = build(graph)(image)
    pooled = F.max_pool2d(image, 3, 1, 1)
    if make is avg_pool:
        pooled = F.avg_pool2d(image, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(found, F.batch_norm(pooled, None, None, training=True))
