from __future__ import annotations

from dataclasses import dataclass

import pytest

from netwright import blocks as B
from netwright.errors import GraphError, SpaceError
from netwright.ir.graph import Graph, GraphBuilder
from netwright.space import (
    Architecture,
    Decision,
    ExpressionSpace,
    choice,
    compile_space,
    iterate,
    repeat,
    sequential,
)
from netwright.space.canonical_forms import canonical


def layers(depth: int, name: str = "skips") -> ExpressionSpace:
    layer = choice(
        {"skip": B.identity(), "conv": B.conv_bn_act(out=8), "pool": B.max_pool(kernel=3, stride=1)}
    )
    return compile_space(sequential(repeat("s", layer, depth=depth), input=(8, 8, 8)), name)


@pytest.mark.parametrize("rule", ["nats", "pruned", "flat", "skips"])
def test_layers_that_may_be_left_out(rule: str) -> None:
    space = layers(4)
    classes: dict[tuple[object, ...], set[str]] = {}
    for architecture in iterate(space):
        rest = tuple(value for _, value in architecture if value != "skip")
        classes.setdefault(rest, set()).add(canonical(space, architecture, rule))  # type: ignore[arg-type]
    assert len(classes) == 1 + 2 + 4 + 8 + 16
    assert all(len(keys) == 1 for keys in classes.values())
    assert len(set.union(*classes.values())) == len(classes)


def test_depth_is_another_way_to_leave_a_layer_out() -> None:
    layer = choice({"skip": B.identity(), "conv": B.conv_bn_act(out=8)})
    space = compile_space(sequential(repeat("s", layer, depth=choice(1, 2)), input=(8, 8, 8)), "depth")
    assert len(list(iterate(space))) == 6
    assert len({canonical(space, one) for one in iterate(space)}) == 3


def test_equal_networks_of_different_spaces() -> None:
    one, two = layers(2, "one"), layers(3, "two")
    assert {canonical(one, a) for a in iterate(one)} < {canonical(two, a) for a in iterate(two)}


@dataclass(frozen=True)
class Opaque:
    id: str = "opaque-0"
    decisions: tuple[Decision, ...] = (Decision("filters", (4, 6)),)

    def to_graph(self, architecture: Architecture) -> Graph:
        build = GraphBuilder()
        return build.finish(B.conv_bn_act(out=int(architecture["filters"]))(build, build.input((1, 4, 4))))


def test_opaque_spaces() -> None:
    keys = {canonical(Opaque(), Architecture("opaque-0", (("filters", value),))) for value in (4, 6)}
    assert len(keys) == 2


def test_what_is_wrong_is_said() -> None:
    space = layers(1)
    architecture = next(iterate(space))
    with pytest.raises(GraphError, match=r"canonical\.rule: expected one of"):
        canonical(space, architecture, "same")  # type: ignore[arg-type]
    with pytest.raises(SpaceError, match="expected one of space skips-"):
        canonical(space, Architecture("other-0", architecture.choices))
