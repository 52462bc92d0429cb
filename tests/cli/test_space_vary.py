from __future__ import annotations

from pathlib import Path

import pytest

from netwright.space.dimensions import dimensions_of, vary
from netwright.spaces.catalog import make_space
from tests.cli.runner import Netwright


def test_numbers_are_those_of_vary(netwright: Netwright) -> None:
    found = netwright("space", "vary", "mobilenet-tiny", "--dimension", "kernel", "--json").json
    space = make_space("mobilenet-tiny")
    expected = vary(space, "kernel")
    assert found["dimensions"] == list(dimensions_of(space))
    assert [row["values"] for row in found["rows"]] == [[3], [5], [7]]
    for row, true in zip(found["rows"], expected.rows, strict=True):
        assert row["costs"] == true.costs
        span = true.ranges["macs"]
        assert span is not None
        assert row["ranges"]["macs"] == {"smallest": span.smallest, "largest": span.largest}


def test_text_has_a_curve_and_says_what_is_kept(tmp_path: Path, netwright: Netwright) -> None:
    path = tmp_path / "plot.svg"
    text = netwright(
        "space", "vary", "nats-size", "--dimension", "width", "--metric", "params", "--plot", str(path)
    ).text
    assert "all else at the middle option of each decision" in text
    bars = [line.count("#") for line in text.splitlines() if "#" in line]
    assert bars == sorted(bars)
    assert len(bars) == 8
    assert "Parameters" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--dimension", "depth"], "nats-size has no decision about 'depth'; expected one of width"),
        (["--dimension", "width", "--metric", "speed"], "--metric: expected one of macs"),
        (["--dimension", "width", "--plot", "x"], "--plot: expected a path that ends in .html or .svg"),
    ],
)
def test_errors(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("space", "vary", "nats-size", *arguments).error
