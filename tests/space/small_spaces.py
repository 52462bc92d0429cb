"""Random small spaces: real expressions of real blocks, few enough to look at every network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from random import Random
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
from netwright.space.expression import Sequential, describe
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


class _Writer:
    """Writes random expressions; numbers stages and places, whose names must differ."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._number = 0

    def pick(self, *options: Any) -> Any:
        return self._random.choice(options)

    def width(self) -> Any:
        shared = [NAMED[name] for name in ("width", "wide", "double", "scaled")]
        return self.pick(2, 4, 6, choice(2, 4), choice(4, 6, 8), *shared)

    def kernel(self) -> Any:
        return self.pick(1, 3, choice(1, 3), choice(3, 5), NAMED["kernel"])

    def stride(self) -> Any:
        return self.pick(1, 1, 1, 2, choice(1, 2))

    def block(self) -> Any:
        makers: list[Callable[[], Any]] = [
            lambda: B.conv_bn_act(
                out=self.width(),
                kernel=self.kernel(),
                stride=self.stride(),
                activation=self.pick("relu6", NAMED["function"], choice("relu", "silu")),
            ),
            self.inverted_residual,
            self.inverted_residual,
            lambda: B.conv_bn_act(out=choice(4, 8), groups=choice(1, 2), kernel=(NAMED["kernel"], 3)),
            lambda: B.depthwise_separable(out=self.width(), kernel=self.kernel(), stride=self.stride()),
            lambda: B.depthwise(kernel=self.kernel(), stride=self.stride()),
            lambda: B.squeeze_excite(ratio=self.pick(0.25, choice(0.25, 2.0))),
            lambda: B.max_pool(kernel=choice(2, 3), stride=self.stride()),
            lambda: B.basic(out=self.width(), stride=self.stride()),
            lambda: joined(out=self.width(), stride=self.stride()),
            self.opened,
            self.closing,
            lambda: pre_act(kernel=self.kernel()),
            lambda: dead_end(before=self.pick(True, False, choice(True, False))),
        ]
        return self.pick(*makers)()

    def inverted_residual(self) -> Any:
        return B.inverted_residual(
            out=self.width(),
            kernel=self.kernel(),
            stride=self.stride(),
            expand=self.pick(1, 2, choice(1, 1.5, 3), choice(2, 3)),
            se=self.pick(0.0, 0.5, choice(0.0, 0.25)),
        )

    def opened(self) -> Any:
        """Something can still be folded into its last op."""
        if self.pick(True, False):
            return bare_conv(out=self.width(), kernel=self.kernel(), stride=self.stride())
        return B.pointwise(out=self.width(), activation=None)

    def closing(self) -> Any:
        """Its first op can be folded into the block before, if that is open."""
        return self.pick(norm(), norm(), act(), act(function=NAMED["function"]), same())

    def piece(self, depth: int) -> Any:
        """A random expression, nested at most so deep."""
        self._number += 1
        number = self._number
        kind = self._random.randint(0, 10 if depth else 4)
        if kind <= 2:
            return self.block()
        if kind <= 4:
            return sequential(
                self.opened(), self.closing(), *([self.closing()] if self.pick(True, False) else [])
            )
        if kind <= 6:
            layers = self.pick(
                1, 2, choice(1, 2), choice(2, 0), choice(0, 1, 3), choice(3, 1), NAMED["depth"]
            )
            return repeat(f"stage{number}", self.piece(depth - 1), depth=layers)
        if kind == 7:
            return place(f"place{number}", self.piece(depth - 1))
        if kind == 8:
            return self.pick(NAMED["op"], NAMED["skip"])
        pieces = [self.piece(depth - 1) for _ in range(self._random.randint(1, 3))]
        if kind == 9:
            return sequential(*pieces)
        return choice({f"option{index}": piece for index, piece in enumerate(pieces)})


@dataclass(frozen=True, repr=False)
class SmallSpace:
    """An expression and all networks it stands for, found by the interpreter."""

    expression: Sequential
    members: tuple[Member, ...]

    def __repr__(self) -> str:
        return f"<{len(self.members)} members of {json.dumps(describe(self.expression))[:2000]}>"


def random_space(random: Random, most: int = MOST) -> SmallSpace:
    """A space of at most ``most`` architectures and at least one decision."""
    writer = _Writer(random)
    parts = [writer.piece(3) for _ in range(random.randint(1, 5))]
    channels = random.choice([2, 4, choice(2, 4, name="channels")])
    height = random.choice([5, 8, choice(4, 7), choice(5, 6, 8, name="resolution")])
    shape: tuple[Any, ...] = (channels, height, random.choice([..., ..., 6]))
    if random.random() < 0.5:
        classes, hidden = random.choice([3, choice(2, 3)]), random.choice([None, choice(4, 5)])
        parts.append(B.classifier(classes=classes, hidden=hidden))
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


@st.composite
def small_spaces(draw: Draw, most: int = MOST) -> SmallSpace:
    """Random spaces of at most ``most`` architectures and at least one decision."""
    return random_space(draw(st.randoms(use_true_random=True)), most)
