from __future__ import annotations

from typing import Any

import pytest

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.space import (
    ExpressionSpace,
    choice,
    compile_space,
    iterate,
    place,
    repeat,
    sequential,
)
from netwright.space.dimensions import Range, dimension_of, dimensions_of, vary
from netwright.space.program import Decision
from netwright.spaces.catalog import SPACES, make_space


def small_space() -> ExpressionSpace:
    layer = B.inverted_residual(out=choice(8, 16, name="width1"), kernel=choice(3, 5, 7), expand=choice(1, 2))
    return compile_space(
        sequential(
            place("op", choice({"skip": B.identity(), "conv": B.conv_bn_act(out=8, kernel=choice(1, 3))})),
            repeat("stage", layer, depth=choice(1, 2)),
            B.classifier(classes=3),
            input=(2, choice(4, 6), ...),
        ),
        "small",
    )


@pytest.mark.parametrize(
    ("name", "options", "dimension"),
    [
        ("stage1.0.kernel", (3, 5), "kernel"),
        ("width2", (8, 16), "width"),
        ("stem.out", (8, 16), "width"),
        ("input.height", (8, 16), "resolution"),
        ("resolution", (8, 16), "resolution"),
        ("s.depth", (1, 2), "depth"),
        ("s.0.expand", (3, 6), "expansion"),
        ("groups", (1, 2), "groups"),
        ("normal.1.input2", (0, 1), "topology"),
        ("normal.1.inputs", ("0+1", "0+2"), "topology"),
        ("cell.2.from0", ("none", "conv"), "topology"),
        ("trellis.3.level", (0, 1), "topology"),
        ("normal.1.op1", ("a", "b"), "operation"),
        ("normal.1.combine", ("add", "concat"), "operation"),
        ("anything", ("a", "b"), "operation"),
        ("stem.stride", (1, 2), "stride"),
        ("3", (1, 2), "3"),
    ],
)
def test_dimension_follows_the_last_word(name: str, options: tuple[Any, ...], dimension: str) -> None:
    assert dimension_of(Decision(name, options)) == dimension


def test_every_decision_belongs_to_one_dimension() -> None:
    space = small_space()
    found = dimensions_of(space)
    assert list(found) == ["resolution", "operation", "kernel", "depth", "width", "expansion"]
    assert sorted(one.name for group in found.values() for one in group) == sorted(
        one.name for one in space.decisions
    )


@pytest.mark.parametrize("dimension", ["resolution", "kernel", "depth", "width", "expansion", "operation"])
def test_ranges_equal_enumeration(dimension: str) -> None:
    space = small_space()
    everything = [(dict(one.choices), cost(space.to_graph(one)).totals()) for one in iterate(space)]
    found = vary(space, dimension)
    for row in found.rows:
        wanted = {
            one.name: one.options[min(row.option, len(one.options) - 1)]
            for one in dimensions_of(space)[dimension]
        }
        within = [
            costs
            for choices, costs in everything
            if all(choices.get(name, value) == value for name, value in wanted.items())
        ]
        for metric in COSTS:
            values = [costs[metric] for costs in within]
            assert row.ranges[metric] == Range(min(values), max(values))
        assert dict(row.costs) == cost(space.to_graph(row.architecture)).totals()


def test_only_the_dimension_differs_from_the_reference() -> None:
    space = small_space()
    found = vary(space, "kernel")
    reference = dict(found.reference.choices)
    for row in found.rows:
        choices = dict(row.architecture.choices)
        assert {name for name in choices if choices[name] != reference[name]} <= set(found.decisions)
        assert all(choices[name] in row.values for name in found.decisions if name in choices)
    # Without its branch the kernel of the choice between blocks could not be varied.
    assert reference["op"] == "conv"


def test_an_unknown_dimension_says_which_there_are() -> None:
    expected = "'groups'; expected one of resolution, operation, kernel, depth, width, expansion"
    with pytest.raises(SpaceError, match=expected):
        vary(small_space(), "groups")


@pytest.mark.parametrize("name", ["mobilenet-tiny", "fbnet", "nats-size", "nasbench-macro", "shufflenet-v1"])
def test_every_dimension_of_a_shipped_space_does_something(name: str) -> None:
    space = make_space(name, SPACES[name].input_shape, SPACES[name].classes)
    for dimension in dimensions_of(space):
        found = vary(space, dimension)
        assert len({tuple(row.costs.values()) for row in found.rows}) > 1, dimension
        for row in found.rows:
            for metric in COSTS:
                span = row.ranges[metric]
                assert span is not None
                assert span.smallest <= row.costs[metric] <= span.largest


def test_a_level_out_of_reach_becomes_the_nearest() -> None:
    space = make_space("auto-deeplab-tiny")
    found = vary(space, "topology")
    levels = [value for name, value in found.rows[-1].architecture if name.endswith(".level")]
    assert levels[:2] == [1, 2]
    assert set(levels[1:]) == {2}
