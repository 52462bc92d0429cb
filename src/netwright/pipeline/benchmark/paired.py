"""Which strategy is better than another by more than luck: same seeds, random signs, Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.seeding import rng_for

SIGNIFICANT = 0.05
"""Corrected p-values below it are called significant."""

_DRAWS = 9999
_CHUNK = 1000
"""Draws at a time, which keeps the memory small."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One strategy against another at one checkpoint.

    Attributes:
        strategy: label of the strategy.
        against: label of the one that it is compared with.
        evaluations: the checkpoint.
        pairs: seeds for which both have a regret.
        difference: mean regret of ``strategy`` minus that of ``against``: negative if it is better; None
            without pairs.
        standard_error: of the difference; None for fewer than two pairs.
        p: two-sided p-value of the paired randomisation test.
        p_holm: after Holm's correction for all comparisons made at once.
    """

    strategy: str
    against: str
    evaluations: float
    pairs: int
    difference: float | None
    standard_error: float | None
    p: float
    p_holm: float

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or nothing where the difference may be luck."""
        if self.difference is None or self.p_holm >= SIGNIFICANT:
            return ""
        return "better" if self.difference < 0 else "worse"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "verdict": self.verdict}


def paired(
    regrets: Mapping[str, NDArray[np.float64]], points: Sequence[float], against: str
) -> tuple[Comparison, ...]:
    """Compare strategies with one of them, seed by seed.

    Args:
        regrets: ``(seeds, points)`` by label, where row ``i`` of each belongs to the same seed; NaN where a
            run had no result yet.
        points: evaluations of the columns.
        against: label of the one that the others are compared with.

    Returns:
        A comparison for each other strategy and point, in their order.
    """
    reference = regrets[against]
    places = [(label, column) for label in regrets if label != against for column in range(len(points))]
    differences = [regrets[label][:, column] - reference[:, column] for label, column in places]
    known = [one[~np.isnan(one)] for one in differences]
    p_values = [randomisation_test(one) for one in known]
    return tuple(
        Comparison(
            label,
            against,
            points[column],
            len(here),
            float(here.mean()) if len(here) else None,
            float(here.std(ddof=1) / math.sqrt(len(here))) if len(here) > 1 else None,
            p,
            corrected,
        )
        for (label, column), here, p, corrected in zip(places, known, p_values, holm(p_values), strict=True)
    )


def randomisation_test(differences: NDArray[np.float64]) -> float:
    """Two-sided p-value of the paired randomisation test of Fisher for a mean difference of zero.

    If both strategies were the same, every difference could as well have the other sign: the p-value is the
    share of such sign changes whose mean is as far from zero as the one observed. That regrets are skewed and
    often exactly zero does not matter. 9,999 sign changes are drawn, always the same ones, and that which was
    observed counts as one more, so the value is at least 0.0001.

    Args:
        differences: ``(n,)``, of paired runs.

    >>> randomisation_test(np.zeros(10))
    1.0
    """
    count = len(differences)
    if not differences.any():
        return 1.0
    size = np.abs(differences)
    # Sums of the same numbers in another order may differ in the last digits.
    observed = abs(differences.sum()) - 1e-9 * size.sum()
    rng = rng_for(0, "randomisation test")
    extreme = 1
    for begin in range(0, _DRAWS, _CHUNK):
        signs = rng.integers(0, 2, size=(min(_CHUNK, _DRAWS - begin), count)) * 2.0 - 1.0
        extreme += int(np.count_nonzero(np.abs(signs @ size) >= observed))
    return extreme / (_DRAWS + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for being many, so that the chance of any false alarm stays below the level.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected
