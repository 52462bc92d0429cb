"""Blocks of the MobileNets: depthwise separable, inverted residuals, squeeze-and-excite."""

from __future__ import annotations

from functools import partial

from netwright.blocks.block import block
from netwright.blocks.convolution import convolve, make_divisible, require, square
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import (
    Activation,
    Add,
    ChannelShuffle,
    Conv,
    Function,
    GlobalPool,
    Multiply,
    Padding,
    Pair,
)


@block
def depthwise_separable(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int | Pair = 3,
    stride: int | Pair = 1,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Depthwise, then pointwise convolution [Howard et al. 2017, arXiv:1704.04861, Fig. 3].

    C * (K² + F) * H' * W' MACs.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        kernel: size of the depthwise window, K, or (vertical, horizontal).
        stride: step of the depthwise convolution.
        activation: after both convolutions.
        padding: of both convolutions.

    Returns:
        Feature map (F, H', W').
    """
    layer = partial(convolve, build, activation=activation, padding=padding)
    x = layer(x, "depthwise", out=x.channels, kernel=kernel, stride=stride, groups=x.channels)
    return layer(x, "pointwise", out=out)


def _squeeze_excite(
    build: GraphBuilder, x: Tensor, prefix: str, squeeze: int, activation: Function, gate: Function
) -> Tensor:
    y = build.apply(f"{prefix}pool", GlobalPool("average"), x)
    y = build.apply(f"{prefix}reduce", Conv(squeeze, bias=True), y)
    y = build.apply(f"{prefix}act", Activation(activation), y)
    y = build.apply(f"{prefix}expand", Conv(x.channels, bias=True), y)
    y = build.apply(f"{prefix}gate", Activation(gate), y)
    return build.apply(f"{prefix}scale", Multiply(), x, y)


@block
def squeeze_excite(
    build: GraphBuilder,
    x: Tensor,
    *,
    ratio: float = 0.25,
    divisor: int = 8,
    activation: Function = "relu",
    gate: Function = "hardsigmoid",
) -> Tensor:
    """Scale each channel by a gate that sees the whole map [Hu et al. 2017, arXiv:1709.01507].

    With S = make_divisible(C * ratio, divisor) squeezed channels: 2 * C * S MACs, 2 * C * S + C + S
    weights.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        ratio: squeezed channels over C, before rounding.
        divisor: the squeezed width is a multiple of it.
        activation: after the first layer.
        gate: gives the factors; hardsigmoid in MobileNetV3, sigmoid in the paper.

    Returns:
        Feature map (C, H, W).
    """
    return _squeeze_excite(build, x, "", make_divisible(x.channels * ratio, divisor), activation, gate)


@block
def inverted_residual(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int | Pair = 3,
    stride: int | Pair = 1,
    expand: float = 6,
    hidden: int | None = None,
    se: float = 0.0,
    activation: Function = "relu6",
    padding: Padding = "same",
    bn_eps: float = 1e-5,
    bn_momentum: float = 0.1,
) -> Tensor:
    """1x1 up, depthwise, 1x1 down without activation, and a shortcut where the shape allows it.

    MobileNetV2's block [Sandler et al. 2018, arXiv:1801.04381, Table 1] and, with ``se``, MobileNetV3's
    [Howard et al. 2019, arXiv:1905.02244, Fig. 4]. With M = C * expand expanded channels:
    C * M * H * W + M * (K² + F) * H' * W' MACs; without the first term where M = C, as there is no
    expansion then. Squeeze-and-excite adds 2 * M * S, S = make_divisible(M * se, 8).

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        kernel: size of the depthwise window, K, or (vertical, horizontal).
        stride: step of the depthwise convolution; the shortcut needs stride 1 and C = F.
        expand: M / C; need not be whole as long as M, rounded, is what is wanted.
        hidden: M itself, instead of ``expand``.
        se: squeezed over expanded channels, 0.25 in MobileNetV3; 0 leaves squeeze-and-excite out.
        activation: after expansion and depthwise convolution.
        padding: of every convolution.
        bn_eps: added to the variance of the batch norms.
        bn_momentum: share of a new batch in the running statistics.

    Returns:
        Feature map (F, H', W').

    Raises:
        GraphError: if no channel is left after expansion.

    >>> build = GraphBuilder()
    >>> inverted_residual(out=24, stride=2, expand=4)(build, build.input((16, 32, 32))).shape
    (24, 16, 16)
    """
    width = round(x.channels * expand) if hidden is None else hidden
    argument, value = ("expand", expand) if hidden is None else ("hidden", hidden)
    message = f"expected more than 0, as no channel is left of {x.channels}, got {value}"
    require(width > 0, f"inverted_residual.{argument}", x, message)
    layer = partial(convolve, build, padding=padding, bn_eps=bn_eps, bn_momentum=bn_momentum)
    y = x
    if width != x.channels:
        y = layer(y, "expand", out=width, activation=activation)
    y = layer(y, "depthwise", out=width, kernel=kernel, stride=stride, groups=width, activation=activation)
    if se:
        y = _squeeze_excite(build, y, "se.", make_divisible(width * se), "relu", "hardsigmoid")
    y = layer(y, "project", out=out)
    return build.apply("add", Add(), x, y) if square(stride) == (1, 1) and x.channels == out else y


@block
def grouped_inverted_residual(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int | Pair = 3,
    stride: int | Pair = 1,
    expand: int = 6,
    groups: int = 1,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Inverted residual with grouped 1x1 convolutions [Wu et al. 2018, arXiv:1812.03443, Fig. 3].

    With M = C * expand: C * M / groups * H * W + M * (K² + F / groups) * H' * W' MACs. Unlike in MobileNetV2
    the first 1x1 convolution stays at expansion 1. With groups its output is shuffled, so that what follows
    sees all groups.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        kernel: size of the depthwise window, K, or (vertical, horizontal).
        stride: step of the depthwise convolution; the shortcut needs stride 1 and C = F.
        expand: M / C.
        groups: of both 1x1 convolutions.
        activation: after the first 1x1 and the depthwise convolution.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W').
    """
    width = x.channels * expand
    message = f"expected more than 0, as no channel is left of {x.channels}, got {expand}"
    require(width > 0, "grouped_inverted_residual.expand", x, message)
    layer = partial(convolve, build, padding=padding)
    y = layer(x, "expand", out=width, groups=groups, activation=activation)
    if groups > 1:
        y = build.apply("shuffle", ChannelShuffle(groups), y)
    y = layer(y, "depthwise", out=width, kernel=kernel, stride=stride, groups=width, activation=activation)
    y = layer(y, "project", out=out, groups=groups)
    return build.apply("add", Add(), x, y) if square(stride) == (1, 1) and x.channels == out else y
