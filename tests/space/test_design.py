from __future__ import annotations

from itertools import product

import pytest

from netwright import blocks as B
from netwright.devices import budget_for
from netwright.errors import BudgetError, ConfigError, SpaceError
from netwright.ir.cost import cost
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    fitting,
    iterate,
    repeat,
    sequential,
    size,
)
from netwright.space.deployed import runtime_costs_of
from netwright.space.design import Design, design, global_decisions
from netwright.spaces.catalog import make_space
from netwright.spaces.tinyml import RESOLUTIONS, WIDTHS

LIMITS = (
    {"peak_activation_bytes": 700},
    {"weight_bytes": 2200},
    {"peak_activation_bytes": 900, "weight_bytes": 2200},
    {"weight_bytes": 2200, "params": 2000},
    {"macs": 60_000},
    {"macs": 60_000, "weight_bytes": 2500, "peak_activation_bytes": 1000},
)


@pytest.fixture(scope="module")
def small() -> ExpressionSpace:
    width = choice(4, 8, 12, name="width")
    layer = B.inverted_residual(out=width, kernel=choice(3, 5), expand=choice(2, 3))
    return compile_space(
        sequential(
            B.conv_bn_act(out=width, stride=2),
            repeat("stage", layer, depth=choice(1, 2)),
            B.classifier(classes=3),
            input=(1, choice(8, 12, name="resolution"), ...),
        ),
        "small",
    )


