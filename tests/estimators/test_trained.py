from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from netwright.errors import ConfigError, DataError, ExportError, TrainingError
from netwright.estimators.trained import (
    NETWORK,
    SplitData,
    TrainedAccuracy,
    evaluate_held_out,
    pixel_statistics,
)
from netwright.export import load
from netwright.nn.data import Data, load_data, open_test_set, split
from netwright.nn.prepare import prepare
from netwright.nn.recipe import Recipe
from netwright.space import costs_of, iterate
from netwright.trial import Proposal
from tests.pipeline.small import SPACE

DIGITS = load_data("digits")
SOURCE = SplitData(DIGITS, DIGITS.fingerprint, validation_share=0.2, seed=3)
RECIPE = Recipe(epochs=2, batch_size=50, learning_rate=0.1, augmentation="shift")
ARCHITECTURE = max(iterate(SPACE), key=lambda architecture: costs_of(SPACE, architecture)["macs"])
PROPOSAL = Proposal(0, ARCHITECTURE)
ESTIMATOR = TrainedAccuracy(SOURCE, SPACE, RECIPE)


@dataclass
class Notes:
    """A context that remembers what was reported."""

    workdir: Path
    seed: int = 1
    reports: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    stop_at: int | None = None

    def checkpoint_of(self, number: int) -> Path | None:
        return None

    def report(self, step: int, metrics: Mapping[str, float]) -> bool:
        self.reports.append((step, dict(metrics)))
        return step == self.stop_at


def by_hand(data: Data, indices: NDArray[np.int64], folder: Path) -> tuple[float, float]:
    """Accuracy and cross-entropy of a kept network on some training rows, without our own preparation."""
    network = load(folder / NETWORK)
    rows = split(data, SOURCE.validation_share, SOURCE.seed)
    trained_on = data.images[rows.train_indices].astype(np.float64)
    images = torch.tensor(data.images[indices], dtype=torch.float32)
    size = ARCHITECTURE["resolution"]
    assert isinstance(size, int)
    resized = torch.nn.functional.interpolate(
        images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
    )
    labels = torch.tensor(data.labels[indices])
    with torch.inference_mode():
        logits = network((resized - trained_on.mean()) / trained_on.std())
    loss = torch.nn.functional.cross_entropy(logits, labels)
    return float((logits.argmax(1) == labels).double().mean()), float(loss)


def test_the_metrics_are_those_of_the_kept_network_on_the_validation_rows(tmp_path: Path) -> None:
    metrics = replace(ESTIMATOR, keep=True)(PROPOSAL, Notes(tmp_path))
    rows = split(DIGITS, 0.2, 3)
    accuracy, loss = by_hand(DIGITS, rows.validation_indices, tmp_path)
    assert metrics["validation_accuracy"] == pytest.approx(accuracy, abs=1e-9)
    assert metrics["validation_loss"] == pytest.approx(loss, rel=1e-4)
    assert accuracy > 0.3
    assert metrics.keys() == {metric.name for metric in ESTIMATOR.metrics}
    assert load(tmp_path / NETWORK).graph == SPACE.to_graph(ARCHITECTURE)


