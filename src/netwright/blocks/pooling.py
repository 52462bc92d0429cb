"""Blocks without weights: pooling and passing on."""

from __future__ import annotations

from netwright.blocks.block import block
from netwright.blocks.convolution import square
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Identity, Padding, Pair, Pool


@block
def max_pool(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int | Pair = 3,
    stride: int | Pair = 2,
    padding: Padding = "same",
) -> Tensor:
    """Largest value of each window; no MACs, no weights."""
    return build.apply("pool", Pool("max", square(kernel), square(stride), padding), x)


@block
def avg_pool(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int | Pair = 3,
    stride: int | Pair = 2,
    padding: Padding = "same",
) -> Tensor:
    """Mean of each window, padding left out of the count; no MACs, no weights."""
    return build.apply("pool", Pool("average", square(kernel), square(stride), padding), x)


@block
def identity(build: GraphBuilder, x: Tensor) -> Tensor:
    """Pass the input on: the option of a choice that skips a layer."""
    return build.apply("identity", Identity(), x)
