"""A Gaussian process over blocks of features, small enough to be refitted between two proposals.

    k(x, x') = m(r),  r² = Σ_b w_b |x_b - x'_b|²,  m(r) = (1 + √5 r + 5 r² / 3) exp(-√5 r)

The Matérn kernel of smoothness 5/2 [Rasmussen & Williams 2006, eq. 4.17] with one weight for each block, so
that there are four or five hyperparameters rather than one for each column: thirty trials can settle those.
They maximise the marginal likelihood [eq. 5.8] times a log-normal prior. The scale of the values has its best
value in closed form and is not searched for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

NOISE = 0.05
"""Prior median of the noise's variance, as a share of the values' variance."""

LEAST = 1e-9
"""Smallest variance that is predicted, as a share of the values' variance."""

STEPS = (1.0, 0.5)
"""By how much the logarithm of a hyperparameter is tried up and down."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """Logarithms of the weight of each block and, last, of the noise's share of the variance."""

    logs: tuple[float, ...]

    @staticmethod
    def prior(blocks: int) -> Hyperparameters:
        """The medians of the prior: equal weights that sum to 1."""
        return Hyperparameters((*[math.log(1 / blocks)] * blocks, math.log(NOISE)))


@dataclass(frozen=True, slots=True)
class Posterior:
    """A Gaussian process that has seen values.

    Attributes:
        mean: expected values at the queries, ``(M,)``.
        variance: of the values without noise, ``(M,)``.
        noise: variance of the noise.
        scale: variance of the process before it saw anything.
    """

    mean: Matrix
    variance: Matrix
    noise: float
    _scale: float
    _queries: Matrix
    _whitened: Matrix

    def believing(self, index: int) -> Posterior:
        """The same after the mean has been observed at a query.

        This is the kriging believer [Ginsbourger et al. 2010, Alg. 1]. The means stay; the variance shrinks
        around the query.
        """
        prior = correlations(self._queries, self._queries[index : index + 1])[:, 0]
        covariance = self._scale * (prior - self._whitened.T @ self._whitened[:, index])
        total = float(self.variance[index]) + self.noise
        variance = np.maximum(self.variance - covariance**2 / total, LEAST * self._scale)
        row = (covariance / math.sqrt(total * self._scale))[None]
        whitened = np.concatenate([self._whitened, row])
        return Posterior(self.mean, variance, self.noise, self._scale, self._queries, whitened)


def squared_distances(first: Matrix, second: Matrix) -> Matrix:
    """``|x - x'|²`` for every pair of rows, ``(N, M)``."""
    distances: Matrix = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * (first @ second.T)
    return np.maximum(distances, 0.0)


def matern(squared: Matrix) -> Matrix:
    """The correlation at squared distances.

    >>> matern(np.array([0.0, 1.0])).round(3)
    array([1.   , 0.524])
    """
    scaled: Matrix = np.sqrt(5 * squared)
    return (1 + scaled + scaled**2 / 3) * np.exp(-scaled)


def correlations(first: Matrix, second: Matrix) -> Matrix:
    """The correlation of every pair of rows, whose blocks are weighed already."""
    return matern(squared_distances(first, second))


def weighed(hyper: Hyperparameters, blocks: Sequence[Matrix]) -> Matrix:
    """All blocks side by side, each times the root of its weight: ``(N, width of all)``."""
    return np.hstack([math.exp(0.5 * log) * one for log, one in zip(hyper.logs[:-1], blocks, strict=True)])


