from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netwright.devices import DEVICES, METRICS, Budget, Check, Device, Limit, Verdict, budget_for
from netwright.errors import BudgetError, ConfigError

KB = 1024

sizes = st.integers(1, 2**24)
maybe_sizes = st.none() | st.integers(64, 2**24)


@st.composite
def budgets(draw: st.DrawFn) -> Budget:
    return budget_for(
        draw(st.none() | st.sampled_from(sorted(DEVICES))),
        max_sram=draw(maybe_sizes),
        max_flash=draw(maybe_sizes),
        max_macs=draw(maybe_sizes),
        max_params=draw(maybe_sizes),
    )


def test_device_with_the_margins_of_the_module() -> None:
    # By hand: 256 - 16 = 240 KB and 1024 - 64 = 960 KB.
    assert dict(budget_for("nrf52840")) == {"arena_bytes": 240 * KB, "flash_bytes": 960 * KB}


@pytest.mark.parametrize(
    ("sram", "limit"), [(128, 112), (256, 240), (320, 304), (512, 496), (64, 48), (32, 24)]
)
def test_sram_rule(sram: int, limit: int) -> None:
    assert dict(budget_for(max_sram=f"{sram}KB")) == {"arena_bytes": limit * KB}


@pytest.mark.parametrize(("flash", "limit"), [(512, 448), (1024, 960), (2048, 1984), (128, 64), (64, 32)])
def test_flash_rule(flash: int, limit: int) -> None:
    assert dict(budget_for(max_flash=f"{flash}KB")) == {"flash_bytes": limit * KB}


def test_what_is_limited_by_itself_has_no_margin() -> None:
    budget = budget_for("nrf52840", max_head="16KB", max_arena="48KB", max_file="64KB")
    assert dict(budget) == {"head_bytes": 16 * KB, "arena_bytes": 48 * KB, "flash_bytes": 64 * KB}
    assert budget.explain()[1] == "arena_bytes at most 48 KB (max_arena)"


@given(sizes, sizes)
def test_more_memory_never_leaves_less(one: int, other: int) -> None:
    small, large = sorted((one + 8, other + 8))
    for option, metric in (("max_sram", "arena_bytes"), ("max_flash", "flash_bytes")):
        less, more = (budget_for(**{option: size})[metric] for size in (small, large))  # type: ignore[arg-type]
        assert 0 < less <= more < large


@given(sizes, st.integers(0, 99))
def test_margin_by_hand_is_that_share_exactly(size: int, percent: int) -> None:
    limit = size * (100 - percent) // 100
    assume(limit > 0)
    budget = budget_for(max_sram=size, max_flash=size, sram_margin=percent / 100, flash_margin=percent / 100)
    assert dict(budget) == {"arena_bytes": limit, "flash_bytes": limit}


def test_no_margin_leaves_everything() -> None:
    budget = budget_for("stm32f746", sram_margin=0)
    assert budget["arena_bytes"] == 320 * KB
    assert budget.explain()[0] == (
        "SRAM 320 KB - 0 B kept for the program = 320 KB for the tensor arena (stm32f746)"
    )


def test_limits_by_hand_replace_those_of_the_device() -> None:
    budget = budget_for("nrf52840", max_sram="64KB", max_macs="2M", max_params="60k")
    assert dict(budget) == {
        "macs": 2_000_000,
        "params": 60_000,
        "arena_bytes": 48 * KB,
        "flash_bytes": 960 * KB,
    }
    assert budget.device == "nrf52840"
    assert budget.explain() == [
        "macs at most 2M (max_macs)",
        "params at most 60k (max_params)",
        "SRAM 64 KB - 16 KB kept for the program = 48 KB for the tensor arena (max_sram)",
        "flash 1 MB - 64 KB kept for the program = 960 KB for the model file (nrf52840)",
    ]


def test_a_limit_by_hand_may_exceed_the_device() -> None:
    assert budget_for("stm32h743", max_sram="1MB", sram_margin=0)["arena_bytes"] == 1024 * KB


def test_device_of_ones_own() -> None:
    board = Device("board", "My board", "core", None, sram_bytes=100_000, flash_bytes=None, source="me")
    assert dict(budget_for(board, sram_margin=0.1)) == {"arena_bytes": 90_000}


def test_no_limits_at_all() -> None:
    for budget in (budget_for(), budget_for("host-cpu")):
        assert len(budget) == 0
        assert budget.explain() == ["no limits"]
        assert budget.check({"macs": 10**12}).fits
        assert budget.check({}).explain() == ["no limits"]


def test_a_budget_is_a_mapping_of_the_metrics() -> None:
    budget = budget_for("nrf52840", max_macs=5)
    assert isinstance(budget, Mapping)
    assert list(budget) == ["macs", "arena_bytes", "flash_bytes"]
    assert set(budget) <= set(METRICS)
    assert "params" not in budget
    assert budget.get("params") is None
    assert budget == {"macs": 5, "arena_bytes": 240 * KB, "flash_bytes": 960 * KB}
    with pytest.raises(KeyError, match="params"):
        budget["params"]


def test_a_budget_cannot_be_changed() -> None:
    budget = budget_for(max_macs=5)
    with pytest.raises(AttributeError):
        budget.limits = ()  # type: ignore[misc]


