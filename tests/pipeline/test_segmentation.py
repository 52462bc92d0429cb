"""The main job where pixels bear the labels: digits, each pixel of them paper or of a kind of digit."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, jaccard_score

import netwright
from netwright.errors import ConfigError, SpaceError
from netwright.nn.data import load_data, open_test_set, split
from netwright.nn.prepare import prepare, statistics
from netwright.pipeline import SearchOutcome
from netwright.space import Architecture
from netwright.study import read_study
from tests.pipeline.small import PIXELS, SPACE, history_of, write_pixels

pytestmark = pytest.mark.usefixtures("fresh_fork_server")

SETTINGS: dict[str, Any] = {"task": "segmentation", "epochs": 2, "trials": 4, "top": 2, "workers": 2}


@dataclass(frozen=True)
class Job:
    """A job that was done once."""

    outcome: SearchOutcome
    data: str
    openings: list[str]

    @property
    def out(self) -> Path:
        return self.outcome.config.out

    @property
    def result(self) -> dict[str, Any]:
        result: dict[str, Any] = json.loads((self.out / "result.json").read_text())
        return result

    def test_rows(self) -> tuple[torch.Tensor, NDArray[Any]]:
        data = load_data(self.data)
        images, labels = open_test_set(data)
        scale = statistics(data.images[split(data, 0.2, 0).train_indices])
        size = Architecture.from_dict(self.result["architecture"])["resolution"]
        assert isinstance(size, int)
        return prepare(images, size, scale.mean, scale.std), labels


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory, fresh_fork_server: None) -> Job:
    folder = tmp_path_factory.mktemp("pixels")
    data = write_pixels(folder / "pixels.npz")
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("netwright.nn.data"), Handler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        outcome = netwright.search(data, folder / "run", space=PIXELS, **SETTINGS)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return Job(outcome, data, messages)


def test_the_result_is_that_of_the_exported_network(job: Job) -> None:
    """By scikit-learn, over all pixels of the test set."""
    images, labels = job.test_rows()
    with torch.inference_mode():
        guesses = netwright.load(job.out / "export")(images).argmax(1).numpy()
    truth, guess = labels.ravel(), guesses.ravel()
    result = job.result
    assert result["test_mean_iou"] == pytest.approx(jaccard_score(truth, guess, average="macro"))
    assert result["test_pixel_accuracy"] == pytest.approx(accuracy_score(truth, guess))
    assert result["task"] == "segmentation"
    assert result["test_images"] == len(labels)
    low, high = result["test_interval"]
    assert 0 < low < result["test_mean_iou"] < high < 1
    assert result["test_mean_iou"] > 0.35  # all background has 0.2
    assert not [name for name in result if name in ("test_accuracy", "validation_accuracy")]


def test_the_search_maximises_mean_iou(job: Job) -> None:
    history = history_of(job.out)
    with read_study(job.out) as study:
        assert study.settings.objective.name == "validation_mean_iou"
    leaders = [trial.proposal.architecture.key for trial in history.top(2)]
    scores = [trial.metrics["validation_mean_iou"] for trial in history.top(4)]
    assert scores == sorted(scores, reverse=True)
    assert [one["architecture"] for one in job.result["finalists"]] == leaders
    best = max(one["validation_mean_iou"] for one in job.result["finalists"])
    assert job.result["validation_mean_iou"] == best
    assert all("validation_mean_iou" in metrics for trial in history.top(4) for _, metrics in trial.curve)


def test_the_onnx_file_labels_pixels_without_netwright(job: Job) -> None:
    images, _ = job.test_rows()
    network = netwright.load(job.out / "export")
    session = onnxruntime.InferenceSession(str(job.out / "export" / "model.onnx"))
    [logits] = session.run(["logits"], {"input": images[:32].contiguous().numpy()})
    assert logits.shape == (32, 3, 8, 8)
    with torch.inference_mode():
        assert np.abs(logits - network(images[:32]).numpy()).max() < 1e-4


def test_the_test_set_was_opened_once(job: Job) -> None:
    assert [message for message in job.openings if "opened" in message] == job.openings
    assert len(job.openings) == 1


def test_card_and_report(job: Job) -> None:
    page = job.outcome.report.read_text(encoding="utf-8").split("<script>")[0]
    card = (job.outcome.export / "card.md").read_text(encoding="utf-8")
    shown = f"{job.result['test_mean_iou'] * 100:.2f}"
    assert f"{shown}\u00a0%" in page
    assert "test mean IoU" in page
    assert page.count("data:image/png;base64,") == 36  # twelve images, truth and prediction of each
    assert f"| test | {shown} % | measured once; 95 % interval for {job.result['test_images']} images" in card
    assert "for each pixel which of 3 classes" in card
    assert "accuracy" not in re.sub("test pixel accuracy", "", card)
    facts = json.loads((job.outcome.export / "card.json").read_text())
    assert facts["task"] == "segmentation"
    assert facts["accuracy"]["test_pixel_accuracy"] == job.result["test_pixel_accuracy"]


def test_the_same_call_again_does_nothing(job: Job) -> None:
    assert netwright.search(job.data, job.out, space=PIXELS, **SETTINGS).already


def test_another_task_than_that_of_the_data(job: Job, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(
        ConfigError, match=r"task: npz:.* has one label for each pixel, which is segmentation, got cl"
    ):
        netwright.search(job.data, out, space=PIXELS)
    with pytest.raises(
        ConfigError, match=r"task: digits has one label for each image, .* use --task classification"
    ):
        netwright.search("digits", out, space=PIXELS, task="segmentation")
    with pytest.raises(ConfigError, match="task: expected one of classification, segmentation, got 'pixels'"):
        netwright.search("digits", out, task="pixels")
    assert not out.exists()


def test_a_space_for_other_labels(job: Job, tmp_path: Path) -> None:
    with pytest.raises(
        SpaceError,
        match=r"space small: expected 3 outputs for each pixel, .* in the shape \(3, 8, 8\), got \(10,\)",
    ):
        netwright.search(job.data, tmp_path / "run", space=SPACE, task="segmentation")
