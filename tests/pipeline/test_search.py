"""The main job from beginning to end: real trainings in real processes, so small that it takes seconds."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch.utils.data import Dataset

import netwright
from netwright.errors import StudyError
from netwright.ir.cost import cost
from netwright.nn.data import Data, load_data, open_test_set, split
from netwright.nn.prepare import prepare, statistics
from netwright.pipeline import Exporting, Finishing, Planned, Searching, SearchOutcome
from netwright.space import Architecture, count, extremes
from netwright.study import Resumed, read_study
from tests.pipeline.small import SETTINGS, SPACE, history_of, search_small

pytestmark = pytest.mark.usefixtures("fresh_fork_server")


@dataclass(frozen=True)
class Job:
    """A job that was done once.

    Attributes:
        outcome: what came out.
        told: what those who watched were told.
        openings: how often the test set was opened.
    """

    outcome: SearchOutcome
    told: list[Any]
    openings: int

    @property
    def out(self) -> Path:
        return self.outcome.config.out

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.out / "result.json").read_text())
        return result


@contextmanager
def counted_openings() -> Iterator[list[str]]:
    """The log messages of ``open_test_set`` while it is entered."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("netwright.nn.data"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def do(out: Path, data: Any = "digits", **changes: Any) -> Job:
    told: list[Any] = []
    with counted_openings() as openings:
        outcome = search_small(out, data, on_progress=told.append, **changes)
    return Job(outcome, told, len(openings))


class Rows(Dataset[Any]):
    """Images and labels as a torch data set."""

    def __init__(self, images: NDArray[Any], labels: NDArray[Any]) -> None:
        self._images, self._labels = images, labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.tensor(self._images[index]), int(self._labels[index])


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, fresh_fork_server: None) -> Job:
    """Four trials, two at a time, and the best two in full."""
    return do(tmp_path_factory.mktemp("job") / "runs" / "digits")


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory, fresh_fork_server: None) -> Job:
    """The same job on the same rows as torch data sets, with one worker."""
    digits = load_data("digits")
    pair = (Rows(digits.images, digits.labels), Rows(*open_test_set(digits)))
    return do(tmp_path_factory.mktemp("twin") / "run", pair, workers=1)


def files(out: Path) -> dict[str, tuple[int, int]]:
    """Every file with its time of change and size."""
    return {
        str(path.relative_to(out)): (path.stat().st_mtime_ns, path.stat().st_size) for path in out.rglob("*")
    }


