"""Network-level spaces of inverted residuals."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import NamedTuple

from netwright import blocks as B
from netwright.blocks import make_divisible
from netwright.errors import SpaceError
from netwright.ir.ops import Function, Shape
from netwright.models.mobilenet import V2_STAGES
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    derived,
    place,
    repeat,
    sequential,
)
from netwright.spaces.images import (
    fewer_strides,
    resolution_axis,
    resolution_choices,
    resolutions,
    square_images,
)

_STAGES = (
    ("stage1", (8, 16, 24), (1, 2)),
    ("stage2", (16, 24, 32), (1, 2, 3)),
    ("stage3", (32, 48, 64), (1, 2, 3)),
)
_FINAL_PIXELS = 5


class OfaStage(NamedTuple):
    """A stage of Once-for-All's MobileNetV3."""

    out: int
    activation: Function
    se: bool
    stride: int


OFA_STAGES = (
    OfaStage(24, "relu", False, 2),
    OfaStage(40, "relu", True, 2),
    OfaStage(80, "hardswish", False, 2),
    OfaStage(112, "hardswish", True, 1),
    OfaStage(160, "hardswish", True, 2),
)
"""[Cai et al. 2020, arXiv:1908.09791, App. A]; widths of MobileNetV3-Large."""

OFA_RESOLUTIONS = tuple(range(128, 225, 4))
OFA_WIDTHS = (1.0, 1.2)
"""Width multipliers of the published supernets."""

PROXYLESS_STAGES = ((24, 4, 2), (40, 4, 2), (80, 4, 2), (96, 4, 1), (192, 4, 2), (320, 1, 1))
"""Channels, layers, stride of the first layer [Cai et al. 2019, arXiv:1812.00332, Sec. 4.2]."""

FBNET_STAGES = ((16, 1, 1), (24, 4, 2), (32, 4, 2), (64, 4, 2), (112, 4, 1), (184, 4, 2), (352, 1, 1))
"""Channels, layers, stride of the first layer [Wu et al. 2018, arXiv:1812.03443, Table 1]."""

V2_WIDTHS = (0.35, 0.5, 0.75, 1.0, 1.4)
"""Width multipliers [Sandler et al. 2018, arXiv:1801.04381, Sec. 6.1]."""

V2_RESOLUTIONS = tuple(range(96, 225, 16))

_FBNET_BLOCKS = (
    *((3, "plain", 1), (3, "grouped", 1), (3, "plain", 3), (3, "plain", 6)),
    *((5, "plain", 1), (5, "grouped", 1), (5, "plain", 3), (5, "plain", 6)),
)
"""Kernel, kind, expansion of the blocks in the published order; number 8 is the skip."""


def mobilenet_tiny(input_shape: Shape, classes: int) -> ExpressionSpace:
    """Small MobileNets for images of 8 x 8 to 96 x 96 pixels.

    Decisions: resolution; width of stem, of each of three stages and of the head; depth of each stage;
    kernel (3, 5, 7) and expansion (2, 3, 4, 6) of every layer. Strides are placed so that the last stage
    works on about 5 x 5 pixels. Blocks are inverted residuals [Sandler et al. 2018, arXiv:1801.04381] with
    padding as TFLite has it, which needs no PAD on a microcontroller.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.

    Raises:
        SpaceError: if the images are not square or not of 8 to 96 pixels.
    """
    channels, height, width = input_shape if len(input_shape) == 3 else (0, 0, 0)
    if height != width or not 8 <= height <= 96:
        raise SpaceError(
            f"mobilenet-tiny: expected square images of 8 to 96 pixels, got {height}x{width} "
            f"(shape {tuple(input_shape)}); resize the images first"
        )
    sizes = resolutions(height)
    strides = _strides(max(sizes))
    stages = [
        repeat(
            name,
            B.inverted_residual(
                out=choice(*widths, name=f"{name}.width"),
                stride=strides[name],
                kernel=choice(3, 5, 7),
                expand=choice(2, 3, 4, 6),
            ),
            depth=choice(*depths),
        )
        for name, widths, depths in _STAGES
    ]
    expression = sequential(
        place("stem", B.conv_bn_act(out=choice(8, 16), kernel=3, stride=strides["stem"], activation="relu6")),
        *stages,
        place("head", B.conv_bn_act(out=choice(64, 96, 128), kernel=1, activation="relu6")),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, choice(*sizes, name="resolution"), ...),
    )
    return compile_space(expression, "mobilenet-tiny")


