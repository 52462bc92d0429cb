"""Limits on what the runtime needs, against enumeration of a small space."""

from __future__ import annotations

import pytest

from netwright import blocks as B
from netwright.errors import BudgetError, TooLargeError
from netwright.ir.cost import cost
from netwright.ir.runtime import RUNTIME
from netwright.ir.tflm import tflm_cost
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    count,
    distribution,
    estimate_distribution,
    every_cost_of,
    extremes,
    fits,
    fitting,
    iterate,
    repeat,
    sample,
    sequential,
    size,
    smallest,
    why_nothing_fits,
)
from netwright.space.deployed import implied_limits, least_arena, runtime_costs_of
from netwright.space.shortfall import nearest
from netwright.spaces.catalog import make_space

LIMITS = (
    {"head_bytes": 3_000},
    {"arena_bytes": 7_500},
    {"flash_bytes": 9_000},
    {"arena_bytes": 9_000, "flash_bytes": 12_000},
    {"arena_bytes": 9_000, "flash_bytes": 12_000, "macs": 150_000},
)


@pytest.fixture(scope="module")
def small() -> ExpressionSpace:
    layer = B.inverted_residual(out=choice(4, 8, 12), kernel=choice(3, 5), expand=choice(2, 3))
    return compile_space(
        sequential(
            B.conv_bn_act(out=choice(4, 8), stride=2, activation="relu6"),
            repeat("stage", layer, depth=choice(1, 2)),
            B.classifier(classes=3),
            input=(1, choice(8, 16, name="resolution"), ...),
        ),
        "small",
    )


@pytest.fixture(scope="module")
def everything(small: ExpressionSpace) -> dict[Architecture, dict[str, int]]:
    found = {}
    for one in iterate(small):
        graph = small.to_graph(one)
        needed = tflm_cost(graph)
        found[one] = {
            "macs": cost(graph).macs,
            "head_bytes": needed.head_bytes,
            "arena_bytes": needed.smallest_arena_host64,
            "flash_bytes": needed.flash_bytes,
        }
    return found


def within(costs: dict[str, int], limits: dict[str, int]) -> bool:
    return all(costs[name] <= limit for name, limit in limits.items())


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: "+".join(limits))
def test_what_fits_equals_enumeration(
    small: ExpressionSpace, everything: dict[Architecture, dict[str, int]], limits: dict[str, int]
) -> None:
    expected = {one for one, costs in everything.items() if within(costs, limits)}
    assert 0 < len(expected) < len(everything)
    candidates = fitting(small, limits)
    indexed = [candidates.at(index) for index in range(candidates.upper)]
    assert {one for one in indexed if one is not None} == expected
    assert len([one for one in indexed if one is not None]) == len(expected)
    found = count(small, limits)
    assert found.lower <= len(expected) <= found.upper
    if found.likely is None:
        assert found.exact
    else:
        assert found.likely[0] <= len(expected) <= found.likely[1]
    for one, costs in list(everything.items())[::37]:
        assert fits(small, one, limits) == within(costs, limits)
    for number in range(20):
        assert sample(small, rng_for(number), limits) in expected


def test_floors_are_below_everything(
    small: ExpressionSpace, everything: dict[Architecture, dict[str, int]]
) -> None:
    for name in RUNTIME:
        least = min(costs[name] for costs in everything.values())
        assert 0.7 * least < smallest(small, name) <= least
    assert least_arena(small, brackets=1) <= least_arena(small)


def test_costs_of_one_network(small: ExpressionSpace, everything: dict[Architecture, dict[str, int]]) -> None:
    one, costs = next(iter(everything.items()))
    assert runtime_costs_of(small, one) == {name: costs[name] for name in RUNTIME}


def test_what_cannot_fit_says_what_every_one_needs(small: ExpressionSpace) -> None:
    limits = {"arena_bytes": 2_000}
    assert count(small, limits).upper == 0
    with pytest.raises(BudgetError, match=r"needs more than arena_bytes [0-9,]+; the budget is 2,000"):
        sample(small, rng_for(0), limits)


