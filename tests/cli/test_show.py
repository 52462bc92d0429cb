from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from netwright.space import costs_of
from netwright.strategies import RandomSearch
from netwright.study import SerialExecutor, StudySettings, open_study, run_search
from netwright.trial import Context, Metric, Proposal
from tests.cli.runner import Netwright
from tests.pipeline.small import SPACE

ACCURACY = Metric("validation_accuracy", "share", "maximize")


class Table:
    """Trial 1 fails; the later a trial, the better."""

    metrics = (ACCURACY,)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        if proposal.number == 1:
            raise ValueError("it broke")
        return {ACCURACY.name: 0.5 + proposal.number / 100, "validation_loss": 1.0}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run directory of twelve trials without a result."""
    settings = StudySettings(space=SPACE.id, objective=ACCURACY, strategy="random", seed=0)
    with open_study(tmp_path / "run", settings) as study:
        run_search(
            SPACE,
            RandomSearch(),
            Table(),
            study,
            SerialExecutor(),
            costs_of=lambda architecture: costs_of(SPACE, architecture),
            trials=12,
        )
    return tmp_path / "run"


def test_the_front_of_several_objectives(tmp_path: Path, netwright: Netwright) -> None:
    further = (Metric("macs", "", "minimize"),)
    settings = StudySettings(space=SPACE.id, objective=ACCURACY, strategy="random", seed=0, further=further)
    with open_study(tmp_path, settings) as study:
        found = run_search(
            SPACE,
            RandomSearch(),
            Table(),
            study,
            SerialExecutor(),
            costs_of=lambda architecture: costs_of(SPACE, architecture),
            trials=6,
        ).history
    front = [trial.number for trial in found.pareto]
    assert 5 in front  # the most accurate one
    assert netwright("show", str(tmp_path), "--json").json["pareto"] == front
    line = f"Pareto front of validation_accuracy, macs: trials {', '.join(map(str, front))}"
    assert line in netwright("show", str(tmp_path)).text.splitlines()


def write_result(run: Path, **changes: Any) -> None:
    result = {
        "format": 1,
        "trials": 12,
        "test_accuracy": 0.9694,
        "fits": True,
        "budget": {
            "format": 1,
            "device": None,
            "origins": [{"metric": "macs", "limit": 40_000, "origin": "max_macs", "memory_bytes": None}],
        },
        "costs": {"macs": 20_000, "dtype": "int8"},
        **changes,
    }
    (run / "result.json").write_text(json.dumps(result))


def test_the_best_first_and_what_failed_last(netwright: Netwright, run: Path) -> None:
    lines = netwright("show", str(run)).text.splitlines()
    header, rule, *rows = lines[:12]
    assert header.split() == [
        *("trial", "validation", "MACs", "params", "weights", "peak", "SRAM", "time", "architecture"),
    ]
    assert set(rule) == {"─"}
    assert [row.split()[:2] for row in rows] == [
        [str(number), f"{50 + number}.00%"] for number in (11, 10, 9, 8, 7, 6, 5, 4, 3, 2)
    ]
    assert lines[12:] == [
        "",
        "11 complete, 1 failed, 0 unfinished; 2 more with --top 0",
        "trial 1 failed: ValueError: it broke",
        "no result yet: the same search command goes on from here",
    ]


def test_all_of_them_or_a_few(netwright: Netwright, run: Path) -> None:
    lines = netwright("show", str(run), "--top", "0").text.splitlines()
    assert lines[13].split()[:2] == ["1", "failed"]
    assert lines[15] == "11 complete, 1 failed, 0 unfinished"
    assert len(netwright("show", str(run), "--top", "1").text.splitlines()) == len(lines) - 11


def test_json(netwright: Netwright, run: Path) -> None:
    shown = netwright("show", str(run), "--json").json
    assert shown.keys() == {"trials", "unfinished", "result"}
    assert [trial["number"] for trial in shown["trials"]] == [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 0, 1]
    best, failed = shown["trials"][0], shown["trials"][-1]
    assert best["state"] == "complete"
    assert best["validation_accuracy"] == 0.61
    assert best["metrics"] == {"validation_accuracy": 0.61, "validation_loss": 1.0}
    architecture = SPACE.architecture(best["architecture"]["choices"])
    assert best["costs"] == costs_of(SPACE, architecture)
    assert (best["fits"], best["reason"], best["fidelity"]) == (True, None, 1.0)
    assert (failed["state"], failed["validation_accuracy"]) == ("failed", None)
    assert failed["reason"] == "ValueError: it broke"
    assert (shown["unfinished"], shown["result"]) == ([], None)


def test_a_result(netwright: Netwright, run: Path) -> None:
    write_result(run)
    last = netwright("show", str(run)).text.splitlines()[-1]
    assert last == f"result: test accuracy 96.94%, fits the budget; report {run / 'report.html'}"
    assert netwright("show", str(run), "--json").json["result"]["test_accuracy"] == 0.9694
    write_result(run, fits=False)
    assert "96.94%, does not fit the budget; report" in netwright("show", str(run)).text


def test_a_result_of_another_task(netwright: Netwright, run: Path) -> None:
    write_result(run, task="segmentation", test_mean_iou=0.625)
    last = netwright("show", str(run)).text.splitlines()[-1]
    assert last == f"result: test mean IoU 62.50%, fits the budget; report {run / 'report.html'}"


def test_a_result_of_fewer_trials_says_so(netwright: Netwright, run: Path) -> None:
    write_result(run, trials=4)
    last = netwright("show", str(run)).text.splitlines()[-1]
    assert last.startswith("result of the first 4 trials: test accuracy 96.94%")


def test_while_a_search_is_running(netwright: Netwright, run: Path) -> None:
    settings = StudySettings(space=SPACE.id, objective=ACCURACY, strategy="random", seed=0)
    with open_study(run, settings) as study:
        proposal = Proposal(12, study.history().trials[0].proposal.architecture)
        options = {decision.name: decision.options for decision in SPACE.decisions}
        study.begin(proposal, costs={}, fits=True, seed=0, options=options)
        assert "11 complete, 1 failed, 1 unfinished" in netwright("show", str(run)).text
        assert netwright("show", str(run), "--json").json["unfinished"] == [12]


def test_elsewhere(netwright: Netwright, run: Path, tmp_path: Path) -> None:
    expected = netwright("show", str(run), "--json").json
    url = f"sqlite:///{run / 'study.db'}"
    assert netwright("show", str(tmp_path), "--storage", url, "--json").json == expected


@pytest.mark.parametrize("name", ["nowhere", "file", "."])
def test_no_run_directory(
    netwright: Netwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    assert netwright("show", name).error == (
        f"{name}: expected a run directory with study.db, found none; check the path"
    )


def test_a_damaged_result(netwright: Netwright, run: Path) -> None:
    (run / "result.json").write_text("{")
    assert "result.json: expected the JSON of a finished search" in netwright("show", str(run)).error
