from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from netwright.devices import budget_for
from netwright.ir.cost import COSTS, cost
from netwright.ir.runtime import RUNTIME, runtime_costs
from netwright.space import Architecture, count, extremes, size, unrank
from netwright.spaces import mobilenet_tiny
from netwright.spaces.catalog import SPACES, make_space
from tests.cli.runner import Netwright
from tests.conftest import ROOT

SPACE = mobilenet_tiny((1, 8, 8), 10)
ASKED = ("mobilenet-tiny", "--input", "1x8x8")
LIMITS = ("--max-macs", "500k", "--max-sram", "32KB")
BUDGET = budget_for(max_macs="500k", max_sram="32KB")
HEAD = {"space": "mobilenet-tiny", "id": SPACE.id, "input": [1, 8, 8], "classes": 10, "set": {}}


def read(row: dict[str, Any]) -> Architecture:
    """The architecture of a row, which must say its key, rank and costs truly."""
    architecture = Architecture.from_dict(row["architecture"])
    assert architecture.key == row["key"]
    assert unrank(SPACE, row["rank"]) == architecture
    graph = SPACE.to_graph(architecture)
    known = cost(graph).totals() | runtime_costs(graph)
    assert row["costs"].items() <= known.items()
    assert set(row["costs"]) >= set(COSTS)
    return architecture


def test_list(netwright: Netwright) -> None:
    shapes = {
        space["name"]: tuple(space["input"]) for space in netwright("space", "list", "--json").json["spaces"]
    }
    assert shapes == {name: entry.input_shape for name, entry in SPACES.items()}
    listed = netwright("space", "list", "--json").json["spaces"]
    assert [space["name"] for space in listed] == list(SPACES)
    assert all(space["description"] in netwright("space", "list").text for space in listed)


def test_size(netwright: Netwright) -> None:
    found = netwright("space", "size", *ASKED, "--json").json
    dimensions = found.pop("dimensions")
    assert found == {**HEAD, "budget": {}, "size": size(SPACE), "decisions": len(SPACE.decisions)}
    assert sum(dimensions.values()) == len(SPACE.decisions)
    assert f"{size(SPACE):,} (about " in netwright("space", "size", *ASKED).text


def test_numbers_to_choose_from_are_in_order(netwright: Netwright) -> None:
    # Only the last of the three stages may have a depth of 0.
    assert "depth, 3 decisions of 0, 1, 2, 3\n" in netwright("space", "size", "convnet-tiny").text


def test_sizes_of_the_documentation(netwright: Netwright) -> None:
    """Each row is a command and what it prints; tests/spaces has the sizes from the papers."""
    text = (ROOT / "docs" / "spaces.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| ([\d,]+) \|", text, re.MULTILINE)
    assert len(rows) == 13
    for arguments, expected in rows:
        found = netwright("space", "size", *arguments.split(), "--json").json
        assert found["size"] == int(expected.replace(",", "")), arguments


def test_input_and_classes_make_another_space(netwright: Netwright) -> None:
    found = netwright(
        "space", "size", "mobilenet-tiny", "--input", "3X96X96", "--classes", "2", "--json"
    ).json
    other = mobilenet_tiny((3, 96, 96), 2)
    assert (found["id"], found["input"], found["size"]) == (other.id, [3, 96, 96], size(other))


def test_count_without_a_budget_is_the_size(netwright: Netwright) -> None:
    found = netwright("space", "count", *ASKED, "--json").json
    assert found["lower"] == found["upper"] == found["size"] == size(SPACE)
    assert "no limits" in netwright("space", "count", *ASKED).text


def test_count_under_a_budget(netwright: Netwright) -> None:
    found = netwright("space", "count", *ASKED, *LIMITS, "--json").json
    expected = count(SPACE, BUDGET)
    assert 0 < expected.upper < size(SPACE)
    assert found == {
        **HEAD,
        "budget": dict(BUDGET),
        "size": size(SPACE),
        "lower": expected.lower,
        "upper": expected.upper,
        "exact": False,
        "likely": list(expected.likely or ()),
        "estimated": False,
    }
    assert 0 < expected.lower < found["likely"][0] < found["likely"][1] <= expected.upper
    text = netwright("space", "count", *ASKED, *LIMITS).text
    assert "a 95 % interval from 400" in text
    assert "macs at most 500k" in text


def test_count_under_limits_that_add_up_is_exact(netwright: Netwright) -> None:
    limits = ("--max-macs", "500k")
    found = netwright("space", "count", *ASKED, *limits, "--json").json
    expected = count(SPACE, {"macs": 500_000})
    assert 0 < expected.upper < size(SPACE)
    assert (found["lower"], found["upper"]) == (expected.lower, expected.upper)
    assert "likely" not in found
    assert f"{expected.upper:,}" in netwright("space", "count", *ASKED, *limits).text