def test_nothing_is_kept_unless_asked(tmp_path: Path) -> None:
    ESTIMATOR(PROPOSAL, Notes(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_seed_decides(tmp_path: Path) -> None:
    first, again, other = (ESTIMATOR(PROPOSAL, Notes(tmp_path, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first["train_loss"] != other["train_loss"]


def test_threads_compute_a_training_and_are_what_it_depends_on(tmp_path: Path) -> None:
    seen: list[int] = []

    class Watched(Notes):
        def report(self, step: int, metrics: Mapping[str, float]) -> bool:
            seen.append(torch.get_num_threads())
            return super().report(step, metrics)

    pair = [replace(ESTIMATOR, threads=threads) for threads in (1, 2)]
    losses = [one(PROPOSAL, Watched(tmp_path))["train_loss"] for one in pair]
    assert seen == [1, 1, 2, 2]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert [one.settings()["threads"] for one in pair] == [1, 2]


def test_fidelity_is_a_share_of_the_steps(tmp_path: Path) -> None:
    """1,150 rows in batches of 50 are 23 steps an epoch."""
    for fidelity, steps in ((1.0, [23, 46]), (0.5, [23]), (0.3, [14])):
        notes = Notes(tmp_path)
        ESTIMATOR(replace(PROPOSAL, fidelity=fidelity), notes)
        assert [step for step, _ in notes.reports] == steps
        assert all("validation_accuracy" in metrics for _, metrics in notes.reports)


def test_it_stops_when_asked(tmp_path: Path) -> None:
    notes = Notes(tmp_path, stop_at=23)
    metrics = ESTIMATOR(PROPOSAL, notes)
    assert [step for step, _ in notes.reports] == [23]
    assert metrics["validation_accuracy"] == notes.reports[-1][1]["validation_accuracy"]


def test_the_test_set_plays_no_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images, labels = open_test_set(DIGITS)
    scrambled = replace(DIGITS, _test_images=np.zeros_like(images), _test_labels=labels[::-1])
    expected = ESTIMATOR(PROPOSAL, Notes(tmp_path))
    with caplog.at_level(logging.INFO, "netwright"):
        found = replace(ESTIMATOR, data=replace(SOURCE, source=scrambled))(PROPOSAL, Notes(tmp_path))
    assert found == expected
    assert not any("test set" in message for message in caplog.messages)


def test_validation_pixels_do_not_scale(tmp_path: Path) -> None:
    rows = split(DIGITS, 0.2, 3)
    bright = DIGITS.images.copy()
    bright[rows.validation_indices] = 255
    assert pixel_statistics(replace(DIGITS, images=bright), rows) == pixel_statistics(DIGITS, rows)
    trained_on = DIGITS.images[rows.train_indices]
    assert pixel_statistics(DIGITS, rows).mean == pytest.approx((trained_on.mean(),))
    assert pixel_statistics(DIGITS, rows).std == pytest.approx((trained_on.std(),))


def test_data_by_name_must_be_those_of_the_beginning(tmp_path: Path) -> None:
    assert SplitData("digits", DIGITS.fingerprint, 0.2, 3).load()[0].fingerprint == DIGITS.fingerprint
    path = tmp_path / "some.npz"
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        images = np.random.default_rng(seed).integers(0, 256, (100, 8, 8), dtype=np.uint8)
        np.savez(path, x=images, y=rng.permutation(np.arange(100) % 10))
        if seed == 0:
            source = SplitData(f"npz:{path}", load_data(f"npz:{path}").fingerprint, 0.2, 3)
            source.load()
    with pytest.raises(DataError, match=r"some.npz: the data have changed since the search began \(fingerp"):
        source.load()


def test_class_weights_reach_the_loss(tmp_path: Path) -> None:
    weighted = replace(ESTIMATOR, recipe=replace(RECIPE, class_weights=True))
    rare = (DIGITS.labels != 3) | (np.arange(len(DIGITS.labels)) % 5 == 0)
    images, labels = DIGITS.images[rare], DIGITS.labels[rare]
    source = replace(SOURCE, source=replace(DIGITS, images=images, labels=labels))
    results = [replace(one, data=source)(PROPOSAL, Notes(tmp_path)) for one in (ESTIMATOR, weighted)]
    assert results[0]["train_loss"] != results[1]["train_loss"]


def test_settings_have_all_that_results_depend_on() -> None:
    settings = ESTIMATOR.settings()
    assert settings["split_seed"] == 3
    assert settings["validation_share"] == 0.2
    changes: tuple[tuple[str, Any], ...] = (
        ("epochs", 3),
        ("batch_size", 64),
        ("learning_rate", 0.2),
        ("class_weights", True),
    )
    for name, value in changes:
        changed = replace(ESTIMATOR, recipe=replace(RECIPE, **{name: value})).settings()
        assert {key for key in changed if changed[key] != settings[key]} == {name}
    assert replace(ESTIMATOR, accelerator="auto", keep=True).settings() == settings


def test_a_loss_that_is_not_a_number_ends_it(tmp_path: Path) -> None:
    wild = replace(ESTIMATOR, recipe=replace(RECIPE, learning_rate=1e30))
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step \d+ of 46"):
        wild(PROPOSAL, Notes(tmp_path))


def test_an_accelerator_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="accelerator: expected auto, cpu, cuda or mps, got 'tpu'"):
        replace(ESTIMATOR, accelerator="tpu")(PROPOSAL, Notes(tmp_path))


class TestHeldOut:
    def test_the_counts_are_those_of_the_kept_network(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        replace(ESTIMATOR, keep=True)(PROPOSAL, Notes(tmp_path))
        with caplog.at_level(logging.INFO, "netwright.nn.data"):
            held_out = evaluate_held_out(SOURCE, SPACE, ARCHITECTURE, tmp_path)
        assert caplog.messages == ["the test set of digits is opened (359 images)"]
        images, labels = open_test_set(DIGITS)
        scale = pixel_statistics(DIGITS, split(DIGITS, 0.2, 3))
        size = ARCHITECTURE["resolution"]
        assert isinstance(size, int)
        with torch.inference_mode():
            guesses = load(tmp_path / NETWORK)(prepare(images, size, scale.mean, scale.std)).argmax(1).numpy()
        evaluation = held_out.evaluation
        confusion = np.array(evaluation.confusion)
        assert evaluation.accuracy == pytest.approx((guesses == labels).mean(), abs=1e-9)
        assert evaluation.count == confusion.sum() == 359
        assert confusion.trace() == (guesses == labels).sum()
        assert confusion.sum(axis=1).tolist() == np.bincount(labels).tolist()
        assert confusion.sum(axis=0).tolist() == np.bincount(guesses, minlength=10).tolist()
        shares = confusion.diagonal() / confusion.sum(axis=1)
        assert evaluation.class_accuracy == pytest.approx(shares.tolist())

    def test_without_a_kept_network(self, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match=r"network/graph.json: no such file"):
            evaluate_held_out(SOURCE, SPACE, ARCHITECTURE, tmp_path)
