"""Spaces over topology: paths through a trellis of resolutions, for networks that label every pixel."""

from __future__ import annotations

from types import MappingProxyType

from netwright import blocks as B
from netwright.blocks.segmentation import atrous_pyramid, segmentation_head
from netwright.errors import SpaceError
from netwright.ir.ops import Shape
from netwright.space import Architecture, ExpressionSpace, choice, compile_space, place, sequential
from netwright.space.cell_grammar import cell, five_steps
from netwright.space.cell_stack import cells
from netwright.space.expression import Part
from netwright.space.topology import trellis
from netwright.spaces.cell_networks import operation_blocks

OPERATIONS = (
    *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
    *("avg_pool_3x3", "max_pool_3x3", "skip_connect", "none"),
)
"""What a cell of Auto-DeepLab can apply [Liu et al. 2019, arXiv:1901.02985, Sec. 3.1]."""

LEVELS = 4

PATHS = MappingProxyType(
    {
        "deeplab-v3": (0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2),
        "conv-deconv": (0, 0, 1, 1, 2, 2, 3, 2, 2, 1, 1, 0),
        "stacked-hourglass": (0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1),
    }
)
"""Levels, by layer, of networks that are members [arXiv:1901.02985, Fig. 2]: DeepLabV3 goes down to a
sixteenth of the image and stays there [Chen et al. 2017, arXiv:1706.05587]; the conv-deconv network goes down
and back up [Noh et al. 2015, arXiv:1505.04366]; the stacked hourglass does so again and again
[Newell et al. 2016, arXiv:1603.06937]."""


def auto_deeplab(
    input_shape: Shape,
    classes: int,
    *,
    layers: int = 12,
    width: int = 8,
    blocks: int = 5,
    part: str = "both",
) -> ExpressionSpace:
    """The space of Auto-DeepLab [Liu et al. 2019, arXiv:1901.02985]: a path, and a cell for all its layers.

    The stem shrinks the image to a quarter, level 0; four levels, each half as large and twice as wide as
    the one above. The first layer is at level 0, so a path of 12 layers has 11 free steps: 28,657 paths. A
    cell has five blocks of two ordered inputs among all earlier tensors, with one of eight operations each,
    summed; all blocks are concatenated: ``(6!)^2 * 8^10 = 556,627,761,561,600`` cells.

    Args:
        input_shape: (channels, height, width) of the images; sides of at least 32 pixels.
        classes: number of classes of pixels.
        layers: number of layers.
        width: channels of a block at level 0, F.
        blocks: blocks of a cell.
        part: ``both``; or ``network``, the paths alone with one separable convolution a layer; or ``cell``, a
            stack of cells at level 0.

    Raises:
        SpaceError: if the images are too small or an argument is not valid.

    >>> from netwright.space import size
    >>> size(auto_deeplab((3, 64, 64), 19, part="network")), size(auto_deeplab((3, 64, 64), 19, part="cell"))
    (28657, 556627761561600)
    """
    if len(input_shape) != 3 or min(input_shape[1:]) < 32:
        raise SpaceError(
            f"auto-deeplab: expected images (channels, height, width) of at least 32 pixels, got "
            f"{tuple(input_shape)}; use auto-deeplab-tiny for smaller ones"
        )
    found = cell("cell", *[five_steps(operation_blocks(OPERATIONS), combine=("add",))] * blocks, output="all")
    body: Part
    if part == "cell":
        body = cells("cells", *[found] * 3, width=width)
    elif part == "network":
        body = trellis("trellis", B.sep_conv(kernel=3), layers=layers, levels=LEVELS, width=width * blocks)
    elif part == "both":
        body = trellis("trellis", found, layers=layers, levels=LEVELS, width=width)
    else:
        raise SpaceError(f"auto-deeplab.part: expected both, network or cell, got {part!r}")
    stem = place(
        "stem",
        sequential(
            B.conv_bn_act(out=8 * width, kernel=3, stride=2),
            B.conv_bn_act(out=8 * width, kernel=3),
            B.conv_bn_act(out=16 * width, kernel=3, stride=2),
        ),
    )
    expression = sequential(
        stem,
        body,
        place("context", atrous_pyramid(out=256 * width // 8, rates=(6, 12, 18))),
        place("head", segmentation_head(classes=classes, size=(input_shape[1], input_shape[2]))),
        input=input_shape,
    )
    return compile_space(expression, "auto-deeplab")


def auto_deeplab_tiny(
    input_shape: Shape, classes: int, *, layers: int = 5, blocks: int = 2, stride: int = 0
) -> ExpressionSpace:
    """A small trellis for small images: a network trains in seconds to minutes on a processor.

    Three levels; a cell of two blocks of two ordered inputs, with one of five operations each; the width is
    a decision. With five layers, the first at level 0, there are 29 paths.

    Args:
        input_shape: (channels, height, width) of the images; sides of 8 to 128 pixels.
        classes: number of classes of pixels.
        layers: number of layers.
        blocks: blocks of the cell.
        stride: of the stem; by default 1 below 24 pixels and 2 from there on.

    Raises:
        SpaceError: if the images have another size or an argument is not valid.
    """
    if len(input_shape) != 3 or not 8 <= min(input_shape[1:]) <= max(input_shape[1:]) <= 128:
        raise SpaceError(
            f"auto-deeplab-tiny: expected images (channels, height, width) of 8 to 128 pixels, got "
            f"{tuple(input_shape)}; resize the images first"
        )
    if stride not in (0, 1, 2):
        raise SpaceError(f"auto-deeplab-tiny.stride: expected 1 or 2, got {stride}")
    step = stride or (1 if min(input_shape[1:]) < 24 else 2)
    operations = operation_blocks(
        ("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "max_pool_3x3", "skip_connect")
    )
    body = cell("cell", *[five_steps(operations, combine=("add",))] * blocks, output="all")
    expression = sequential(
        place("stem", B.conv_bn_act(out=16, kernel=3, stride=step)),
        trellis("trellis", body, layers=layers, levels=3, width=choice(8, 12, 16, name="width")),
        place("context", atrous_pyramid(out=32, rates=(2, 4))),
        place("head", segmentation_head(classes=classes, size=(input_shape[1], input_shape[2]))),
        input=input_shape,
    )
    return compile_space(expression, "auto-deeplab-tiny")


def published_path(space: ExpressionSpace, name: str, cell_choices: dict[str, object]) -> Architecture:
    """The member of ``auto-deeplab`` whose path is one of ``PATHS``.

    Args:
        space: made by ``auto_deeplab`` with 12 layers.
        name: one of ``PATHS``.
        cell_choices: the decisions of the cell; none where ``part`` is ``network``.

    Raises:
        SpaceError: if there is no such path, or the decisions of the cell are not those of the space.
    """
    if name not in PATHS:
        raise SpaceError(f"path: expected one of {', '.join(PATHS)}, got {name!r}")
    levels = {f"trellis.{layer}.level": level for layer, level in enumerate(PATHS[name]) if layer}
    return space.architecture({**levels, **cell_choices})