def test_count_of_nothing_is_an_answer_with_its_reason(netwright: Netwright) -> None:
    arguments = ("space", "count", *ASKED, "--max-params", "100")
    assert netwright(*arguments, "--json").json["upper"] == 0
    assert "the smallest needs params" in netwright(*arguments).text


def test_sample_fits_and_depends_on_the_seed_alone(netwright: Netwright) -> None:
    arguments = ("space", "sample", *ASKED, *LIMITS, "--number", "20", "--json")
    found = netwright(*arguments).json
    drawn = [read(row) for row in found["architectures"]]
    assert len(drawn) == 20
    assert len(set(drawn)) > 10
    assert all(BUDGET.check(row["costs"]).fits for row in found["architectures"])
    assert netwright(*arguments).json == found
    fewer = netwright(*arguments, "--number", "3").json
    assert fewer["architectures"] == found["architectures"][:3]
    assert netwright(*arguments, "--seed", "1").json["architectures"] != found["architectures"]


def test_sample_as_text(netwright: Netwright) -> None:
    arguments = ("space", "sample", *ASKED, "--number", "2")
    text = netwright(*arguments).text
    for row in netwright(*arguments, "--json").json["architectures"]:
        assert row["key"] in text
        for name, value in row["architecture"]["choices"].items():
            assert f"{name}={value}" in text


def test_extremes(netwright: Netwright) -> None:
    found = netwright("space", "extremes", *ASKED, "--max-macs", "500k", "--json").json
    text = netwright("space", "extremes", *ASKED, "--max-macs", "500k").text
    assert list(found["extremes"]) == [*COSTS, *RUNTIME]
    for metric in RUNTIME:
        ends = found["extremes"][metric]
        assert ends["estimated"]
        assert "none of all is below" in ends["reason"]
        for name in ("smallest", "largest"):
            read(ends[name])
            assert ends[name]["value"] == ends[name]["costs"][metric]
    for metric in COSTS:
        ends = found["extremes"][metric]
        expected = extremes(SPACE, metric, {"macs": 500_000})
        for name, extreme in (("smallest", expected.smallest), ("largest", expected.largest)):
            read(ends[name])
            assert ends[name]["value"] == ends[name]["costs"][metric] == extreme.value
            assert f" {extreme.value:,} " in text
    assert " 500,000" in text


def test_budget_of_a_device_and_margins(netwright: Netwright) -> None:
    found = netwright("space", "count", *ASKED, "--device", "nrf52840", "--sram-margin", "0", "--json").json
    assert found["budget"] == dict(budget_for("nrf52840", sram_margin=0))