def test_what_was_not_found_says_what_the_nearest_needs(
    small: ExpressionSpace, everything: dict[Architecture, dict[str, int]]
) -> None:
    least = min(costs["arena_bytes"] for costs in everything.values())
    limits = {"arena_bytes": least - 1}
    assert count(small, limits).lower == 0
    assert why_nothing_fits(small, limits).endswith(f"the budget is arena_bytes {least - 1:,}")
    near = nearest(small, limits)
    assert near is not None
    assert near.costs["arena_bytes"] == least


def test_what_is_too_rare_to_be_drawn_is_said_to_exist(small: ExpressionSpace) -> None:
    message = why_nothing_fits(small, {"arena_bytes": 1 << 30, "flash_bytes": 1 << 30})
    assert message.startswith(
        f"hardly any architecture of {small.name} fits the budget: none of those that were"
    )
    assert "though one has arena_bytes " in message


def test_exact_answers_are_refused_and_samples_offered(small: ExpressionSpace) -> None:
    limits = LIMITS[3]
    for ask in (lambda: extremes(small, "macs", limits), lambda: distribution(small, "macs", limits)):
        with pytest.raises(TooLargeError, match="sample: netwright"):
            ask()
    found = estimate_distribution(small, "arena_bytes", limits, samples=50)
    assert max(found.values) <= limits["arena_bytes"]
    assert found.samples <= 50


def test_other_number_formats_have_no_runtime() -> None:
    body = sequential(B.conv_bn_act(out=choice(4, 8)), B.classifier(classes=3), input=(1, 8, 8))
    space = compile_space(body, "floats", dtype="float32")
    assert size(space) == 2
    with pytest.raises(BudgetError, match="it is known of int8 networks, this space has float32"):
        count(space, {"arena_bytes": 9_000})


def test_implied_limits_are_on_costs_of_diagrams(small: ExpressionSpace) -> None:
    implied = implied_limits(small, {"arena_bytes": 9_000, "flash_bytes": 12_000, "macs": 5})
    assert implied["macs"] == 5
    assert set(implied) == {"macs", "peak_activation_bytes", "flash_floor"}
    assert 6_000 < implied["peak_activation_bytes"] < 9_000


def test_a_network_whose_output_is_zero_is_not_deployed() -> None:
    space = make_space("nasbench201", (1, 8, 8), 10)
    choices = {decision.name: "none" for decision in space.decisions}
    dead = Architecture(space.id, tuple(choices.items()))
    alive = Architecture(space.id, tuple({**choices, "cell.3.from0": "nor_conv_3x3"}.items()))
    assert runtime_costs_of(space, dead) == {}
    assert set(every_cost_of(space, dead)) == set(space.costs)
    assert every_cost_of(space, dead) == costs_of(space, dead)
    assert set(every_cost_of(space, alive)) == {*space.costs, *RUNTIME}
    budget = {"arena_bytes": 1 << 30}
    assert fits(space, alive, budget)
    assert not fits(space, dead, budget)
    assert fits(space, dead, {"macs": 1 << 40})
    rng = rng_for(0)
    drawn = [sample(space, rng, budget) for _ in range(40)]
    assert all(runtime_costs_of(space, one) for one in drawn)
    seen = estimate_distribution(space, "arena_bytes", samples=40)
    assert 20 < seen.samples < 40


@pytest.mark.parametrize("name", ["darts", "nasbench201", "nasnet"])
def test_networks_of_cells_have_the_costs_of_the_runtime(name: str) -> None:
    space = make_space(name, (3, 16, 16), 10)
    rng = rng_for(1)
    costs = [every_cost_of(space, sample(space, rng)) for _ in range(3)]
    assert all(set(one) in ({*space.costs, *RUNTIME}, set(space.costs)) for one in costs)
    assert any("arena_bytes" in one for one in costs)
