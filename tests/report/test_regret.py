from __future__ import annotations

import json
import math
import re

import pytest

from netwright.report.regret import (
    BandCurve,
    ComparisonPage,
    CurveFigure,
    ResultTable,
    curve_figure,
    render_comparison,
)

HOSTILE = "<script>alert(1)</script> & 'co"


def figure(log: bool = True, middle: tuple[float, ...] = (10.0, 1.0, 0.0)) -> CurveFigure:
    low = tuple(value - 0.5 for value in middle)
    high = tuple(value + 0.5 for value in middle)
    curves = (BandCurve(HOSTILE, (1.0, 2.0, 3.0), middle, low, high),) * 8
    return CurveFigure("regret", "Regret", "It falls.", "evaluations", "regret in %", log, curves)


def test_values_below_the_axis_lie_on_it() -> None:
    """A regret of 0 has no place on a logarithmic axis."""
    drawn = curve_figure(figure())
    line = drawn.data[2]
    assert list(line.y) == [10.0, 1.0, 1.0]
    assert list(drawn.data[0].y) == [9.5, 1.0, 1.0]
    low, high = drawn.layout.yaxis.range
    assert 10**low < 1.0 < 10.5 < 10**high


def test_a_linear_axis_shows_values_as_they_are() -> None:
    drawn = curve_figure(figure(log=False, middle=(math.nan, -1.0, 2.0)))
    assert list(drawn.data[2].y) == [None, -1.0, 2.0]


def test_a_linear_axis_shows_how_the_curves_end() -> None:
    """From 10 to 94 %: where the last hundred evaluations gain half a point, that must be seen."""
    low, high = curve_figure(figure(log=False, middle=(10.0, 93.5, 94.0, math.nan))).layout.yaxis.range
    assert 93 < low < 94 < 94.5 < high < 95


def test_nothing_but_zeros() -> None:
    drawn = curve_figure(figure(middle=(0.0, 0.0, 0.0)))
    assert all(math.isfinite(end) for end in drawn.layout.yaxis.range)


def test_curves_differ_in_colour_or_dash() -> None:
    lines = [(t.line.color, t.line.dash) for t in curve_figure(figure()).data if t.showlegend is not False]
    assert len(lines) == len(set(lines)) == 8


@pytest.fixture
def page() -> str:
    return render_comparison(
        ComparisonPage(
            "nasbench201, cifar100",
            ("15,625 architectures", HOSTILE),
            (figure(),),
            (
                ResultTable("Results", ("strategy", "test"), ((HOSTILE, "73.51"), ("local", ""))),
                ResultTable(HOSTILE, ("strategy", "p"), (("local", "0.5"),)),
            ),
            ("A note.",),
        )
    )


def test_the_page_is_safe_and_whole(page: str) -> None:
    head, _, body = page.partition("<main>")
    assert "<script>alert" not in head + body
    (spec,) = re.findall(r'<script type="application/json" id="spec-regret">(.*?)</script>', page, re.DOTALL)
    assert len(json.loads(spec)["data"]) == 24
    assert page.count("<tr>") == 5
    assert "73.51" in page
    assert "A note." in page
