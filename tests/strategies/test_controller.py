"""The controller against torch: its LSTM cell, and autograd for the gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.seeding import rng_for
from netwright.strategies.controller import INITIAL, Choice, Controller, Vector

SHAPE = Controller(rows=11, hidden=5)
"""Decisions with options 0-2, 3-4, 5-9, and one with the single option 10."""

STEPS = [
    Choice((0, 1, 2), 1),
    Choice((3, 4), 0),
    Choice((5, 7, 8), 2),
    Choice((0, 2), 1),
    Choice((10,), 0),
    Choice((5, 6, 7, 8, 9), 4),
]
"""Some with options that are not legal, one with a single option, one decision twice."""


def of_torch(
    vector: torch.Tensor, shape: Controller, choices: list[Choice]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log p of the choices and the sum of the entropies, with torch's own LSTM cell and softmax."""
    rows, hidden = shape.rows, shape.hidden
    sizes = [(rows + 1) * hidden, 8 * hidden**2, 4 * hidden, rows * hidden, rows]
    embedding, weight, bias, out, out_bias = vector.split(sizes)
    embedding, out = embedding.view(rows + 1, hidden), out.view(rows, hidden)
    weight = weight.view(4 * hidden, 2 * hidden)
    h = c = torch.zeros(1, hidden, dtype=torch.float64)
    row = rows
    log, entropy = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    zeros = torch.zeros_like(bias)
    for choice in choices:
        h, c = torch.lstm_cell(
            embedding[row : row + 1], (h, c), weight[:, :hidden], weight[:, hidden:], bias, zeros
        )
        logits = torch.full((rows,), -torch.inf, dtype=torch.float64)
        legal = list(choice.options)
        logits[legal] = out[legal] @ h[0] + out_bias[legal]
        odds = torch.distributions.Categorical(logits=logits[legal])
        log = log + odds.log_prob(torch.tensor(choice.taken))
        entropy = entropy + odds.entropy()
        row = choice.row
    return log, entropy


def odds_of(shape: Controller, vector: Vector, choices: list[Choice]) -> list[Vector]:
    walk = shape.walk(vector)
    found = []
    for choice in choices:
        found.append(walk.odds(choice.options))
        walk.take(choice.row)
    return found


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([0.1, 1.0, 3.0]),
    length=st.integers(0, len(STEPS)),
    advantage=st.sampled_from([0.0, 1.0, -2.5]),
    entropy=st.sampled_from([0.0, 0.1, 1.0]),
)
def test_the_gradient_is_that_of_autograd(
    seed: int, scale: float, length: int, advantage: float, entropy: float
) -> None:
    vector = rng_for(seed).normal(size=SHAPE.size) * scale
    choices = STEPS[:length]
    leaf = torch.tensor(vector, requires_grad=True)
    log, spread = of_torch(leaf, SHAPE, choices)
    expected = np.zeros(SHAPE.size)
    if choices:
        (advantage * log + entropy * spread).backward()
        assert leaf.grad is not None
        expected = leaf.grad.numpy()
    found = SHAPE.gradient(vector, choices, advantage, entropy)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 2.0])
def test_the_odds_are_those_of_torchs_cell(scale: float) -> None:
    vector = rng_for(1).normal(size=SHAPE.size) * scale
    log, entropy = of_torch(torch.tensor(vector), SHAPE, STEPS)
    odds = odds_of(SHAPE, vector, STEPS)
    assert sum(np.log(p[c.taken]) for p, c in zip(odds, STEPS, strict=True)) == pytest.approx(float(log))
    assert sum(-(p * np.log(p)).sum() for p in odds) == pytest.approx(float(entropy))
    assert [len(p) for p in odds] == [3, 2, 3, 2, 1, 5]
    assert all(p.sum() == pytest.approx(1) for p in odds)


def test_long_walks() -> None:
    """300 steps: gradients neither explode into warnings nor lose their agreement with autograd."""
    shape = Controller(rows=900, hidden=8)
    choices = [Choice((3 * k, 3 * k + 1, 3 * k + 2), k % 3) for k in range(300)]
    vector = shape.initial(rng_for(2)) * 5
    leaf = torch.tensor(vector, requires_grad=True)
    log, entropy = of_torch(leaf, shape, choices)
    (log + 0.01 * entropy).backward()
    assert leaf.grad is not None
    np.testing.assert_allclose(
        shape.gradient(vector, choices, 1.0, 0.01), leaf.grad.numpy(), rtol=1e-7, atol=1e-9
    )


def test_extreme_parameters_make_no_warnings() -> None:
    vector = rng_for(3).normal(size=SHAPE.size) * 1e3
    odds = odds_of(SHAPE, vector, STEPS)
    assert all(np.isfinite(p).all() for p in odds)
    assert np.isfinite(SHAPE.gradient(vector, STEPS, 1.0, 0.1)).all()


def test_parameters_to_begin_with() -> None:
    vector = SHAPE.initial(rng_for(0))
    assert vector.shape == (SHAPE.size,)
    assert np.abs(vector).max() <= INITIAL
    assert all(np.abs(p - 1 / len(p)).max() < 0.05 for p in odds_of(SHAPE, vector, STEPS))


def test_views_cover_the_vector_once() -> None:
    vector = np.zeros(SHAPE.size)
    for part in SHAPE.views(vector):
        part += 1
    assert (vector == 1).all()
