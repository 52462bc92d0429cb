"""Crossover on spaces whose decisions depend on each other: conditional, nested, shared, cells, trellises."""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    cross,
    iterate,
    repeat,
    sequential,
    size,
    trellis,
    unrank,
)
from tests.space.composed_spaces import all_members, random_composed, separable
from tests.space.small_spaces import SmallSpace, bare_conv, small_spaces


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    """A shared width, a depth with choices in its layers, a choice with choices in its options."""
    return compile_space(
        sequential(
            bare_conv(out=choice(2, 4, 6, name="width")),
            repeat(
                "stage", bare_conv(out=choice(2, 4, 6, name="width"), kernel=choice(1, 3)), depth=choice(1, 2)
            ),
            choice({"conv": bare_conv(out=choice(2, 4, 8)), "none": B.identity()}, name="op"),
            input=(2, 8, 8),
        ),
        "small",
    )


def options(first: Architecture, second: Architecture, name: str) -> set[object]:
    """What the parents have for a decision."""
    return {dict(parent.choices)[name] for parent in (first, second) if name in dict(parent.choices)}


def test_children_by_hand(space: ExpressionSpace) -> None:
    first = space.architecture(
        {"width": 2, "stage.depth": 2, "stage.0.kernel": 1, "stage.1.kernel": 3, "op": "none"}
    )
    second = space.architecture(
        {"width": 6, "stage.depth": 1, "stage.0.kernel": 1, "op": "conv", "op.conv.out": 8}
    )
    rng = rng_for(0, "cross")
    seen = Counter(cross(space, first, second, rng) for _ in range(4000))
    expected = {
        space.architecture(
            {
                "width": width,
                "stage.depth": depth,
                "stage.0.kernel": 1,
                # Only the first parent has a second layer, only the second one a convolution.
                **({"stage.1.kernel": 3} if depth == 2 else {}),
                "op": op,
                **({"op.conv.out": 8} if op == "conv" else {}),
            }
        )
        for width, depth, op in product((2, 6), (1, 2), ("none", "conv"))
    }
    assert set(seen) == expected
    assert chisquare(list(seen.values())).pvalue > 0.001


def test_what_is_out_of_reach_is_not_inherited() -> None:
    """Levels of a trellis: from level 0 the other parent's 2 is no next step, nor is 0 from level 2."""
    path = trellis("path", separable(), layers=4, levels=3, width=2, start=0)
    space = compile_space(sequential(B.conv_bn_act(out=2), path, input=(2, 8, 8)), "path")
    levels = [decision.name for decision in space.decisions]
    members = {tuple(dict(one.choices)[name] for name in levels): one for one in iterate(space)}
    seen = {cross(space, members[0, 0, 0], members[1, 2, 2], rng_for(0, k)) for k in range(200)}
    assert seen == {members[0, 0, 0], members[1, 0, 0], members[1, 2, 2]}


def test_of_one_parent_comes_the_same(space: ExpressionSpace) -> None:
    for number, parent in enumerate(iterate(space)):
        assert cross(space, parent, parent, rng_for(number)) == parent


def test_same_generator_same_child(space: ExpressionSpace) -> None:
    first, second = unrank(space, 3), unrank(space, size(space) - 1)
    assert cross(space, first, second, rng_for(5)) == cross(space, first, second, rng_for(5))
    assert len({cross(space, first, second, rng_for(5, k)) for k in range(50)}) > 1


def test_strangers_are_refused(space: ExpressionSpace) -> None:
    here = unrank(space, 0)
    stranger = Architecture("other-01234567", here.choices)
    for first, second in ((here, stranger), (stranger, here)):
        with pytest.raises(SpaceError, match=f"expected one of space {space.id}, got one of other-01234567"):
            cross(space, first, second, rng_for(0))


def check(
    space: ExpressionSpace, members: set[Architecture], first: Architecture, second: Architecture
) -> None:
    """The child is a member, and has what a parent has wherever that is possible at all."""
    for k in range(8):
        child = cross(space, first, second, rng_for(k, "cross"))
        assert child in members
        for place, (name, value) in enumerate(child.choices):
            inherited = options(first, second, name)
            if value in inherited or not inherited:
                continue
            # Then no member goes on from here with an option of a parent.
            before = child.choices[:place]
            assert not any(
                member.choices[:place] == before and dict(member.choices).get(name) in inherited
                for member in members
            )


@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
@given(small_spaces(most=100), st.data())
def test_children_in_random_spaces(small: SmallSpace, data: st.DataObject) -> None:
    space = compile_space(small.expression, "small")
    ranks = st.integers(0, size(space) - 1)
    members = set(iterate(space))
    assert len(members) == len(small.members)
    check(space, members, unrank(space, data.draw(ranks)), unrank(space, data.draw(ranks)))


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.randoms(use_true_random=False), st.data())
def test_children_in_random_cells_and_trellises(random: Random, data: st.DataObject) -> None:
    space = random_composed(random, most=200)
    members = set(all_members(space))  # every combination of options that keeps the neighbour rule
    ranks = st.integers(0, size(space) - 1)
    first, second = (unrank(space, data.draw(ranks)) for _ in range(2))
    for k in range(8):
        child = cross(space, first, second, rng_for(k, "cross"))
        assert child in members
        for name, value in child:
            if not name.endswith(".level"):
                # In a cell every option is always open.
                assert value in options(first, second, name)
