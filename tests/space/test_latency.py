"""Latency from a table as a cost like the others."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings

from netwright import blocks as B
from netwright.errors import BudgetError, SpaceError
from netwright.ir.latency import LATENCY, LatencyTable
from netwright.space import (
    choice,
    compile_space,
    costs,
    count,
    encode,
    estimate_distribution,
    extremes,
    sequential,
)
from netwright.space.design import design
from netwright.space.dimensions import vary
from tests.space.small_spaces import SmallSpace, small_spaces
from tests.space.test_brute_force import TRIES, check_budget, check_costs, compiled, random_budget, randoms
from tests.space.test_distributions import check_distributions
from tests.space.timed import timed

LAYER = B.conv_bn_act(out=choice(4, 8, name="width"), kernel=choice(1, 3))
PLAIN = compile_space(sequential(LAYER, B.classifier(classes=2), input=(1, 4, 4)), "plain")
TABLE = LatencyTable(
    "board",
    {
        ("conv 1x4x4 to 4x4x4, kernel 1x1, stride 1x1, groups 1, relu",): 100,
        ("conv 1x4x4 to 4x4x4, kernel 3x3, stride 1x1, groups 1, relu",): 300,
        ("conv 1x4x4 to 8x4x4, kernel 1x1, stride 1x1, groups 1, relu",): 150,
        ("conv 1x4x4 to 8x4x4, kernel 3x3, stride 1x1, groups 1, relu",): 420,
        ("global_pool 4x4x4 to 4x1x1, mode average", "linear 4 to 2"): 20,
        ("global_pool 8x4x4 to 8x1x1, mode average",): 30,
        ("linear 8 to 2",): 10,
    },
)
TIMED = replace(PLAIN, latency=TABLE)


@settings(TRIES, max_examples=20)
@given(small_spaces(most=100), randoms)
def test_small_spaces_with_latency(small: SmallSpace, random: Random) -> None:
    truth = timed(compiled(small))
    check_costs(truth)
    for _ in range(2):
        check_budget(truth, random_budget(random, truth), exact=True)
    check_distributions(truth, random_budget(random, truth))


def test_blocks_and_single_ops_are_added_up() -> None:
    found = extremes(TIMED, LATENCY)
    assert found.smallest.value == 100 + 20
    assert found.largest.value == 420 + 30 + 10
    assert count(TIMED, {LATENCY: 190}).lower == 2
    assert count(TIMED, {LATENCY: 190, "params": 60}).lower == 2


def test_many_at_once_and_what_a_dimension_does() -> None:
    rows = encode(TIMED, [extremes(TIMED, LATENCY).largest.architecture])
    assert costs(TIMED, rows)[LATENCY] == np.array([460])
    assert [row.costs[LATENCY] for row in vary(TIMED, "kernel").rows] == [120, 320]
    found = design(TIMED, {}, ["width"], metric=LATENCY)
    assert [sub.mean for sub in found.ranked] == [(325.0, 325.0), (220.0, 220.0)]
    seen = estimate_distribution(TIMED, LATENCY, samples=40)
    assert set(seen.values) <= {120, 190, 320, 460}


def test_the_table_is_no_part_of_the_identity() -> None:
    assert TIMED.id == PLAIN.id


def test_without_a_table_there_is_no_latency() -> None:
    with pytest.raises(BudgetError, match="got 'latency_ns'; give the space a latency table"):
        count(PLAIN, {LATENCY: 1})


def test_an_op_without_an_entry_is_an_error() -> None:
    few = dict(TABLE.entries)
    del few["linear 8 to 2",]
    with pytest.raises(
        SpaceError,
        match=r"^classifier: latency table board: expected an entry for 'linear 8 to 2', there is none",
    ):
        count(replace(PLAIN, latency=LatencyTable("board", few)), {LATENCY: 1000})
