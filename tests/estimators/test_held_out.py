from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import jaccard_score
from torch import Tensor, nn

from netwright.estimators.held_out import held_out


class Threshold(nn.Module):
    """Says 1 where a pixel is above 0, else 0; never 2."""

    def forward(self, x: Tensor) -> Tensor:
        bright = x[:, 0] > 0
        return torch.stack([~bright, bright, torch.zeros_like(bright)], dim=1).float()


def scene(count: int = 50) -> tuple[Tensor, NDArray[np.uint8], NDArray[np.uint8]]:
    """Inputs, images, and labels which are wrong in 0 to ``count`` - 1 of 100 pixels, shuffled."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (count, 1, 10, 10), dtype=np.uint8)
    labels = images[:, 0].copy()
    for row, wrong in enumerate(rng.permutation(count)):
        labels[row].reshape(-1)[:wrong] = 1 - labels[row].reshape(-1)[:wrong]
    return torch.tensor(images).float(), images, labels


def test_examples_go_from_the_best_to_the_worst() -> None:
    inputs, images, labels = scene()
    network = Threshold().train()
    found = held_out(network, inputs, images, labels, examples=5)
    assert network.training
    scores = [
        jaccard_score(one.truth.ravel(), one.prediction.ravel(), average="macro") for one in found.examples
    ]
    assert [one.score for one in found.examples] == pytest.approx(scores)
    assert scores == sorted(scores, reverse=True)
    everything = sorted(
        (
            jaccard_score(truth.ravel(), image.ravel(), average="macro")
            for truth, image in zip(labels, images, strict=True)
        ),
        reverse=True,
    )
    # The middle of each fifth of ten images.
    assert scores == pytest.approx([everything[rank] for rank in (5, 15, 25, 35, 45)])
    for one in found.examples:
        assert np.array_equal(one.prediction, one.image[0])
    pixels = labels.ravel(), images.ravel()
    assert found.evaluation.score == pytest.approx(jaccard_score(*pixels, average="macro"))


def test_no_more_examples_than_images() -> None:
    inputs, images, labels = scene(3)
    assert len(held_out(Threshold(), inputs, images, labels).examples) == 3


def test_images_with_one_label_have_no_examples() -> None:
    inputs, images, _ = scene(6)
    network = nn.Sequential(nn.Flatten(), nn.Linear(100, 3))
    found = held_out(network, inputs, images, np.arange(6) % 3)
    assert found.examples == ()
    assert found.evaluation.count == 6
