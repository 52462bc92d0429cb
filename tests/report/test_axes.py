from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.devices import parse_bytes, parse_count
from netwright.ir.cost import COSTS
from netwright.report import axes

_METRICS = st.sampled_from(COSTS)
_COSTS = st.integers(0, 2**42)


@given(st.lists(_COSTS, min_size=1, max_size=8), _METRICS, st.none() | st.integers(1, 2**42))
def test_every_cost_is_on_the_axis(values: list[int], metric: str, limit: int | None) -> None:
    axis = axes.cost_axis(values, metric, limit)

    assert all(axis.low <= value <= axis.high for value in values)
    assert {axis.limit, axis.beyond} == {limit, None}
    if axis.limit is not None:
        assert axis.low <= axis.limit <= axis.high


@given(st.lists(_COSTS, min_size=1, max_size=8), _METRICS)
def test_labels_read_back_as_the_ticks(values: list[int], metric: str) -> None:
    axis = axes.cost_axis(values, metric, None)
    parse = parse_bytes if metric.endswith("bytes") else parse_count

    assert [parse(label) for label in axis.labels] == list(axis.ticks)
    assert list(axis.ticks) == sorted(set(axis.ticks))
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


@given(_COSTS, st.integers(2, 2**42), _METRICS)
def test_two_to_six_ticks(low: int, width: int, metric: str) -> None:
    assert 2 <= len(axes.linear_ticks(low, low + width, metric)) <= 6


@given(st.integers(1, 2**20), st.integers(15, 2**20), _METRICS)
def test_two_to_six_ticks_on_a_log_axis(low: int, ratio: int, metric: str) -> None:
    axis = axes.cost_axis([low, low * ratio], metric, None)

    assert axis.log
    assert 2 <= len(axis.ticks) <= 6


@pytest.mark.parametrize(("limit", "on_the_axis"), [(90, True), (200, True), (201, False), (10**9, False)])
def test_a_distant_limit_does_not_squeeze_the_trials(limit: int, on_the_axis: bool) -> None:
    axis = axes.cost_axis([50, 100], "macs", limit)

    assert (axis.limit == limit) is on_the_axis
    assert (axis.beyond == limit) is not on_the_axis


def test_positions_on_a_log_axis_are_exponents() -> None:
    axis = axes.cost_axis([10, 1000], "macs", 10_000)

    assert axis.position(1000) == pytest.approx(3)
    assert axis.layout("MACs")["type"] == "log"
    assert axis.layout("MACs")["range"][1] > 4


def test_page_and_figures_have_the_same_colours() -> None:
    style = (files("netwright.report") / "templates" / "report.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in blocks)

    for name, colour in (
        ("ink", axes.INK),
        ("muted", axes.MUTED),
        ("rule", axes.GRID),
        ("blue", axes.BLUE),
        ("sky", axes.SKY),
        ("red", axes.VERMILLION),
    ):
        assert light[name] == colour
        assert dark[name] == axes.DARK[colour]
    assert light["orange"] == axes.ORANGE
    assert light["purple"] == axes.PURPLE
    assert dark["page"] == axes.DARK[axes.PAPER]


def test_colours_of_the_dark_page_are_not_replaced_twice() -> None:
    assert not set(axes.DARK) & set(axes.DARK.values())
