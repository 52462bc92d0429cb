"""Spaces of ShuffleNet units: the choice blocks of Single Path One-Shot NAS, and groups of ShuffleNetV1."""

from __future__ import annotations

from typing import Any

from netwright import blocks as B
from netwright.blocks import make_divisible
from netwright.ir.ops import Shape
from netwright.models.shufflenet import V1_CHANNELS
from netwright.space import ExpressionSpace, choice, compile_space, derived, place, repeat, sequential
from netwright.spaces.images import fewer_strides, square_images

STAGES = ((64, 4), (160, 4), (320, 8), (640, 4))
"""Channels and layers; each stage halves the map [Guo et al. 2019, arXiv:1904.00420, Table 1]."""

V1_WIDTHS = (0.25, 0.5, 1.0, 1.5, 2.0)
V1_DEPTHS = ((2, 3, 4), (4, 6, 8), (2, 3, 4))
"""Units of stages 2 to 4, up to the published 4, 8, 4."""


def shufflenet(input_shape: Shape, classes: int, *, resolution: int | None = None) -> ExpressionSpace:
    """The space of Single Path One-Shot NAS [Guo et al. 2019, arXiv:1904.00420, Sec. 4.1]: 4^20 networks.

    20 layers; each is a ShuffleNetV2 unit with kernel 3, 5 or 7, or the unit with three separable
    convolutions in its branch ("xception").

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        resolution: height and width in pixels; by default 224, or that of the images if they are smaller.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("shufflenet", input_shape)
    side = min(224, size) if resolution is None else resolution
    first, *strides = fewer_strides((2,) * (1 + len(STAGES)), side)
    stages = []
    for number, ((out, layers), stride) in enumerate(zip(STAGES, strides, strict=True), 1):
        op = choice(
            {
                "shuffle": B.shuffle_choice(out=out, stride=stride, kernel=choice(3, 5, 7)),
                "xception": B.shuffle_xception(out=out, stride=stride),
            }
        )
        stages.append(repeat(f"stage{number}", place("op", op), depth=layers))
    expression = sequential(
        place("stem", B.conv_bn_act(out=16, stride=first)),
        *stages,
        place("head", B.conv_bn_act(out=1024, kernel=1)),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, side, side),
    )
    return compile_space(expression, "shufflenet")


def shufflenet_v1(input_shape: Shape, classes: int, *, resolution: int | None = None) -> ExpressionSpace:
    """ShuffleNetV1 by groups and width [Zhang et al. 2017, arXiv:1707.01083, Tables 1 and 2].

    Decisions: groups of all 1x1 convolutions (1, 2, 3, 4, 8), which fix the channel numbers as published,
    so that all have about the same MACs; a width multiplier; depth of each stage; kernel (3, 5) of every
    unit. Stages are numbered as in the paper; the first unit of stage 2 has no groups in its first 1x1.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        resolution: height and width in pixels; by default 224, or that of the images if they are smaller.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("shufflenet-v1", input_shape)
    side = min(224, size) if resolution is None else resolution
    # A stage begins with a concatenation, which needs its stride; only the first two halvings may go.
    first, pool = fewer_strides((2, 2), -(-side // 2 ** len(V1_DEPTHS)))
    groups = choice(*V1_CHANNELS, name="groups")
    width = choice(*V1_WIDTHS, name="width")
    stages: list[Any] = []
    for stage, depths in enumerate(V1_DEPTHS, 2):
        out = derived("shufflenet_v1_width", _v1_width, stage, groups, width)
        unit = B.shuffle_v1(out=out, groups=groups, stride=2, kernel=choice(3, 5))
        if stage > 2:
            stages.append(repeat(f"stage{stage}", unit, depth=choice(*depths)))
            continue
        rest = repeat("rest", unit.replace(stride=1), depth=choice(*(depth - 1 for depth in depths)))
        stages.append(place("stage2", sequential(place("first", unit.replace(first_grouped=False)), rest)))
    stem = B.conv_bn_act(out=derived("shufflenet_v1_stem", _v1_stem, groups, width), stride=first)
    expression = sequential(
        place("stem", stem),
        *([place("pool", B.max_pool(stride=pool))] if pool > 1 else []),
        *stages,
        place("classifier", B.classifier(classes=classes)),
        input=(channels, side, side),
    )
    return compile_space(expression, "shufflenet-v1")


def _v1_width(stage: int, groups: int, width: float) -> int:
    return make_divisible(V1_CHANNELS[groups][stage - 2] * width, 4 * groups)


def _v1_stem(groups: int, width: float) -> int:
    return make_divisible(24 * width, groups)
