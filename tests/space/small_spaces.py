"""Random small spaces: real expressions of real blocks, few enough to look at every network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from netwright import blocks as B
from netwright.blocks import block
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Function,
    Identity,
    Pool,
)
from netwright.space import choice, derived, place, repeat, sequential
from netwright.space.expression import Sequential
from netwright.testing.interpreter import Member, members

Draw = Callable[[st.SearchStrategy[Any]], Any]

MOST = 300
"""Architectures that a random space has at most."""


# Blocks that begin with what may be folded into the block before, or that hold on to their input.


@block
def norm(build: GraphBuilder, x: Tensor) -> Tensor:
    """Batch norm alone: folds into a convolution at the end of the block before, if nobody else reads it."""
    return build.apply("bn", BatchNorm(), x)


@block
def act(build: GraphBuilder, x: Tensor, *, function: Function = "relu") -> Tensor:
    return build.apply("act", Activation(function), x)


@block
def bare_conv(build: GraphBuilder, x: Tensor, *, out: int, kernel: int = 1, stride: int = 1) -> Tensor:
    """Convolution alone, with something to fold into it in the next block perhaps."""
    return build.apply("conv", Conv(out, (kernel, kernel), (stride, stride), bias=kernel == 1), x)


@block
def pre_act(build: GraphBuilder, x: Tensor, *, kernel: int = 3) -> Tensor:
    """Norm, activation, convolution, and the input added: the norm cannot be folded, as x is read twice."""
    y = build.apply("bn", BatchNorm(), x)
    y = build.apply("act", Activation("relu"), y)
    y = build.apply("conv", Conv(x.channels, (kernel, kernel)), y)
    return build.apply("add", Add(), x, y)


@block
def dead_end(build: GraphBuilder, x: Tensor, *, before: bool = False) -> Tensor:
    """Something is computed that nobody reads; ``before`` what is read, so nothing folds across it."""
    if before:
        build.apply("dead", Pool("max", (2, 2), (2, 2)), x)
        return build.apply("act", Activation("relu"), x)
    y = build.apply("conv", Conv(x.channels), x)
    build.apply("dead", Conv(2, (3, 3)), y)
    return y


@block
def joined(build: GraphBuilder, x: Tensor, *, out: int, stride: int = 1) -> Tensor:
    """A strided branch and a pooled one, concatenated and shuffled."""
    y = build.apply("conv", Conv(out, (3, 3), (stride, stride)), x)
    z = build.apply("pool", Pool("average", (3, 3), (stride, stride)), x)
    return build.apply("shuffle", ChannelShuffle(2), build.apply("concat", Concat(), y, z))


@block
def passes(build: GraphBuilder, x: Tensor) -> Tensor:
    """No op at all."""
    return x


@block
def same(build: GraphBuilder, x: Tensor) -> Tensor:
    return build.apply("same", Identity(), x)


# All widths are even, so that two groups and two halves are always possible.
NAMED: dict[str, Any] = {
    "width": choice(4, 6, name="width"),
    "wide": choice(2, 8, 12, name="wide"),
    "kernel": choice(1, 3, name="kernel"),
    "function": choice("relu", "hardswish", name="function"),
    "depth": choice(1, 2, name="depth"),
    "double": derived("double", lambda half: 2 * half, choice(2, 3, name="half")),
    "scaled": derived("scaled", lambda a, b: max(2, 2 * round(a * b / 2)), choice(4, 6, name="width"), 0.7),
    "op": choice(
        B.conv_bn_act(out=choice(4, 6, name="width"), kernel=choice(1, 3), stride=2),
        sequential(
            place("down", B.max_pool(kernel=2)), place("up", bare_conv(out=choice(4, 6, name="width")))
        ),
        name="op",
    ),
    "skip": choice({"yes": B.identity(), "no": B.depthwise(kernel=choice(3, 5)), 0.5: passes()}, name="skip"),
}
"""Shared decisions; a name stands for the same choice in every space."""


def _widths(draw: Draw) -> Any:
    return draw(
        st.sampled_from(
            [
                2,
                4,
                6,
                choice(2, 4),
                choice(4, 6, 8),
                NAMED["width"],
                NAMED["wide"],
                NAMED["double"],
                NAMED["scaled"],
            ]
        )
    )


def _kernels(draw: Draw) -> Any:
    return draw(st.sampled_from([1, 3, choice(1, 3), choice(3, 5), NAMED["kernel"]]))


def _strides(draw: Draw) -> Any:
    return draw(st.sampled_from([1, 1, 1, 2, choice(1, 2)]))


def _block(draw: Draw) -> Any:
    kind = draw(st.integers(0, 17))
    if kind == 0:
        function = draw(st.sampled_from(["relu6", NAMED["function"], choice("relu", "silu")]))
        return B.conv_bn_act(
            out=_widths(draw), kernel=_kernels(draw), stride=_strides(draw), activation=function
        )
    if kind <= 3:
        return B.inverted_residual(
            out=_widths(draw),
            kernel=_kernels(draw),
            stride=_strides(draw),
            expand=draw(st.sampled_from([1, 2, choice(1, 1.5, 3), choice(2, 3)])),
            se=draw(st.sampled_from([0.0, 0.5, choice(0.0, 0.25)])),
        )
    makers: list[Callable[[], Any]] = [
        lambda: B.conv_bn_act(out=choice(4, 8), groups=choice(1, 2), kernel=(NAMED["kernel"], 3)),
        lambda: B.depthwise_separable(out=_widths(draw), kernel=_kernels(draw), stride=_strides(draw)),
        lambda: B.depthwise(kernel=_kernels(draw), stride=_strides(draw)),
        lambda: B.pointwise(out=_widths(draw), activation=None),
        lambda: B.squeeze_excite(ratio=draw(st.sampled_from([0.25, choice(0.25, 2.0)]))),
        lambda: B.max_pool(kernel=choice(2, 3), stride=_strides(draw)),
        lambda: B.basic(out=_widths(draw), stride=_strides(draw)),
        lambda: joined(out=_widths(draw), stride=_strides(draw)),
        lambda: norm(),
        lambda: act(function=draw(st.sampled_from(["relu", NAMED["function"]]))),
        lambda: bare_conv(out=_widths(draw), kernel=_kernels(draw), stride=_strides(draw)),
        lambda: pre_act(kernel=_kernels(draw)),
        lambda: dead_end(before=draw(st.sampled_from([True, False, choice(True, False)]))),
        lambda: same(),
    ]
    return makers[kind - 4]()


def _piece(draw: Draw, depth: int, counter: list[int]) -> Any:
    """A random expression; ``counter`` numbers stages and places, whose names must differ."""
    kind = draw(st.integers(0, 9 if depth else 3))
    counter[0] += 1
    number = counter[0]
    if kind <= 3:
        return _block(draw)
    if kind <= 5:
        body = _piece(draw, depth - 1, counter)
        layers = draw(st.sampled_from([1, 2, choice(1, 2), choice(2, 3), choice(3, 1), NAMED["depth"]]))
        return repeat(f"stage{number}", body, depth=layers)
    if kind == 6:
        return place(f"place{number}", _piece(draw, depth - 1, counter))
    if kind == 7:
        return NAMED[draw(st.sampled_from(["op", "skip"]))]
    if kind == 8:
        pieces = [_piece(draw, depth - 1, counter) for _ in range(draw(st.integers(1, 3)))]
        return sequential(*pieces)
    options = [_piece(draw, depth - 1, counter) for _ in range(draw(st.integers(1, 3)))]
    return choice({f"option{index}": option for index, option in enumerate(options)})


@dataclass(frozen=True)
class SmallSpace:
    """An expression and all networks it stands for, found by the interpreter."""

    expression: Sequential
    members: tuple[Member, ...] = field(repr=False)


@st.composite
def small_spaces(draw: Draw, most: int = MOST) -> SmallSpace:
    """Random spaces of at most ``most`` architectures and at least one decision."""
    counter = [0]
    parts = [_piece(draw, 3, counter) for _ in range(draw(st.integers(1, 5)))]
    channels = draw(st.sampled_from([2, 4, choice(2, 4, name="channels")]))
    height = draw(st.sampled_from([5, 8, choice(4, 7), choice(5, 6, 8, name="resolution")]))
    width = draw(st.sampled_from([..., ..., 6]))
    if draw(st.booleans()):
        classes = draw(st.sampled_from([3, choice(2, 3)]))
        parts.append(B.classifier(classes=classes, hidden=draw(st.sampled_from([None, choice(4, 5)]))))
    shape = (channels, height, width)
    while True:
        expression = sequential(*parts, input=shape)
        found = tuple(islice(members(expression), most + 1))
        if len(found) <= most:
            break
        # Too many: without the part in the middle; the head stays, as nothing else can follow it.
        parts.pop(len(parts) // 2)
        parts = parts or [same()]
    if not found[0].choices:
        expression = sequential(*parts, choice(same(), norm()), input=shape)
        found = tuple(members(expression))
    return SmallSpace(expression, found)