class TestTheFinishedJob:
    def test_the_result(self, job: Job) -> None:
        result = job.result
        assert result == job.outcome.result
        assert not job.outcome.already
        for key in (
            "architecture",
            "validation_accuracy",
            "test_accuracy",
            "costs",
            "budget",
            "fits",
            "seed",
        ):
            assert key in result
        assert result["trials"] == 4
        assert result["failed_trials"] == 0
        assert result["seed"] == 0
        assert result["fits"]
        assert result["budget"]["limits"] == {"macs": 40_000}
        assert result["space"] == {"id": SPACE.id, "size": 80, "fitting": {"lower": 62, "upper": 62}}
        assert result["stop"]["reason"] == "trials"
        fitting = count(SPACE, {"macs": 40_000})
        assert fitting.exact

    def test_the_winner_is_the_best_of_those_trained_in_full(self, job: Job) -> None:
        finalists = job.result["finalists"]
        best = max(finalists, key=lambda one: one["validation_accuracy"])
        assert len(finalists) == 2
        assert job.result["architecture"]["key"] == best["architecture"]
        assert job.result["validation_accuracy"] == best["validation_accuracy"]
        leaders = [trial.proposal.architecture.key for trial in history_of(job.out).top(2)]
        assert [one["architecture"] for one in finalists] == leaders

    def test_the_costs_are_those_of_its_network(self, job: Job) -> None:
        """Under the memory model of the space, which is not the usual one."""
        architecture = Architecture.from_dict(job.result["architecture"])
        graph = SPACE.to_graph(architecture)
        network = netwright.load(job.out / "export")
        assert network.graph == graph
        costs = job.result["costs"]
        assert costs["params"] == sum(parameter.numel() for parameter in network.parameters())
        assert (
            costs["peak_activation_bytes"]
            == cost(graph, memory_model="inplace-depthwise").peak_activation_bytes
        )
        assert costs["peak_activation_bytes"] < cost(graph).peak_activation_bytes
        assert costs["macs"] <= 40_000

    def test_the_test_accuracy_is_that_of_the_exported_network(self, job: Job) -> None:
        images, labels = self._test_rows(job)
        network = netwright.load(job.out / "export")
        with torch.inference_mode():
            right = (network(images).argmax(1).numpy() == labels).mean()
        assert job.result["test_accuracy"] == pytest.approx(right, abs=1e-9)
        assert job.result["test_images"] == len(labels) == 359
        expected = np.sqrt(right * (1 - right) / 359)
        assert job.result["test_standard_error"] == pytest.approx(expected, rel=0.1)
        wilson = binomtest(round(right * 359), 359).proportion_ci(0.95, method="wilson")
        assert job.result["test_interval"] == pytest.approx([wilson.low, wilson.high], abs=1e-6)

    def test_the_onnx_file_gives_the_same_without_netwright(self, job: Job) -> None:
        images, _ = self._test_rows(job)
        network = netwright.load(job.out / "export")
        session = onnxruntime.InferenceSession(str(job.out / "export" / "model.onnx"))
        name = session.get_inputs()[0].name
        [logits] = session.run(None, {name: images[:32].contiguous().numpy()})
        with torch.inference_mode():
            assert np.abs(logits - network(images[:32]).numpy()).max() < 1e-4

    def test_a_fresh_process_rebuilds_it_without_the_space(self, job: Job, tmp_path: Path) -> None:
        images, _ = self._test_rows(job)
        torch.save(images[:8].contiguous(), tmp_path / "images.pt")
        code = (
            "import netwright, sys, torch\n"
            "images, out = sys.argv[1:]\n"
            f"logits = netwright.load({str(job.out / 'export')!r})(torch.load(images))\n"
            "torch.save(logits.detach(), out)\n"
            "assert not {'netwright.space', 'netwright.spaces', 'netwright.pipeline'} & sys.modules.keys()"
        )
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "images.pt"), str(tmp_path / "logits.pt")],
            check=True,
            timeout=120,
        )
        network = netwright.load(job.out / "export")
        with torch.inference_mode():
            difference = (torch.load(tmp_path / "logits.pt") - network(images[:8])).abs().max()
        assert float(difference) < 1e-6

    def test_report_and_card(self, job: Job) -> None:
        page = job.outcome.report.read_text(encoding="utf-8")
        card = (job.outcome.export / "card.md").read_text(encoding="utf-8")
        shown = f"{job.result['test_accuracy'] * 100:.1f}"
        assert shown in page
        assert shown in card
        assert "Full training of the finalists" in page  # their learning curves
        for key in (one["architecture"] for one in job.result["finalists"]):
            assert key[:8] in page
        assert (job.outcome.export / "card.json").is_file()

    def test_the_test_set_was_opened_once(self, job: Job) -> None:
        assert job.openings == 1

    def test_what_was_told(self, job: Job) -> None:
        kinds = [type(one).__name__ for one in job.told]
        order = list(dict.fromkeys(kinds))
        assert order == ["Loaded", "Checked", "Planned", "Searching", "Finishing", "Exporting"]
        plan = next(one for one in job.told if isinstance(one, Planned))
        assert plan == Planned(4, False, None, 2, 1, 0.2, 2, ("accuracy",))
        exporting = job.told[-1]
        assert isinstance(exporting, Exporting)
        winner = history_of(job.out).trials[exporting.trial].proposal.architecture
        assert winner.key == job.result["architecture"]["key"]
        assert {one.trials for one in job.told if isinstance(one, Searching)} == {4}
        numbers = {one.numbers for one in job.told if isinstance(one, Finishing)}
        assert numbers == {tuple(trial.number for trial in history_of(job.out).top(2))}

    def test_trials_leave_no_output_and_no_errors(self, job: Job) -> None:
        """A warning of torch in a trial would be found here."""
        outputs = list(job.out.rglob("output.txt"))
        assert len(outputs) == 6
        assert [path.read_text() for path in outputs] == [""] * 6
        assert list(job.out.rglob("error.txt")) == []

    @staticmethod
    def _test_rows(job: Job) -> tuple[torch.Tensor, NDArray[Any]]:
        data = load_data("digits")
        images, labels = open_test_set(data)
        scale = statistics(data.images[split(data, 0.2, 0).train_indices])
        size = Architecture.from_dict(job.result["architecture"])["resolution"]
        assert isinstance(size, int)
        return prepare(images, size, scale.mean, scale.std), labels


class TestTheSameCallAgain:
    def test_does_nothing_and_says_so(self, job: Job) -> None:
        before = files(job.out)
        again = do(job.out)
        assert again.outcome.already
        assert again.outcome.result == job.outcome.result
        assert again.openings == 0
        assert [type(one).__name__ for one in again.told] == ["Loaded", "Checked"]
        assert files(job.out) == before

    @pytest.mark.parametrize(
        "changes", [{"trials": 3}, {"workers": 1}, {"max_macs": 40_000}, {"minutes": 1e-6, "trials": None}]
    )
    def test_so_does_one_that_asks_for_no_more(self, job: Job, changes: dict[str, Any]) -> None:
        before = files(job.out)
        assert do(job.out, **changes).outcome.already
        assert files(job.out) == before

    def test_another_job_is_refused_and_every_difference_named(self, job: Job) -> None:
        before = files(job.out)
        with pytest.raises(StudyError) as caught:
            search_small(job.out, seed=1, max_macs="41k", max_params="1M", epochs=2)
        message = str(caught.value)
        assert "made with other settings" in message
        for line in (
            "budget.macs: the study has 40000, this call has 41000",
            "budget.params: the study has nothing, this call has 1000000",
            "estimator.epochs: the study has 1, this call has 2",
            "seed: the study has 0, this call has 1",
        ):
            assert line in message
        assert "another run directory" in message
        after = files(job.out)
        assert {name for name in before if before[name] != after[name]} <= {".", "driver.lock"}
        assert before.keys() <= after.keys()


