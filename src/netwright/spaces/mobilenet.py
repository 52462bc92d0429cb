"""Network-level spaces of inverted residuals."""

from __future__ import annotations

from math import log2

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.space import ExpressionSpace, choice, compile_space, place, repeat, sequential

_STAGES = (
    ("stage1", (8, 16, 24), (1, 2)),
    ("stage2", (16, 24, 32), (1, 2, 3)),
    ("stage3", (32, 48, 64), (1, 2, 3)),
)
_FINAL_PIXELS = 5


def resolutions(size: int) -> tuple[int, ...]:
    """Resolutions worth a try for square images of a given size in pixels.

    Images below 16 pixels are also enlarged, so that there is something to convolve; larger ones are also
    shrunk, as memory and MACs grow with the square of the resolution.

    >>> resolutions(8), resolutions(28), resolutions(96)
    ((8, 12, 16), (20, 24, 28), (48, 64, 80, 96))
    """
    if size < 16:
        return size, size * 3 // 2, size * 2
    if size <= 32:
        return size - 8, size - 4, size
    smaller = (max(8, round(size * part / 12 / 8) * 8) for part in (6, 8, 10))
    return tuple(dict.fromkeys((*smaller, size)))


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
