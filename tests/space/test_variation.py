"""Mutation and neighbours on spaces whose decisions depend on each other."""

from __future__ import annotations

from collections import Counter
from itertools import islice

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
    Neighbourhood,
    choice,
    compile_space,
    iterate,
    mutate,
    neighbours,
    repeat,
    sequential,
    unrank,
)
from tests.space.small_spaces import SmallSpace, bare_conv, small_spaces


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    return compile_space(
        sequential(
            bare_conv(out=choice(2, 4, 6, name="width")),
            repeat("stage", bare_conv(out=4, kernel=choice(1, 3)), depth=choice(1, 2, 3)),
            choice({"conv": bare_conv(out=choice(2, 4)), "none": B.identity()}, name="op"),
            bare_conv(out=choice(8)),
            input=(2, 8, 8),
        ),
        "small",
    )


def architecture(space: ExpressionSpace, **choices: object) -> Architecture:
    fixed = {"width": 2, "stage.depth": 1, "stage.0.kernel": 1, "op": "none", "bare_conv_1.out": 8}
    return space.architecture(
        {**fixed, **{name.replace("__", "."): value for name, value in choices.items()}}
    )


def differences(left: Architecture, right: Architecture) -> set[str]:
    """Decisions that both take, differently."""
    theirs = dict(right.choices)
    return {name for name, value in left if name in theirs and theirs[name] != value}


def test_neighbours_by_hand(space: ExpressionSpace) -> None:
    here = architecture(space)
    found = [
        {name: value for name, value in other if (name, value) not in here.choices}
        for other in neighbours(space, here)
    ]
    assert found == [
        {"width": 4},
        {"width": 6},
        {"stage.depth": 2, "stage.1.kernel": 1},
        {"stage.depth": 2, "stage.1.kernel": 3},
        {"stage.depth": 3, "stage.1.kernel": 1, "stage.2.kernel": 1},
        {"stage.depth": 3, "stage.1.kernel": 1, "stage.2.kernel": 3},
        {"stage.depth": 3, "stage.1.kernel": 3, "stage.2.kernel": 1},
        {"stage.depth": 3, "stage.1.kernel": 3, "stage.2.kernel": 3},
        {"stage.0.kernel": 3},
        {"op": "conv", "op.conv.out": 2},
        {"op": "conv", "op.conv.out": 4},
    ]


def test_what_a_change_makes_inactive_is_dropped(space: ExpressionSpace) -> None:
    here = architecture(
        space, stage__depth=3, stage__1__kernel=3, stage__2__kernel=3, op="conv", op__conv__out=4
    )
    for other in neighbours(space, here):
        (changed,) = differences(here, other)
        active = {name for name, _ in other}
        assert ("op.conv.out" in active) == (other["op"] == "conv")
        assert ("stage.2.kernel" in active) == (other["stage.depth"] == 3)
        for name, value in other:
            assert name == changed or value == here[name]


def test_mutation_reaches_all_neighbours_and_nothing_else(space: ExpressionSpace) -> None:
    for here in islice(iterate(space), 0, None, 17):
        rng = rng_for(0, here.key)
        assert {mutate(space, here, rng) for _ in range(600)} == set(neighbours(space, here))


def test_decisions_and_options_are_drawn_uniformly(space: ExpressionSpace) -> None:
    """First which of the four open decisions, then which other option, then what becomes active."""
    here = architecture(space)
    rng = rng_for(1, "mutate")
    seen = Counter(mutate(space, here, rng) for _ in range(6000))
    expected = {
        other: 6000
        / 4
        * {"width": 1 / 2, "stage.0.kernel": 1, "op": 1 / 2, "stage.depth": 1 / 4}[changed]
        * (1 / 2 if other["stage.depth"] == 3 else 1)
        for other in neighbours(space, here)
        for changed in differences(here, other)
    }
    assert set(seen) == set(expected)
    assert sum(expected.values()) == 6000
    assert chisquare([seen[one] for one in expected], list(expected.values())).pvalue > 0.001


def test_a_decision_with_one_option_is_never_changed(space: ExpressionSpace) -> None:
    single = compile_space(
        sequential(bare_conv(out=choice(8)), bare_conv(out=choice(4)), input=(2, 8, 8)), "single"
    )
    only = unrank(single, 0)
    assert list(neighbours(single, only)) == []
    with pytest.raises(
        SpaceError, match="mutate: no active decision of this architecture of single has another option"
    ):
        mutate(single, only, rng_for(0))


def test_same_generator_same_mutation(space: ExpressionSpace) -> None:
    here = architecture(space)
    assert mutate(space, here, rng_for(5, "m")) == mutate(space, here, rng_for(5, "m"))
    assert len({mutate(space, here, rng_for(5, k)) for k in range(100)}) == 11


def test_neighbours_are_made_one_by_one() -> None:
    """A deeper stage has more neighbours than could ever be listed."""
    deep = repeat("stage", B.depthwise(kernel=choice(3, 5, 7, 9)), depth=choice(1, 40))
    space = compile_space(sequential(deep, input=(2, 8, 8)), "deep")
    found = list(islice(neighbours(space, unrank(space, 0)), 1000))
    assert len(set(found)) == 1000


def test_neighbours_by_number() -> None:
    """Of 4^39 neighbours of one kind, and 3 of another."""
    deep = repeat("stage", B.depthwise(kernel=choice(3, 5, 7, 9)), depth=choice(1, 40))
    space = compile_space(sequential(deep, input=(2, 8, 8)), "deep")
    here = unrank(space, 0)
    around = Neighbourhood(space, here)
    assert around.size == 4**39 + 3
    for number in (0, 1, 4**39 - 1, 4**39, around.size - 1):
        assert len(differences(here, around[number])) == 1
    assert around[4**39 - 1]["stage.39.kernel"] == around[around.size - 1]["stage.0.kernel"] == 9
    for number in (-1, around.size):
        with pytest.raises(IndexError, match=f"neighbour: expected a number from 0 to {around.size - 1}"):
            around[number]


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(small_spaces(most=100), st.data())
def test_neighbours_are_what_differs_in_one_decision(small: SmallSpace, data: st.DataObject) -> None:
    """Against the list of all members."""
    space = compile_space(small.expression, "small")
    members = list(iterate(space))
    here = members[data.draw(st.integers(0, len(members) - 1))]
    around = Neighbourhood(space, here)
    found = [around[number] for number in range(around.size)]
    assert len(found) == len(set(found)) == len(around)
    assert set(found) == {other for other in members if len(differences(here, other)) == 1}


def test_architectures_come_back_as_the_space_writes_them() -> None:
    """True equals 1, and the first to be walked must not decide how the others are written."""
    body = sequential(bare_conv(out=choice(1, 2)), bare_conv(out=choice(4, 8)), input=(2, 8, 8))
    space = compile_space(body, "ones")
    proper = unrank(space, 0)
    careless = Architecture(space.id, ((proper.choices[0][0], True), proper.choices[1]))
    with pytest.raises(SpaceError, match="expected one of"):
        mutate(space, careless, rng_for(0))
    for number in range(20):
        written = mutate(space, proper, rng_for(number))
        again = mutate(space, careless, rng_for(number))
        assert [type(value) for _, value in again] == [type(value) for _, value in written] == [int, int]


def test_strangers_are_refused(space: ExpressionSpace) -> None:
    stranger = Architecture("other-01234567", architecture(space).choices)
    with pytest.raises(SpaceError, match=f"expected one of space {space.id}, got one of other-01234567"):
        mutate(space, stranger, rng_for(0))
    with pytest.raises(SpaceError, match=f"expected one of space {space.id}, got one of other-01234567"):
        list(neighbours(space, stranger))
    wrong = Architecture(space.id, architecture(space).choices[1:])
    with pytest.raises(
        SpaceError, match="width: this decision is active but the architecture does not settle it"
    ):
        mutate(space, wrong, rng_for(0))


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(small_spaces(most=100), st.data())
def test_being_a_neighbour_is_mutual(small: SmallSpace, data: st.DataObject) -> None:
    space = compile_space(small.expression, "small")
    here = unrank(space, data.draw(st.integers(0, len(small.members) - 1)))
    for other in neighbours(space, here):
        assert here in set(neighbours(space, other))
        assert len(differences(here, other)) == 1
