"""From the operations of a space to a table, and from that to answers and a search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.runner import Netwright

ASKED = ("mobilenet-tiny", "--input", "1x8x8")


def filled(path: Path) -> Path:
    """Fill in the table: a microsecond, and one for every 100 elements of the output."""
    data = json.loads(path.read_text())
    for entry in data["entries"]:
        (operation,) = entry["operations"]
        shape = operation.split(" to ")[1].split(",")[0]
        elements = 1
        for size in shape.split("x"):
            elements *= int(size)
        entry["ms"] = 0.001 + elements / 100_000
    path.write_text(json.dumps(data))
    return path


@pytest.fixture
def table(tmp_path: Path, netwright: Netwright) -> Path:
    path = tmp_path / "table.json"
    assert netwright("space", "operations", *ASKED, "--out", str(path)).text.endswith(f"in {path}\n")
    return path


def test_operations(netwright: Netwright) -> None:
    found = netwright("space", "operations", *ASKED, "--json").json["operations"]
    assert len(found) == len(set(found)) > 100
    assert "linear 64 to 10" in found
    assert not any(operation.startswith(("activation", "batch_norm")) for operation in found)


def test_a_table_is_not_overwritten(table: Path, netwright: Netwright) -> None:
    error = netwright("space", "operations", *ASKED, "--out", str(table)).error
    assert f"--out: expected a new file, got {table}, which exists" in error


def test_a_table_that_is_not_filled_in(table: Path, netwright: Netwright) -> None:
    error = netwright("space", "count", *ASKED, "--latency-table", str(table)).error
    assert "entry 0: " in error
    assert "got nothing; measure it and write it there" in error


def test_questions_about_latency(table: Path, netwright: Netwright) -> None:
    asked = (*ASKED, "--latency-table", str(filled(table)))
    found = netwright("space", "extremes", *asked, "--json").json
    assert found["latency_table"] == "mobilenet-tiny"
    ends = found["extremes"]["latency_ns"]
    least, most = ends["smallest"]["value"], ends["largest"]["value"]
    assert ends["smallest"]["costs"]["latency_ns"] == least
    half = netwright("space", "count", *asked, "--max-latency", f"{(least + most) // 2}ns", "--json").json
    assert 0 < half["lower"] <= half["upper"] < half["size"]
    for verb in (("distribution", "--metric", "latency_ns"), ("vary", "--dimension", "kernel")):
        assert "latency_ns" in netwright("space", verb[0], *asked, *verb[1:]).text
    error = netwright("space", "sample", *asked, "--max-latency", "1us").error
    assert f"the smallest needs latency_ns {least:,}; the budget is 1,000" in error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("count", *ASKED, "--max-latency", "20ms"), "--max-latency: expected a table of times too; give"),
        (("count", *ASKED, "--max-latency", "20KB"), "--max-latency: expected a unit of ns, us, ms, s"),
        (("distribution", *ASKED, "--metric", "latency_ns"), "got 'latency_ns'; give --latency-table FILE"),
        (("count", *ASKED, "--latency-table", "no.json"), "no.json: expected a latency table that can be"),
    ],
)
def test_errors(arguments: tuple[str, ...], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("space", *arguments).error


def test_a_search_needs_the_table(tmp_path: Path, netwright: Netwright) -> None:
    arguments = ("--data", "digits", "--out", str(tmp_path / "run"), "--max-latency", "1ms")
    assert "max_latency: expected a table of times too" in netwright("search", *arguments).error
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_search_within_a_latency(table: Path, tmp_path: Path, netwright: Netwright) -> None:
    """The limit is kept by all trials, and latency is in the result, the card and the report."""
    out = tmp_path / "run"
    arguments = ("--data", "digits", "--latency-table", str(filled(table)), "--max-latency", "600us")
    small = ("--trials", "3", "--epochs", "2", "--top", "1", "--workers", "1", "--out", str(out))
    finished = netwright("search", *arguments, *small, "--json")
    assert finished.code == 0, finished.err
    result = json.loads(finished.out)
    assert 0 < result["costs"]["latency_ns"] <= 600_000
    assert result["fits"]
    assert "latency_ns at most 600 us" in finished.err
    assert "latency_ns" in (out / "export" / "card.md").read_text()
    assert "Latency by the table" in (out / "report.html").read_text()
    # Another table is another search.
    data = json.loads(table.read_text())
    data["entries"][0]["ms"] *= 2
    table.write_text(json.dumps(data))
    other = netwright("search", *arguments, *small)
    assert other.code == 2
    assert "latency_table: the study has" in other.err
