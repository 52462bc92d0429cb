from __future__ import annotations

from pathlib import Path

import pytest

from netwright.space import costs_of, iterate
from netwright.spaces import nasbench_macro
from tests.cli.runner import Netwright

ASKED = ("space", "distribution", "nasbench-macro", "--metric")


@pytest.fixture(scope="module")
def costs() -> list[dict[str, int]]:
    space = nasbench_macro((3, 32, 32), 10)
    return [costs_of(space, one) for one in iterate(space)]


@pytest.mark.parametrize("metric", ["macs", "params", "peak_activation_bytes"])
def test_quantiles_enclose_those_of_enumeration(
    metric: str, costs: list[dict[str, int]], netwright: Netwright
) -> None:
    found = netwright(*ASKED, metric, "--json").json
    values = sorted(one[metric] for one in costs)
    assert not found["estimated"]
    assert found["lower"] == found["upper"] == len(values) == 6561
    quantiles = found["quantiles"]
    for share in (5, 25, 50, 75, 95):
        true = values[-(-share * len(values) // 100) - 1]
        assert quantiles[f"{share} %"]["lower"] <= true <= quantiles[f"{share} %"]["upper"]
    assert quantiles["min"]["lower"] <= values[0] <= quantiles["min"]["upper"]
    assert quantiles["max"]["lower"] <= values[-1] <= quantiles["max"]["upper"]
    mean = sum(values) / len(values)
    assert quantiles["mean"]["lower"] <= mean * (1 + 1e-12)
    assert quantiles["mean"]["upper"] >= mean * (1 - 1e-12)
    for value, low, high in zip(*found["cumulative"].values(), strict=True):
        assert low <= sum(one <= value for one in values) <= high


def test_text_and_plot(tmp_path: Path, netwright: Netwright) -> None:
    for ending in ("html", "svg"):
        path = tmp_path / f"plot.{ending}"
        text = netwright(*ASKED, "macs", "--max-params", "1M", "--plot", str(path)).text
        assert "50 %" in text
        assert "mean" in text
        assert f"drawn in {path}" in text
        assert "Multiply-accumulates" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["speed"],
            "--metric: expected one of macs, params, weight_bytes, peak_activation_bytes, head_bytes, "
            "arena_bytes, flash_bytes, got 'speed'",
        ),
        (["macs", "--plot", "x.png"], "--plot: expected a path that ends in .html or .svg, got 'x.png'"),
        (["macs", "--plot", "no/such/folder.svg"], "no/such/folder.svg: cannot be written"),
        (["macs", "--max-params", "10"], "the smallest needs params"),
    ],
)
def test_errors(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright(*ASKED, *arguments).error
