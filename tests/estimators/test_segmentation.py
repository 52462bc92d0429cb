"""The trained estimator where pixels bear the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netwright.errors import DataError
from netwright.estimators.trained import SplitData, TrainedAccuracy, evaluate_held_out
from netwright.nn.data import load_data
from netwright.nn.recipe import Recipe
from netwright.nn.task import CLASSIFICATION, SEGMENTATION
from netwright.space import unrank
from netwright.study import TrialContext, TrialSettings
from netwright.testing import EstimatorLaws
from netwright.trial import Proposal
from tests.pipeline.small import PIXELS, write_pixels

PROPOSAL = Proposal(0, unrank(PIXELS, 0))
RECIPE = Recipe(epochs=1, batch_size=64, learning_rate=0.1, augmentation="shift-flip")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> SplitData:
    data = load_data(write_pixels(tmp_path_factory.mktemp("data") / "pixels.npz"))
    return SplitData(data, data.fingerprint, validation_share=0.2, seed=0, task=SEGMENTATION)


class TestLaws(EstimatorLaws):
    @pytest.fixture
    def estimator(self, source: SplitData) -> TrainedAccuracy:
        return TrainedAccuracy(source, PIXELS, RECIPE)

    @pytest.fixture
    def proposal(self) -> Proposal:
        return PROPOSAL


def test_metrics_and_the_held_out_score(source: SplitData, tmp_path: Path) -> None:
    estimator = TrainedAccuracy(source, PIXELS, RECIPE, keep=True)
    context = TrialContext(TrialSettings(0, 1, tmp_path), lambda step, metrics: None)
    metrics = estimator(PROPOSAL, context)
    assert metrics.keys() == {"validation_mean_iou", "validation_loss", "train_loss"}
    found = evaluate_held_out(source, PIXELS, PROPOSAL.architecture, context.workdir)
    assert found.evaluation.score == pytest.approx(metrics["validation_mean_iou"], abs=0.1)
    assert len(found.examples) == 12
    assert found.examples[0].truth.shape == found.examples[0].prediction.shape == (8, 8)


def test_data_for_another_task(source: SplitData) -> None:
    with pytest.raises(DataError, match="expected data for classification, got some for segmentation"):
        replace(source, task=CLASSIFICATION).load()
