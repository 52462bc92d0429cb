"""Other ways to draw than ``sample``: per decision, without replacement, and many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from netwright.errors import BudgetError, SpaceError
from netwright.seeding import seed_for
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.counting import FittingArchitectures, fitting
from netwright.space.encoding import CHUNK, Rows, row_type
from netwright.space.layers import INACTIVE, Integers, Steps, steps_of
from netwright.space.members import Budget, architecture_of, counting_diagram
from netwright.space.permutation import Permutation
from netwright.space.shortfall import why_nothing_fits

MISSES = 100_000
"""Indices in a row that may turn out not to fit before the drawing gives up."""


WORD = 62
"""Random bits that an option is drawn with; more are drawn where these do not settle it."""


def sample_per_decision(space: ExpressionSpace, rng: np.random.Generator) -> Architecture:
    """Draw an architecture decision by decision, each option with equal probability.

    This is what most toolkits call random sampling. It is not uniform over the architectures: those behind an
    option that few others share come more often. In the example there are 2 networks of depth 1 and 16 of
    depth 4; per decision both depths come equally often, while ``sample`` gives depth 4 in 16 of 18 draws.

    Args:
        space: a space made from an expression.
        rng: the generator to draw from.

    Returns:
        An architecture of the space. Where decisions depend on each other (the levels of a trellis), options
        that what was drawn before rules out do not take part.

    Raises:
        SpaceError: if the space is opaque.
        TooLargeError: if it has too many states.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, repeat, sample, sequential
    >>> stage = repeat("s", B.inverted_residual(out=8, kernel=choice(3, 5)), depth=choice(1, 4))
    >>> space = compile_space(sequential(stage, input=(8, 8, 8)), "stage")
    >>> rng = np.random.default_rng(0)
    >>> deep = [sample_per_decision(space, rng)["s.depth"] == 4 for _ in range(1000)]
    >>> round(float(np.mean(deep)), 1)
    0.5
    >>> deep = [sample(space, rng)["s.depth"] == 4 for _ in range(1000)]
    >>> round(float(np.mean(deep)), 1)
    0.9
    """
    diagram = counting_diagram(space)
    path: list[tuple[int, int]] = []
    index = diagram.root
    while (node := diagram.nodes[index]).decision >= 0:
        edge = node.edges[int(rng.integers(len(node.edges)))]
        path.append((node.decision, edge.option))
        index = edge.child
    return architecture_of(space, path)


def without_replacement(
    space: ExpressionSpace, seed: int, budget: Budget | None = None
) -> Iterator[Architecture]:
    """All architectures that fit a budget in a random order, each once, in constant memory.

    The architectures are numbered, and the numbers come in the order of a keyed permutation; so the beginning
    of the order is a uniform sample without replacement, and nothing is remembered about what has come.

    Args:
        space: a space made from an expression.
        seed: of the order; the same seed gives the same order.
        budget: upper limits by cost, or None for all architectures.

    Raises:
        BudgetError: if nothing fits; or, while it goes on, if a great many numbers in a row do not fit.
        SpaceError: if the space is opaque.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, sequential
    >>> body = sequential(B.conv_bn_act(out=8, kernel=choice(1, 3, 5)), input=(1, 8, 8))
    >>> drawn = without_replacement(compile_space(body, "three"), seed=0)
    >>> sorted(architecture["conv_bn_act.kernel"] for architecture in drawn)
    [1, 3, 5]
    """
    candidates = fitting(space, budget)
    if not candidates.upper:
        raise BudgetError(why_nothing_fits(space, dict(budget or {})))
    return _in_order(candidates, Permutation(candidates.upper, seed_for(seed, "without replacement")))


def _in_order(candidates: FittingArchitectures, order: Permutation) -> Iterator[Architecture]:
    misses = 0
    for position in range(order.size):
        architecture = candidates.at(order(position))
        if architecture is not None:
            misses = 0
            yield architecture
            continue
        misses += 1
        if misses > MISSES:
            limits = ", ".join(f"{metric} {limit}" for metric, limit in candidates.limits)
            raise BudgetError(
                f"without_replacement: expected an architecture that fits, got {misses} in a row that do "
                f"not; almost nothing fits the budget of {limits}: raise it"
            )


def draw_rows(space: ExpressionSpace, rng: np.random.Generator, number: int) -> Rows:
    """Draw many rows, uniformly over the architectures and exactly so.

    An option is drawn with the share of the architectures behind it, a fraction of integers of any size. A
    random number is drawn bit by bit, 62 at a time, until it is certain on which side of the fractions it
    lies; nothing is rounded.

    Args:
        space: a space made from an expression.
        rng: the generator to draw from.
        number: how many; they are drawn independently, with replacement.

    Returns:
        ``(number, decisions)``, see ``encode``.

    Raises:
        SpaceError: if the number is negative, or the space is opaque.
    """
    if number < 0:
        raise SpaceError(f"number: expected at least 0, got {number}")
    drawer = _Drawer(space)
    rows = np.full((number, len(space.decisions)), INACTIVE, dtype=row_type(space))
    for start in range(0, number, CHUNK):
        rows[start : start + CHUNK] = drawer.draw(rng, min(CHUNK, number - start))
    return rows


class _Drawer:
    """Draws rows layer by layer; the tables of a layer are made for the nodes that are left there."""

    def __init__(self, space: ExpressionSpace) -> None:
        self._diagram = diagram = counting_diagram(space)
        self._decisions = len(space.decisions)
        self._type = row_type(space)
        self._steps: Steps = steps_of(diagram)
        local = np.zeros(len(diagram.nodes), dtype=np.int64)
        self._tables = []
        for number in range(len(self._steps.columns)):
            here, there = self._steps.open[number], self._steps.open[number + 1]
            local[there] = np.arange(len(there))
            self._tables.append(self._table(here, self._steps.position[here] == number, local))

    def _table(self, nodes: Integers, leaving: NDArray[np.bool_], local: Integers) -> _DrawTable:
        most = max(len(self._diagram.nodes[node].edges) for node in nodes[leaving].tolist())
        thresholds = np.full((most - 1, len(nodes)), 1 << WORD, dtype=np.int64)  # is never reached
        options = np.full((len(nodes), most), INACTIVE, dtype=np.int64)
        following = np.repeat(local[nodes][:, None], most, axis=1)
        for row in np.flatnonzero(leaving).tolist():
            edges = self._diagram.nodes[int(nodes[row])].edges
            total, below = self._diagram.counts[int(nodes[row])], 0
            for number, edge in enumerate(edges):
                options[row, number], following[row, number] = edge.option, local[edge.child]
                below += self._diagram.counts[edge.child]
                if number < len(edges) - 1:
                    thresholds[number, row] = (below << WORD) // total
        return _DrawTable(thresholds, options.ravel(), following.ravel(), most)

    def draw(self, rng: np.random.Generator, number: int) -> Rows:
        rows: Rows = np.full((self._decisions, number), INACTIVE, dtype=self._type)
        state = np.zeros(number, dtype=np.int64)
        for layer, column in enumerate(self._steps.columns):
            table = self._tables[layer]
            edge = np.zeros(number, dtype=np.int64)
            if table.most > 1:
                word = rng.integers(1 << WORD, size=number, dtype=np.int64)
                open_ = np.zeros(number, dtype=np.bool_)
                for threshold in table.thresholds:
                    limit = threshold.take(state)
                    edge += word >= limit
                    open_ |= word == limit
                for row in np.flatnonzero(open_).tolist():
                    node = int(self._steps.open[layer][state[row]])
                    edge[row] = self._certain(rng, node, int(word[row]))
            index = state * table.most + edge
            option = table.options.take(index)
            np.copyto(rows[column], option, where=option >= 0, casting="unsafe")
            state = table.following.take(index)
        drawn: Rows = rows.T
        return drawn

    def _certain(self, rng: np.random.Generator, node: int, word: int) -> int:
        """Go on drawing bits of a number in [0, 1) until it is certain which edge it means."""
        total, bits = self._diagram.counts[node], WORD
        while True:
            below = 0
            for number, edge in enumerate(self._diagram.nodes[node].edges):
                below += self._diagram.counts[edge.child]
                if word * total < below << bits:
                    if (word + 1) * total <= below << bits:
                        return number
                    break
            word, bits = word << WORD | int(rng.integers(1 << WORD)), bits + WORD


@dataclass(frozen=True)
class _DrawTable:
    """How rows go on from the nodes of a layer.

    Attributes:
        thresholds: ``(most - 1, nodes)``: a word of at least that means a later edge.
        options: ``(nodes * most)``, of every edge; -1 at nodes that are not left here.
        following: ``(nodes * most)``, the node behind every edge.
        most: edges of a node.
    """

    thresholds: Integers
    options: Integers
    following: Integers
    most: int
