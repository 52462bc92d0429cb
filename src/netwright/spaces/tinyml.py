"""Spaces for microcontrollers."""

from __future__ import annotations

from math import log2
from typing import Any

from netwright import blocks as B
from netwright.ir.ops import Shape
from netwright.space import ExpressionSpace, choice, compile_space, derived, place, repeat, sequential
from netwright.spaces.images import resolution_axis, square_images
from netwright.spaces.mobilenet import PROXYLESS_STAGES, scaled

RESOLUTIONS = tuple(range(48, 225, 16))
WIDTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def mcunet(
    input_shape: Shape, classes: int, *, resolution: int | None = None, width: float | None = None
) -> ExpressionSpace:
    """TinyNAS' space of spaces [Lin et al. 2020, arXiv:2007.10319, Sec. 3.1].

    Two decisions, the resolution (12 from 48 to 224) and the width multiplier (9 from 0.2 to 1.0), pick one
    of 108 sub-spaces; fixed by the parameters, what is left is one sub-space. In each, five stages of 2 to 4
    inverted residuals and one layer more choose kernel (3, 5, 7) and expansion (3, 4, 6) layer by layer. The
    backbone is that of ProxylessNAS without the 1x1 convolution before the classifier, as in the published
    code. Images of any size are resized to the resolution.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        resolution: the only height and width in pixels.
        width: the only width multiplier.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, _ = square_images("mcunet", input_shape)
    sizes = RESOLUTIONS if resolution is None else (resolution,)
    multiplier = choice(*WIDTHS, name="width") if width is None else width

    def times(published: int) -> Any:
        return derived("make_divisible", scaled, published, multiplier)

    stages: list[Any] = []
    for number, (out, layers, stride) in enumerate(PROXYLESS_STAGES, 1):
        layer = B.inverted_residual(
            out=times(out), stride=stride, kernel=choice(3, 5, 7), expand=choice(3, 4, 6)
        )
        name = f"stage{number}"
        stages.append(place(name, layer) if layers == 1 else repeat(name, layer, depth=choice(2, 3, 4)))
    expression = sequential(
        place("stem", B.conv_bn_act(out=times(32), stride=2, activation="relu6")),
        place("first", B.inverted_residual(out=times(16), expand=1)),
        *stages,
        place("classifier", B.classifier(classes=classes)),
        input=(channels, resolution_axis(sizes), ...),
    )
    return compile_space(expression, "mcunet")


CONVNET_STAGES = (
    ("stage1", (8, 12, 16, 20, 24, 28, 32, 40), (1, 2), (1, 2, 3)),
    ("stage2", (16, 20, 24, 28, 32, 40, 48, 64), (2,), (1, 2, 3)),
    ("stage3", (24, 32, 40, 48, 64, 96, 128), (1, 2), (0, 1, 2, 3)),
)
"""Name, widths, strides and depths of each stage of ``convnet_tiny``."""


def convnet_tiny(input_shape: Shape, classes: int, *, layers: str = "all") -> ExpressionSpace:
    """Small networks of ordinary convolutions beside depthwise ones, for small maps on a microcontroller.

    On maps of a few hundred pixels depthwise convolutions save little memory: an ordinary 3 x 3 convolution
    makes more of the same arena. So each layer is an ordinary convolution, a basic block of two with a
    shortcut [He et al. 2015, arXiv:1512.03385, Fig. 5 left], or an inverted residual [Sandler et al. 2018,
    arXiv:1801.04381] with its kernel (3, 5) and expansion (2, 4). Decisions besides: width and stride of the
    stem; width, stride and depth of each of three stages, the second of which always halves the map and the
    last of which may be left out. Activations are relu6, which int8 kernels compute within the layer before;
    padding is that of TFLite, which needs no PAD. Images below 16 pixels are not halved in stem and first
    stage.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        layers: ``all``, or ``ordinary`` without inverted residuals.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    _, size = square_images("convnet-tiny", input_shape)
    halvings = max(0, round(log2(size / 28)))
    small = size < 16
    stages = [
        _stage(name, widths, (1,) if small and name == "stage1" else strides, depths, layers)
        for name, widths, strides, depths in CONVNET_STAGES
    ]
    stem_strides = (2**halvings,) if small else (2**halvings, 2 ** (halvings + 1))
    stem = B.conv_bn_act(
        out=choice(8, 12, 16, 24, 32, name="stem.width"),
        stride=_one_of("stem.stride", stem_strides),
        activation="relu6",
    )
    expression = sequential(
        place("stem", stem),
        *stages,
        place("classifier", B.classifier(classes=classes)),
        input=tuple(input_shape),
    )
    return compile_space(expression, "convnet-tiny")


def _stage(
    name: str, widths: tuple[int, ...], strides: tuple[int, ...], depths: tuple[int, ...], layers: str
) -> Any:
    width, stride = choice(*widths, name=f"{name}.width"), _one_of(f"{name}.stride", strides)
    return repeat(name, place("op", _convnet_layer(width, stride, layers)), depth=choice(*depths))


def _one_of(name: str, options: tuple[int, ...]) -> Any:
    return choice(*options, name=name) if len(options) > 1 else options[0]


def _convnet_layer(width: Any, stride: Any, layers: str) -> Any:
    blocks = {
        "conv": B.conv_bn_act(out=width, stride=stride, activation="relu6"),
        "basic": B.basic(out=width, stride=stride, activation="relu6"),
    }
    if layers == "all":
        blocks["inverted"] = B.inverted_residual(
            out=width, stride=stride, kernel=choice(3, 5), expand=choice(2, 4)
        )
    return choice(blocks)