@pytest.fixture(scope="module")
def mcunet() -> ExpressionSpace:
    space = make_space("mcunet", (3, 224, 224), 2)
    assert space.diagram
    return space


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: "+".join(limits))
def test_sub_spaces_equal_enumeration(small: ExpressionSpace, limits: dict[str, int]) -> None:
    everything = [(one, cost(small.to_graph(one)).totals()) for one in iterate(small)]
    found = design(small, limits)
    seen = {tuple(sub.settings.values()): sub for sub in found.ranked}
    empty = {tuple(settings.values()) for settings in found.empty}
    assert seen.keys() | empty == set(product((8, 12), (4, 8, 12)))
    for key in seen.keys() | empty:
        members = [costs for one, costs in everything if (one["resolution"], one["width"]) == key]
        fitting = sorted(
            costs["macs"] for costs in members if all(costs[name] <= limit for name, limit in limits.items())
        )
        if not fitting:
            # Bounds may leave open whether anything fits.
            assert key in empty or seen[key].fitting.lower == 0
            continue
        sub = seen[key]
        assert sub.size == len(members)
        assert sub.fitting.lower <= len(fitting) <= sub.fitting.upper
        mean = sum(fitting) / len(fitting)
        assert sub.mean[0] * (1 - 1e-9) <= mean <= sub.mean[1] * (1 + 1e-9)
        if sub.distribution is None:
            continue
        for value, low, high in zip(
            sub.distribution.values, sub.distribution.lower, sub.distribution.upper, strict=True
        ):
            assert low <= sum(macs <= value for macs in fitting) <= high
        quantile = sub.quantile(0.8)
        assert quantile is not None
        assert quantile[0] <= fitting[-(-8 * len(fitting) // 10) - 1] <= quantile[1]


def test_sub_spaces_are_those_of_the_parameters(mcunet: ExpressionSpace) -> None:
    found = design(mcunet, {"peak_activation_bytes": 60_000})
    assert len(found.ranked) + len(found.empty) == len(RESOLUTIONS) * len(WIDTHS) == 108
    for sub in found.ranked[:2]:
        alone = make_space("mcunet", (3, 224, 224), 2, sub.settings)
        assert size(alone) == sub.size
    assert sum(sub.size for sub in found.ranked) + sum(
        size(make_space("mcunet", (3, 224, 224), 2, settings)) for settings in found.empty[:1]
    ) <= size(mcunet)


@pytest.mark.slow
def test_more_sram_allows_resolution_and_more_flash_allows_width(mcunet: ExpressionSpace) -> None:
    """What MCUNet found [Lin et al. 2020, arXiv:2007.10319, Fig. 4]."""
    best = {
        (sram, flash): design(
            mcunet, {"peak_activation_bytes": sram * 1024 * 7 // 10, "weight_bytes": flash * 1024 * 7 // 10}
        ).best.settings
        for sram in (192, 320, 512)
        for flash in (512, 1024, 2048)
    }
    for flash in (512, 1024, 2048):
        resolutions = [int(best[sram, flash]["resolution"]) for sram in (192, 320, 512)]
        assert resolutions == sorted(resolutions)
        assert resolutions[0] < resolutions[-1]
    for sram in (192, 320, 512):
        widths = [float(best[sram, flash]["width"]) for flash in (512, 1024, 2048)]
        assert widths == sorted(widths)
        assert widths[0] < widths[-1]


def test_ranked_by_mean(mcunet: ExpressionSpace) -> None:
    found = design(mcunet, {"peak_activation_bytes": 222 * 1024, "weight_bytes": 728 * 1024})
    means = [sum(sub.mean) for sub in found.ranked]
    assert means == sorted(means, reverse=True)
    for sub in found.ranked:
        low, high = sub.mean
        assert 0 < low <= high
        assert high / low < 1.1
        assert 0 < sub.share[0] <= sub.share[1] <= 1


def test_limits_on_a_runtime_agree_with_enumeration(small: ExpressionSpace) -> None:
    limits = {"arena_bytes": 6_200, "flash_bytes": 7_000}
    everything = [(one, costs_of(small, one), runtime_costs_of(small, one)) for one in iterate(small)]
    found = design(small, limits)
    outside = 0
    for sub in found.ranked:
        members = [
            (costs["macs"], all(needed[name] <= limit for name, limit in limits.items()))
            for one, costs, needed in everything
            if all(one[name] == value for name, value in sub.settings.items())
        ]
        inside = [macs for macs, fit_too in members if fit_too]
        assert sub.fitting.lower <= len(inside) <= sub.fitting.upper <= len(members)
        mean = sum(inside) / len(inside)
        # A 95 % interval: a few of the means may be outside, not far.
        outside += not sub.mean[0] * (1 - 1e-9) <= mean <= sub.mean[1] * (1 + 1e-9)
        assert sub.mean[0] * 0.9 <= mean <= sub.mean[1] * 1.1
        assert sub.distribution is not None
        assert set(sub.distribution.values) <= set(inside)
    assert len(found.ranked) >= 3
    assert outside <= 1


def test_more_draws_tell_more(small: ExpressionSpace) -> None:
    limits = {"arena_bytes": 6_200, "flash_bytes": 7_000}
    members = [(one, costs_of(small, one)["macs"]) for one in iterate(small) if _within(small, one, limits)]
    few, many = (design(small, limits, draws=draws) for draws in (8, 800))
    assert {tuple(sub.settings.items()) for sub in many.ranked} >= {
        tuple(sub.settings.items()) for sub in few.ranked
    }
    assert _width(many) < _width(few) / 3
    for sub in many.ranked:
        inside = [macs for one, macs in members if all(one[name] == x for name, x in sub.settings.items())]
        mean = sum(inside) / len(inside)
        assert sub.mean[0] * 0.95 <= mean <= sub.mean[1] * 1.05
    with pytest.raises(ConfigError, match="design: expected at least 2 draws, got 1"):
        design(small, limits, draws=1)


def _within(space: ExpressionSpace, architecture: Architecture, limits: dict[str, int]) -> bool:
    needed = runtime_costs_of(space, architecture)
    return all(needed[name] <= limit for name, limit in limits.items())


def _width(found: Design) -> float:
    """Mean width of the intervals of the means."""
    return sum(sub.mean[1] - sub.mean[0] for sub in found.ranked) / len(found.ranked)


@pytest.mark.slow
def test_sub_spaces_for_a_device(mcunet: ExpressionSpace) -> None:
    budget = budget_for("stm32f746")
    found = design(mcunet, budget)
    means = [sum(sub.mean) for sub in found.ranked]
    assert means == sorted(means, reverse=True)
    for sub in found.ranked:
        assert 0 < sub.mean[0] <= sub.mean[1]
        # Nothing but a small network may have been seen to fit.
        assert 0 <= sub.share[0] <= sub.share[1] <= 1
        assert sub.fitting.lower >= 1
    best = make_space("mcunet", (3, 224, 224), 2, found.best.settings)
    network = fitting(best, budget).sample(rng_for(0, "design"))
    assert budget.check(costs_of(best, network) | runtime_costs_of(best, network)).fits


def test_nothing_fits_says_what_the_smallest_needs(mcunet: ExpressionSpace) -> None:
    with pytest.raises(
        BudgetError, match=r"the smallest needs peak_activation_bytes [0-9,]+; the budget is 100"
    ):
        design(mcunet, {"peak_activation_bytes": 100})


def test_other_decisions_can_make_sub_spaces(small: ExpressionSpace) -> None:
    found = design(small, {"weight_bytes": 2200}, ["stage.depth"])
    assert {tuple(sub.settings.items()) for sub in found.ranked} <= {
        (("stage.depth", 1),),
        (("stage.depth", 2),),
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["depth"], "depth: small has no such decision"),
        ([], "expected the names of different decisions"),
        (["width", "width"], "expected the names of different decisions"),
    ],
)
def test_wrong_decisions_are_refused(small: ExpressionSpace, names: list[str], expected: str) -> None:
    with pytest.raises(SpaceError, match=expected):
        global_decisions(small, names)


def test_a_space_without_global_decisions_is_refused() -> None:
    with pytest.raises(SpaceError, match="expected a decision about the whole network, resolution or width"):
        global_decisions(make_space("nasbench-macro"))


def test_a_metric_that_does_not_add_up_is_refused(small: ExpressionSpace) -> None:
    with pytest.raises(SpaceError, match="metric: expected one of macs, params, weight_bytes"):
        design(small, {"macs": 60_000}, metric="peak_activation_bytes")