class TestOtherWorkersOtherData:
    """The same rows as torch data sets, and one worker: the same study."""

    def test_the_history_is_the_same(self, job: Job, twin: Job) -> None:
        assert history_of(twin.out).comparable() == history_of(job.out).comparable()
        assert len(history_of(twin.out).completed) == 4

    def test_the_result_is_the_same(self, job: Job, twin: Job) -> None:
        timed = {"search_seconds", "final_seconds", "process_seconds", "command", "data"}
        assert {key: value for key, value in twin.result.items() if key not in timed} == {
            key: value for key, value in job.result.items() if key not in timed
        }
        assert twin.result["data"] == {**job.result["data"], "name": "dataset"}
        assert twin.result["command"].startswith("netwright.search(<dataset>, ")

    def test_more_trials_go_on(self, job: Job, twin: Job) -> None:
        """After the others, in the same study; the finals are trained anew only if the leaders change."""
        before = history_of(twin.out).comparable()
        more = do(twin.out, trials=6, workers=2)
        after = history_of(twin.out).comparable()
        assert len(after) == 6
        assert after[:4] == before
        resumed = [
            one.event for one in more.told if isinstance(one, Searching) and isinstance(one.event, Resumed)
        ]
        assert [(event.finished, event.again) for event in resumed] == [(4, ())]
        assert more.result["trials"] == 6
        assert more.openings == 1
        leaders = [trial.proposal.architecture.key for trial in history_of(twin.out).top(2)]
        assert [one["architecture"] for one in more.result["finalists"]] == leaders
        with read_study(twin.out) as study:
            assert [stop["finished"] for stop in study.stops()] == [4, 6]
        assert search_small(twin.out, trials=6).already

    def test_data_are_read_once(self, tmp_path: Path) -> None:
        reads = 0

        class Counting(Rows):
            def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
                nonlocal reads
                reads += 1
                return super().__getitem__(index)

        digits: Data = load_data("digits")
        with pytest.raises(StudyError, match="expected a run directory that can be made"):
            netwright.search(Counting(digits.images, digits.labels), "/proc/x/run", space=SPACE, **SETTINGS)
        assert reads == len(digits.labels)


class TestTrialsThatFail:
    def test_a_loss_that_is_not_a_number(self, tmp_path: Path) -> None:
        """All diverge: the first reason and where to look; the trials are kept with their reasons."""
        with pytest.raises(StudyError) as caught:
            search_small(tmp_path / "run", learning_rate=1e30, trials=2)
        message = str(caught.value)
        first = history_of(tmp_path / "run").failed[0]
        assert first.reason is not None
        assert re.match(
            r"TrainingError: train: the loss is (nan|inf) at step \d+ of 7 \(learning", first.reason
        )
        assert message.startswith(
            f"{tmp_path / 'run'}: all 2 trials failed; the first because: {first.reason}."
        )
        assert "lower recipe.learning_rate" in message
        assert str(tmp_path / "run" / "trials" / "0") in message
        assert "TrainingError" in (tmp_path / "run" / "trials" / "0" / "error.txt").read_text()
        assert not (tmp_path / "run" / "result.json").exists()

    def test_a_time_limit(self, tmp_path: Path) -> None:
        with pytest.raises(
            StudyError, match=r"the only trial failed; .* took longer than the limit of 0.06 s"
        ):
            search_small(tmp_path / "run", timeout=0.001, trials=1)

    def test_no_time_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(StudyError, match="the time was over before the first trial began; give more min"):
            search_small(tmp_path / "run", trials=None, minutes=1e-9)


def test_a_single_network_that_fits_is_trained_once(tmp_path: Path) -> None:
    least = extremes(SPACE, "macs").smallest
    told: list[Any] = []
    outcome = search_small(
        tmp_path / "run", max_macs=least.value, trials=16, top=3, on_progress=told.append, strategy="random"
    )
    assert outcome.result is not None
    assert outcome.result["trials"] == 1
    assert outcome.result["architecture"]["key"] == least.architecture.key
    assert [one["architecture"] for one in outcome.result["finalists"]] == [least.architecture.key]
    plan = next(one for one in told if isinstance(one, Planned))
    assert (plan.trials, plan.fitting, plan.top) == (1, True, 1)
    assert search_small(tmp_path / "run", max_macs=least.value, trials=99, strategy="random", top=3).already


def test_networks_whose_output_is_zero_are_searched_like_others(tmp_path: Path) -> None:
    # In the order of their ranks, the first networks of NAS-Bench-201 compute nothing.
    outcome = netwright.search(
        "digits",
        tmp_path / "run",
        space="nasbench201",
        strategy="grid",
        trials=3,
        epochs=1,
        fidelity=0.02,
        top=1,
        workers=1,
    )
    costs = [trial.costs for trial in history_of(outcome.config.out)]
    assert len(costs) == 3
    assert not any("arena_bytes" in one for one in costs)
    assert all(one["peak_activation_bytes"] > 0 for one in costs)
    assert (outcome.config.out / "report.html").exists()
