"""Questions about whole spaces: published sizes, uniform draws, and what is said when nothing fits."""

from __future__ import annotations

import importlib
from collections import Counter
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from netwright import blocks as B
from netwright.blocks import block
from netwright.errors import BudgetError, SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.ir.graph import GraphBuilder, Tensor
from netwright.ir.ops import Concat, Conv
from netwright.seeding import rng_for
from netwright.space import (
    Count,
    ExpressionSpace,
    choice,
    compile_space,
    costs_of,
    count,
    extremes,
    fitting,
    iterate,
    place,
    rank,
    repeat,
    sample,
    sequential,
    size,
    smallest,
    unrank,
    why_nothing_fits,
)
from tests.space.coarse import coarse_tables
from tests.space.small_spaces import bare_conv

# ----------------------------------------------------------------------------------------- published sizes


def layers(number: int, *options: Any) -> ExpressionSpace:
    """A chain of equal choices."""
    stage = repeat("layer", choice(*options), depth=number)
    return compile_space(sequential(bare_conv(out=8), stage, input=(3, 8, 8)), "chain")


def once_for_all(*resolutions: int) -> ExpressionSpace:
    """Five stages of two to four inverted residuals, three kernels and three expansions each."""
    stages = [
        repeat(
            f"stage{number}",
            B.inverted_residual(out=16, stride=2, kernel=choice(3, 5, 7), expand=choice(3, 4, 6)),
            depth=choice(2, 3, 4),
        )
        for number in range(5)
    ]
    height = choice(*resolutions, name="resolution") if len(resolutions) > 1 else resolutions[0]
    return compile_space(sequential(bare_conv(out=16), *stages, input=(3, height, ...)), "ofa")


def test_once_for_all() -> None:
    assert size(once_for_all(128)) == 21_758_655_492_572_485_851


def test_once_for_all_with_resolutions() -> None:
    assert size(once_for_all(*range(128, 225, 4))) == 543_966_387_314_312_146_275


def test_sizes_of_chains() -> None:
    """NATS size space, NAS-Bench-Macro, single-path one-shot, FBNet."""
    widths = choice(8, 16, 24, 32, 40, 48, 56, 64)
    nats = compile_space(sequential(*[bare_conv(out=widths) for _ in range(5)], input=(3, 8, 8)), "nats")
    assert size(nats) == 8**5 == 32_768
    residual = B.inverted_residual(out=8, kernel=5, expand=6)
    assert size(layers(8, B.identity(), B.inverted_residual(out=8, expand=3), residual)) == 6_561
    assert (
        size(layers(20, *(B.depthwise(kernel=kernel) for kernel in (3, 5, 7, 9))))
        == 4**20
        == 1_099_511_627_776
    )
    kernels_and_expansions = [
        B.inverted_residual(out=8, kernel=kernel, expand=expand)
        for kernel, expand in product((3, 5), (1, 2, 3, 6))
    ]
    assert size(layers(22, B.identity(), *kernels_and_expansions)) == 984_770_902_183_611_232_881


# ------------------------------------------------------------------------------------------- large spaces


@pytest.fixture(scope="module")
def large() -> ExpressionSpace:
    return once_for_all(32, 48)


