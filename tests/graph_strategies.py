"""Random ops and random small graphs, for hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from hypothesis import strategies as st

from netwright.ir.graph import Graph, GraphBuilder, Tensor
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
    Linear,
    Multiply,
    Op,
    Pool,
    Resize,
    Shape,
    Slice,
    Zero,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]
Case = tuple[Op, tuple[Shape, ...]]
"""An op and the shapes of what it reads."""

channels = st.integers(1, 6)
sizes = st.integers(3, 9)
maps = st.tuples(channels, sizes, sizes)
vectors = st.tuples(st.integers(1, 9))
kernels = st.tuples(st.integers(1, 3), st.integers(1, 3))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))


@st.composite
def paddings(draw: Draw, kernel: tuple[int, int]) -> Any:
    """Any padding, sides below the kernel's; a side may also be cropped by a pixel."""
    vertical, horizontal = st.integers(-1, kernel[0] - 1), st.integers(-1, kernel[1] - 1)
    explicit = st.tuples(vertical, vertical, horizontal, horizontal)
    return draw(st.sampled_from(["same", "symmetric"]) | explicit)


@st.composite
def convolutions(draw: Draw) -> Case:
    groups = draw(st.integers(1, 4))
    kernel = draw(kernels)
    # Three pixels hold any dilated kernel of up to two taps; a third tap needs five, and cropping two.
    size = st.integers(7, 9)
    shape = (groups * draw(st.integers(1, 3)), draw(size), draw(size))
    op = Conv(
        out_channels=groups * draw(st.integers(1, 3)),
        kernel=kernel,
        stride=draw(strides),
        dilation=draw(st.tuples(st.integers(1, 2), st.integers(1, 2))),
        groups=groups,
        bias=draw(st.booleans()),
        padding=draw(paddings(kernel)),
    )
    return op, (shape,)


@st.composite
def pools(draw: Draw, mode: str | None = None) -> Case:
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    size = st.integers(6, 9)
    op = Pool(
        draw(st.sampled_from(["average", "max"])) if mode is None else mode,  # type: ignore[arg-type]
        kernel,
        draw(strides),
        draw(paddings(kernel)),
    )
    return op, ((draw(channels), draw(size), draw(size)),)


@st.composite
def shuffles(draw: Draw) -> Case:
    rows, columns = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return ChannelShuffle(rows), ((rows * columns, draw(sizes), draw(sizes)),)


@st.composite
def slices(draw: Draw) -> Case:
    shape = draw(maps | vectors)
    start = draw(st.integers(0, shape[0] - 1))
    return Slice(start, draw(st.integers(start + 1, shape[0]))), (shape,)


@st.composite
def multiplications(draw: Draw) -> Case:
    shape = draw(maps)
    return Multiply(), (shape, draw(st.sampled_from([shape, (shape[0], 1, 1)])))


@st.composite
def concatenations(draw: Draw) -> Case:
    size = (draw(sizes), draw(sizes))
    return Concat(), tuple((count, *size) for count in draw(st.lists(channels, min_size=2, max_size=4)))


CASES: dict[type[Op], st.SearchStrategy[Case]] = {
    Conv: convolutions(),
    Linear: st.tuples(st.builds(Linear, st.integers(1, 9), st.booleans()), st.tuples(vectors)),
    BatchNorm: st.tuples(st.builds(BatchNorm, st.booleans()), st.tuples(maps | vectors)),
    Activation: st.tuples(
        st.builds(Activation, st.sampled_from(get_args(Function))), st.tuples(maps | vectors)
    ),
    Pool: pools(),
    GlobalPool: st.tuples(st.builds(GlobalPool, st.sampled_from(["average", "max"])), st.tuples(maps)),
    Add: (maps | vectors).flatmap(
        lambda shape: st.tuples(st.just(Add()), st.integers(2, 4).map(lambda count: (shape,) * count))
    ),
    Multiply: multiplications(),
    Concat: concatenations(),
    ChannelShuffle: shuffles(),
    Slice: slices(),
    Resize: st.tuples(
        st.builds(Resize, st.tuples(sizes, sizes), st.sampled_from(["nearest", "bilinear"])), st.tuples(maps)
    ),
    Flatten: st.tuples(st.just(Flatten()), st.tuples(maps)),
    Identity: st.tuples(st.just(Identity()), st.tuples(maps | vectors)),
    Zero: st.tuples(st.builds(Zero, strides), st.tuples(maps | vectors)),
}
"""For every op but the input: random attributes with shapes that fit them."""


def _next_op(draw: Draw, build: GraphBuilder, name: str, tensors: list[Tensor]) -> Tensor:
    """Add one random op that reads earlier tensors, all of them maps."""
    x = draw(st.sampled_from(tensors))
    alike = [t for t in tensors if t.shape == x.shape]
    level = [t for t in tensors if t.shape[1:] == x.shape[1:]]
    kernel = draw(st.sampled_from([(1, 1), (2, 2), (3, 3), (3, 1)]))
    stride = draw(st.sampled_from([(1, 1), (2, 2)]))
    divisors = [n for n in range(1, x.channels + 1) if x.channels % n == 0]
    kind = draw(st.sampled_from(["conv", "depthwise", "pool", "unary", "add", "concat", "gate"]))
    if kind == "conv":
        op: Op = Conv(draw(st.integers(1, 6)), kernel, stride, bias=draw(st.booleans()))
    elif kind == "depthwise":
        op = Conv(x.channels, kernel, stride, groups=x.channels)
    elif kind == "pool":
        op = Pool(draw(st.sampled_from(["average", "max"])), kernel, stride)
    elif kind == "add":
        return build.apply(name, Add(), x, draw(st.sampled_from(alike)))
    elif kind == "concat":
        return build.apply(name, Concat(), x, draw(st.sampled_from(level)))
    elif kind == "gate":
        with build.scope(name):
            gate = build.apply("pool", GlobalPool(), x)
            return build.apply("multiply", Multiply(), x, gate)
    else:
        ops: list[Op] = [BatchNorm(), Activation("relu"), Activation("hardswish"), Identity()]
        ops += [ChannelShuffle(draw(st.sampled_from(divisors))), Slice(0, draw(st.integers(1, x.channels)))]
        ops += [Zero(stride), Resize((5, 4), draw(st.sampled_from(["nearest", "bilinear"])))]
        op = draw(st.sampled_from(ops))
    return build.apply(name, op, x)


@st.composite
def graphs(draw: Draw, max_ops: int = 8, classes: int | None = None) -> Graph:
    """A random small graph on maps: branches, joins, dead ends, and one or two outputs.

    With ``classes`` it has a classifier of that many classes and one output.
    """
    build = GraphBuilder()
    tensors = [build.input(draw(st.tuples(st.integers(1, 3), st.integers(4, 8), st.integers(4, 8))))]
    for index in range(draw(st.integers(1, max_ops))):
        tensors.append(_next_op(draw, build, f"stage{index % 2}.{index}.op", tensors))
    if classes is None:
        return build.finish(*draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=2)))
    with build.scope("head"):
        x = build.apply("pool", GlobalPool(), tensors[-1])
        x = build.apply("flatten", Flatten(), x)
        return build.finish(build.apply("linear", Linear(classes), x))
