"""Small spaces for signals: windows of sensors, which are maps of height 1, and spectrograms."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2
from typing import Any

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.ir.ops import Pair, Shape
from netwright.space import ExpressionSpace, choice, compile_space, place, repeat, sequential
from netwright.space.expression import Choice

LEAST_SAMPLES = 8
"""Samples of the shortest windows, and sides of the smallest spectrograms."""

STAGES = (
    ("stage1", (8, 16, 24), (1, 2)),
    ("stage2", (16, 24, 32), (1, 2, 3)),
    ("stage3", (32, 48, 64), (1, 2, 3)),
)
"""Name, widths and depths of each stage."""

_WINDOW_END, _SPECTROGRAM_END = 8, 5
"""Samples, or bands and frames, that the last stage works on, about."""

_ORDER = ("stage3", "stage1", "stem", "stage2", "stem")
"""Who halves the map, the first ones first; a stem that is named twice goes by four."""


def conv1d_tiny(input_shape: Shape, classes: int) -> ExpressionSpace:
    """Small one-dimensional networks for windows of sensors, as graphs whose maps have the height 1.

    Decisions: width and kernel (5, 7, 9) of the stem; width and depth of each of three stages; and for each
    layer whether it is an ordinary convolution, a depthwise-separable one [Howard et al. 2017,
    arXiv:1704.04861] or an inverted residual [Sandler et al. 2018, arXiv:1801.04381], its kernel (3, 5, 7)
    and, of the latter, its expansion (2, 4). Kernels are 1 x k, strides 1 x 2; they are placed so that the
    last stage works on about 8 samples. Activations are relu6, and padding is that of TFLite, which needs no
    PAD on a microcontroller.

    Args:
        input_shape: (channels, 1, samples) of the data.
        classes: number of classes.

    Raises:
        SpaceError: if the height is not 1 or there are less than 8 samples.
    """
    channels, height, samples = input_shape if len(input_shape) == 3 else (0, 0, 0)
    if height != 1 or samples < LEAST_SAMPLES or channels < 1:
        raise SpaceError(
            f"conv1d-tiny: expected windows of shape (channels, 1, samples) with at least {LEAST_SAMPLES} "
            f"samples, got the shape {tuple(input_shape)}; for images take mobilenet-tiny"
        )
    strides = _strides((0, _halvings(samples, _WINDOW_END)))
    return _space("conv1d-tiny", input_shape, classes, strides, _row(5, 7, 9), _row(3, 5, 7))


def spectrogram_tiny(input_shape: Shape, classes: int) -> ExpressionSpace:
    """Small networks for spectrograms and other rectangles of any sides.

    As ``conv1d_tiny`` with square kernels (3, 5) and strides that halve bands and frames each for itself, so
    that the last stage works on about 5 x 5.

    Args:
        input_shape: (channels, bands, frames) of the data.
        classes: number of classes.

    Raises:
        SpaceError: if a side is below 8.
    """
    channels, bands, frames = input_shape if len(input_shape) == 3 else (0, 0, 0)
    if min(bands, frames) < LEAST_SAMPLES or channels < 1:
        raise SpaceError(
            f"spectrogram-tiny: expected at least {LEAST_SAMPLES} bands and frames, got the shape "
            f"{tuple(input_shape)}; for windows of sensors take conv1d-tiny"
        )
    strides = _strides((_halvings(bands, _SPECTROGRAM_END), _halvings(frames, _SPECTROGRAM_END)))
    return _space("spectrogram-tiny", input_shape, classes, strides, choice(3, 5), choice(3, 5))


def _space(
    name: str, input_shape: Shape, classes: int, strides: dict[str, Pair], first: Choice, kernels: Choice
) -> ExpressionSpace:
    """Stem, three stages of layers of three kinds, classifier."""
    stages = [
        repeat(
            stage, place("op", _layer(choice(*widths, name=f"{stage}.width"), kernels, strides[stage])), depth
        )
        for stage, widths, depths in STAGES
        for depth in [choice(*depths)]
    ]
    expression = sequential(
        place(
            "stem",
            B.conv_bn_act(
                out=choice(8, 16, name="stem.width"), kernel=first, stride=strides["stem"], activation="relu6"
            ),
        ),
        *stages,
        place("classifier", B.classifier(classes=classes)),
        input=tuple(input_shape),
    )
    return compile_space(expression, name)


def _layer(width: Choice, kernels: Choice, stride: Pair) -> Any:
    return choice(
        {
            "conv": B.conv_bn_act(out=width, kernel=kernels, stride=stride, activation="relu6"),
            "separable": B.depthwise_separable(out=width, kernel=kernels, stride=stride, activation="relu6"),
            "inverted": B.inverted_residual(out=width, kernel=kernels, stride=stride, expand=choice(2, 4)),
        }
    )


def _row(*lengths: int) -> Choice:
    """A choice of kernels 1 x k that architectures record as k."""
    return choice({length: (1, length) for length in lengths})


def _halvings(size: int, end: int) -> int:
    """How often a side is halved to come near to its end."""
    return max(0, round(log2(size / end)))


def _strides(halvings: Sequence[int]) -> dict[str, Pair]:
    """Strides (vertical, horizontal) of stem and stages that halve each axis so many times, if they can.

    >>> _strides((0, 4))["stem"], _strides((0, 7))["stem"], _strides((3, 3))["stage2"]
    ((1, 2), (1, 4), (1, 1))
    """
    takers = [list(_ORDER[:count]) for count in halvings]
    return {
        name: (2 ** takers[0].count(name), 2 ** takers[1].count(name))
        for name in ("stem", *(stage for stage, _, _ in STAGES))
    }
