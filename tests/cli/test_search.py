"""The verb: what it takes, what it refuses, what goes where; ``tests/pipeline`` tests the job itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from typer.main import get_command

from netwright.cli.search import app
from netwright.nn.data import load_data, split
from netwright.pipeline import SearchConfig, SearchOutcome
from netwright.spaces.catalog import SPACES
from netwright.strategies import STRATEGIES
from netwright.study import read_study
from tests.cli.runner import Finished, Netwright


def last_error(finished: Finished) -> str:
    """The one line of an error that came after some progress; nothing went to standard output."""
    assert (finished.code, finished.out) == (2, "")
    last = finished.err.splitlines()[-1]
    assert last.startswith("error: ")
    return last.removeprefix("error: ")


class TestOptions:
    def test_every_setting_has_one(self) -> None:
        names = {parameter.name for parameter in get_command(app).params}
        assert names - {"config", "json", "option"} == SearchConfig.model_fields.keys() - {"options"}

    @pytest.fixture
    def settings_of(self, netwright: Netwright, monkeypatch: pytest.MonkeyPatch) -> Any:
        """The settings that the command hands on; nothing is done with them."""

        def settings(*arguments: str) -> SearchConfig:
            seen: list[SearchConfig] = []

            def run(config: SearchConfig, **_: Any) -> SearchOutcome:
                seen.append(config)
                return SearchOutcome(config, None, False)

            monkeypatch.setattr("netwright.pipeline.run", run)
            assert netwright("search", *arguments).code == 130
            return seen[0]

        return settings

    def test_options_of_the_strategy(self, settings_of: Any) -> None:
        config = settings_of(
            *("--data", "digits", "--out", "a", "--option", "population=20", "--option", "name=x=y"),
        )
        assert config.options == {"population": 20, "name": "x=y"}

    def test_options_win_over_the_file(self, settings_of: Any, tmp_path: Path) -> None:
        path = tmp_path / "search.yaml"
        path.write_text("data: digits\nout: a\ntrials: 4\nclass_weights: true\noptions: {population: 9}\n")
        config = settings_of("--config", str(path), "--trials", "8", "--option", "tournament=2")
        assert (config.data, config.trials, config.class_weights) == ("digits", 8, True)
        assert config.options == {"population": 9, "tournament": 2}

    def test_interrupted(self, netwright: Netwright, monkeypatch: pytest.MonkeyPatch) -> None:
        """Ctrl-C where no search notices it: while data are read, say."""

        def run(config: SearchConfig, **_: Any) -> SearchOutcome:
            raise KeyboardInterrupt

        monkeypatch.setattr("netwright.pipeline.run", run)
        finished = netwright("search", "--data", "digits", "--out", "a", "--json")
        assert (finished.code, finished.out) == (130, "")
        assert finished.err == "stopped; the same command goes on from here\n"


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "search: --data is missing; give it, or --config FILE"),
            (["--data", "digits"], "search: --out is missing; give it, or --config FILE"),
            (
                ["--data", "digits", "--out", "x", "--max-sram", "64 bit"],
                "--max-sram: expected a unit of B, KB, MB, GB, got 'bit' in '64 bit'; "
                "write for example 64KB (1 KB = 1024 bytes)",
            ),
            (
                ["--data", "digits", "--out", "x", "--sram-margin", "2", "--max-sram", "64KB"],
                "--sram-margin: expected a share from 0 to below 1, got 2.0; 0.25 is 25 %",
            ),
            (
                ["--data", "digits", "--out", "x", "--option", "population"],
                "--option: expected NAME=VALUE, such as population=20, got 'population'",
            ),
            (
                ["--data", "digits", "--out", "x", "--strategy", "hope"],
                f"strategy: expected one of {', '.join(STRATEGIES)}, got 'hope'",
            ),
            (
                ["--data", "digits", "--out", "x", "--space", "huge"],
                f"space: 'huge' is unknown; expected one of {', '.join(SPACES)}",
            ),
            (
                ["--data", "digits", "--out", "x", "--task", "detection"],
                "task: expected one of classification, segmentation, got 'detection'",
            ),
            (
                ["--data", "digits", "--out", "x", "--trials", "0"],
                "search: trials: expected at least 1, got 0",
            ),
            (
                ["--config", "nix.yaml"],
                "nix.yaml: expected a YAML file that can be read (No such file or directory)",
            ),
        ],
    )
    def test_before_anything_is_read(
        self,
        netwright: Netwright,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
        message: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert netwright("search", *arguments).error == message
        assert list(tmp_path.iterdir()) == []

    def test_a_task_that_the_data_are_not_for(
        self, netwright: Netwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        finished = netwright("search", "--data", "digits", "--out", "x", "--task", "segmentation")
        assert finished.error == (
            "task: digits has one label for each image, which is classification, got segmentation; use "
            "--task classification, or other data"
        )
        np.savez("pixels.npz", x=np.zeros((40, 8, 8), np.uint8), y=np.arange(2560).reshape(40, 8, 8) % 3)
        finished = netwright("search", "--data", "npz:pixels.npz", "--out", "x")
        assert finished.error == (
            "task: npz:pixels.npz has one label for each pixel, which is segmentation, got classification; "
            "use --task segmentation, or other data"
        )
        given = ("--data", "npz:pixels.npz", "--task", "segmentation", "--space", "mobilenet-tiny")
        finished = netwright("search", *given, "--out", "x")
        assert last_error(finished) == (
            "space mobilenet-tiny: expected 3 outputs for each pixel, one for each class of npz:pixels.npz, "
            "in the shape (3, 8, 8), got (3,); take a space that ends in blocks.segmentation_head"
        )
        assert not (tmp_path / "x").exists()

    def test_a_strategy_that_is_not_for_the_space(
        self, netwright: Netwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        given = ("search", "--data", "digits", "--space", "nasbench201", "--out", "x", "--strategy", "cmaes")
        assert last_error(netwright(*given)).startswith(
            "strategy cmaes: cell.1.from0: expected options that are numbers, got ('none', "
        )
        assert not (tmp_path / "x").exists()

    def test_a_budget_that_nothing_fits(self, netwright: Netwright, tmp_path: Path) -> None:
        out = tmp_path / "run"
        options = ["--data", "digits", "--max-sram", "2KB", "--sram-margin", "0.25"]
        finished = netwright("search", *options, "--out", str(out), "--max-macs", "47k")
        assert last_error(finished) == (
            "nothing fits: each of the 269,105,556,096 networks of mobilenet-tiny needs at least 47.9k MACs, "
            "the budget is 47k (max_macs); and 6.86 KB of tensor arena, the budget is 1.5 KB (max_sram: SRAM "
            "2 KB - 512 B kept for the program)"
        )
        finished = netwright("search", "--data", "digits", "--out", str(out), "--max-macs", "47k")
        assert last_error(finished) == (
            "nothing fits: the smallest of the 269,105,556,096 networks of mobilenet-tiny needs "
            "47.9k MACs, the budget is 47k (max_macs)"
        )
        assert not out.exists()


@dataclass(frozen=True)
class Done:
    """A search of three subjects' gestures that was done by the real command.

    Attributes:
        folder: where it was started.
        out: standard output.
        err: standard error.
        again: what the same command gave once more, without ``--json``.
    """

    folder: Path
    out: str
    err: str
    again: Finished


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("gestures")
    rng = np.random.default_rng(0)
    labels = np.tile([0, 0, 0, 1], 60)
    images = rng.integers(0, 100, (240, 8, 8), dtype=np.uint8)
    images[labels == 1, 2:6, 2:6] += 120
    np.savez(
        folder / "gestures.npz",
        x=images,
        y=labels,
        group=[f"person {row // 24}" for row in range(240)],
        classes=["rest", "wave"],
    )
    command = [
        *(sys.executable, "-W", "error", "-m", "netwright", "search", "--data", "npz:gestures.npz"),
        *("--out", "runs/gestures", "--trials", "1", "--top", "1", "--epochs", "2", "--max-macs", "100k"),
        *("--class-weights", "--workers", "1", "--strategy", "random"),
    ]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}  # in the processes of trials too
    first, again = (
        subprocess.run(
            [*command, *options], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        for options in (["--json"], [])
    )
    assert first.returncode == 0, first.stderr
    return Done(folder, first.stdout, first.stderr, Finished(again.returncode, again.stdout, again.stderr))


@pytest.mark.slow
class TestDone:
    def test_json_and_nothing_else_on_standard_output(self, done: Done) -> None:
        result = json.loads(done.out)
        assert result == json.loads((done.folder / "runs/gestures/result.json").read_text())
        assert result["trials"] == 1
        assert result["data"]["name"] == "npz:gestures.npz"
        assert result["settings"]["estimator"]["class_weights"]
        assert result["command"] == (
            "netwright search --data npz:gestures.npz --out runs/gestures --max-macs 100k --strategy random "
            "--trials 1 --workers 1 --epochs 2 --top 1 --class-weights"
        )

    def test_progress_on_standard_error_line_by_line(self, done: Done) -> None:
        topics = [line[:9].strip() for line in done.err.splitlines()]
        assert list(dict.fromkeys(topic for topic in topics if topic)) == [
            *("data", "space", "budget", "plan", "search", "final", "export"),
        ]
        assert "\x1b" not in done.err
        assert max(map(len, done.err.splitlines())) > 80  # not wrapped

    def test_groups_stay_on_one_side(self, done: Done) -> None:
        data = load_data(f"npz:{done.folder / 'gestures.npz'}")
        result = json.loads(done.out)
        rows = split(data, result["settings"]["estimator"]["validation_share"], 0)
        assert data.groups is not None
        train, validation = (set(data.groups[side]) for side in (rows.train_indices, rows.validation_indices))
        assert train
        assert validation
        assert not train & validation
        with read_study(done.folder / "runs/gestures") as study:
            assert study.settings.data == data.fingerprint

    def test_the_same_command_again_does_nothing_and_says_so(self, done: Done) -> None:
        assert done.again.code == 0
        result = json.loads(done.out)
        lines = done.again.out.splitlines()
        assert lines[0] == "this search is finished, nothing was done; runs/gestures has its results"
        assert lines[1].startswith(
            f"test accuracy {result['test_accuracy']:.2%} on {result['test_images']} images "
        )
        assert lines[2] == "fits the budget"
        assert lines[3].startswith("  macs: ")
        assert lines[-2:] == [
            "report   runs/gestures/report.html",
            "network  runs/gestures/export (card.md says how to use it)",
        ]
        assert "plan " not in done.again.err

    def test_show(self, done: Done, netwright: Netwright) -> None:
        out = str(done.folder / "runs/gestures")
        shown = netwright("show", out, "--json").json
        assert shown["result"] == json.loads(done.out)
        assert [trial["number"] for trial in shown["trials"]] == [0]
        assert netwright("show", out).text.splitlines()[-1].startswith("result: test accuracy ")


class TestSeveralObjectives:
    @pytest.mark.slow
    def test_a_front_of_digits(self, netwright: Netwright, tmp_path: Path) -> None:
        """The real command in a process of its own: output, result, and Optuna's view of the study."""
        command = [
            *(sys.executable, "-W", "error", "-m", "netwright", "search", "--data", "digits"),
            *("--out", "run", "--objectives", "accuracy,macs,sram", "--trials", "5", "--top", "2"),
            *("--epochs", "1", "--max-macs", "400k", "--workers", "1", "--option", "population=3"),
        ]
        environment = {**os.environ, "PYTHONWARNINGS": "error"}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        result = json.loads((tmp_path / "run" / "result.json").read_text())
        front = result["pareto"]["front"]
        lines = done.stdout.splitlines()
        at = lines.index(
            f"Pareto front: {len(front)} of 5 trials, hypervolume {result['pareto']['hypervolume']:.4f}; "
            "trained in full:"
        )
        assert lines[at + 1].startswith(f"  trial {result['pareto']['trained'][0]['trial']}: ")
        assert "spread over the Pareto front of accuracy, macs, sram in full" in done.stderr
        assert result["command"] == (
            "netwright search --data digits --out run --max-macs 400k --objectives accuracy,macs,sram "
            "--option population=3 --trials 5 --workers 1 --epochs 1 --top 2"
        )
        shown = netwright("show", str(tmp_path / "run"), "--json").json
        assert shown["pareto"] == [row["trial"] for row in front]
        storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'run' / 'study.db'}")
        best = optuna.load_study(study_name="netwright", storage=storage).best_trials
        storage.remove_session()
        storage.engine.dispose()
        assert [row.user_attrs["proposal"] for row in best] == shown["pareto"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                ["--objectives", "accuracy,macs", "--strategy", "evolution"],
                "strategy evolution: expected one objective, got validation_accuracy, macs; give one, or "
                "use a strategy for several such as nsga2",
            ),
            (
                ["--objectives", "accuracy,speed"],
                "objectives: expected some of accuracy, macs, params, flash, weight_bytes, sram, "
                "peak_activation_bytes, latency, latency_ns, got 'speed'",
            ),
        ],
    )
    def test_refusals(self, netwright: Netwright, tmp_path: Path, arguments: list[str], message: str) -> None:
        finished = netwright("search", "--data", "digits", "--out", str(tmp_path / "x"), *arguments)
        assert finished.error == message
        assert not (tmp_path / "x").exists()
