"""Random networks of the ops that the cost model knows, for hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    GlobalPool,
    Identity,
    Linear,
    Multiply,
    Op,
    Pool,
    Resize,
    Slice,
)

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def networks(draw: Draw, most_ops: int = 9) -> Graph:
    """A random graph with branches and joins that ends in a map or in a classifier."""
    random = draw(st.randoms(use_true_random=False))
    build = GraphBuilder()
    tensors = [build.input((random.choice([1, 3, 4]), random.randint(4, 9), random.randint(4, 9)))]
    for index in range(draw(st.integers(1, most_ops))):
        x: Tensor = tensors[-1] if random.random() < 0.6 else random.choice(tensors)
        alike = [t for t in tensors if t.shape == x.shape]
        level = [t for t in tensors if t.shape[1:] == x.shape[1:]]
        stride = random.choice([(1, 1), (1, 1), (2, 2)])
        divisors = [n for n in range(1, x.channels + 1) if x.channels % n == 0]
        name = f"n{index}"
        kind = random.choice(["conv", "conv", "depthwise", "unary", "unary", "pool", "add", "concat", "gate"])
        if kind == "add":
            tensors.append(build.apply(name, Add(), x, *random.choices(alike, k=random.randint(1, 2))))
            continue
        if kind == "concat":
            tensors.append(build.apply(name, Concat(), x, *random.choices(level, k=random.randint(1, 2))))
            continue
        if kind == "gate":
            gate = build.apply(f"{name}.pool", GlobalPool(), x)
            gate = build.apply(f"{name}.conv", Conv(x.channels, bias=True), gate)
            gate = build.apply(f"{name}.act", Activation(random.choice(["hardsigmoid", "sigmoid"])), gate)
            tensors.append(build.apply(f"{name}.scale", Multiply(), x, gate))
            continue
        functions = [Activation(f) for f in ("relu", "hardswish", "silu", "hardsigmoid")]
        unary: list[Op] = [*functions, BatchNorm(), BatchNorm(), Identity(), Resize((6, 5))]
        unary += [ChannelShuffle(random.choice(divisors)), Slice(0, random.randint(1, x.channels))]
        op = {
            "conv": Conv(
                random.randint(1, 20),
                random.choice([(1, 1), (3, 3), (3, 1)]),
                stride,
                padding=random.choice(["same", "same", "symmetric"]),
            ),
            "depthwise": Conv(x.channels, (3, 3), stride, groups=x.channels),
            "unary": random.choice(unary),
            "pool": Pool(random.choice(["max", "average"]), (2, 2), stride),
        }[kind]
        tensors.append(build.apply(name, op, x))
    x = tensors[-1]
    if random.random() < 0.6:
        if random.random() < 0.7:
            x = build.apply("head.pool", GlobalPool(), x)
        x = build.apply("head.flatten", Flatten(), x)
        x = build.apply("head.linear", Linear(random.randint(2, 10), bias=random.random() < 0.8), x)
    return build.finish(x)
