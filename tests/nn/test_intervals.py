from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import jaccard_score

from netwright.nn.intervals import bootstrap_interval, wilson_interval
from netwright.nn.task import accuracy, mean_iou, tally


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    right, count = counts
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_where_images_bear_the_labels_the_bootstrap_agrees_with_wilson() -> None:
    right = np.arange(800) % 10 != 0
    counts = np.stack([np.stack([right, np.ones(800), right])], axis=-1).transpose(1, 0, 2)
    assert counts.shape == (800, 3, 1)
    found = bootstrap_interval(counts, accuracy)
    assert found == pytest.approx(wilson_interval(0.9, 800), abs=0.004)
    assert found == bootstrap_interval(counts, accuracy)


def test_images_are_drawn_not_pixels() -> None:
    """As scipy's own bootstrap of images has it; the pixels of an image are right or wrong together."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (60, 1)).repeat(50, axis=1)
    guess = np.where(rng.random((60, 1)) < 0.7, truth, (truth + 1) % 3)
    counts = np.array(
        [tally(np.bincount(3 * t + g, minlength=9).reshape(3, 3)) for t, g in zip(truth, guess, strict=True)]
    )
    low, high = bootstrap_interval(counts, mean_iou)

    def score(rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
        return float(jaccard_score(truth[rows].ravel(), guess[rows].ravel(), average="macro"))

    oracle = bootstrap(
        (np.arange(60),), score, n_resamples=500, vectorized=False, method="percentile", rng=rng
    ).confidence_interval
    assert (low, high) == pytest.approx((oracle.low, oracle.high), abs=0.03)
    pixels = wilson_interval(score(np.arange(60)), truth.size)
    assert high - low > 4 * (pixels[1] - pixels[0])