def _strides(size: int) -> dict[str, int]:
    """Strides of stem and stages that bring the largest resolution to about ``_FINAL_PIXELS``."""
    halvings = max(0, round(log2(size / _FINAL_PIXELS)))
    order = ("stage3", "stage1", "stem", "stage2")
    return {name: 2 if index < halvings else 1 for index, name in enumerate(order)}


def ofa_mobilenet_v3(
    input_shape: Shape, classes: int, *, width: float = 1.0, resolution: int | None = None
) -> ExpressionSpace:
    """The MobileNetV3 space of Once-for-All [Cai et al. 2020, arXiv:1908.09791].

    Five stages of 2 to 4 inverted residuals; every layer chooses its kernel (3, 5, 7) and expansion (3, 4,
    6): 21,758,655,492,572,485,851 networks at one resolution, 25 times as many with all published
    resolutions (128 to 224 by 4). Images below 128 pixels get the resolutions of ``resolutions`` and fewer
    strides, see ``fewer_strides``.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        width: multiplies all channel numbers: 1.0 or 1.2 in the published supernets.
        resolution: the only height and width in pixels; by default it is a decision.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("ofa-mobilenet-v3", input_shape)
    sizes = resolution_choices(size, OFA_RESOLUTIONS, resolution)
    first, *strides = fewer_strides((2, *(stage.stride for stage in OFA_STAGES)), min(sizes))
    stem = make_divisible(16 * width)
    stages = [
        repeat(
            f"stage{number}",
            B.inverted_residual(
                out=make_divisible(stage.out * width),
                stride=stride,
                kernel=choice(3, 5, 7),
                expand=choice(3, 4, 6),
                se=0.25 if stage.se else 0.0,
                activation=stage.activation,
            ),
            depth=choice(2, 3, 4),
        )
        for number, (stage, stride) in enumerate(zip(OFA_STAGES, strides, strict=True), 1)
    ]
    expression = sequential(
        place("stem", B.conv_bn_act(out=stem, stride=first, activation="hardswish")),
        place("first", B.inverted_residual(out=stem, expand=1, activation="relu")),
        *stages,
        place("head", B.conv_bn_act(out=make_divisible(960 * width), kernel=1, activation="hardswish")),
        place("classifier", B.mixing_classifier(classes=classes, features=make_divisible(1280 * width))),
        input=(channels, resolution_axis(sizes), ...),
    )
    return compile_space(expression, "ofa-mobilenet-v3")


def ofa_architecture(
    space: ExpressionSpace,
    kernel: Sequence[int],
    expand: Sequence[int],
    depth: Sequence[int],
    resolution: int | None = None,
) -> Architecture:
    """An architecture from the lists that Once-for-All and the tables about it use.

    Args:
        space: made by ``ofa_mobilenet_v3``.
        kernel: kernel of each layer, four for each stage; those beyond the depth do not matter.
        expand: expansion of each layer, likewise.
        depth: number of layers of each of the five stages.
        resolution: the resolution, if it is a decision of the space.

    Raises:
        SpaceError: if a list has another length or a value is not an option.
    """
    for name, values, number in (("kernel", kernel, 20), ("expand", expand, 20), ("depth", depth, 5)):
        if len(values) != number:
            raise SpaceError(f"{space.name}.{name}: expected {number} values, got {len(values)}")
    choices: dict[str, int] = {} if resolution is None else {"resolution": resolution}
    for stage, layers in enumerate(depth):
        choices[f"stage{stage + 1}.depth"] = layers
        for layer in range(min(layers, 4)):
            choices[f"stage{stage + 1}.{layer}.kernel"] = kernel[4 * stage + layer]
            choices[f"stage{stage + 1}.{layer}.expand"] = expand[4 * stage + layer]
    return space.architecture(choices)


def proxylessnas(
    input_shape: Shape,
    classes: int,
    *,
    width: float = 1.0,
    first_width: int = 24,
    resolution: int | None = None,
) -> ExpressionSpace:
    """The space of ProxylessNAS [Cai et al. 2019, arXiv:1812.00332]: 6^6 * 7^15 networks.

    21 layers of inverted residuals that choose kernel (3, 5, 7) and expansion (3, 6). A layer that keeps
    the shape can be skipped too (the published "zero" beside the shortcut: the identity); the first layer
    of a stage cannot.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        width: multiplies all channel numbers; the features before the classifier keep theirs below 1.
        first_width: channels of the first stage: 24 in the published code, 32 in ProxylessNAS-Mobile.
        resolution: height and width in pixels; by default 224, or that of the images if they are smaller.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("proxylessnas", input_shape)
    side = min(224, size) if resolution is None else resolution
    first, *strides = fewer_strides((2, *(stride for _, _, stride in PROXYLESS_STAGES)), side)
    stages = []
    for number, ((out, layers, _), stride) in enumerate(zip(PROXYLESS_STAGES, strides, strict=True), 1):
        block = B.inverted_residual(
            out=make_divisible((first_width if number == 1 else out) * width),
            stride=stride,
            kernel=choice(3, 5, 7),
            expand=choice(3, 6),
        )
        parts = [place("0", block)]
        for layer in range(1, layers):
            op = choice({"block": block.replace(stride=1), "skip": B.identity()})
            parts.append(place(str(layer), sequential(place("op", op))))
        stages.append(place(f"stage{number}", sequential(*parts)))
    expression = sequential(
        place("stem", B.conv_bn_act(out=make_divisible(32 * width), stride=first, activation="relu6")),
        place("first", B.inverted_residual(out=make_divisible(16 * width), expand=1)),
        *stages,
        place(
            "head",
            B.conv_bn_act(out=make_divisible(1280 * max(1.0, width)), kernel=1, activation="relu6"),
        ),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, side, side),
    )
    return compile_space(expression, "proxylessnas")


