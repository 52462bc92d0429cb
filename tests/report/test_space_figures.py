from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.report.space_figures import (
    Chart,
    design_chart,
    distribution_chart,
    html,
    svg,
    variation_chart,
    write_chart,
)
from netwright.space import ExpressionSpace, choice, compile_space, repeat, sequential
from netwright.space.design import design
from netwright.space.dimensions import vary
from netwright.space.distributions import Distribution, distribution
from netwright.space.opaque import estimate_distribution

_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def space() -> ExpressionSpace:
    width = choice(8, 16, name="width")
    layer = B.inverted_residual(out=width, kernel=choice(3, 5), expand=choice(1, 2))
    parts = (B.conv_bn_act(out=width), repeat("stage", layer, depth=choice(1, 2)), B.classifier(classes=3))
    return compile_space(sequential(*parts, input=(1, choice(4, 8, name="resolution"), ...)), "<small>")


@pytest.fixture(scope="module")
def charts(space: ExpressionSpace) -> dict[str, Chart]:
    return {
        "exact": distribution_chart(distribution(space, "macs"), "<all> & more"),
        "estimate": distribution_chart(estimate_distribution(space, "macs", samples=50), "estimate"),
        "design": design_chart(design(space, {"weight_bytes": 6000}), "sub-spaces", best=1, others=2),
        "vary": variation_chart(vary(space, "kernel"), "macs", "kernel"),
    }


@pytest.mark.parametrize("name", ["exact", "estimate", "design", "vary"])
def test_svg_is_well_formed_and_inside_its_frame(name: str, charts: dict[str, Chart]) -> None:
    root = ElementTree.fromstring(svg(charts[name]))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    words = [element.text for element in root.iter(f"{_SVG}text")]
    assert charts[name].title in words
    assert all(curve.name in words for curve in charts[name].curves)
    for element in [*root.iter(f"{_SVG}polyline"), *root.iter(f"{_SVG}polygon")]:
        for point in element.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height


@pytest.mark.parametrize("name", ["exact", "estimate", "design", "vary"])
def test_html_has_the_same_curves(name: str, charts: dict[str, Chart]) -> None:
    page = html(charts[name])
    data = page.rpartition("Plotly.newPlot(")[2].partition("[")[2]
    traces, _ = json.JSONDecoder().raw_decode(f"[{data}")
    named = [trace["name"] for trace in traces if trace.get("showlegend", True) and "name" in trace]
    assert len(named) == len(charts[name].curves)
    assert "<all>" not in page.rpartition("Plotly.newPlot(")[2]


def test_cumulative_share_rises_to_all(charts: dict[str, Chart]) -> None:
    (curve,) = charts["exact"].curves
    assert curve.exact
    assert list(curve.low) == sorted(curve.low)
    assert curve.low[0] > 0
    assert curve.high[-1] == 100


def test_bounds_of_a_share_hold_for_every_total_between_the_bounds() -> None:
    found = Distribution("macs", (10, 20, 30), (1, 4, 8), (2, 6, 10), complete=True)
    (curve,) = distribution_chart(found, "bounds").curves
    for total in range(8, 11):
        for count, low, high in zip(((1, 2), (4, 6)), curve.low, curve.high, strict=False):
            assert low <= 100 * count[0] / total
            assert 100 * count[1] / total <= high
    assert (curve.low[-1], curve.high[-1]) == (100, 100)


def test_area_of_a_variation_is_the_range(space: ExpressionSpace, charts: dict[str, Chart]) -> None:
    (curve,) = charts["vary"].curves
    for row, low, high, middle in zip(
        vary(space, "kernel").rows, curve.low, curve.high, curve.middle or (), strict=True
    ):
        span = row.ranges["macs"]
        assert span is not None
        assert (span.smallest, span.largest, row.costs["macs"]) == (low, high, middle)


def test_files_by_their_ending(tmp_path: Path, charts: dict[str, Chart]) -> None:
    for ending, start in (("svg", "<svg"), ("HTML", "<!doctype html>")):
        path = tmp_path / f"chart.{ending}"
        write_chart(path, charts["vary"])
        assert path.read_text(encoding="utf-8").lower().startswith(start)
    with pytest.raises(ConfigError, match=r"expected a path that ends in \.html or \.svg"):
        write_chart(tmp_path / "chart.png", charts["vary"])
    with pytest.raises(ConfigError, match="cannot be written"):
        write_chart(tmp_path / "no" / "chart.svg", charts["vary"])
