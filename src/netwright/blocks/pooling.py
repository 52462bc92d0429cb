"""Blocks without weights: pooling and passing on."""

from __future__ import annotations

from netwright.blocks.block import block
from netwright.blocks.convolution import square
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import BatchNorm, Identity, Padding, Pair, Pool


@block
def max_pool(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int | Pair = 3,
    stride: int | Pair = 2,
    padding: Padding = "same",
    norm: bool = False,
) -> Tensor:
    """Largest value of each window; no MACs, no weights.

    With ``norm`` a batch norm without scale and shift follows, as in the mixed operations of DARTS, where
    operations have to be of one magnitude to compare [Liu et al. 2019, arXiv:1806.09055].
    """
    return _normed(build, build.apply("pool", Pool("max", square(kernel), square(stride), padding), x), norm)


@block
def avg_pool(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int | Pair = 3,
    stride: int | Pair = 2,
    padding: Padding = "same",
    norm: bool = False,
) -> Tensor:
    """Mean of each window, padding left out of the count; no MACs, no weights; ``norm`` as ``max_pool``."""
    x = build.apply("pool", Pool("average", square(kernel), square(stride), padding), x)
    return _normed(build, x, norm)


def _normed(build: GraphBuilder, x: Tensor, norm: bool) -> Tensor:
    return build.apply("bn", BatchNorm(affine=False), x) if norm else x


@block
def identity(build: GraphBuilder, x: Tensor) -> Tensor:
    """Pass the input on: the option of a choice that skips a layer."""
    return build.apply("identity", Identity(), x)
