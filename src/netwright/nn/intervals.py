"""How sure a score is: 95 % intervals from the number of images it was measured on."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.seeding import rng_for

Array = npt.NDArray[Any]

Z = 1.959964
"""Quantile of the normal distribution for 95 %."""
DRAWS = 1000
_SEED = 0


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of ``count`` draws [Wilson 1927, doi:10.1080/01621459.1927.10502953].

    Unlike a standard error it is right at the ends too: 100 % of 360 images are not certainty.

    >>> [round(bound, 4) for bound in wilson_interval(0.97, 360)]
    [0.9468, 0.9833]
    >>> [round(bound, 4) for bound in wilson_interval(1.0, 360)]
    [0.9894, 1.0]
    """
    middle = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    reach = Z / (1 + Z * Z / count) * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


def bootstrap_interval(
    counts: Array, score: Callable[[Array], float], draws: int = DRAWS
) -> tuple[float, float]:
    """The 95 % interval of a score that is made of sums over images, by drawing the images anew.

    The percentile bootstrap [Efron 1979, doi:10.1214/aos/1176344552]: as many images are drawn with
    replacement, the score of their sum is taken, and the middle 95 % of all these scores are the interval.
    The same counts give the same interval.

    Args:
        counts: ``(N, ...)``, what each of N images contributes.
        score: of a sum of such contributions, ``(...)``.
        draws: how many times N images are drawn.
    """
    rng = rng_for(_SEED, "bootstrap")
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    scores = np.empty(draws)
    for index in range(draws):
        weights = np.bincount(rng.integers(len(flat), size=len(flat)), minlength=len(flat))
        scores[index] = score((weights @ flat).reshape(counts.shape[1:]))
    low, high = np.quantile(scores, (0.025, 0.975))
    return float(low), float(high)
