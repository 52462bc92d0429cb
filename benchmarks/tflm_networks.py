"""Random networks for ``tflm_memory.py``: from the shipped tiny spaces, and stacks of shipped blocks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from netwright import blocks as B
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import Activation, Add, Concat, Conv, Shape
from netwright.ir.tflm import best_order, reordered, tflm_cost
from netwright.space import ExpressionSpace, size, unrank
from netwright.spaces import mobilenet_tiny
from netwright.spaces.tinyml import mcunet

SHAPES: tuple[Shape, ...] = ((1, 28, 28), (3, 32, 32), (3, 48, 48), (3, 64, 64))
KINDS = ("mobilenet-tiny", "mcunet", "shuffle", "branches", "squeeze-and-excite", "residuals")
CLASSES = 10
_WITHOUT_BRANCHES = ("mobilenet-tiny", "mcunet", "squeeze-and-excite")
_WIDTHS = (0.5, 0.4, 0.3, 0.2)
"""Multipliers of mcunet by input size."""
MOST_WEIGHTS = 800_000
"""Bytes of weights above which a drawn network is left out: its conversion takes minutes."""


class Drawn(NamedTuple):
    """A random network.

    Attributes:
        kind: one of ``KINDS``.
        graph: its nodes in the order of execution that ``best_order`` gives.
    """

    kind: str
    graph: Graph


def draw(number: int, seed: int, fragmenting: int) -> Iterator[Drawn]:
    """Random networks, as many of each kind and input size as of any other.

    Of the small ones without branches the first ``fragmenting`` are such that the planner is predicted to
    leave gaps, so that there are enough of them; all others are as they are drawn.
    """
    for index in range(number):
        kind, shape = KINDS[index % len(KINDS)], SHAPES[index // len(KINDS) % len(SHAPES)]
        gaps = kind in _WITHOUT_BRANCHES and shape in SHAPES[:2] and fragmenting > 0
        fragmenting -= gaps
        for graph in _candidates(kind, shape, (seed, index)):
            costs = tflm_cost(graph)
            weights = sum(tensor.bytes for tensor in costs.program.tensors if tensor.constant)
            if weights <= MOST_WEIGHTS and (costs.fragmented or not gaps):
                yield Drawn(kind, reordered(graph, best_order(graph)))
                break


def _candidates(kind: str, shape: Shape, seed: tuple[int, int]) -> Iterator[Graph]:
    rng = np.random.default_rng(seed)
    while True:
        yield _from_space(kind, shape, rng) if kind in KINDS[:2] else _stack(kind, shape, rng)


def _from_space(kind: str, shape: Shape, rng: np.random.Generator) -> Graph:
    space, members = _space(kind, shape)
    return space.to_graph(unrank(space, int(rng.random() * members)))


@cache
def _space(kind: str, shape: Shape) -> tuple[ExpressionSpace, int]:
    """A space and its size."""
    if kind == "mobilenet-tiny":
        space = mobilenet_tiny(shape, CLASSES)
    else:
        space = mcunet(shape, CLASSES, resolution=shape[1], width=_WIDTHS[SHAPES.index(shape)])
    return space, size(space)


def _stack(kind: str, shape: Shape, rng: np.random.Generator) -> Graph:
    """A stem, three to six blocks with two reductions at least, a classifier."""
    build = GraphBuilder()
    x = build.input(shape)
    with build.scope("stem"):
        width = int(rng.choice([8, 16, 24]))
        x = B.conv_bn_act(out=width, stride=int(rng.integers(1, 3)), activation=_activation(rng))(build, x)
    for number in range(int(rng.integers(3, 7))):
        stride = 2 if number in (1, 3) or x.shape[1] > 24 else 1
        with build.scope(f"block{number}"):
            x = _BLOCKS[kind](build, x, stride, rng)
    with build.scope("classifier"):
        hidden = int(rng.choice([0, 32]))
        head = B.classifier(classes=CLASSES, hidden=hidden) if hidden else B.classifier(classes=CLASSES)
        return build.finish(head(build, x))


def _activation(rng: np.random.Generator) -> str:
    return str(rng.choice(["relu", "relu6", "hardswish"]))


def _width(x: Tensor, stride: int, rng: np.random.Generator) -> int:
    return x.channels if stride == 1 and rng.random() < 0.6 else x.channels + 8 * int(rng.integers(0, 3))


def _shuffle(build: GraphBuilder, x: Tensor, stride: int, rng: np.random.Generator) -> Tensor:
    which = int(rng.integers(3))
    if which == 0:
        out = x.channels if stride == 1 else 2 * x.channels
        return B.shuffle_v2(out=out, stride=stride, kernel=int(rng.choice([3, 5])))(build, x)
    if which == 1:
        out = x.channels if stride == 1 else 2 * x.channels
        return B.shuffle_v1(out=out, groups=2, stride=stride)(build, x)
    out = _width(x, stride, rng)
    block = B.grouped_inverted_residual(out=out, stride=stride, expand=int(rng.integers(1, 4)), groups=2)
    return block(build, x)


def _branches(build: GraphBuilder, x: Tensor, stride: int, rng: np.random.Generator) -> Tensor:
    """Two or three ways of one to three layers, added (to the input too, if it fits) or concatenated."""
    joined = str(rng.choice(["add", "concat"]))
    out = _width(x, stride, rng)
    ways = []
    for way in range(int(rng.integers(2, 4))):
        with build.scope(f"way{way}"):
            y = x
            for layer in range(int(rng.integers(1, 4))):
                step = stride if layer == 0 else 1
                wide = 8 * int(rng.integers(1, 8))
                with build.scope(f"layer{layer}"):
                    kernel = int(rng.choice([1, 3, 5]))
                    y = B.conv_bn_act(out=wide, kernel=kernel, stride=step, activation=_activation(rng))(
                        build, y
                    )
            if joined == "add":
                y = B.pointwise(out=out, activation=None)(build, y)
            ways.append(y)
    if joined == "concat":
        return build.apply("join", Concat(), *ways)
    y = build.apply("join", Add(), *ways, *([x] if x.shape == ways[0].shape else []))
    return build.apply("act", Activation("relu"), y) if rng.random() < 0.5 else y


def _squeeze_excite(build: GraphBuilder, x: Tensor, stride: int, rng: np.random.Generator) -> Tensor:
    block = B.inverted_residual(
        out=_width(x, stride, rng),
        kernel=int(rng.choice([3, 5, 7])),
        stride=stride,
        expand=int(rng.integers(2, 7)),
        se=0.25 if rng.random() < 0.7 else 0.0,
        activation=_activation(rng),
    )
    return block(build, x)


def _residuals(build: GraphBuilder, x: Tensor, stride: int, rng: np.random.Generator) -> Tensor:
    out = _width(x, stride, rng)
    which = int(rng.integers(4))
    if which == 0:
        return B.basic(out=out, stride=stride, activation=_activation(rng))(build, x)
    if which == 1:
        return B.bottleneck(out=out, stride=stride, reduction=2)(build, x)
    if which == 2 and stride == 2:
        x = B.max_pool(kernel=int(rng.choice([2, 3])), stride=2)(build, x)
        return build.apply("mix", Conv(out, bias=True), x)
    return B.conv_bn_act(out=out, kernel=3, stride=stride, activation=_activation(rng))(build, x)


_BLOCKS = {
    "shuffle": _shuffle,
    "branches": _branches,
    "squeeze-and-excite": _squeeze_excite,
    "residuals": _residuals,
}
