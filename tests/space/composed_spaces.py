"""Random small spaces of cells and trellises, few enough to look at every network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from random import Random
from typing import Any

from netwright import blocks as B
from netwright.blocks import block
from netwright.blocks.block import Block
from netwright.errors import SpaceError
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Activation, BatchNorm, Conv, Identity, Pool, Zero
from netwright.space import Architecture, ExpressionSpace, choice, compile_space, sequential
from netwright.space.cell_grammar import Cell, CellNode, cell, choose, each, five_steps
from netwright.space.cell_stack import cells
from netwright.space.topology import trellis


@block
def separable(build: GraphBuilder, x: Tensor, *, kernel: int = 3, stride: int = 1) -> Tensor:
    """Begins with a relu, which may be folded into what made x if nobody else reads that."""
    y = build.apply("relu", Activation("relu"), x)
    y = build.apply("depthwise", Conv(x.channels, (kernel, kernel), (stride, stride), groups=x.channels), y)
    return build.apply("bn", BatchNorm(), build.apply("pointwise", Conv(x.channels), y))


@block
def skip(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    """Shares the memory of x where it is the identity."""
    if stride == 1:
        return build.apply("same", Identity(), x)
    return B.factorized_reduce(out=x.channels)(build, x)


@block
def pool(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    return build.apply("pool", Pool("average", (3, 3), (stride, stride)), x)


@block
def bare(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    return build.apply("conv", Conv(x.channels, (3, 3), (stride, stride)), x)


@block
def wide(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    """Needs twice the memory in between, and holds on to x."""
    y = build.apply("up", Conv(2 * x.channels, stride=(stride, stride)), x)
    return build.apply("down", Conv(x.channels, (3, 3)), y)


@block
def deep(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    """A relu that may be folded away, and then more memory than a sum takes."""
    y = build.apply("relu", Activation("relu"), x)
    y = build.apply("up", Conv(2 * x.channels, stride=(stride, stride)), y)
    return build.apply("down", Conv(x.channels, (3, 3)), y)


@block
def nothing(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    return build.apply("zero", Zero((stride, stride)), x)


@block
def pre_norm(build: GraphBuilder, x: Tensor, *, stride: int = 1) -> Tensor:
    """Begins with batch norm, which may be folded into a bare convolution only."""
    y = build.apply("relu", Activation("relu"), build.apply("bn", BatchNorm(), x))
    return build.apply("conv", Conv(x.channels, stride=(stride, stride)), y)


OPERATIONS: dict[str, Block] = {
    "separable": separable(),
    "large": separable(kernel=5),
    "skip": skip(),
    "pool": pool(),
    "bare": bare(),
    "wide": wide(),
    "deep": deep(),
    "none": nothing(),
}

MOST = 400
"""Architectures that a random space has at most."""


def _operations(random: Random) -> dict[str, Block]:
    names = random.sample(list(OPERATIONS), k=random.choice([1, 2, 2, 3]))
    return {name: OPERATIONS[name] for name in names}


def _node(random: Random, *, first: bool, inputs: int) -> CellNode:
    operations = _operations(random)
    candidates: Any = random.choice(["all", "all", "inputs"])
    if random.random() < 0.4 and not (inputs == 1 and (first or candidates == "inputs")):
        return choose(2, operations, combine=random.choice(["add", "concat"]), candidates=candidates)
    combine: Any = random.choice([("add",), ("concat",), ("add", "concat")])
    return five_steps(operations, combine=combine, candidates=candidates)


def _cell(random: Random, name: str, *, inputs: int, stride: int = 1, outputs: list[Any]) -> Cell:
    number = random.choice([1, 2, 2, 3])
    if random.random() < (0.3 if inputs == 2 else 0.7):
        nodes = [each(_operations(random)) for _ in range(max(number, 2) if inputs == 1 else number)]
    else:
        nodes = [_node(random, first=index == 0, inputs=inputs) for index in range(number)]
    return cell(name, *nodes, output=random.choice(outputs), stride=stride)


def _width(random: Random) -> Any:
    return random.choice([2, 4, choice(2, 4, name="width")])


def _stack(random: Random) -> list[Any]:
    if random.random() < 0.4:
        found = _cell(random, "cell", inputs=1, outputs=["loose", "all", "last"])
        if found.output != "last":
            # The output may be wider than the cell.
            return [B.conv_bn_act(out=4), cells("cells", found, width=4, inputs=1)]
        between = [B.basic(out=6, stride=2)] if random.random() < 0.5 else []
        return [
            random.choice([B.conv_bn_act(out=4), bare_stem()]),
            cells("cells", found, *between, found, width=4, inputs=1),
        ]
    outputs = ["loose", "loose", "all", "last"]
    normal = _cell(random, "normal", inputs=2, outputs=outputs)
    layout = [normal] * random.randint(1, 3)
    if random.random() < 0.4:
        layout.insert(
            random.randint(0, len(layout)), _cell(random, "reduction", inputs=2, stride=2, outputs=outputs)
        )
    return [random.choice([B.conv_bn_act(out=6), bare_stem()]), cells("cells", *layout, width=_width(random))]


@block
def bare_stem(build: GraphBuilder, x: Tensor) -> Tensor:
    """Leaves something open that may be folded into it."""
    return build.apply("conv", Conv(4, (3, 3)), x)


def _trellis(random: Random) -> list[Any]:
    body: Cell | Block = random.choice([separable(), bare(), wide()])
    if random.random() < 0.7:
        body = _cell(random, "cell", inputs=2, outputs=["all", "last"])
    layers, levels = random.choice([2, 3, 4]), random.choice([2, 3])
    start = random.randrange(levels)
    path = trellis("path", body, layers=layers, levels=levels, width=_width(random), start=start)
    return [random.choice([B.conv_bn_act(out=6), bare_stem()]), path]


def random_composed(random: Random, most: int = MOST) -> ExpressionSpace:
    """A space with cells or a trellis, of at most ``most`` architectures and at least one decision."""
    while True:
        parts = _trellis(random) if random.random() < 0.4 else _stack(random)
        if random.random() < 0.5:
            parts.append(B.conv_bn_act(out=choice(2, 3), kernel=1))
        if random.random() < 0.5:
            parts.append(B.classifier(classes=3))
        size: Any = random.choice([4, 5, choice(4, 6, name="resolution")])
        try:
            space = compile_space(sequential(*parts, input=(2, size, ...)), "small")
        except SpaceError as error:
            # Nothing was left to decide.
            assert "needs at least one decision" in str(error)  # noqa: PT017
            continue
        combinations = 1
        for decision in space.decisions:
            combinations *= len(decision.options)
        if combinations <= most:
            return space


def all_members(space: ExpressionSpace) -> Iterator[Architecture]:
    """Every combination of options that is an architecture: here every decision is always active."""
    names = [decision.name for decision in space.decisions]
    levels = [name for name in names if name.endswith(".level")]
    for values in product(*(decision.options for decision in space.decisions)):
        choices = dict(zip(names, values, strict=True))
        path = [choices[name] for name in levels]
        start = next((part for part in _trellises(space)), None)
        whole = [start, *path] if start is not None else path
        if all(abs(a - b) <= 1 for a, b in pairwise(whole)):  # type: ignore[operator]
            yield Architecture(space.id, tuple(choices.items()))


def _trellises(space: ExpressionSpace) -> Iterator[int]:
    for part in space.expression.parts:
        composite = getattr(part, "composite", None)
        if composite is not None and composite.describe(str)[0] == "trellis":
            yield composite.start
