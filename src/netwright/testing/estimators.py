"""Laws of estimators: a result depends on proposal and seed, wherever and however often it is computed."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from netwright.errors import ConfigError
from netwright.study import TrialContext, TrialSettings
from netwright.trial import Direction, Estimator, Proposal


class EstimatorLaws:
    """Laws that every estimator keeps; give ``estimator`` and ``proposal``.

    Attributes:
        tolerance: how far two results with one seed may be apart; 0 asks for equal ones.
    """

    tolerance = 0.0

    @pytest.fixture
    def estimator(self) -> Estimator:
        """The estimator; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError("EstimatorLaws: expected a fixture `estimator` in the subclass, got none")

    @pytest.fixture
    def proposal(self) -> Proposal:
        """A proposal that it can evaluate, with number 0; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError("EstimatorLaws: expected a fixture `proposal` in the subclass, got none")

    def test_metrics_say_what_they_are(self, estimator: Estimator) -> None:
        """At least the objective; names differ; directions exist."""
        metrics = estimator.metrics
        assert isinstance(metrics, tuple)
        assert metrics
        assert len({metric.name for metric in metrics}) == len(metrics)
        assert all(metric.name and metric.direction in get_args(Direction) for metric in metrics)

    def test_it_returns_what_it_announces(
        self, estimator: Estimator, proposal: Proposal, tmp_path: Path
    ) -> None:
        """Every metric, nothing else, and finite numbers."""
        found = evaluate(estimator, proposal, tmp_path)
        assert set(found) == {metric.name for metric in estimator.metrics}
        assert all(math.isfinite(float(value)) for value in found.values())

    def test_a_result_depends_on_the_seed_alone(
        self, estimator: Estimator, proposal: Proposal, tmp_path: Path
    ) -> None:
        """Not on global generators, and not on what was evaluated before."""
        results = []
        for disturbance in (1, 2):
            random.seed(disturbance)
            np.random.seed(disturbance)
            torch.manual_seed(disturbance)
            results.append(evaluate(estimator, proposal, tmp_path / str(disturbance)))
        self._same(*results)

    def test_it_can_be_sent_to_another_process(
        self, estimator: Estimator, proposal: Proposal, tmp_path: Path
    ) -> None:
        """Pickled and unpickled it gives the same result."""
        copy = pickle.loads(pickle.dumps(estimator))
        assert copy.metrics == estimator.metrics
        self._same(
            evaluate(estimator, proposal, tmp_path / "here"), evaluate(copy, proposal, tmp_path / "there")
        )

    def test_reports_go_forward(self, estimator: Estimator, proposal: Proposal, tmp_path: Path) -> None:
        """Steps increase, and what is reported is finite."""
        reports: list[tuple[int, dict[str, float]]] = []
        evaluate(estimator, proposal, tmp_path, reports)
        steps = [step for step, _ in reports]
        assert steps == sorted(set(steps))
        assert all(math.isfinite(value) for _, metrics in reports for value in metrics.values())

    def test_a_retry_gives_the_same_result(
        self, estimator: Estimator, proposal: Proposal, tmp_path: Path
    ) -> None:
        """Cut off at its first report, then at a later one, and begun again in the same folder."""
        reports: list[tuple[int, dict[str, float]]] = []
        expected = evaluate(estimator, proposal, tmp_path / "unbroken", reports)
        if not reports:
            pytest.skip("this estimator reports nothing while it runs, so it cannot be cut off in between")
        for last in sorted({0, len(reports) // 2, len(reports) - 1}):
            folder = tmp_path / str(last)
            with pytest.raises(_CutOffError):
                evaluate(estimator, proposal, folder, _Fuse(last))
            self._same(evaluate(estimator, proposal, folder), expected)

    def _same(self, left: Mapping[str, float], right: Mapping[str, float]) -> None:
        assert set(left) == set(right)
        for name, value in left.items():
            assert abs(float(value) - float(right[name])) <= self.tolerance


class _CutOffError(Exception):
    """What ends a trial that is to be cut off."""


class _Fuse(list[tuple[int, dict[str, float]]]):
    """Takes some reports, then ends the trial."""

    def __init__(self, lasts: int) -> None:
        super().__init__()
        self._lasts = lasts

    def append(self, report: tuple[int, dict[str, float]]) -> None:
        if len(self) == self._lasts:
            raise _CutOffError
        super().append(report)


def evaluate(
    estimator: Estimator,
    proposal: Proposal,
    folder: Path,
    reports: list[tuple[int, dict[str, float]]] | None = None,
) -> Mapping[str, float]:
    """Evaluate a proposal with a fixed seed.

    Args:
        estimator: who evaluates.
        proposal: what.
        folder: holds the folder of the trial.
        reports: takes what is reported meanwhile.
    """
    taken = [] if reports is None else reports
    context = TrialContext(
        TrialSettings(proposal.number, 11, folder), lambda step, metrics: taken.append((step, metrics))
    )
    return estimator(proposal, context)
