"""The verb: what it takes, prints and refuses; ``tests/pipeline/test_benchmark.py`` tests the comparison."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.runner import Netwright

ASKED = ("benchmark", "--table", "nasbench201", "--dataset", "cifar100", "--workers", "1")


@pytest.fixture
def tables(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETWRIGHT_TABLES", str(shared_data))
    return shared_data


@pytest.mark.usefixtures("tables")
def test_json(tmp_path: Path, netwright: Netwright) -> None:
    given = ("--strategies", "random,local", "--evaluations", "50", "--seeds", "3", "--out", str(tmp_path))
    found = netwright(*ASKED, *given, "--json").json
    assert [(row["strategy"], row["evaluations"]) for row in found["rows"]] == [
        *(("random", 25), ("random", 50)),
        *(("local", 25), ("local", 50)),
    ]
    for row in found["rows"]:
        assert row["dataset"] == "cifar100"
        assert row["seeds"] == 3
        assert 60 < row["mean_test"] < 73.51
        assert row["mean_validation_regret"] > 0
        assert row["standard_error"] > 0
        assert 0 <= row["found_optimum"] <= 1
    assert netwright(*ASKED, *given, "--json").json == found


@pytest.mark.usefixtures("tables")
def test_table(tmp_path: Path, netwright: Netwright) -> None:
    given = ("--strategies", "evolution:population=5", "--evaluations", "30", "--seeds", "2")
    text = netwright(*ASKED, *given, "--out", str(tmp_path)).text
    caption, head, _, *rows, empty, page, numbers = text.splitlines()
    assert caption.startswith("Each strategy at each checkpoint")
    assert empty == ""
    assert head.split()[:3] == ["strategy", "evaluations", "test"]
    assert "hypervolume" not in head
    assert [row.split()[:2] for row in rows] == [
        ["evolution:population=5", "25"],
        ["evolution:population=5", "30"],
    ]
    assert page.split() == ["curves", str(tmp_path / "index.html")]
    assert str(tmp_path / "table.csv") in numbers
    for name in ("index.html", "table.csv", "comparisons.csv", "curves.csv", "runs.jsonl", "settings.json"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.usefixtures("tables")
def test_comparisons(tmp_path: Path, netwright: Netwright) -> None:
    given = ("--strategies", "random,local", "--evaluations", "100", "--seeds", "30", "--out", str(tmp_path))
    text = netwright(*ASKED, *given).text
    assert "Regret against random, seed by seed" in text
    assert netwright(*ASKED, *given, "--against", "random").text == text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("local")][-1] == "better"
    found = netwright(*ASKED, *given, "--against", "local", "--json").json["comparisons"]
    assert [(one["strategy"], one["against"], one["evaluations"]) for one in found] == [
        *(("random", "local", 25), ("random", "local", 50), ("random", "local", 100)),
    ]
    assert found[-1]["difference"] > 0
    assert found[-1]["p"] <= found[-1]["p_holm"] < 0.05
    assert found[-1]["verdict"] == "worse"
    message = "--against: expected one of the strategies (random, local), got 'auto'"
    assert netwright(*ASKED, *given, "--against", "auto").error.startswith(message)


@pytest.mark.usefixtures("tables")
def test_hardware_aware(tmp_path: Path, netwright: Netwright) -> None:
    given = ("--strategies", "local", "--evaluations", "40", "--seeds", "2", "--out", str(tmp_path))
    device = ("--device", "pixel3", "--max-latency", "5ms", "--by", "seconds", "--objectives")
    goals = "validation_accuracy,latency_pixel3"
    found = netwright(*ASKED, *given, *device, goals, "--json").json
    assert all(0 < row["hypervolume"] < 1 for row in found["rows"])
    assert all(row["seconds"] > 0 for row in found["rows"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("--table", "nasbench201"), "benchmark: --out is missing; give it"),
        (("--out", "x"), "benchmark: --table is missing; give it"),
        (
            ("--table", "nope", "--out", "x"),
            "--table: expected one of nasbench201, nats-size, accel-nasbench",
        ),
        (
            ("--table", "nasbench201", "--dataset", "mnist", "--out", "x"),
            "dataset of table nasbench201: expected one of cifar10, cifar100, imagenet16, got mnist",
        ),
        (("--table", "t.csv", "--out", "x"), "--table: a CSV file needs --space NAME"),
        (
            ("--table", "t.csv", "--out", "x", "--space", "nats-size"),
            "t.csv: expected a CSV file, found none",
        ),
        ((*ASKED[1:], "--out", "x", "--strategies", "hope"), "strategy: expected one of"),
        ((*ASKED[1:], "--out", "x", "--seeds", "0"), "--seeds: expected at least 1, got 0"),
        ((*ASKED[1:], "--out", "x", "--by", "hours"), "--by: expected evaluations or seconds, got 'hours'"),
        ((*ASKED[1:], "--out", "x", "--max-latency", "5"), "--max-latency: expected a time with its unit"),
        (
            (*ASKED[1:], "--out", "x", "--device", "pixel9"),
            "device: expected one whose latency it has, of 1080",
        ),
        ((*ASKED[1:], "--out", "x", "--objectives", "a,a"), "--objectives: expected names with commas betwe"),
        ((*ASKED[1:], "--out", "x", "--table-seed", "7"), "the table has seeds 0, 1, 2, got seed 7"),
        (
            (*ASKED[1:], "--out", "x", "--data-dir", "y"),
            "--data-dir: expected a folder with tables, found no",
        ),
    ],
)
@pytest.mark.usefixtures("tables")
def test_refusals(
    given: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    netwright: Netwright,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in netwright("benchmark", *given).error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("tables")
def test_another_comparison_in_the_folder(tmp_path: Path, netwright: Netwright) -> None:
    given = ("--strategies", "random", "--seeds", "1", "--out", str(tmp_path), "--evaluations")
    netwright(*ASKED, *given, "10")
    error = netwright(*ASKED, *given, "11").error
    assert error == (
        f"--out: {tmp_path} has runs of another comparison: evaluations: the folder has 10, this call has "
        "11; give another folder"
    )


def finished(folder: Path) -> int:
    path = folder / "runs.jsonl"
    return sum(bool(line) for line in path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_it_continues_after_a_kill(how: signal.Signals, tables: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "netwright", *ASKED[:-1], "2", "--strategies", "random,local"]
    command += ["--seeds", "150", "--json", "--out"]
    process = subprocess.Popen(
        [*command, str(tmp_path / "a")], stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while finished(tmp_path / "a") < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    # As a terminal's Ctrl-C, or a machine that runs out of memory, would reach all of its processes.
    os.killpg(process.pid, how)
    code = process.wait(60)
    assert code == (130 if how is signal.SIGINT else -signal.SIGKILL)
    before = finished(tmp_path / "a")
    assert 20 <= before < 300
    rows = []
    for folder in ("a", "b"):
        done = subprocess.run([*command, str(tmp_path / folder)], capture_output=True, text=True, check=True)
        rows.append(json.loads(done.stdout)["rows"])
    for ours, theirs in zip(*rows, strict=True):
        wall = ("milliseconds_per_proposal",)
        assert {k: v for k, v in ours.items() if k not in wall} == {
            k: v for k, v in theirs.items() if k not in wall
        }