def misfit(hyper: Hyperparameters, distances: Sequence[Matrix], values: Matrix) -> float:
    """The negative logarithm of marginal likelihood times prior, but for a constant.

    Args:
        hyper: weights and noise.
        distances: of every pair, ``(N, N)`` for each block, see ``squared_distances``.
        values: what was seen, ``(N,)``.

    The process's mean is the mean of the values, and its variance the one that makes them most likely.
    """
    number = len(values)
    total = np.zeros_like(distances[0])
    for log_weight, squared in zip(hyper.logs[:-1], distances, strict=True):
        total += math.exp(log_weight) * squared
    correlation = matern(total)
    correlation[np.diag_indices(number)] += math.exp(hyper.logs[-1])
    lower = np.linalg.cholesky(correlation)
    white = np.linalg.solve(lower, values - values.mean())
    variance = max(float(white @ white) / number, 1e-12)
    likelihood = 0.5 * number * math.log(variance) + float(np.log(np.diag(lower)).sum())
    median = Hyperparameters.prior(len(distances)).logs
    return likelihood + 0.5 * sum((a - b) ** 2 for a, b in zip(hyper.logs, median, strict=True))


def fitted(hyper: Hyperparameters, blocks: Sequence[Matrix], values: Matrix) -> Hyperparameters:
    """Improve hyperparameters: one coordinate at a time, a step up or down, then smaller steps.

    A full optimisation each time gains nothing, since the next fit starts where this one ends.

    Args:
        hyper: where to start.
        blocks: the features of what was seen, ``(N, width)`` for each block.
        values: what was seen, ``(N,)``.
    """
    distances = [squared_distances(block, block) for block in blocks]
    least = misfit(hyper, distances, values)
    for step in STEPS:
        for index in range(len(hyper.logs)):
            for sign in (1, -1):
                logs = list(hyper.logs)
                logs[index] += sign * step
                tried = misfit(Hyperparameters(tuple(logs)), distances, values)
                if tried < least - 1e-9:
                    hyper, least = Hyperparameters(tuple(logs)), tried
                    break
    return hyper


def posterior(
    hyper: Hyperparameters, blocks: Sequence[Matrix], values: Matrix, queries: Sequence[Matrix]
) -> Posterior:
    """What is to be expected at some queries.

    Args:
        hyper: weights and noise.
        blocks: the features of what was seen.
        values: what was seen, ``(N,)``.
        queries: the features of what is asked for, ``(M, width)`` for each block.
    """
    seen, asked = weighed(hyper, blocks), weighed(hyper, queries)
    correlation = correlations(seen, seen)
    share = math.exp(hyper.logs[-1])
    correlation[np.diag_indices(len(values))] += share
    inverse = np.linalg.inv(np.linalg.cholesky(correlation))
    centre = values.mean()
    white = inverse @ (values - centre)
    whitened = inverse @ correlations(seen, asked)
    scale = max(float(white @ white) / len(values), 1e-12)
    variance = scale * np.maximum(1 - (whitened**2).sum(0), LEAST)
    mean = centre + whitened.T @ white
    return Posterior(mean, variance, scale * share, scale, asked, whitened)


def expected_improvement(mean: Matrix, variance: Matrix, best: float) -> Matrix:
    """The expected amount by which normal values exceed the best one [Jones et al. 1998, eq. 15].

    >>> expected_improvement(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.0).round(3)
    array([0.399, 1.083])
    """
    deviation = np.sqrt(variance)
    z = (mean - best) / deviation
    below = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z.tolist()])
    density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
    improvement: Matrix = deviation * (z * below + density)
    return improvement


def compressed(scores: Matrix) -> Matrix:
    """Scores with the worse half drawn together, mean 0 and variance 1.

    Bad networks are much worse than good ones are good: left as they are, the few that do not learn at all
    would set the scale. Below the median, distances count by their logarithm; above, as they are.

    >>> compressed(np.array([0.1, 0.7, 0.8, 0.9])).round(2)
    array([-1.51, -0.19,  0.48,  1.21])
    """
    median = np.median(scores)
    spread = float(np.quantile(scores, 0.9) - median)
    if spread <= 0:
        spread = float(scores.std()) or 1.0
    units = (scores - median) / spread
    bent = np.where(units < 0, -np.log1p(np.maximum(-units, 0)), units)
    deviation = float(bent.std())
    result: Matrix = (bent - bent.mean()) / (deviation if deviation > 0 else 1.0)
    return result
