"""Operations within cells, and what stands around cells.

Operations keep the number of channels C and take a ``stride``, with which they may halve the map. Their
convolutions stand between a relu and a batch norm, so that sums and concatenations within a cell are linear
in their inputs [Zoph et al. 2018, arXiv:1707.07012]. In the formulas H x W is the size of the input, H' x W'
that of the output, and K the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netwright.blocks.block import Block, block
from netwright.blocks.convolution import convolve, require
from netwright.blocks.pooling import avg_pool, max_pool
from netwright.errors import GraphError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    Concat,
    Conv,
    Identity,
    Padding,
    Pair,
    Pool,
    Resize,
    Zero,
)


@block
def relu_conv_bn(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int | Pair = 1,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = "same",
) -> Tensor:
    """Relu, convolution, batch norm: the order of operations in cells [Zoph et al. 2018, arXiv:1707.07012].

    C * F * K² * H' * W' MACs.
    """
    x = build.apply("relu", Activation("relu"), x)
    return convolve(build, x, out=out, kernel=kernel, stride=stride, dilation=dilation, padding=padding)


@block
def factorized_reduce(build: GraphBuilder, x: Tensor, *, out: int) -> Tensor:
    """Halve a map by two pointwise convolutions, one on its even and one on its odd pixels.

    Relu, two 1x1 convolutions of stride 2 with half of the channels each, concatenation, batch norm
    [Zoph et al. 2018, arXiv:1707.07012, App. A.4]: C * F * H' * W' MACs.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F; even.

    Returns:
        Feature map (F, ceil(H / 2), ceil(W / 2)).

    Raises:
        GraphError: if ``out`` is odd, or the map has no odd pixels.
    """
    require(out % 2 == 0, "factorized_reduce.out", x, f"expected an even number of channels, got {out}")
    message = f"expected a map of at least 2x2 pixels, got shape {x.shape}; use fewer reductions"
    require(len(x.shape) == 3 and min(x.shape[1:]) > 1, "factorized_reduce", x, message)
    x = build.apply("relu", Activation("relu"), x)
    # The odd pixels: a crop of one pixel at the top and left, made up for at the end of odd sizes.
    _, height, width = x.shape
    odd = (-1, height % 2, -1, width % 2)
    even_half = build.apply("even", Conv(out // 2, stride=(2, 2)), x)
    odd_half = build.apply("odd", Conv(out // 2, stride=(2, 2), padding=odd), x)
    x = build.apply("concat", Concat(), even_half, odd_half)
    return build.apply("bn", BatchNorm(), x)


@block
def resize_relu_conv_bn(build: GraphBuilder, x: Tensor, *, out: int, size: Pair) -> Tensor:
    """Bring a map to another size by bilinear interpolation, then relu, 1x1 convolution, batch norm.

    How cells on different resolutions are connected [Liu et al. 2019, Auto-DeepLab, arXiv:1901.02985]:
    C * F * H' * W' MACs.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        size: (H', W') in pixels; a map of this size already is not resized.
    """
    if x.shape[1:] != size:
        x = build.apply("resize", Resize(size), x)
    x = build.apply("relu", Activation("relu"), x)
    return convolve(build, x, out=out)


@block
def normal_conv(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int | Pair = 3,
    stride: int = 1,
    dilation: int = 1,
    padding: Padding = "same",
) -> Tensor:
    """Relu, convolution on all channels, batch norm: C² * K² * H' * W' MACs.

    [Zoph et al. 2018, arXiv:1707.07012, App. A.4; Dong & Yang 2020, arXiv:2001.00326, ``nor_conv_3x3``].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        kernel: size of the window, K.
        stride: step in pixels.
        dilation: distance between taps in pixels.
        padding: see ``netwright.ir.ops.Padding``.

    Returns:
        Feature map (C, H', W').
    """
    x = build.apply("relu", Activation("relu"), x)
    return convolve(
        build, x, out=x.channels, kernel=kernel, stride=stride, dilation=dilation, padding=padding
    )


@block
def sep_conv(
    build: GraphBuilder, x: Tensor, *, kernel: int = 3, stride: int = 1, padding: Padding = "same"
) -> Tensor:
    """Twice relu, depthwise and pointwise convolution, batch norm; the stride is that of the first.

    2 * C * (K² + C) * H' * W' MACs [Zoph et al. 2018, arXiv:1707.07012, App. A.4].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        kernel: size of the depthwise windows, K.
        stride: step of the first depthwise convolution.
        padding: of both depthwise convolutions.

    Returns:
        Feature map (C, H', W').
    """
    with build.scope("first"):
        x = _separable(build, x, kernel, stride, 1, padding)
    with build.scope("second"):
        return _separable(build, x, kernel, 1, 1, padding)


@block
def dil_conv(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int = 3,
    stride: int = 1,
    dilation: int = 2,
    padding: Padding = "same",
) -> Tensor:
    """Relu, dilated depthwise convolution, pointwise convolution, batch norm.

    C * (K² + C) * H' * W' MACs [Liu et al. 2019, DARTS, arXiv:1806.09055, Sec. 3.1.1].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        kernel: size of the depthwise window, K.
        stride: step of the depthwise convolution.
        dilation: distance between taps in pixels; 1 is an ordinary separable convolution.
        padding: of the depthwise convolution.

    Returns:
        Feature map (C, H', W').
    """
    return _separable(build, x, kernel, stride, dilation, padding)


def _separable(
    build: GraphBuilder, x: Tensor, kernel: int, stride: int, dilation: int, padding: Padding
) -> Tensor:
    """Depthwise and pointwise convolution with nothing in between."""
    channels = x.channels
    x = build.apply("relu", Activation("relu"), x)
    depthwise = Conv(
        channels,
        (kernel, kernel),
        (stride, stride),
        (dilation, dilation),
        groups=channels,
        padding=padding,
    )
    x = build.apply("depthwise.conv", depthwise, x)
    return convolve(build, x, "pointwise", out=channels)


@block
def row_column_conv(
    build: GraphBuilder, x: Tensor, *, kernel: int = 7, stride: int = 1, padding: Padding = "same"
) -> Tensor:
    """Relu, 1xK convolution, Kx1 convolution, batch norm; the stride is split between the two.

    The first steps horizontally, the second vertically: C² * K * (H * W' + H' * W') MACs
    [Zoph et al. 2018, arXiv:1707.07012, Sec. 3].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        kernel: K, 3 or 7 in the paper.
        stride: step in pixels.
        padding: "same" or "symmetric".

    Returns:
        Feature map (C, H', W').
    """
    channels = x.channels
    x = build.apply("relu", Activation("relu"), x)
    x = build.apply("row.conv", Conv(channels, (1, kernel), (1, stride), padding=padding), x)
    return convolve(build, x, "column", out=channels, kernel=(kernel, 1), stride=(stride, 1), padding=padding)


@block
def skip_connect(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    """The identity at stride 1; at stride 2 a factorized reduction, C² * H' * W' MACs.

    [Liu et al. 2019, DARTS, arXiv:1806.09055, Sec. 3.1.1].

    Args:
        build: the builder.
        x: feature map (C, H, W); C even and H, W at least 2 for stride 2.
        stride: 1 or 2.

    Returns:
        Feature map (C, H', W').

    Raises:
        GraphError: if the stride is another, or the map cannot be halved.
    """
    require(stride in (1, 2), "skip_connect.stride", x, f"expected 1 or 2, got {stride!r}")
    if stride == 1:
        return build.apply("identity", Identity(), x)
    return factorized_reduce(out=x.channels)(build, x)


@block
def zero(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    """All zeros, the operation ``none`` of cell spaces: no MACs, no weights."""
    return build.apply("zero", Zero((stride, stride)), x)


@block
def residual_reduction(build: GraphBuilder, x: Tensor, *, out: int, padding: Padding = "same") -> Tensor:
    """Halve the map between two stages of cells: 3x3, 3x3, and a pooled shortcut.

    (9 * C * F + 9 * F² + C * F) * H' * W' MACs [Dong & Yang 2020, arXiv:2001.00326, Fig. 1].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        padding: of the 3x3 convolutions and the pooling; "symmetric" needs even H and W.

    Returns:
        Feature map (F, H', W').
    """
    y = x
    for place, stride in (("first", 2), ("second", 1)):
        with build.scope(place):
            y = relu_conv_bn(out=out, kernel=3, stride=stride, padding=padding)(build, y)
    shortcut = build.apply("shortcut.pool", Pool("average", (2, 2), (2, 2), padding), x)
    shortcut = build.apply("shortcut.conv", Conv(out), shortcut)
    return build.apply("add", Add(), shortcut, y)


@block
def bn_relu(build: GraphBuilder, x: Tensor) -> Tensor:
    """Batch norm and relu behind the last cell; no MACs."""
    return build.apply("relu", Activation("relu"), build.apply("bn", BatchNorm(), x))


CELL_OPERATIONS: Mapping[str, Block] = MappingProxyType(
    {
        "none": zero(),
        "skip_connect": skip_connect(),
        "max_pool_3x3": max_pool(kernel=3, stride=1),
        "max_pool_5x5": max_pool(kernel=5, stride=1),
        "max_pool_7x7": max_pool(kernel=7, stride=1),
        "avg_pool_3x3": avg_pool(kernel=3, stride=1),
        "sep_conv_3x3": sep_conv(kernel=3),
        "sep_conv_5x5": sep_conv(kernel=5),
        "sep_conv_7x7": sep_conv(kernel=7),
        "dil_conv_3x3": dil_conv(kernel=3),
        "dil_conv_5x5": dil_conv(kernel=5),
        "nor_conv_1x1": normal_conv(kernel=1),
        "nor_conv_3x3": normal_conv(kernel=3),
        "nor_conv_3x3_d2": normal_conv(kernel=3, dilation=2),
        "conv_3x1_1x3": row_column_conv(kernel=3),
        "conv_7x1_1x7": row_column_conv(kernel=7),
    }
)
"""The operations of published cells under their published names, at stride 1 with padding "same".

Names as in DARTS and NAS-Bench-201; the 3x3 convolution of dilation 2 and the 1x3 then 3x1 convolution, which
only NASNet has, are named alike."""


def cell_operation(name: str, *, stride: int = 1, padding: Padding = "same") -> Block:
    """An operation of ``CELL_OPERATIONS`` with another stride or padding.

    Args:
        name: one of ``CELL_OPERATIONS``.
        stride: step in pixels.
        padding: for operations that have a window.

    Raises:
        GraphError: if there is no such operation.

    >>> cell_operation("sep_conv_5x5", stride=2).arguments
    (('kernel', 5), ('stride', 2), ('padding', 'same'))
    """
    found = CELL_OPERATIONS.get(name)
    if found is None:
        raise GraphError(f"operation: expected one of {', '.join(CELL_OPERATIONS)}, got {name!r}")
    return found.replace(stride=stride, padding=padding)