def test_ranks_beyond_64_bits(large: ExpressionSpace) -> None:
    total = size(large)
    assert total > 2**65
    for index in (0, 1, 2**64, total // 3, total - 1):
        architecture = unrank(large, index)
        assert rank(large, architecture) == index
        assert costs_of(large, architecture) == cost(large.to_graph(architecture)).totals()


@pytest.fixture(scope="module")
def drawn(large: ExpressionSpace) -> list[dict[str, int]]:
    """Costs of 400 networks, drawn uniformly and counted as a whole."""
    ranks = [int.from_bytes(rng_for(0, "ranks", k).bytes(16), "big") % size(large) for k in range(400)]
    return [cost(large.to_graph(unrank(large, index))).totals() for index in ranks]


@pytest.mark.parametrize(
    "metrics",
    [("macs",), ("params",), ("peak_activation_bytes",), ("macs", "weight_bytes"), COSTS],
    ids="+".join,
)
def test_counts_agree_with_draws(
    large: ExpressionSpace, drawn: list[dict[str, int]], metrics: tuple[str, ...]
) -> None:
    """The share that fits, counted and estimated from uniform draws, agree within four deviations."""
    budget = {metric: int(np.quantile([one[metric] for one in drawn], 0.6)) for metric in metrics}
    number = count(large, budget)
    assert 0 < number.lower <= number.upper < size(large)
    if len(metrics) == 1:
        assert number.upper - number.lower <= 0.02 * number.upper
    estimate = sum(all(one[metric] <= budget[metric] for metric in metrics) for one in drawn) / len(drawn)
    deviation = 4 * (estimate * (1 - estimate) / len(drawn)) ** 0.5
    assert number.lower / size(large) - deviation <= estimate <= number.upper / size(large) + deviation


def test_draws_within_a_budget_are_spread_like_all_draws_that_fit(
    large: ExpressionSpace, drawn: list[dict[str, int]]
) -> None:
    """The sampler against rejection: mean of every cost within four standard errors."""
    budget = {"macs": int(np.median([one["macs"] for one in drawn]))}
    rejected = [one for one in drawn if one["macs"] <= budget["macs"]]
    table = fitting(large, budget)
    sampled = [table.sample(rng_for(1, k)) for k in range(300)]
    assert len(set(sampled)) == len(sampled)
    costs = [cost(large.to_graph(one)).totals() for one in sampled]
    assert all(one["macs"] <= budget["macs"] for one in costs)
    for metric in COSTS:
        left, right = ([one[metric] for one in group] for group in (costs, rejected))
        error = (np.var(left) / len(left) + np.var(right) / len(right)) ** 0.5
        assert abs(np.mean(left) - np.mean(right)) < 4 * error


# --------------------------------------------------------------------------------------------- uniformity


@pytest.fixture(scope="module")
def small() -> ExpressionSpace:
    """Depth and structure give the options of one decision very different numbers of networks below."""
    return compile_space(
        sequential(
            bare_conv(out=choice(2, 4, name="width")),
            repeat(
                "stage",
                B.inverted_residual(out=4, kernel=choice(3, 5), expand=choice(1, 2, 3)),
                depth=choice(1, 2),
            ),
            choice({"conv": bare_conv(out=choice(2, 4, 6)), "none": B.identity()}),
            input=(2, choice(6, 8, name="resolution"), ...),
        ),
        "small",
    )


BUDGETS: list[dict[str, int]] = [
    {},
    {"macs": 6_000},
    {"peak_activation_bytes": 900},
    {"macs": 9_000, "params": 120},
]


def check_uniform(space: ExpressionSpace, budget: dict[str, int], *, exact: bool) -> None:
    """Chi-square with fixed seeds: no luck is involved, and a bias of a tenth would be found."""
    fit = {
        one
        for one in iterate(space)
        if all(costs_of(space, one)[name] <= limit for name, limit in budget.items())
    }
    assert 0 < len(fit) <= size(space) == 2 * 2 * (6 + 36) * 4
    table = fitting(space, budget)
    assert table.exact == exact
    rng = rng_for(0, "uniform")
    seen = Counter(table.sample(rng) for _ in range(20 * len(fit)))
    assert set(seen) <= fit
    assert chisquare([seen[one] for one in fit]).pvalue > 0.001


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
def test_draws_are_uniform(small: ExpressionSpace, budget: dict[str, int]) -> None:
    check_uniform(small, budget, exact=True)


@pytest.mark.parametrize("budget", BUDGETS, ids=str)
def test_draws_are_uniform_where_costs_are_rounded(small: ExpressionSpace, budget: dict[str, int]) -> None:
    with coarse_tables(100):
        check_uniform(small, budget, exact=budget.keys() <= {"peak_activation_bytes"})


def test_draws_depend_on_the_generator_alone(small: ExpressionSpace) -> None:
    first = [sample(small, rng_for(3, "a"), {"macs": 6_000}) for _ in range(3)]
    assert len(set(first)) == 1
    assert len({sample(small, rng_for(seed), {"macs": 6_000}) for seed in range(30)}) > 20


def test_iterate_is_lazy_and_ordered(large: ExpressionSpace, small: ExpressionSpace) -> None:
    walk = iterate(large)
    assert [next(walk) for _ in range(5)] == [unrank(large, index) for index in range(5)]
    assert [rank(small, one) for one in iterate(small)] == list(range(size(small)))


# ------------------------------------------------------------------------------------- budgets and errors


def test_a_limit_is_inclusive(small: ExpressionSpace) -> None:
    for metric in COSTS:
        least = smallest(small, metric)
        values = [costs_of(small, one)[metric] for one in iterate(small)]
        assert least == min(values)
        assert count(small, {metric: least}) == Count(values.count(least), values.count(least))
        assert count(small, {metric: least - 1}) == Count(0, 0)
        assert count(small, {metric: max(values)}).exact
        assert count(small, {metric: max(values)}).lower == size(small)
        assert extremes(small, metric, {metric: least}).largest.value == least


def test_no_budget_is_everything(small: ExpressionSpace) -> None:
    empty: dict[str, int] = {}
    for budget in (None, empty):
        assert count(small, budget) == Count(size(small), size(small))
        assert fitting(small, budget).upper == size(small)


@pytest.mark.parametrize("metric", ["latency", "MACs", ""])
def test_unknown_cost(small: ExpressionSpace, metric: str) -> None:
    message = rf"budget: expected limits on some of \('macs', 'params', .*\), got '{metric}'"
    asks = (
        lambda: count(small, {metric: 1}),
        lambda: fitting(small, {metric: 1}),
        lambda: sample(small, rng_for(0), {metric: 1}),
        lambda: extremes(small, "macs", {metric: 1}),
        lambda: extremes(small, metric),
    )
    for ask in asks:
        with pytest.raises(BudgetError, match=message):
            ask()


def test_index_out_of_range(small: ExpressionSpace) -> None:
    for budget in BUDGETS:
        table = fitting(small, budget)
        for index in (-1, table.upper):
            with pytest.raises(
                SpaceError, match=f"index: expected an integer from 0 to {table.upper - 1}, got {index}"
            ):
                table.at(index)


def test_nothing_fits(small: ExpressionSpace) -> None:
    least = smallest(small, "params")
    table = fitting(small, {"params": least - 1})
    assert (table.upper, table.exact) == (0, True)
    message = (
        f"none of the 672 architectures of small fits the budget: the smallest needs params {least:,}; "
        f"the budget is {least - 1:,}"
    )
    for ask in (
        lambda: table.sample(rng_for(0)),
        lambda: sample(small, rng_for(0), {"params": least - 1}),
        lambda: extremes(small, "macs", {"macs": 10**9, "params": least - 1}),
    ):
        with pytest.raises(BudgetError) as raised:
            ask()
        assert str(raised.value) == message


def test_limits_that_cannot_be_met_together() -> None:
    """A wide layer on few pixels has few MACs and many parameters, a narrow one on many the reverse."""
    options = {"wide": sequential(B.max_pool(stride=4), bare_conv(out=32)), "narrow": bare_conv(out=4)}
    space = compile_space(sequential(choice(options), input=(2, 16, 16)), "either")
    wide, narrow = (costs_of(space, unrank(space, index)) for index in (0, 1))
    assert wide["macs"] < narrow["macs"]
    assert wide["params"] > narrow["params"]
    budget = {"macs": wide["macs"], "params": narrow["params"]}
    assert count(space, budget) == Count(0, 0)
    assert why_nothing_fits(space, budget) == (
        "none of the 2 architectures of either fits the budget: those within the other limits need "
        f"macs {narrow['macs']:,} at least, the budget is {wide['macs']:,}; "
        f"params {wide['params']:,} at least, the budget is {narrow['params']:,}"
    )


@block
def weighed(build: GraphBuilder, x: Tensor, *, many: bool) -> Tensor:
    """Few wide filters, or many narrow ones with more bytes beside their weights."""
    if many:
        return build.apply("conv", Conv(96), x)
    build.apply("dead", Concat(), *[x] * 120)
    return build.apply("conv", Conv(2, (16, 16), (16, 16)), x)


def test_two_pairs_of_limits_that_cannot_be_met_together() -> None:
    """Whichever limit is left out, the others cannot be met; even then the reason is a whole sentence."""
    space = compile_space(sequential(weighed(many=choice(False, True)), input=(1, 16, 16)), "pairs")
    few, many = (costs_of(space, unrank(space, index)) for index in (0, 1))
    assert few["macs"] < many["macs"]
    assert few["params"] > many["params"]
    assert few["weight_bytes"] < many["weight_bytes"]
    assert few["peak_activation_bytes"] > many["peak_activation_bytes"]
    budget = {metric: min(few[metric], many[metric]) for metric in COSTS}
    assert count(space, budget) == Count(0, 0)
    reason = why_nothing_fits(space, budget)
    assert reason == (
        "none of the 2 architectures of pairs fits the budget, although some fit each limit alone"
    )


def test_equal_costs_of_equal_places() -> None:
    """A choice whose options cost the same does not change what fits."""
    space = compile_space(
        sequential(
            place("a", bare_conv(out=4, kernel=choice(1, 3))),
            B.conv_bn_act(out=4, activation=choice("relu", "relu6", "silu")),
            input=(2, 8, 8),
        ),
        "equal",
    )
    least = smallest(space, "macs")
    assert count(space, {"macs": least}) == Count(3, 3)


def test_the_function_fitting_and_its_module_have_one_name() -> None:
    """``netwright.space.fitting`` is the function; the module is reached by ``import_module`` alone."""
    assert importlib.import_module("netwright.space.fitting").fit is not fitting