def fbnet(
    input_shape: Shape, classes: int, *, features: int = 1504, resolution: int | None = None
) -> ExpressionSpace:
    """The space of FBNet [Wu et al. 2018, arXiv:1812.03443]: 9^22 networks.

    Each of 22 layers is one of nine blocks: "plain" with kernel 3 or 5 and expansion 1, 3 or 6, "grouped"
    (expansion 1, two groups with a shuffle) with kernel 3 or 5, or "skip". A skipped layer is the identity;
    where the layer changes channels or size, the first of a stage, it is a 1x1 convolution with batch norm
    and relu, so that every layer has all nine options.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        features: channels of the last 1x1 convolution: 1504, or 1984 in some published networks.
        resolution: height and width in pixels; by default 224, or that of the images if they are smaller.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("fbnet", input_shape)
    side = min(224, size) if resolution is None else resolution
    first, *strides = fewer_strides((2, *(stride for _, _, stride in FBNET_STAGES)), side)
    stages = []
    for number, ((out, layers, _), stride) in enumerate(zip(FBNET_STAGES, strides, strict=True), 1):
        plain = B.grouped_inverted_residual(
            out=out, stride=stride, kernel=choice(3, 5), expand=choice(1, 3, 6)
        )
        op = choice(
            {
                "plain": plain,
                "grouped": plain.replace(expand=1, groups=2),
                "skip": B.skip(out=out, stride=stride, activation="relu"),
            }
        )
        stages.append(repeat(f"stage{number}", place("op", op), depth=layers))
    expression = sequential(
        place("stem", B.conv_bn_act(out=16, stride=first)),
        *stages,
        place("head", B.conv_bn_act(out=features, kernel=1)),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, side, side),
    )
    return compile_space(expression, "fbnet")


def fbnet_architecture(space: ExpressionSpace, blocks: Sequence[int]) -> Architecture:
    """An architecture from the numbers that tables about FBNet use.

    Args:
        space: made by ``fbnet``.
        blocks: for each of the 22 layers 0 to 8: k3_e1, k3_e1_g2, k3_e3, k3_e6, k5_e1, k5_e1_g2, k5_e3,
            k5_e6, skip.

    Raises:
        SpaceError: if there are not 22 numbers from 0 to 8.
    """
    places = [f"stage{s}.{i}.op" for s, (_, layers, _) in enumerate(FBNET_STAGES, 1) for i in range(layers)]
    if len(blocks) != len(places) or not all(0 <= number <= 8 for number in blocks):
        raise SpaceError(f"fbnet: expected {len(places)} numbers from 0 to 8, got {list(blocks)}")
    choices: dict[str, int | str] = {}
    for where, number in zip(places, blocks, strict=True):
        if number == len(_FBNET_BLOCKS):
            choices[where] = "skip"
            continue
        kernel, kind, expand = _FBNET_BLOCKS[number]
        choices |= {where: kind, f"{where}.{kind}.kernel": kernel}
        if kind == "plain":
            choices[f"{where}.plain.expand"] = expand
    return space.architecture(choices)


def mobilenet_v2(
    input_shape: Shape, classes: int, *, widths: str = "each", resolution: int | None = None
) -> ExpressionSpace:
    """MobileNetV2 by width and resolution [Sandler et al. 2018, arXiv:1801.04381, Sec. 6.1].

    Depth, kernels and expansions are the published ones. With widths "each", the stem, the seven stages and
    the head choose a multiplier (0.35 to 1.4) of their own: 5^9 networks at each of nine resolutions; with
    "one" they share it, and the head is not narrowed: the networks of the paper.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        widths: ``each`` or ``one``.
        resolution: the only height and width in pixels; by default it is a decision.

    Raises:
        SpaceError: if the images are not square or below 8 pixels, or ``widths`` is another word.
    """
    if widths not in ("each", "one"):
        raise SpaceError(f"mobilenet-v2.widths: expected each or one, got {widths!r}")
    channels, size = square_images("mobilenet-v2", input_shape)
    sizes = resolution_choices(size, V2_RESOLUTIONS, resolution)
    first, *strides = fewer_strides((2, *(row[3] for row in V2_STAGES)), min(sizes))

    def width(name: str, published: int) -> object:
        each = choice(*V2_WIDTHS, name="width" if widths == "one" else f"{name}.width")
        return derived("make_divisible", scaled, published, each)

    stages = [
        repeat(
            f"stage{number}",
            B.inverted_residual(out=width(f"stage{number}", out), stride=stride, expand=expand),
            depth=layers,
        )
        for number, ((expand, out, layers, _), stride) in enumerate(zip(V2_STAGES, strides, strict=True), 1)
    ]
    head = width("head", 1280)
    if widths == "one":
        head = derived("make_divisible_up", _scaled_up, 1280, choice(*V2_WIDTHS, name="width"))
    expression = sequential(
        place("stem", B.conv_bn_act(out=width("stem", 32), stride=first, activation="relu6")),
        *stages,
        place("head", B.conv_bn_act(out=head, kernel=1, activation="relu6")),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, resolution_axis(sizes), ...),
    )
    return compile_space(expression, "mobilenet-v2")


def scaled(channels: int, width: float) -> int:
    """A channel number under a width multiplier, in the rounding of MobileNetV2.

    >>> scaled(24, 0.35), scaled(1280, 0.35)
    (8, 448)
    """
    return make_divisible(channels * width)


def _scaled_up(channels: int, width: float) -> int:
    return make_divisible(channels * max(1.0, width))
