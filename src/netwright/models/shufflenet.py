"""ShuffleNet V1 and V2 with the padding of the PyTorch models.

Places: ``stem``, ``stage2.0`` … ``stage4.3`` (numbered as in the papers), ``head``, ``classifier``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from netwright.blocks import classifier, conv_bn_act, make_divisible, max_pool, shuffle_v1, shuffle_v2
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder, Tensor

REPEATS = (4, 8, 4)
"""Units in stages 2 to 4."""

V1_CHANNELS: Mapping[int, tuple[int, int, int]] = MappingProxyType(
    {
        1: (144, 288, 576),
        2: (200, 400, 800),
        3: (240, 480, 960),
        4: (272, 544, 1088),
        8: (384, 768, 1536),
    }
)
"""Channels of stages 2 to 4 by number of groups [Zhang et al. 2017, arXiv:1707.01083, Table 1]."""

V2_CHANNELS: Mapping[float, tuple[int, int, int, int]] = MappingProxyType(
    {
        0.5: (48, 96, 192, 1024),
        1.0: (116, 232, 464, 1024),
        1.5: (176, 352, 704, 1024),
        2.0: (244, 488, 976, 2048),
    }
)
"""Channels of stages 2 to 4 and of the head by width [Ma et al. 2018, arXiv:1807.11164, Table 5]."""


def _stem(build: GraphBuilder, x: Tensor, out: int) -> Tensor:
    with build.scope("stem"):
        x = conv_bn_act(out=out, stride=2, padding="symmetric")(build, x)
        return max_pool(padding="symmetric")(build, x)


def shufflenet_v1(
    *,
    groups: int = 3,
    width: float = 1.0,
    resolution: int = 224,
    classes: int = 1000,
    in_channels: int = 3,
) -> Graph:
    """ShuffleNetV1 [Zhang et al. 2017, arXiv:1707.01083, Table 1].

    The first 1x1 convolution of stage 2 has no groups, as its input has too few channels. The average
    pool of a shortcut leaves its padding out of the mean, which some implementations do not.

    Args:
        groups: of the 1x1 convolutions: 1, 2, 3, 4 or 8; it fixes the channel numbers too.
        width: multiplies all channel numbers, which are then rounded to what the groups can divide.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    if groups not in V1_CHANNELS:
        raise GraphError(f"shufflenet_v1.groups: expected one of {tuple(V1_CHANNELS)}, got {groups}")
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    x = _stem(build, x, make_divisible(24 * width, groups))
    for stage, (repeats, channels) in enumerate(zip(REPEATS, V1_CHANNELS[groups], strict=True), 2):
        out = make_divisible(channels * width, 4 * groups)
        for index in range(repeats):
            with build.scope(f"stage{stage}.{index}"):
                unit = shuffle_v1(
                    out=out,
                    groups=groups,
                    stride=2 if index == 0 else 1,
                    first_grouped=(stage, index) != (2, 0),
                    padding="symmetric",
                )
                x = unit(build, x)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, x))


def shufflenet_v2(
    *, width: float = 1.0, resolution: int = 224, classes: int = 1000, in_channels: int = 3
) -> Graph:
    """ShuffleNetV2 [Ma et al. 2018, arXiv:1807.11164, Table 5].

    Args:
        width: 0.5, 1.0, 1.5 or 2.0; it names a row of the paper's table and is no multiplier.
        resolution: height and width of the images in pixels.
        classes: number of logits.
        in_channels: channels of the images.

    Raises:
        GraphError: if an argument does not fit.
    """
    if width not in V2_CHANNELS:
        raise GraphError(f"shufflenet_v2.width: expected one of {tuple(V2_CHANNELS)}, got {width}")
    *stages, last = V2_CHANNELS[width]
    build = GraphBuilder()
    x = build.input((in_channels, resolution, resolution))
    x = _stem(build, x, 24)
    for stage, (repeats, out) in enumerate(zip(REPEATS, stages, strict=True), 2):
        for index in range(repeats):
            with build.scope(f"stage{stage}.{index}"):
                x = shuffle_v2(out=out, stride=2 if index == 0 else 1, padding="symmetric")(build, x)
    with build.scope("head"):
        x = conv_bn_act(out=last, kernel=1, padding="symmetric")(build, x)
    with build.scope("classifier"):
        return build.finish(classifier(classes=classes)(build, x))
