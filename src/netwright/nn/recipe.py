"""How a network is trained, as a value, and the default for a data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netwright.errors import ConfigError
from netwright.nn.augment import find_augmentation
from netwright.nn.task import CLASSIFICATION

if TYPE_CHECKING:
    from netwright.nn.data import Data

OPTIMIZERS = ("sgd-nesterov", "adamw")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A full training. Checked when made.

    Attributes:
        epochs: passes over the training rows at fidelity 1.
        batch_size: images a step; a last incomplete batch of an epoch is left out.
        learning_rate: the peak, after the warm-up and before the cosine.
        momentum: of SGD with Nesterov momentum; the first beta of AdamW.
        weight_decay: on convolution and linear weights; never on biases and batch norms.
        label_smoothing: share of the target that is spread over all classes, in [0, 1).
        warmup: share of the steps in which the learning rate rises linearly, in [0, 1).
        class_weights: whether the loss weighs classes by the inverse of their frequency.
        augmentation: a key of ``nn.augment.AUGMENTATIONS``.
        optimizer: ``sgd-nesterov`` or ``adamw``.
        precision: ``float32``, or ``bfloat16`` for mixed precision: convolutions and linear layers compute in
            bfloat16, weights and what is evaluated stay float32 [Micikevicius et al. 2018, arXiv:1710.03740;
            Kalamkar et al. 2019, arXiv:1905.12322]. Faster on a GPU, and on a CPU that has instructions for
            it (avx512_bf16, amx_bf16); slower on others.

    Raises:
        ConfigError: if a value is out of range.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    label_smoothing: float = 0.1
    warmup: float = 0.1
    class_weights: bool = False
    augmentation: str = "none"
    optimizer: str = "sgd-nesterov"
    precision: str = "float32"

    def __post_init__(self) -> None:
        checks = (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch_size", self.batch_size >= 2, "at least 2 (batch norm needs two images)"),
            ("learning_rate", 0 < self.learning_rate < math.inf, "a positive number"),
            ("momentum", 0 <= self.momentum < 1, "a number in [0, 1)"),
            ("weight_decay", 0 <= self.weight_decay < math.inf, "a number of at least 0"),
            ("label_smoothing", 0 <= self.label_smoothing < 1, "a number in [0, 1)"),
            ("warmup", 0 <= self.warmup < 1, "a number in [0, 1)"),
            ("optimizer", self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}"),
        )
        for name, fine, expected in checks:
            if not fine:
                raise ConfigError(f"recipe.{name}: expected {expected}, got {getattr(self, name)!r}")
        find_augmentation(self.augmentation)
        check_precision(self.precision)

    def steps_per_epoch(self, rows: int) -> int:
        """Whole batches in ``rows`` images, at least 1 (fewer images make one smaller batch)."""
        return max(1, rows // self.batch_size)

    def steps(self, rows: int, fidelity: float = 1.0) -> int:
        """Steps of a training: ``round(fidelity * epochs * steps_per_epoch)``, at least 1.

        Args:
            rows: number of training images.
            fidelity: share of the full training, above 0.

        Raises:
            ConfigError: if the fidelity is not positive.

        >>> Recipe(epochs=10, batch_size=100, learning_rate=0.1).steps(1000, fidelity=0.25)
        25
        """
        if not 0 < fidelity < math.inf:
            raise ConfigError(f"fidelity: expected a positive number, got {fidelity}")
        return max(1, round(fidelity * self.epochs * self.steps_per_epoch(rows)))

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The learning rate of one step: a linear warm-up, then half a cosine down to 0.

        [Loshchilov & Hutter 2017, arXiv:1608.03983], without restarts.

        Args:
            step: in ``[0, steps)``.
            steps: all steps of the training.

        >>> recipe = Recipe(epochs=1, batch_size=2, learning_rate=1.0, warmup=0.2)
        >>> [round(recipe.learning_rate_at(step, 10), 2) for step in range(10)]
        [0.5, 1.0, 1.0, 0.96, 0.85, 0.69, 0.5, 0.31, 0.15, 0.04]
        """
        rising = round(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


_BY_ROWS = (
    # training rows below, batch size, epochs, learning rate
    (1_000, 16, 40, 0.025),
    (5_000, 32, 20, 0.05),
    (20_000, 64, 15, 0.1),
    (math.inf, 128, 10, 0.1),
)
_FEWEST_STEPS = 400  # a handful of images needs many passes before batch norm has settled


def check_precision(name: str) -> None:
    """Check the name of a precision.

    Raises:
        ConfigError: if there is none of this name.
    """
    if name not in PRECISIONS:
        raise ConfigError(f"precision: expected one of {', '.join(PRECISIONS)}, got {name!r}")


def recipe_for(data: Data) -> Recipe:
    """Choose the default recipe by the number of training rows: the fewer, the smaller the batch.

    Measured on digits and Fashion-MNIST with networks of 10k to 100k parameters. Large data is seen ten
    times; small data more often, so that a full training has at least some hundred steps. Labels of pixels
    are not smoothed, and the learning rate is doubled: in two epochs on 20,000 rows of Fashion-MNIST's pixels
    that gave 2.3 and 2.7 points of mean IoU.

    Args:
        data: its rows and the augmentation that suits it are used, never its test set.
    """
    of_images = data.task == CLASSIFICATION
    rows = len(data.labels)
    batch_size, epochs, learning_rate = next(row[1:] for row in _BY_ROWS if rows < row[0])
    per_epoch = max(1, rows // batch_size)
    return Recipe(
        epochs=max(epochs, math.ceil(_FEWEST_STEPS / per_epoch)),
        batch_size=batch_size,
        learning_rate=learning_rate if of_images else 2 * learning_rate,
        label_smoothing=0.1 if of_images else 0.0,
        augmentation=data.augmentation,
    )
