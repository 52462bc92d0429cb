"""An ensemble of small neural networks that predict scores.

This module imports scikit-learn, which takes a second; strategies import it when they are used.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

Matrix = NDArray[np.float64]

LAYERS = (20,) * 10
"""Hidden layers, as published."""

EPOCHS, RATE = 150, 0.01
"""Passes over the data, and Adam's step size, as published."""


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Predictors that were trained on the same data from different first weights.

    Attributes:
        members: fitted regressors; they are not changed any more.
    """

    members: Sequence[Any]

    def __call__(self, features: Matrix) -> tuple[Matrix, Matrix]:
        """Mean and standard deviation of the predictions, each ``(N,)``, for ``(N, width)`` features."""
        predictions = np.array([member.predict(features) for member in self.members])
        return predictions.mean(0), predictions.std(0)


def trained(features: Matrix, values: Matrix, members: int, seed: int) -> Ensemble:
    """Train an ensemble.

    Args:
        features: ``(N, width)``.
        values: ``(N,)``, around 0 and of variance 1.
        members: number of networks.
        seed: of their first weights and of the order of the data.
    """
    fitted = []
    for member in range(members):
        network = MLPRegressor(
            hidden_layer_sizes=LAYERS,
            learning_rate_init=RATE,
            max_iter=EPOCHS,
            random_state=(seed + member) % 2**32,
        )
        with warnings.catch_warnings():
            # The number of epochs is fixed: they are not meant to converge.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.append(network.fit(features, values))
    return Ensemble(tuple(fitted))
