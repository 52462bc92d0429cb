"""Residual blocks: ResNet basic and bottleneck, and ResNeXt."""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

from netwright.blocks.block import block
from netwright.blocks.convolution import convolve, require
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, Function, Padding

StrideIn = Literal["3x3", "1x1"]
"""Which convolution of a bottleneck takes the stride: the 3x3 (as PyTorch has it) or the first 1x1."""


def _shortcut(build: GraphBuilder, x: Tensor, out: int, stride: int, padding: Padding) -> Tensor:
    """The input itself, or a 1x1 projection of it where its shape would not fit the sum."""
    if stride == 1 and x.channels == out:
        return x
    return convolve(build, x, "shortcut", out=out, stride=stride, padding=padding)


@block
def basic(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    stride: int = 1,
    kernel: int = 3,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Two convolutions and a shortcut [He et al. 2015, arXiv:1512.03385, Fig. 5 left].

    F * (C + F) * K² * H' * W' MACs, and F * C * H' * W' for the shortcut where the shape changes.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        stride: step of the first convolution and of the shortcut.
        kernel: size of both windows, K.
        activation: after the first convolution and after the sum.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W').
    """
    layer = partial(convolve, build, out=out, kernel=kernel, padding=padding)
    y = layer(x, "first", stride=stride, activation=activation)
    y = layer(y, "second")
    y = build.apply("add", Add(), y, _shortcut(build, x, out, stride, padding))
    return build.apply("act", Activation(activation), y)


def _bottleneck(
    build: GraphBuilder,
    x: Tensor,
    *,
    inner: int,
    out: int,
    stride: int,
    kernel: int,
    groups: int,
    stride_in: StrideIn,
    activation: Function,
    padding: Padding,
) -> Tensor:
    outer, middle = (stride, 1) if stride_in == "1x1" else (1, stride)
    layer = partial(convolve, build, padding=padding)
    y = layer(x, "reduce", out=inner, stride=outer, activation=activation)
    y = layer(y, "spatial", out=inner, kernel=kernel, stride=middle, groups=groups, activation=activation)
    y = layer(y, "expand", out=out)
    y = build.apply("add", Add(), y, _shortcut(build, x, out, stride, padding))
    return build.apply("act", Activation(activation), y)


@block
def bottleneck(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    stride: int = 1,
    kernel: int = 3,
    reduction: int = 4,
    groups: int = 1,
    base_width: int = 64,
    stride_in: StrideIn = "3x3",
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """1x1 down, KxK, 1x1 up and a shortcut [He et al. 2015, arXiv:1512.03385, Fig. 5 right].

    With inner width M: (C * M + M² * K² / groups + M * F) * H' * W' MACs at stride 1, and F * C * H' * W'
    for the shortcut where the shape changes. At stride 2 in the KxK the first 1x1 works on H x W.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        stride: step of one convolution and of the shortcut.
        kernel: size of the middle window, K.
        reduction: F / reduction is the inner width of a plain bottleneck.
        groups: of the middle convolution; more than 1 is ResNeXt.
        base_width: channels of one group where F / reduction is 64, so that
            M = groups * floor(F / reduction * base_width / 64).
        stride_in: which convolution takes the stride.
        activation: after the first two convolutions and after the sum.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W').

    Raises:
        GraphError: if F is not a multiple of ``reduction`` or leaves a group without channels.
    """
    places = get_args(StrideIn)
    message = f"expected one of {places}, got {stride_in!r}"
    require(stride_in in places, "bottleneck.stride_in", x, message)
    message = f"expected a multiple of the reduction {reduction}, got {out}"
    require(reduction > 0 and out % reduction == 0, "bottleneck.out", x, message)
    width = out // reduction * base_width // 64
    message = f"{base_width} leaves a group of the {out // reduction} inner channels without a channel"
    require(width > 0, "bottleneck.base_width", x, message)
    return _bottleneck(
        build,
        x,
        inner=groups * width,
        out=out,
        stride=stride,
        kernel=kernel,
        groups=groups,
        stride_in=stride_in,
        activation=activation,
        padding=padding,
    )


@block
def resnext(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    groups: int = 32,
    group_width: int,
    stride: int = 1,
    kernel: int = 3,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Bottleneck of ``groups`` parallel paths, summed [Xie et al. 2016, arXiv:1611.05431, Fig. 3].

    The same as ``bottleneck`` with its inner width given as M = groups * group_width; equal, weight for
    weight, to that many separate paths of 1x1, KxK, 1x1 whose outputs are added.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        groups: number of paths (cardinality).
        group_width: channels of one path.
        stride: step of the middle convolution and of the shortcut.
        kernel: size of the middle window, K.
        activation: after the first two convolutions and after the sum.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W').
    """
    return _bottleneck(
        build,
        x,
        inner=groups * group_width,
        out=out,
        stride=stride,
        kernel=kernel,
        groups=groups,
        stride_in="3x3",
        activation=activation,
        padding=padding,
    )


@block
def group_bottleneck(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    expansion: int = 4,
    groups: int = 1,
    stride: int = 1,
    kernel: int = 3,
    activation: Function = "relu",
    padding: Padding = "same",
) -> Tensor:
    """Bottleneck with an inner width that does not depend on its groups, so that each varies alone.

    M = F / expansion; expansion 4 with 1 group is ResNet's block, expansion 2 with 32 groups that of
    ResNeXt 32x4d [He et al. 2015, arXiv:1512.03385; Xie et al. 2016, arXiv:1611.05431]. MACs as for
    ``bottleneck``.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        expansion: F over the inner width.
        groups: of the middle convolution; divides the inner width.
        stride: step of the middle convolution and of the shortcut.
        kernel: size of the middle window, K.
        activation: after the first two convolutions and after the sum.
        padding: of every convolution.

    Returns:
        Feature map (F, H', W').

    Raises:
        GraphError: if F is not a multiple of ``expansion`` or the inner width not one of ``groups``.
    """
    message = f"expected a multiple of the expansion {expansion}, got {out}"
    require(expansion > 0 and out % expansion == 0, "group_bottleneck.out", x, message)
    inner = out // expansion
    message = f"expected a divisor of the inner width {inner}, got {groups}"
    require(groups > 0 and inner % groups == 0, "group_bottleneck.groups", x, message)
    return _bottleneck(
        build,
        x,
        inner=inner,
        out=out,
        stride=stride,
        kernel=kernel,
        groups=groups,
        stride_in="3x3",
        activation=activation,
        padding=padding,
    )
