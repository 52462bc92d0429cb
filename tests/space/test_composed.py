"""Every exact answer about cells and trellises against a look at all networks, on random small spaces."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.ir.cost import cost
from netwright.ir.latency import LATENCY
from netwright.space import ExpressionSpace, choice, compile_space, sequential, size
from netwright.space.cell_grammar import Cell, cell, choose, each, five_steps
from netwright.space.cell_stack import cells
from netwright.space.composite import Tracked
from netwright.space.members import path_costs
from netwright.space.topology import paths, trellis
from tests.space.composed_spaces import (
    all_members,
    bare,
    bare_stem,
    deep,
    pool,
    pre_norm,
    random_composed,
    separable,
    skip,
    wide,
)
from tests.space.test_brute_force import (
    TRIES,
    Truth,
    check_budget,
    check_costs,
    check_neighbours,
    check_ranks,
    random_budget,
    randoms,
)
from tests.space.test_distributions import check_distributions
from tests.space.timed import timed


def truth_of(space: ExpressionSpace) -> Truth:
    """Build every network and count it."""
    return Truth(space, {one: cost(space.to_graph(one)).totals() for one in all_members(space)})


def check_diagrams(truth: Truth) -> None:
    """The diagram's costs of every path, and that diagrams without some costs agree in the others."""
    space = truth.space
    whole = space.diagram
    sums, peak = (space.diagram_for(Tracked(s, p)) for s, p in ((True, False), (False, True)))
    for architecture, costs in truth.costs.items():
        assert path_costs(space, architecture, whole) == costs
        without = path_costs(space, architecture, sums)
        assert {**without, "peak_activation_bytes": 0} == {**costs, "peak_activation_bytes": 0}
        assert (
            path_costs(space, architecture, peak)["peak_activation_bytes"] == costs["peak_activation_bytes"]
        )
    for diagram in (whole, sums, peak):
        assert diagram.counts[diagram.root] == len(truth.costs)
    least, exact = space.least_peak
    assert exact
    assert least == min(costs["peak_activation_bytes"] for costs in truth.costs.values())


def check(space: ExpressionSpace, random: Random) -> None:
    truth = truth_of(space)
    if random.random() < 0.5:
        truth = timed(truth)
    check_ranks(truth)
    check_diagrams(truth)
    check_costs(truth)
    check_budget(truth, {}, exact=True)
    for _ in range(2):
        check_budget(truth, random_budget(random, truth), exact=True)
    check_distributions(truth, random_budget(random, truth))
    if random.random() < 0.5:
        check_neighbours(truth, random.choice(list(truth.costs)))


@settings(TRIES, max_examples=25)
@given(randoms)
def test_small_spaces_of_cells_and_trellises(random: Random) -> None:
    check(random_composed(random, 120), random)


@pytest.mark.slow
@settings(TRIES, max_examples=200)
@given(randoms)
def test_two_hundred_small_spaces_of_cells_and_trellises(random: Random) -> None:
    check(random_composed(random), random)


def stacked(*layout: Cell, width: int = 4, stem: int = 6) -> ExpressionSpace:
    """A small network of cells of two inputs."""
    return compile_space(
        sequential(B.conv_bn_act(out=stem), cells("cells", *layout, width=width), input=(2, 6, 6)), "small"
    )


def examples() -> dict[str, ExpressionSpace]:
    """Spaces in which every rule of cells and trellises decides something."""
    two = {"separable": separable(), "skip": skip()}
    one = {"separable": separable()}
    loose = cell("normal", five_steps(two, combine=("add",)), five_steps(one, combine=("add",)))
    plain = cell("normal", five_steps(one, combine=("add",)))
    chosen = cell("normal", *[choose(2, {"wide": wide(), "skip": skip()})] * 2, output="all")
    smaller = cell(
        "reduction",
        five_steps({"pool": pool()}, combine=("add",)),
        five_steps({"separable": separable()}, combine=("add",)),
        stride=2,
    )
    path = cell("cell", five_steps(two, combine=("add",)), output="all")
    pair = cell("cell", five_steps(one, combine=("add",)), five_steps(one, combine=("add",)), output="all")
    return {
        "loose ends": stacked(loose, loose, loose),
        "relus that may be folded": stacked(
            cell(
                "normal", *[five_steps({"deep": deep(), "skip": skip()}, combine=("add",))] * 2, output="last"
            ),
            width=8,
            stem=1,
        ),
        "one wide cell": stacked(
            cell("normal", *[five_steps({"wide": wide(), "bare": bare()}, combine=("add",))] * 2), width=8
        ),
        "distinct inputs": stacked(chosen, chosen),
        "reduction": stacked(plain, smaller, plain),
        "trellis": compile_space(
            sequential(bare_stem(), trellis("path", path, layers=3, levels=2, width=2), input=(2, 8, 8)),
            "small",
        ),
        "trellis of two nodes": compile_space(
            sequential(bare_stem(), trellis("path", pair, layers=2, levels=2, width=2), input=(2, 8, 8)),
            "small",
        ),
    }


