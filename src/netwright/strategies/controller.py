"""A recurrent controller: a distribution over architectures, decision by decision, that can be learned.

An LSTM reads what was chosen so far and gives the odds of the options of the next decision:

    x_t = embedding of the option chosen at step t - 1 (of "start" at the first)
    i, f, g, o = W [x_t; h_{t-1}] + b               input, forget and output gates, and the candidate
    c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)
    h_t = sigmoid(o) tanh(c_t)
    p_t = softmax over the legal options j of (V_j . h_t + a_j)

Every option of every decision has an embedding, a row V_j and a bias a_j of its own, so decisions that are
active in some architectures only need nothing special. Options that are not legal have no part in the
softmax. All parameters are one vector; gradients are written by hand, in numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

INITIAL = 0.1
"""Parameters are drawn uniformly from -0.1 to 0.1 [Zoph et al. 2018, arXiv:1707.07012, app. A]."""


class Choice(NamedTuple):
    """A step: what could be chosen and what was.

    Attributes:
        options: rows of the legal options, see ``Controller``.
        taken: index among them.
    """

    options: tuple[int, ...]
    taken: int

    @property
    def row(self) -> int:
        """The row of the option that was chosen."""
        return self.options[self.taken]


class Parameters(NamedTuple):
    """Views of a vector of all parameters.

    Attributes:
        embedding: ``(rows + 1, hidden)``; the last row is the start.
        weight: ``(4 hidden, 2 hidden)``; W above, gates in the order i, f, g, o.
        bias: ``(4 hidden,)``; b above.
        out: ``(rows, hidden)``; V above.
        out_bias: ``(rows,)``; a above.
    """

    embedding: Vector
    weight: Vector
    bias: Vector
    out: Vector
    out_bias: Vector


@dataclass(frozen=True, slots=True)
class Controller:
    """The shape of a controller; parameters are kept apart from it.

    Attributes:
        rows: number of options of all decisions together, each of which has a row.
        hidden: size of the LSTM's state and of the embeddings.
    """

    rows: int
    hidden: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        rows, hidden = self.rows, self.hidden
        return (rows + 1) * hidden + 8 * hidden**2 + 4 * hidden + rows * hidden + rows

    def initial(self, rng: np.random.Generator) -> Vector:
        """Parameters to begin with: odds that are nearly even."""
        return rng.uniform(-INITIAL, INITIAL, self.size)

    def views(self, vector: Vector) -> Parameters:
        """The parts of a vector of all parameters, or of a gradient."""
        rows, hidden = self.rows, self.hidden
        shapes = ((rows + 1, hidden), (4 * hidden, 2 * hidden), (4 * hidden,), (rows, hidden), (rows,))
        parts, start = [], 0
        for shape in shapes:
            end = start + int(np.prod(shape))
            parts.append(vector[start:end].reshape(shape))
            start = end
        return Parameters(*parts)

    def walk(self, vector: Vector) -> Walk:
        """Begin an architecture."""
        return Walk(self.views(vector), self.hidden)

    def gradient(self, vector: Vector, choices: Sequence[Choice], advantage: float, entropy: float) -> Vector:
        """The gradient of ``advantage * log p(choices) + entropy * sum of the steps' entropies``.

        The entropies are those of the steps along these choices, sum over t of -sum over j of p_tj log p_tj.

        Args:
            vector: all parameters.
            choices: the steps of an architecture.
            advantage: how much better than expected it turned out.
            entropy: weight of the entropies.

        Returns:
            ``(size,)``.
        """
        gradient = np.zeros(self.size)
        if not choices:
            return gradient
        walk = self.walk(vector)
        into = self.views(gradient)
        hiddens = []
        for choice in choices:
            odds = walk.odds(choice.options)
            # log p of an option whose probability underflows is 0 times minus infinity in the entropy: 0.
            logs = np.log(np.maximum(odds, np.finfo(float).tiny))
            slope = -entropy * odds * (logs - odds @ logs) - advantage * odds
            slope[choice.taken] += advantage
            rows = list(choice.options)
            into.out[rows] += np.outer(slope, walk.h)
            into.out_bias[rows] += slope
            hiddens.append(slope @ walk.parameters.out[rows])
            walk.take(choice.row)
        walk.backward(hiddens, into)
        return gradient


class Walk:
    """A controller on its way through an architecture.

    Args:
        parameters: of the controller.
        hidden: size of its state.
    """

    __slots__ = ("_steps", "c", "h", "hidden", "parameters")

    def __init__(self, parameters: Parameters, hidden: int) -> None:
        self.parameters = parameters
        self.hidden = hidden
        self.h = np.zeros(hidden)
        self.c = np.zeros(hidden)
        self._steps: list[tuple[int, Vector, Vector, Vector, Vector]] = []
        self.take(len(parameters.out))

    def take(self, row: int) -> None:
        """Read what was chosen, and go on to the next decision.

        Args:
            row: of the option; the number of rows for the start.
        """
        hidden, parameters = self.hidden, self.parameters
        read = np.concatenate((parameters.embedding[row], self.h))
        gates = parameters.weight @ read + parameters.bias
        candidate = np.tanh(gates[2 * hidden : 3 * hidden])
        gates = 0.5 + 0.5 * np.tanh(0.5 * gates)  # the sigmoid, without overflow
        gates[2 * hidden : 3 * hidden] = candidate
        before = self.c
        self.c = gates[hidden : 2 * hidden] * before + gates[:hidden] * candidate
        squashed = np.tanh(self.c)
        self.h = gates[3 * hidden :] * squashed
        self._steps.append((row, read, gates, before, squashed))

    def odds(self, options: Sequence[int]) -> Vector:
        """Probabilities of legal options.

        Args:
            options: their rows.

        Returns:
            ``(options,)``, with sum 1.
        """
        rows = list(options)
        logits = self.parameters.out[rows] @ self.h + self.parameters.out_bias[rows]
        weights = np.exp(logits - logits.max())
        return np.asarray(weights / weights.sum())

    def backward(self, hiddens: Sequence[Vector], into: Parameters) -> None:
        """Add the gradient by the LSTM and the embeddings, back through time.

        Args:
            hiddens: the gradient by the state at every step that odds were asked for.
            into: gradients, which are added to.
        """
        hidden, weight = self.hidden, self.parameters.weight
        back_h, back_c = np.zeros(hidden), np.zeros(hidden)
        slopes = np.empty((len(hiddens), 4 * hidden))
        # The step after the last choice has no effect on any odds.
        for number in range(len(hiddens) - 1, -1, -1):
            row, _, gates, before, squashed = self._steps[number]
            i, f, g, o = gates.reshape(4, hidden)
            back_h = back_h + hiddens[number]
            back_c = back_c + back_h * o * (1 - squashed**2)
            slope = slopes[number].reshape(4, hidden)
            slope[0] = back_c * g * i * (1 - i)
            slope[1] = back_c * before * f * (1 - f)
            slope[2] = back_c * i * (1 - g**2)
            slope[3] = back_h * squashed * o * (1 - o)
            back = slopes[number] @ weight
            into.embedding[row] += back[:hidden]
            back_h, back_c = back[hidden:], back_c * f
        into.weight[:] += slopes.T @ np.stack([self._steps[number][1] for number in range(len(hiddens))])
        into.bias[:] += slopes.sum(axis=0)
