from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from netwright.cli.space.design import SAMPLES
from netwright.devices import budget_for
from netwright.space import count
from netwright.space.design import DRAWS
from netwright.spaces.catalog import load_space, make_space
from tests.cli.runner import Netwright

SMALL = ("--max-sram", "64KB", "--max-flash", "256KB", "--classes", "2")


def test_winner_is_written_as_a_space(tmp_path: Path, netwright: Netwright) -> None:
    out, plot = tmp_path / "best.yaml", tmp_path / "plot.html"
    found = netwright(
        "space", "design", "mcunet", *SMALL, "--out", str(out), "--plot", str(plot), "--json"
    ).json
    assert found["by"] == ["resolution", "width"]
    assert len(found["sub_spaces"]) + len(found["nothing_fits"]) == 108
    best = found["sub_spaces"][0]
    assert best["set"] == found["best"]
    assert best["mean"]["lower"] <= best["mean"]["upper"]
    assert "Sub-spaces of mcunet" in plot.read_text(encoding="utf-8")
    space = load_space(out, (3, 224, 224), 2)
    assert space.id == make_space("mcunet", (3, 224, 224), 2, found["best"]).id
    known = count(space, budget_for(max_sram="64KB", max_flash="256KB"))
    assert known.lower <= best["upper"]
    assert best["lower"] <= known.upper
    assert netwright("space", "size", str(out), "--classes", "2", "--json").json["set"] == found["best"]


def test_text(netwright: Netwright) -> None:
    text = netwright("space", "design", "mcunet", *SMALL, "--set", "width=0.2", "--by", "resolution").text
    assert "12 sub-spaces" in text
    assert "share that fits" in text


def test_more_samples_make_the_intervals_narrower(netwright: Netwright) -> None:
    assert SAMPLES == DRAWS
    options = (
        "convnet-tiny",
        "--set=layers=ordinary",
        "--input=1x28x28",
        "--max-arena=48KB",
        "--by=stem.stride",
    )
    usual, same, more = (
        netwright("space", "design", *options, *extra, "--json").json["sub_spaces"]
        for extra in ((), ("--samples", str(SAMPLES)), ("--samples", "128"))
    )
    assert usual == same
    widths = [max(row["mean"]["upper"] - row["mean"]["lower"] for row in rows) for rows in (usual, more)]
    assert widths[1] < widths[0] / 1.5


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mcunet"], "space design: expected a budget; give --device, or --max-sram and --max-flash"),
        (["mcunet", "--max-sram", "64KB", "--out", "best.txt"], "--out: expected a path that ends in .json"),
        (["mcunet", "--max-sram", "64KB", "--by", "depth"], "depth: mcunet has no such decision"),
        (
            ["mcunet", "--max-sram", "64KB", "--by", "stage1.depth", "--out", "x.yaml"],
            "--out: stage1.depth is decided anew at its place, so that a file cannot settle it",
        ),
        (["mcunet", "--max-sram", "20KB"], "every one needs more than arena_bytes"),
        (["nats-size", "--max-params", "1M"], "expected a decision about the whole network"),
    ],
)
def test_errors(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("space", "design", *arguments).error


def test_the_best_sub_space_by_any_named_decisions_is_written(netwright: Netwright, tmp_path: Path) -> None:
    file = tmp_path / "best.yaml"
    options = ("--max-arena", "32KB", "--max-file", "64KB", "--by", "stem.stride,stem.width")
    text = netwright("space", "design", "convnet-tiny", *options, "--out", str(file)).text
    assert f"search it with --space {file}" in text
    settings = yaml.safe_load(file.read_text())["set"]
    assert set(settings) == {"stem.stride", "stem.width"}
    whole = netwright("space", "size", "convnet-tiny", "--json").json["size"]
    assert netwright("space", "size", str(file), "--json").json["size"] * 2 * 5 == whole
    given = [f"--set={name}={value}" for name, value in settings.items()]
    assert netwright("space", "size", "convnet-tiny", *given, "--json").json["size"] * 2 * 5 == whole
