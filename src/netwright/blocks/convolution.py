"""Convolution with normalisation and activation, and the classifier at a network's end.

Every block with a window takes ``padding``: ``same`` as TFLite defines it (search spaces), ``symmetric`` as
PyTorch models have it, or explicit sides. In the formulas C, F are channels in and out, H' x W' is the size
of the output and K the kernel.
"""

from __future__ import annotations

from netwright.blocks.block import block
from netwright.errors import GraphError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import (
    Activation,
    BatchNorm,
    Conv,
    Flatten,
    Function,
    GlobalPool,
    Identity,
    Linear,
    Padding,
    Pair,
)


def make_divisible(value: float, divisor: int = 8) -> int:
    """Round a width to a multiple of ``divisor``, never more than a tenth below what was asked for.

    The rule of MobileNetV2 and all that came after it [Sandler et al. 2018, arXiv:1801.04381].

    >>> make_divisible(32 * 0.35), make_divisible(16 * 0.35), make_divisible(37)
    (16, 8, 40)

    Raises:
        GraphError: if the width is not above 0.
    """
    if value <= 0:
        raise GraphError(f"make_divisible: expected a width above 0, got {value}")
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def square(size: int | Pair) -> Pair:
    """(size, size) for a number; a pair stays as it is."""
    return size if isinstance(size, tuple) else (size, size)


def require(condition: bool, argument: str, x: Tensor, message: str) -> None:
    """Raise GraphError with the argument and the place behind which the block stands, unless it holds."""
    if not condition:
        raise GraphError(f"{argument}, behind {x.name}: {message}")


def convolve(
    build: GraphBuilder,
    x: Tensor,
    place: str = "",
    *,
    out: int,
    kernel: int | Pair = 1,
    stride: int | Pair = 1,
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: Function | None = None,
    padding: Padding = "same",
    bn_eps: float = 1e-5,
    bn_momentum: float = 0.1,
) -> Tensor:
    """Add a convolution without bias, its batch norm and, if one is named, its activation.

    The building stone of all blocks; the nodes are ``place.conv``, ``place.bn`` and ``place.act``, or
    bare ``conv``, ``bn`` and ``act`` for an empty place.

    Args:
        build: the builder.
        x: feature map (C, H, W).
        place: name within the current scope.
        out: channels of the output, F.
        kernel: size of the window, one number or (vertical, horizontal).
        stride: step in pixels.
        dilation: distance between taps in pixels.
        groups: number of groups; C is depthwise.
        activation: name of the activation, or None for a linear layer.
        padding: see ``netwright.ir.ops.Padding``.
        bn_eps: added to the variance of the batch norm.
        bn_momentum: share of a new batch in the running statistics.

    Returns:
        Feature map (F, H', W').

    Raises:
        GraphError: if the attributes do not fit ``x``; the message begins with the place.
    """
    prefix = f"{place}." if place else ""
    conv = Conv(
        out_channels=out,
        kernel=square(kernel),
        stride=square(stride),
        dilation=square(dilation),
        groups=groups,
        padding=padding,
    )
    x = build.apply(f"{prefix}conv", conv, x)
    x = build.apply(f"{prefix}bn", BatchNorm(eps=bn_eps, momentum=bn_momentum), x)
    return x if activation is None else build.apply(f"{prefix}act", Activation(activation), x)


@block
def conv_bn_act(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    kernel: int | Pair = 3,
    stride: int | Pair = 1,
    dilation: int | Pair = 1,
    groups: int = 1,
    activation: Function | None = "relu",
    padding: Padding = "same",
    bn_eps: float = 1e-5,
    bn_momentum: float = 0.1,
) -> Tensor:
    """Convolution, batch norm, activation: F * (C/groups) * K² * H' * W' MACs.

    [Ioffe & Szegedy 2015, arXiv:1502.03167]. Arguments as for ``convolve``.

    >>> build = GraphBuilder()
    >>> conv_bn_act(out=16, stride=2)(build, build.input((3, 32, 32)))
    Tensor(name='act', shape=(16, 16, 16))
    """
    return convolve(
        build,
        x,
        out=out,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        groups=groups,
        activation=activation,
        padding=padding,
        bn_eps=bn_eps,
        bn_momentum=bn_momentum,
    )


