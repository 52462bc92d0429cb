"""The Gaussian process against scikit-learn's, and formulas against integrals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from netwright.strategies.gaussian import (
    Hyperparameters,
    compressed,
    expected_improvement,
    fitted,
    misfit,
    posterior,
    squared_distances,
)

Matrix = NDArray[np.float64]

WEIGHTS, NOISE = (0.7, 0.2), 0.1
HYPER = Hyperparameters((*map(math.log, WEIGHTS), math.log(NOISE)))


def data(number: int, seed: int = 0) -> tuple[list[Matrix], Matrix]:
    rng = np.random.default_rng(seed)
    blocks = [rng.normal(size=(number, 3)), rng.normal(size=(number, 2))]
    return blocks, np.sin(blocks[0][:, 0]) + 0.3 * blocks[1][:, 1] + 0.1 * rng.normal(size=number)


def side_by_side(blocks: list[Matrix]) -> Matrix:
    return np.hstack([math.sqrt(weight) * block for weight, block in zip(WEIGHTS, blocks, strict=True)])


def reference(scale: float) -> GaussianProcessRegressor:
    kernel = ConstantKernel(scale, "fixed") * Matern(1.0, "fixed", nu=2.5)
    return GaussianProcessRegressor(kernel, alpha=scale * NOISE, optimizer=None)


def test_predictions_are_those_of_scikit_learn() -> None:
    blocks, values = data(30)
    queries, _ = data(12, seed=1)
    belief = posterior(HYPER, blocks, values, queries)
    scale = belief.noise / NOISE
    other = reference(scale).fit(side_by_side(blocks), values - values.mean())
    mean, deviation = other.predict(side_by_side(queries), return_std=True)
    assert belief.mean == pytest.approx(mean + values.mean())
    assert belief.variance == pytest.approx(deviation**2)


def test_the_scale_is_the_most_likely_one() -> None:
    """And the misfit is the negative log likelihood at that scale, but for a constant and the prior."""
    blocks, values = data(25)
    belief = posterior(HYPER, blocks, values, blocks)
    scale = belief.noise / NOISE

    def likelihood(at: float, hyper: Hyperparameters = HYPER) -> float:
        other = reference(at).fit(side_by_side(blocks), values - values.mean())
        return float(other.log_marginal_likelihood_value_)

    assert likelihood(scale) > max(likelihood(0.97 * scale), likelihood(1.03 * scale))
    distances = [squared_distances(block, block) for block in blocks]
    prior = Hyperparameters.prior(2).logs
    penalty = 0.5 * sum((a - b) ** 2 for a, b in zip(HYPER.logs, prior, strict=True))
    constant = 0.5 * len(values) * (1 + math.log(2 * math.pi))
    assert misfit(HYPER, distances, values) == pytest.approx(penalty - likelihood(scale) - constant)


def test_fitting_lowers_the_misfit_and_finds_what_matters() -> None:
    rng = np.random.default_rng(3)
    blocks = [rng.normal(size=(60, 2)), rng.normal(size=(60, 2))]
    values = np.sin(2 * blocks[0][:, 0])
    hyper = Hyperparameters.prior(2)
    distances = [squared_distances(block, block) for block in blocks]
    for _ in range(4):
        better = fitted(hyper, blocks, values)
        assert misfit(better, distances, values) <= misfit(hyper, distances, values)
        hyper = better
    assert hyper.logs[0] > hyper.logs[1] + 1


def test_believing_is_to_have_observed_the_mean() -> None:
    """The variance is that with the query among the observations, at the same scale."""
    blocks, values = data(15)
    queries, _ = data(6, seed=4)
    belief = posterior(HYPER, blocks, values, queries)
    scale = belief.noise / NOISE
    seen, answers = side_by_side(blocks), values - values.mean()
    for index in (2, 5, 2):
        belief = belief.believing(index)
        seen = np.vstack([seen, side_by_side(queries)[index]])
        answers = np.append(answers, belief.mean[index] - values.mean())
        mean, deviation = reference(scale).fit(seen, answers).predict(side_by_side(queries), return_std=True)
        assert belief.mean == pytest.approx(mean + values.mean())
        assert belief.variance == pytest.approx(deviation**2, rel=1e-6)


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.0, 1.0, 0.5), (2.0, 0.3, 1.0), (-3.0, 1.0, 1.0)])
def test_expected_improvement_is_an_integral(mean: float, deviation: float, best: float) -> None:
    expected, _ = quad(lambda y: (y - best) * norm.pdf(y, mean, deviation), best, best + 20)
    found = expected_improvement(np.array([mean]), np.array([deviation**2]), best)
    assert found == pytest.approx([expected], abs=1e-9)


def test_compressed_scores_keep_their_order() -> None:
    scores = np.array([0.1, 0.5, 0.9, 0.91, 0.92, 0.93, 0.1])
    small = compressed(scores)
    assert (np.argsort(small, kind="stable") == np.argsort(scores, kind="stable")).all()
    assert small.mean() == pytest.approx(0)
    assert small.std() == pytest.approx(1)
    # The two that failed are less far away than they were: the others can be told apart.
    plain = (scores - scores.mean()) / scores.std()
    assert small[5] - small[2] > 2 * (plain[5] - plain[2])


@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0], [2.0], [0.0, 1.0, 1.0, 1.0, 1.0]])
def test_equal_scores(scores: list[float]) -> None:
    assert np.isfinite(compressed(np.array(scores))).all()
    assert compressed(np.array(scores)) == pytest.approx(compressed(7 * np.array(scores) - 3))
