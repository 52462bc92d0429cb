"""What the laws are tried on: every op in its variants, and a space that is small but has everything."""

from __future__ import annotations

from typing import NamedTuple, get_args

from netwright import blocks as B
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    Function,
    GlobalPool,
    Identity,
    Input,
    Linear,
    Multiply,
    Op,
    Pool,
    Resize,
    Shape,
    Slice,
    Zero,
)
from netwright.space import ExpressionSpace, choice, compile_space, repeat, sequential


class OpCase(NamedTuple):
    """An op and the shapes of what it reads, without the batch."""

    op: Op
    inputs: tuple[Shape, ...]


OP_CASES: tuple[OpCase, ...] = (
    OpCase(Input((3, 5, 4)), ()),
    OpCase(Conv(6), ((4, 5, 7),)),
    OpCase(Conv(6, (3, 3), bias=True), ((4, 5, 7),)),
    OpCase(Conv(6, (3, 3), (2, 2)), ((4, 8, 8),)),
    OpCase(Conv(6, (3, 3), (2, 2)), ((4, 7, 7),)),
    OpCase(Conv(6, (3, 5), (1, 2), (2, 1), groups=2), ((4, 9, 9),)),
    OpCase(Conv(4, (3, 3), groups=4, padding="symmetric"), ((4, 6, 6),)),
    OpCase(Conv(8, (3, 3), groups=4, padding=(0, 1, 2, 0)), ((4, 6, 6),)),
    OpCase(Linear(6), ((5,),)),
    OpCase(Linear(6, bias=False), ((5,),)),
    OpCase(BatchNorm(), ((4, 5, 5),)),
    OpCase(BatchNorm(affine=False, eps=1e-3, momentum=0.01), ((4,),)),
    *(OpCase(Activation(function), ((4, 5, 5),)) for function in get_args(Function)),
    OpCase(Pool("average", (3, 3), (2, 2)), ((4, 8, 8),)),
    OpCase(Pool("average", (3, 3), (1, 1), "symmetric"), ((4, 6, 6),)),
    OpCase(Pool("max", (2, 3), (2, 1), (0, 1, 1, 0)), ((4, 7, 7),)),
    OpCase(GlobalPool("average"), ((4, 5, 3),)),
    OpCase(GlobalPool("max"), ((4, 5, 3),)),
    OpCase(Add(), ((4, 5, 5), (4, 5, 5), (4, 5, 5))),
    OpCase(Multiply(), ((4, 5, 5), (4, 5, 5))),
    OpCase(Multiply(), ((4, 5, 5), (4, 1, 1))),
    OpCase(Concat(), ((2, 5, 5), (3, 5, 5))),
    OpCase(ChannelShuffle(3), ((6, 5, 5),)),
    OpCase(Slice(1, 3), ((4, 5, 5),)),
    OpCase(Resize((7, 3), "bilinear"), ((4, 5, 5),)),
    OpCase(Resize((7, 3), "nearest"), ((4, 5, 5),)),
    OpCase(Flatten(), ((4, 5, 5),)),
    OpCase(Identity(), ((4, 5, 5),)),
    OpCase(Zero((2, 1)), ((4, 5, 5),)),
    OpCase(Zero(), ((4,),)),
)
"""At least one case of every op of ``netwright.ir.ops.OPS``."""


def example_space() -> ExpressionSpace:
    """A space of 704 small networks: shared and unnamed choices, depth, structure, resolution."""
    width = choice(4, 8, name="width")
    stage = repeat(
        "stage",
        B.inverted_residual(out=width, kernel=choice(3, 5), expand=choice(1, 2), stride=2),
        depth=choice(1, 2),
    )
    tail = choice(
        {
            "conv": B.conv_bn_act(out=choice(4, 6), kernel=1),
            "separable": B.depthwise_separable(out=choice(4, 6), kernel=choice(3, 5)),
            "none": B.identity(),
        },
        name="tail",
    )
    expression = sequential(
        B.conv_bn_act(out=width),
        stage,
        tail,
        B.classifier(classes=3, hidden=choice(4, 8)),
        input=(1, choice(6, 8, name="resolution"), ...),
    )
    return compile_space(expression, "example")