@pytest.mark.parametrize("name", examples())
def test_examples_of_cells_and_trellises(name: str) -> None:
    truth = truth_of(examples()[name])
    check_ranks(truth)
    check_diagrams(truth)


@pytest.mark.parametrize("name", list(examples()))
def test_latency_of_cells_and_trellises(name: str) -> None:
    """Every addition, concatenation and operation is timed, at every place."""
    truth = timed(truth_of(examples()[name]))
    diagram = truth.space.diagram_for(Tracked(peak=False))
    for architecture, costs in truth.costs.items():
        assert path_costs(truth.space, architecture, diagram)[LATENCY] == costs[LATENCY]


def test_a_batch_norm_that_may_be_folded_away_is_refused() -> None:
    found = cell("cell", *[five_steps({"pre_norm": pre_norm(), "skip": skip()})] * 2)
    body = sequential(bare_stem(), cells("cells", found, width=4, inputs=1), input=(2, 4, 4))
    with pytest.raises(SpaceError, match=r"cells\.cell\.1\.pre_norm: expected an operation that does not"):
        _ = compile_space(body, "folded").diagram


def test_levels_out_of_reach_are_refused() -> None:
    path = trellis("path", skip(), layers=4, levels=3, width=4)
    space = compile_space(sequential(bare_stem(), path, input=(2, 8, 8)), "path")
    levels = {"path.1.level": 0, "path.2.level": 2, "path.3.level": 1}
    with pytest.raises(SpaceError, match=r"path\.2\.level: expected one of \[0, 1\], as the layer before"):
        space.architecture(levels)
    assert size(space) == paths(3, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: cells("s", cell("c", each({"a": skip()})), width=4, inputs=1),
            "two nodes or more, all made",
        ),
        (lambda: cells("s", width=4), r"s: expected at least one cell"),
        (lambda: cells("s", bare_stem(), width=4), "blocks may stand between cells of one input only"),
        (
            lambda: cells("s", cell("c", choose(3, {"a": skip()})), width=4),
            "at least 3 tensors to choose from",
        ),
        (lambda: choose(1, {"a": skip()}), r"choose\.picks: expected an integer of at least 2, got 1"),
        (lambda: five_steps({"a.b": skip()}), "expected words without dots as labels, got 'a.b'"),
        (lambda: five_steps({"a": B.depthwise(kernel=choice(3, 5))}), "expected settled arguments"),
        (lambda: five_steps({"a": skip()}, combine=cast(Any, ("mean",))), "combine: expected some of"),
        (lambda: cell("c", five_steps({"a": bare_stem()}), stride=2), "expected an operation with a stride"),
        (lambda: trellis("t", skip(), layers=1, levels=2, width=4), r"t\.layers: expected an integer of at"),
        (
            lambda: trellis("t", cell("c", five_steps({"a": skip()})), layers=3, levels=2, width=4),
            "expected a cell of stride 1 whose output is 'all' or 'last'",
        ),
    ],
)
def test_cells_that_make_no_sense_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        make()


def test_operations_that_change_the_channels_are_refused() -> None:
    found = cell("c", five_steps({"a": B.conv_bn_act(out=5), "b": skip()}))
    space = compile_space(sequential(bare_stem(), cells("s", found, width=4), input=(2, 4, 4)), "odd")
    with pytest.raises(SpaceError, match=r"s\.c\.1\.a: expected an operation from \(4, 4, 4\) to"):
        _ = space.diagram


def test_one_cell_cannot_be_in_two_stacks() -> None:
    found = cell("c", five_steps({"a": skip(), "b": bare()}))
    body = sequential(bare_stem(), cells("s", found, width=4), cells("t", found, width=4), input=(2, 4, 4))
    with pytest.raises(SpaceError, match=r"c\.1\.\w+: two parts of the network have a decision of this name"):
        compile_space(body, "twice")