@block
def depthwise(
    build: GraphBuilder,
    x: Tensor,
    *,
    kernel: int | Pair = 3,
    stride: int | Pair = 1,
    dilation: int | Pair = 1,
    activation: Function | None = "relu",
    padding: Padding = "same",
) -> Tensor:
    """One filter a channel, batch norm, activation: C * K² * H' * W' MACs."""
    return convolve(
        build,
        x,
        out=x.channels,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        groups=x.channels,
        activation=activation,
        padding=padding,
    )


@block
def pointwise(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    stride: int | Pair = 1,
    groups: int = 1,
    activation: Function | None = "relu",
) -> Tensor:
    """1x1 convolution, batch norm, activation: F * (C/groups) * H' * W' MACs."""
    return convolve(build, x, out=out, stride=stride, groups=groups, activation=activation)


@block
def skip(
    build: GraphBuilder,
    x: Tensor,
    *,
    out: int,
    stride: int | Pair = 1,
    activation: Function | None = None,
) -> Tensor:
    """Leave a layer out: the identity, or the cheapest change of shape where the layer changes it.

    The "skip" of spaces in which every layer may be skipped, those at the border of a stage too: at stride
    1 with C = F the identity, otherwise a 1x1 convolution with batch norm, C * F * H' * W' MACs
    [Wu et al. 2018, arXiv:1812.03443; Su et al. 2021, arXiv:2103.11922].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        out: channels of the output, F.
        stride: step of the 1x1 convolution.
        activation: after the 1x1 convolution, where there is one.

    Returns:
        Feature map (F, H', W').
    """
    if square(stride) == (1, 1) and x.channels == out:
        return build.apply("identity", Identity(), x)
    return convolve(build, x, out=out, stride=stride, activation=activation)


@block
def mixing_classifier(
    build: GraphBuilder, x: Tensor, *, classes: int, features: int, activation: Function = "hardswish"
) -> Tensor:
    """Global average pooling, a 1x1 convolution without bias, then a linear layer.

    features * (C + classes) MACs: the end of MobileNetV3 as Once-for-All has it, whose first layer bears no
    bias and no batch norm [Cai et al. 2020, arXiv:1908.09791].

    Args:
        build: the builder.
        x: feature map (C, H, W).
        classes: number of logits.
        features: channels of the 1x1 convolution.
        activation: follows it.

    Returns:
        Logits (classes,).
    """
    x = build.apply("pool", GlobalPool("average"), x)
    x = build.apply("features.conv", Conv(features), x)
    x = build.apply("features.act", Activation(activation), x)
    x = build.apply("flatten", Flatten(), x)
    return build.apply("linear", Linear(classes), x)


@block
def classifier(
    build: GraphBuilder,
    x: Tensor,
    *,
    classes: int,
    hidden: int | None = None,
    activation: Function = "relu",
) -> Tensor:
    """Global average pooling, then one linear layer or two: classes * C MACs, or hidden * (C + classes).

    Args:
        build: the builder.
        x: feature map (C, H, W).
        classes: number of logits.
        hidden: width of a linear layer before the last one (MobileNetV3), or None.
        activation: follows the hidden layer.

    Returns:
        Logits (classes,).
    """
    x = build.apply("pool", GlobalPool("average"), x)
    x = build.apply("flatten", Flatten(), x)
    if hidden is not None:
        x = build.apply("hidden.linear", Linear(hidden), x)
        x = build.apply("hidden.act", Activation(activation), x)
    return build.apply("linear", Linear(classes), x)
