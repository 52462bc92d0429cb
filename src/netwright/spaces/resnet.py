"""ResNet and ResNeXt as one space: depth, width, expansion and groups."""

from __future__ import annotations

from typing import NamedTuple

from netwright import blocks as B
from netwright.ir.ops import Shape
from netwright.space import ExpressionSpace, choice, compile_space, place, repeat, sequential
from netwright.spaces.images import fewer_strides, square_images


class Stage(NamedTuple):
    """What a stage leaves open."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    stride: int


STAGES = (
    Stage((128, 256, 384), (1, 2, 3, 4), 1),
    Stage((256, 512, 768), (2, 3, 4, 6), 2),
    Stage((512, 1024, 1536), (2, 4, 6, 8, 23), 2),
    Stage((1024, 2048, 3072), (1, 2, 3, 4), 2),
)
"""Around ResNet-50, with half and one and a half times its channels, and the depth of ResNet-101."""


def resnet(input_shape: Shape, classes: int, *, resolution: int | None = None) -> ExpressionSpace:
    """Bottleneck networks: ResNet-50 and 101, ResNeXt-50 32x4d, and everything around and between.

    Decisions: channels of the stem; width and depth of each of the four stages; expansion (2, 4) and groups
    (1, 8, 32) of every layer. Expansion 4 with 1 group is ResNet [He et al. 2015, arXiv:1512.03385],
    expansion 2 with 32 groups ResNeXt [Xie et al. 2016, arXiv:1611.05431]; the stride is in the 3x3.

    Args:
        input_shape: (channels, height, width) of the data; square.
        classes: number of classes.
        resolution: height and width in pixels; by default 224, or that of the images if they are smaller.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("resnet", input_shape)
    side = min(224, size) if resolution is None else resolution
    first, pool, *strides = fewer_strides((2, 2, *(stage.stride for stage in STAGES)), side)
    stages = [
        repeat(
            f"stage{number}",
            B.group_bottleneck(
                out=choice(*stage.widths, name=f"stage{number}.width"),
                stride=stride,
                expansion=choice(2, 4),
                groups=choice(1, 8, 32),
            ),
            depth=choice(*stage.depths),
        )
        for number, (stage, stride) in enumerate(zip(STAGES, strides, strict=True), 1)
    ]
    # Without the strides of the ImageNet networks the large window has no use either.
    stem = B.conv_bn_act(out=choice(32, 64, name="stem.width"), kernel=7 if first > 1 else 3, stride=first)
    expression = sequential(
        place("stem", stem),
        *([place("pool", B.max_pool(stride=pool))] if pool > 1 else []),
        *stages,
        place("classifier", B.classifier(classes=classes)),
        input=(channels, side, side),
    )
    return compile_space(expression, "resnet")
