"""NAS-Bench-Macro: a small space of depths and blocks of which every network was trained."""

from __future__ import annotations

from netwright import blocks as B
from netwright.ir.ops import Shape
from netwright.space import ExpressionSpace, choice, compile_space, place, repeat, sequential
from netwright.spaces.images import square_images

STAGES = ((64, 2), (128, 3), (256, 3))
"""Channels and layers; each stage halves the map [Su et al. 2021, arXiv:2103.11922]."""


def nasbench_macro(input_shape: Shape, classes: int) -> ExpressionSpace:
    """The space of NAS-Bench-Macro [Su et al. 2021, arXiv:2103.11922]: 3^8 = 6,561 networks.

    Eight layers, each the identity ("id"), an inverted residual with kernel 3 and expansion 3 or one with
    kernel 5 and expansion 6. Where the layer changes the shape, the first of a stage, the identity is a 1x1
    convolution with batch norm, as in the published code. An architecture string of the benchmark numbers
    the options 0, 1, 2, layer by layer.

    Args:
        input_shape: (channels, height, width) of the data; square, 3 x 32 x 32 in the benchmark.
        classes: number of classes.

    Raises:
        SpaceError: if the images are not square or below 8 pixels.
    """
    channels, size = square_images("nasbench-macro", input_shape)
    stages = []
    for number, (out, layers) in enumerate(STAGES, 1):
        small = B.inverted_residual(out=out, stride=2, kernel=3, expand=3, activation="relu")
        op = choice(
            {
                "id": B.skip(out=out, stride=2),
                "ir_3x3_t3": small,
                "ir_5x5_t6": small.replace(kernel=5, expand=6),
            }
        )
        stages.append(repeat(f"stage{number}", place("op", op), depth=layers))
    expression = sequential(
        place("stem", B.conv_bn_act(out=32)),
        *stages,
        place("head", B.conv_bn_act(out=1280, kernel=1)),
        place("classifier", B.classifier(classes=classes)),
        input=(channels, size, size),
    )
    return compile_space(expression, "nasbench-macro")
