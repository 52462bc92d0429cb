"""MobileNet V1, V2 and V3 with the padding of the PyTorch models.

Places: ``stem``, ``stage1.0`` and so on (V1: ``layer1`` …), ``head`` before the pooling, ``classifier``.
"""

from __future__ import annotations

from typing import NamedTuple

from netwright.blocks import (
    classifier,
    conv_bn_act,
    depthwise_separable,
    inverted_residual,
    make_divisible,
)
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Function

V1_LAYERS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)),
)
"""Channels and stride [Howard et al. 2017, arXiv:1704.04861, Table 1]."""

V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, blocks, stride of the first [Sandler et al. 2018, arXiv:1801.04381, Table 2]."""


class V3Layer(NamedTuple):
    """One row of MobileNetV3's tables."""

    kernel: int
    hidden: int
    out: int
    se: bool
    activation: Function
    stride: int


V3_LARGE = (
    V3Layer(3, 16, 16, False, "relu", 1),
    V3Layer(3, 64, 24, False, "relu", 2),
    V3Layer(3, 72, 24, False, "relu", 1),
    V3Layer(5, 72, 40, True, "relu", 2),
    V3Layer(5, 120, 40, True, "relu", 1),
    V3Layer(5, 120, 40, True, "relu", 1),
    V3Layer(3, 240, 80, False, "hardswish", 2),
    V3Layer(3, 200, 80, False, "hardswish", 1),
    V3Layer(3, 184, 80, False, "hardswish", 1),
    V3Layer(3, 184, 80, False, "hardswish", 1),
    V3Layer(3, 480, 112, True, "hardswish", 1),
    V3Layer(3, 672, 112, True, "hardswish", 1),
    V3Layer(5, 672, 160, True, "hardswish", 2),
    V3Layer(5, 960, 160, True, "hardswish", 1),
    V3Layer(5, 960, 160, True, "hardswish", 1),
)
"""[Howard et al. 2019, arXiv:1905.02244, Table 1]."""

V3_SMALL = (
    V3Layer(3, 16, 16, True, "relu", 2),
    V3Layer(3, 72, 24, False, "relu", 2),
    V3Layer(3, 88, 24, False, "relu", 1),
    V3Layer(5, 96, 40, True, "hardswish", 2),
    V3Layer(5, 240, 40, True, "hardswish", 1),
    V3Layer(5, 240, 40, True, "hardswish", 1),
    V3Layer(5, 120, 48, True, "hardswish", 1),
    V3Layer(5, 144, 48, True, "hardswish", 1),
    V3Layer(5, 288, 96, True, "hardswish", 2),
    V3Layer(5, 576, 96, True, "hardswish", 1),
    V3Layer(5, 576, 96, True, "hardswish", 1),
)
"""[Howard et al. 2019, arXiv:1905.02244, Table 2]."""

V3_BN_EPS = 0.001
V3_BN_MOMENTUM = 0.01


def mobilenet_v1(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, in_channels: int = 3
) -> Graph:
    """MobileNetV1 [Howard et al. 2017, arXiv:1704.04861, Table 1].

    Args:
        width: multiplies all channel numbers, which are then rounded down, to 8 at least.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    if width <= 0:
        raise GraphError(f"mobilenet_v1.width: expected a factor above 0, got {width}")
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    with build.scope("stem"):
        x = conv_bn_act(out=max(8, int(32 * width)), stride=2, padding="symmetric")(build, x)
    for index, (channels, stride) in enumerate(V1_LAYERS, 1):
        with build.scope(f"layer{index}"):
            out = max(8, int(channels * width))
            x = depthwise_separable(out=out, stride=stride, padding="symmetric")(build, x)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, x))


def mobilenet_v2(
    *,
    width: float = 1.0,
    resolution: int = 224,
    last: int | None = None,
    classes: int = 1000,
    in_channels: int = 3,
) -> Graph:
    """MobileNetV2 [Sandler et al. 2018, arXiv:1801.04381, Table 2].

    Args:
        width: multiplies all channel numbers, which are then rounded to multiples of 8.
        resolution: height and width of the images in pixels.
        last: channels of the last 1x1 convolution; by default 1280, times ``width`` if that is above 1.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    with build.scope("stem"):
        stem = conv_bn_act(out=make_divisible(32 * width), stride=2, activation="relu6", padding="symmetric")
        x = stem(build, x)
    for stage, (expand, channels, blocks, first_stride) in enumerate(V2_STAGES, 1):
        for index in range(blocks):
            with build.scope(f"stage{stage}.{index}"):
                layer = inverted_residual(
                    out=make_divisible(channels * width),
                    stride=first_stride if index == 0 else 1,
                    expand=expand,
                    padding="symmetric",
                )
                x = layer(build, x)
    with build.scope("head"):
        out = make_divisible(1280 * max(1.0, width)) if last is None else last
        x = conv_bn_act(out=out, kernel=1, activation="relu6", padding="symmetric")(build, x)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, x))


def mobilenet_v3_large(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, in_channels: int = 3
) -> Graph:
    """MobileNetV3-Large [Howard et al. 2019, arXiv:1905.02244, Table 1].

    Args:
        width: multiplies all channel numbers, which are then rounded to multiples of 8; the
            layer before the last keeps its size below 1.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    return _mobilenet_v3(V3_LARGE, 1280, width, (in_channels, resolution, resolution), classes)


def mobilenet_v3_small(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, in_channels: int = 3
) -> Graph:
    """MobileNetV3-Small [Howard et al. 2019, arXiv:1905.02244, Table 2].

    Args:
        width: multiplies all channel numbers, which are then rounded to multiples of 8; the
            layer before the last keeps its size below 1.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    return _mobilenet_v3(V3_SMALL, 1024, width, (in_channels, resolution, resolution), classes)


def _v3_conv(build: GraphBuilder, x: Tensor, out: int, kernel: int, stride: int) -> Tensor:
    layer = conv_bn_act(
        out=out,
        kernel=kernel,
        stride=stride,
        activation="hardswish",
        padding="symmetric",
        bn_eps=V3_BN_EPS,
        bn_momentum=V3_BN_MOMENTUM,
    )
    return layer(build, x)


def _mobilenet_v3(
    layers: tuple[V3Layer, ...], last: int, width: float, image: tuple[int, int, int], classes: int
) -> Graph:
    build = GraphBuilder()
    x = build.input(image)
    with build.scope("stem"):
        x = _v3_conv(build, x, make_divisible(16 * width), kernel=3, stride=2)
    nominal, stage, position = 16, 0, 0
    for index, row in enumerate(layers):
        # A stage begins where the map shrinks or the number of channels changes.
        same = index > 0 and row.stride == 1 and row.out == layers[index - 1].out
        stage, position = (stage, position + 1) if same else (stage + 1, 0)
        with build.scope(f"stage{stage}.{position}"):
            block = inverted_residual(
                out=make_divisible(row.out * width),
                kernel=row.kernel,
                stride=row.stride,
                # The table's ratio of the width that the rounding really left.
                hidden=make_divisible(x.channels * row.hidden / nominal),
                se=0.25 if row.se else 0.0,
                activation=row.activation,
                padding="symmetric",
                bn_eps=V3_BN_EPS,
                bn_momentum=V3_BN_MOMENTUM,
            )
            x = block(build, x)
        nominal = row.out
    with build.scope("head"):
        x = _v3_conv(build, x, 6 * x.channels, kernel=1, stride=1)
    with build.scope("classifier"):
        hidden = make_divisible(last * max(1.0, width))
        head = classifier(classes=classes, hidden=hidden, activation="hardswish")
        return build.finish(head(build, x))
