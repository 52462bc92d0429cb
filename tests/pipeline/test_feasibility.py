from __future__ import annotations

import re
from dataclasses import replace

from netwright import blocks as B
from netwright.devices import Budget, Limit, budget_for
from netwright.pipeline.feasibility import why_nothing_fits
from netwright.space import (
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    count,
    iterate,
    place,
    sequential,
)
from netwright.space.deployed import runtime_costs_of
from tests.pipeline.small import SPACE

EVERYTHING = [costs_of(SPACE, architecture) for architecture in iterate(SPACE)]


STANDARD = replace(SPACE, memory_model="standard")


def said(budget: Budget, space: ExpressionSpace = SPACE) -> str:
    assert count(space, budget).lower == 0
    return why_nothing_fits(space, budget)


def test_a_limit_by_hand() -> None:
    least = min(costs["macs"] for costs in EVERYTHING)
    assert least == 3_344
    assert said(budget_for(max_macs="3k")) == (
        "nothing fits: the smallest of the 80 networks of small needs 3.34k MACs, the budget is 3k (max_macs)"
    )


def test_a_memory_says_what_is_kept_of_it() -> None:
    least = min(runtime_costs_of(STANDARD, one)["arena_bytes"] for one in iterate(STANDARD))
    text = said(budget_for(max_sram="2KB", sram_margin=0.5), STANDARD)
    found = re.fullmatch(
        r"nothing fits: each of the 80 networks of small needs at least ([\d.]+) KB of tensor arena, "
        r"the budget is 1 KB \(max_sram: SRAM 2 KB - 1 KB kept for the program\)",
        text,
    )
    assert found is not None, text
    assert 0.7 * least < 1024 * float(found[1]) <= least + 10


def test_what_was_not_found_says_how_near_it_comes() -> None:
    least = min(runtime_costs_of(STANDARD, one)["arena_bytes"] for one in iterate(STANDARD))
    text = said(budget_for(max_arena=least - 1), STANDARD)
    assert text.startswith("nothing that fits was found among the 80 networks of small")
    assert text.endswith("(max_arena)")


def test_every_limit_that_is_too_low_alone() -> None:
    assert said(budget_for(max_macs=1000, max_params=300)) == (
        "nothing fits: the smallest of the 80 networks of small needs "
        "3.34k MACs, the budget is 1k (max_macs); and 350 parameters, the budget is 300 (max_params)"
    )


def test_rounding_never_makes_them_equal() -> None:
    assert said(budget_for(max_macs=3_343)).endswith("needs 3,344 MACs, the budget is 3,343 (max_macs)")
    tight = Budget((Limit("weight_bytes", 587, "board"),))
    assert said(tight).endswith("needs 588 B of weights, the budget is 587 B (board)")


def test_limits_that_only_contradict_each_other() -> None:
    stem = choice(B.conv_bn_act(out=8, kernel=3), B.conv_bn_act(out=8, kernel=5, stride=2), name="stem")
    space = compile_space(
        sequential(place("stem", stem), place("end", B.classifier(classes=2)), input=(1, 8, 8)), "pair"
    )
    fine, coarse = (costs_of(space, architecture) for architecture in iterate(space))
    assert fine["macs"] > coarse["macs"]
    assert fine["params"] < coarse["params"]
    budget = budget_for(max_macs=coarse["macs"], max_params=fine["params"])
    assert count(space, budget).upper == 0
    assert why_nothing_fits(space, budget) == (
        "nothing fits: some of the 2 networks of pair keep each limit alone, none keeps all: the smallest "
        f"within the other limits needs 4.62k MACs, the budget is 3.22k (max_macs); and "
        f"{coarse['params']} parameters, the budget is {fine['params']} (max_params)"
    )