@pytest.mark.parametrize("verb", ["sample", "extremes"])
def test_infeasible_budget_says_what_the_smallest_needs(verb: str, netwright: Netwright) -> None:
    smallest = extremes(SPACE, "macs").smallest.value
    error = netwright("space", verb, *ASKED, "--max-macs", "1k").error
    assert f"the smallest needs macs {smallest:,}; the budget is 1,000" in error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["mobilnet-tiny"], "space: 'mobilnet-tiny' is unknown; did you mean mobilenet-tiny"),
        (["transformer"], "expected one of mobilenet-tiny"),
        (["mobilenet-tiny", "--input", "28"], "--input: expected channels, height and width such as 1x28x28"),
        (["mobilenet-tiny", "--input", "1x-8x8"], "got '1x-8x8'"),
        (["mobilenet-tiny", "--input", "1x28x32"], "expected square images of 8 to 96 pixels, got 28x32"),
        (["mobilenet-tiny", "--classes", "0"], "classes: expected a positive number, got 0"),
        (["mobilenet-tiny", "--max-sram", "64XB"], "--max-sram: expected a unit of B, KB, MB, GB, got 'XB'"),
        (["mobilenet-tiny", "--max-flash", ""], "--max-flash: expected a number and a unit, got nothing"),
        (["mobilenet-tiny", "--max-macs", "-1"], "--max-macs: expected zero or more, got '-1'"),
        (["mobilenet-tiny", "--max-macs", "2 MB"], "--max-macs: expected a unit of k, M, G, T, got 'MB'"),
        (["mobilenet-tiny", "--max-params", "0"], "--max-params: expected a limit of at least 1"),
        (["mobilenet-tiny", "--max-sram", "0"], "--max-sram: expected more memory than is kept"),
        (["mobilenet-tiny", "--sram-margin", "0.5"], "give a device that has one or --max-sram"),
        (["mobilenet-tiny", "--flash-margin", "2", "--device", "rp2040"], "--flash-margin: expected a share"),
        (["mobilenet-tiny", "--device", "nrf5284"], "did you mean nrf52840"),
    ],
)
def test_errors_say_what_to_do(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("space", "count", *arguments).error


def test_question_is_asked_of_the_defaults_of_the_space(netwright: Netwright) -> None:
    found = netwright("space", "size", "nats-size", "--json").json
    assert (found["input"], found["classes"], found["size"]) == ([3, 32, 32], 10, 8**5)
    assert "fixed: input 3x32x32, 10 classes" in netwright("space", "size", "nats-size").text


def test_parameters_of_the_space(netwright: Netwright) -> None:
    asked = ("space", "size", "ofa-mobilenet-v3", "--json")
    short = netwright(*asked, "--resolution", "224").json
    assert short == netwright(*asked, "--set", "resolution=224").json
    assert short["set"] == {"resolution": 224}
    assert short["size"] == 21_758_655_492_572_485_851
    both = netwright(*asked, "--resolution", "224", "--set", "resolution=128").error
    assert "--resolution: expected the same as --set resolution=128, got 224" in both


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nats-size", "--resolution", "32"], "nats-size.resolution: there is no such setting"),
        (["mcunet", "--set", "width"], "--set: expected NAME=VALUE, such as resolution=224, got 'width'"),
        (["mcunet", "--set", "width=1", "--set", "width=2"], "--set: expected width once"),
        (["mcunet", "--set", "width=wide"], "mcunet.width: expected a number above 0, got 'wide'"),
        (["missing.yaml"], "missing.yaml: expected a file with a search space"),
    ],
)
def test_wrong_parameters(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("space", "size", *arguments).error


def test_space_from_a_file(tmp_path: Path, netwright: Netwright) -> None:
    path = tmp_path / "one.yaml"
    path.write_text("space: mcunet\nset: {resolution: 96, width: 0.5}\n", encoding="utf-8")
    found = netwright("space", "size", str(path), "--json").json
    assert found["space"] == "mcunet"
    assert found["set"] == {"resolution": 96, "width": 0.5}
    assert found["size"] == size(make_space("mcunet", parameters={"resolution": 96, "width": 0.5}))
    changed = netwright("space", "size", str(path), "--set", "width=0.2", "--json").json
    assert changed["set"] == {"resolution": 96, "width": 0.2}


def test_count_of_the_notes_example_is_between_bounds(netwright: Netwright) -> None:
    arguments = ("space", "count", "ofa-mobilenet-v3", "--resolution", "224", "--max-macs", "300M")
    found = netwright(*arguments, "--json").json
    assert 0 < found["lower"] <= found["upper"] < found["size"]
    assert found["upper"] / found["lower"] < 1.01
    assert "3.9" in netwright(*arguments).text


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What to ask so that peak memory takes too many states, as it does in large trellises after a while."""
    monkeypatch.setattr("netwright.space.explorer.COMPOSED_STATE_LIMIT", 300)
    return ("auto-deeplab-tiny", "--set", "layers=4", "--max-sram", "36KB", "--samples", "40")


def test_count_that_is_refused_is_estimated_and_says_so(
    refusing: tuple[str, ...], netwright: Netwright
) -> None:
    asked = (*refusing, "--max-params", "20k")
    found = netwright("space", "count", *asked, "--json").json
    assert found["estimated"]
    assert not found["exact"]
    assert found["confidence"] == 0.95
    assert found["samples"] == 40
    assert 0 <= found["lower"] <= found["estimate"] <= found["upper"] <= found["size"]
    assert "an exact answer would need more" in found["reason"]
    text = netwright("space", "count", *asked).text
    assert "estimated from 40 samples" in text
    assert "with 95 % confidence" in text


def test_distribution_and_extremes_that_are_refused_say_so(
    refusing: tuple[str, ...], netwright: Netwright
) -> None:
    found = netwright("space", "distribution", *refusing, "--json").json
    assert found["estimated"]
    assert found["confidence"] == 0.95
    assert "estimated from" in netwright("space", "distribution", *refusing).text
    ends = netwright("space", "extremes", *refusing, "--json").json["extremes"]
    assert all(row["estimated"] and row["reason"] for row in ends.values())
    assert "macs, seen" in netwright("space", "extremes", *refusing).text


def test_what_no_network_fits_is_said_without_an_estimate(
    refusing: tuple[str, ...], netwright: Netwright
) -> None:
    asked = ("space", "count", *refusing[:-4], "--max-head", "64B", "--json")
    found = netwright(*asked).json
    assert (found["lower"], found["upper"], found["estimated"]) == (0, 0, False)
    assert "needs" in found["reason"]