def test_equality_is_that_of_the_limits() -> None:
    by_device = budget_for("nrf52840")
    by_hand = budget_for(max_sram=256 * KB, max_flash="1MB")
    assert by_device == by_hand
    assert hash(by_device) == hash(by_hand)
    assert by_device != budget_for("stm32f746")
    assert len({by_device, by_hand, budget_for("stm32f412"), budget_for("stm32f746")}) == 2


@given(budgets())
def test_budget_json_round_trip(budget: Budget) -> None:
    read = Budget.from_dict(json.loads(json.dumps(budget.to_dict())))
    assert read == budget
    assert hash(read) == hash(budget)
    assert (read.limits, read.device, read.explain()) == (budget.limits, budget.device, budget.explain())


@given(budgets(), st.fixed_dictionaries({metric: st.integers(0, 2**25) for metric in METRICS}))
def test_verdict_is_inclusive_and_by_metric(budget: Budget, costs: dict[str, int]) -> None:
    verdict = budget.check(costs)
    assert verdict.fits == all(costs[metric] <= limit for metric, limit in budget.items())
    assert [row.metric for row in verdict.rows] == list(budget)
    for row in verdict.rows:
        assert (row.value, row.limit) == (costs[row.metric], budget[row.metric])
        assert Fraction(row.share) == pytest.approx(Fraction(row.value, row.limit))
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_the_limit_itself_fits_and_one_more_does_not() -> None:
    budget = budget_for(max_macs=1000)
    assert budget.check({"macs": 1000}).fits
    assert not budget.check({"macs": 1001}).fits


def test_verdict_in_words() -> None:
    verdict = budget_for("nrf52840", max_macs="2M").check(
        {"macs": 2_000_001, "arena_bytes": 240 * KB, "flash_bytes": 60_728, "params": 3}
    )
    assert verdict.explain() == [
        "macs: 2000001 of 2000000 (100.1 %): 1 too many",
        "arena_bytes: 240 KB of 240 KB (100.0 %)",
        "flash_bytes: 59.3 KB of 960 KB (6.2 %)",
    ]
    assert verdict.to_dict()["fits"] is False
    assert [row["fits"] for row in verdict.to_dict()["rows"]] == [False, True, True]


def test_missing_costs_are_named() -> None:
    with pytest.raises(BudgetError, match=r"got only macs; add arena_bytes, flash_bytes"):
        budget_for("nrf52840").check({"macs": 1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_macs": 0}, "max_macs: expected a limit of at least 1 for macs, got 0"),
        ({"max_params": "0k"}, "max_params: expected a limit of at least 1 for params, got 0"),
        ({"max_sram": 0}, "max_sram: expected more memory than is kept for the program, got 0 B"),
        ({"max_sram": 1}, "max_sram: expected more memory than is kept for the program, got 1 B"),
        ({"max_sram": "64KB", "max_arena": "4KB"}, "max_sram: expected either it or max_arena, got both"),
        ({"max_file": "64KB", "flash_margin": 0}, "flash_margin: expected either it or max_file, got both"),
        ({"max_flash": 3, "flash_margin": 0.9}, "max_flash: expected more memory than is kept"),
        ({"max_sram": "-64KB"}, "max_sram: expected zero or more, got '-64KB'"),
        ({"max_macs": "2 MACs"}, "max_macs: expected a unit of k, M, G, T, got 'MACs'"),
        ({"device": "nrf52840", "sram_margin": 1}, "sram_margin: expected a share from 0 to below 1, got 1"),
        ({"device": "nrf52840", "sram_margin": -0.1}, "sram_margin: expected a share from 0 to below 1"),
        ({"device": "nrf52840", "flash_margin": float("nan")}, "flash_margin: expected a share from 0"),
        ({"device": "host-cpu", "flash_margin": 0.5}, "give a device that has one or max_flash"),
        ({"sram_margin": 0.5}, "sram_margin: expected a memory that it is a share of, got none"),
    ],
)
def test_budgets_that_cannot_be(options: dict[str, str | float], message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        budget_for(**options)  # type: ignore[arg-type]


def test_unknown_device() -> None:
    with pytest.raises(ConfigError, match="nrf52840"):
        budget_for("nrf52832")


def test_limits_are_checked() -> None:
    with pytest.raises(BudgetError, match="expected a metric of macs, params"):
        Limit("latency", 3, "me")
    with pytest.raises(BudgetError, match="expected a limit of at most the memory, 2 bytes, got 3"):
        Limit("weight_bytes", 3, "me", 2)
    with pytest.raises(BudgetError, match="expected each metric once, got macs, macs"):
        Budget((Limit("macs", 1, "a"), Limit("macs", 2, "b")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "expected format 1, got None"),
        ({"format": 2}, "expected format 1, got 2"),
        ({"format": 1}, "expected what Budget.to_dict writes"),
        (
            {"format": 1, "device": None, "origins": [{"metric": "macs"}]},
            "expected what Budget.to_dict writes",
        ),
    ],
)
def test_unreadable_budgets(data: dict[str, object], message: str) -> None:
    with pytest.raises(BudgetError, match=message):
        Budget.from_dict(data)


def test_unreadable_verdicts() -> None:
    with pytest.raises(BudgetError, match=r"expected what Verdict\.to_dict writes"):
        Verdict.from_dict({"fits": True})


@given(st.integers(1, 2**40), st.integers(1, 10**6))
def test_what_does_not_fit_never_reads_as_100_percent(limit: int, over: int) -> None:
    text = Check("macs", limit + over, limit).explain()
    assert "(100.0 %)" not in text
    assert text.endswith(f": {over} too many")
