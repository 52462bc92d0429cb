from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import TensorDataset

from netwright.errors import ConfigError
from netwright.nn.data import from_datasets, load_data
from netwright.nn.recipe import Recipe, recipe_for

RECIPE = Recipe(epochs=4, batch_size=10, learning_rate=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "recipe.epochs: expected at least 1, got 0"),
        ({"batch_size": 1}, "recipe.batch_size: expected at least 2 .*, got 1"),
        ({"learning_rate": 0.0}, "recipe.learning_rate: expected a positive number, got 0.0"),
        ({"learning_rate": float("nan")}, "recipe.learning_rate"),
        ({"momentum": 1.0}, "recipe.momentum"),
        ({"weight_decay": -1.0}, "recipe.weight_decay"),
        ({"label_smoothing": 1.0}, "recipe.label_smoothing"),
        ({"warmup": 1.0}, "recipe.warmup"),
        ({"precision": "half"}, "precision: expected one of float32, bfloat16, got 'half'"),
        ({"optimizer": "lion"}, "recipe.optimizer: expected one of sgd-nesterov, adamw, got 'lion'"),
        ({"augmentation": "twirl"}, "augmentation: expected one of none, .* got 'twirl'"),
    ],
)
def test_wrong_settings_are_explained(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(RECIPE, **change)


@pytest.mark.parametrize(
    ("rows", "fidelity", "steps"),
    [
        (100, 1.0, 40),
        (109, 1.0, 40),
        (100, 0.5, 20),
        (100, 0.01, 1),
        (100, 0.26, 10),
        (3, 1.0, 4),
        (100, 2.0, 80),
    ],
)
def test_steps(rows: int, fidelity: float, steps: int) -> None:
    assert RECIPE.steps(rows, fidelity) == steps


@pytest.mark.parametrize("fidelity", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_fidelity(fidelity: float) -> None:
    with pytest.raises(ConfigError, match="fidelity: expected a positive number"):
        RECIPE.steps(100, fidelity)


def test_cosine_is_that_of_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    schedule = CosineAnnealingLR(optimizer, T_max=50)
    recipe = replace(RECIPE, warmup=0.0)
    for step in range(50):
        assert recipe.learning_rate_at(step, 50) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize("steps", [1, 2, 5, 9, 100])
def test_warmup_rises_to_the_peak_and_never_reaches_zero(steps: int) -> None:
    recipe = replace(RECIPE, warmup=0.25)
    rates = [recipe.learning_rate_at(step, steps) for step in range(steps)]
    rising = round(0.25 * steps)
    assert np.allclose(rates[:rising], 0.1 * np.arange(1, rising + 1) / max(1, rising))
    assert max(rates) == pytest.approx(0.1)
    assert min(rates) > 0
    assert all(later <= earlier for earlier, later in zip(rates[rising:], rates[rising + 1 :], strict=False))


def test_defaults_follow_the_data() -> None:
    digits = recipe_for(load_data("digits"))
    assert digits.augmentation == "shift"
    large = TensorDataset(torch.zeros(30_000, 1, 1, 1), torch.arange(30_000) % 2)
    recipe = recipe_for(from_datasets(large, augmentation="none"))
    assert recipe.augmentation == "none"
    assert recipe.batch_size > digits.batch_size
    assert recipe.epochs < digits.epochs
    tiny = recipe_for(from_datasets(TensorDataset(torch.zeros(20, 1, 1, 1), torch.arange(20) % 2)))
    assert tiny.steps(16) >= 100


def test_labels_of_pixels_are_not_smoothed_and_learned_faster() -> None:
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.integers(0, 256, (40, 8, 8), dtype=np.uint8))
    labels = torch.arange(2560).reshape(40, 8, 8) % 3
    of_pixels = recipe_for(from_datasets(TensorDataset(images, labels)))
    of_images = recipe_for(from_datasets(TensorDataset(images, torch.arange(40) % 3)))
    assert (of_pixels.label_smoothing, of_images.label_smoothing) == (0, 0.1)
    assert of_pixels == replace(of_images, label_smoothing=0, learning_rate=2 * of_images.learning_rate)
