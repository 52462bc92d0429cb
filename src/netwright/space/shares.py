"""How sure a share is that was seen among random draws."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import numpy as np


def share_interval(hits: int, draws: int, confidence: float) -> tuple[float, float]:
    """The interval of a share [Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404], never too short.

    Args:
        hits: how many of the draws were hits.
        draws: number of draws.
        confidence: probability that the interval holds the true share, at least.

    >>> [round(bound, 4) for bound in share_interval(0, 10, 0.95)]
    [0.0, 0.3085]
    """
    tail = (1 - confidence) / 2
    weights = _log_binomials(draws)
    lower, upper = 0.0, 1.0
    if hits > 0:
        lower = _crossing(lambda p: 1 - _at_most(hits - 1, weights, p) < tail)
    if hits < draws:
        upper = _crossing(lambda p: _at_most(hits, weights, p) > tail)
    return lower, upper


def _log_binomials(draws: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Logarithms of the binomial coefficients of ``draws`` over 0, 1 ... draws."""
    k = np.arange(draws, dtype=np.float64)
    return np.concatenate([[0.0], np.cumsum(np.log((draws - k) / (k + 1)))])


def _at_most(hits: int, weights: np.ndarray[tuple[int], np.dtype[np.float64]], share: float) -> float:
    """Probability of at most so many hits."""
    k = np.arange(len(weights))
    return float(
        np.exp(weights + k * log(share) + (len(weights) - 1 - k) * np.log1p(-share))[: hits + 1].sum()
    )


def _crossing(before: Callable[[float], bool]) -> float:
    """Where a condition that holds from 0 on ceases to hold, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if before(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
