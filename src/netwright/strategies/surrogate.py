"""Bayesian optimisation with a Gaussian process over blocks of features: what ``auto`` and ``gp`` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from netwright.space import Architecture
from netwright.strategies.candidates import candidates_in
from netwright.strategies.features import Block, Features, Matrix, features_for
from netwright.strategies.gaussian import (
    Hyperparameters,
    Posterior,
    compressed,
    expected_improvement,
    fitted,
    posterior,
)
from netwright.strategies.pool import Pool, grown, start, unseen
from netwright.trial import Objectives, Proposal, Trial, single_objective

FEWEST = 3
"""Scores that a model needs."""

REDRAWINGS = 100
"""Candidates that are passed over because their network is known in another drawing."""


@dataclass(frozen=True, slots=True)
class SurrogateState:
    """What a search with a Gaussian process knows after some trials.

    Attributes:
        pool: the trials, and the networks that may come next.
        features: describes networks.
        hyper: the process's hyperparameters.
        keys: canonical forms of the networks with a score.
    """

    pool: Pool
    features: Features = field(compare=False)
    hyper: Hyperparameters
    keys: frozenset[str] = frozenset()


def refits(scores: int) -> bool:
    """Whether hyperparameters are fitted again at this number of scores; rarer as that gets slower.

    >>> [number for number in range(70) if refits(number)]
    [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60]
    """
    every = 5 if scores <= 50 else 10 if scores <= 150 else 25
    return scores > 0 and scores % every == 0


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A search by expected improvement under a Gaussian process; ``auto`` and ``gp`` are two of them.

    Attributes:
        name: of the strategy.
        initial: random networks before the model is asked.
        blocks: what the model sees of a network, see ``netwright.strategies.features``.
        fresh: random networks and variations of the best that come into the pool with each trial.
        distinct: whether a network that is known is not proposed again in another drawing.
    """

    name: str
    initial: int
    blocks: tuple[Block, ...]
    fresh: tuple[int, int]
    distinct: bool

    def init(
        self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int
    ) -> SurrogateState:
        """Start without trials."""
        objective = single_objective(self.name, objectives)
        candidates = candidates_in(space, budget)
        features = features_for(candidates, self.blocks)
        pool = start(candidates, objective, seed, self.name, self.fresh)
        return SurrogateState(pool, features, Hyperparameters.prior(len(features.blocks)))

    def update(self, state: SurrogateState, trial: Trial) -> SurrogateState:
        """Take in a trial; fit the hyperparameters now and then."""
        pool = grown(state.pool, trial)
        if len(pool.scored) == len(state.pool.scored):
            return replace(state, pool=pool)
        keys, hyper = state.keys, state.hyper
        if self.distinct:
            keys = keys | {state.features.key(trial.proposal.architecture)}
        if len(pool.scored) >= FEWEST and refits(len(pool.scored)) and state.features.blocks:
            matrix, values = _learned(pool, state.features)
            hyper = fitted(hyper, _split(state.features, matrix), values)
        return SurrogateState(pool, state.features, hyper, keys)

    def propose(self, state: SurrogateState, rng: np.random.Generator, number: int) -> Proposal | None:
        """The most promising network, or a random one at the start and where the model has none to offer."""
        pool = state.pool
        under_way = max(0, number - pool.count)
        scores = len(pool.scored)
        if state.features.blocks and scores >= FEWEST and scores + under_way >= self.initial:
            chosen = self._chosen(state, rng, under_way)
            if chosen is not None:
                return Proposal(number, chosen[0], parent=chosen[1])
        architecture = unseen(pool, rng)
        return None if architecture is None else Proposal(number, architecture)

    def _chosen(
        self, state: SurrogateState, rng: np.random.Generator, under_way: int
    ) -> tuple[Architecture, int | None] | None:
        pool, features = state.pool, state.features
        offered = list(pool.open().items())
        if not offered:
            return None
        matrix, values = _learned(pool, features)
        queries = _split(features, features.matrix(architecture for architecture, _ in offered))
        belief = posterior(state.hyper, _split(features, matrix), values, queries)
        best = float(values.max())
        # The trials under way are not known here, neither what they are nor how they end. Each of them took
        # the best of a similar list, so one of the first under_way + 1 of a list of which each was chosen as
        # if the ones before had been observed at their means. If it is one under way, the driver asks again.
        for _ in range(int(rng.integers(under_way + 1))):
            belief = belief.believing(int(np.argmax(_gain(belief, best))))
        order: list[int] = np.argsort(-_gain(belief, best), kind="stable").tolist()
        if self.distinct:
            for index in order[:REDRAWINGS]:
                if features.key(offered[index][0]) not in state.keys:
                    return offered[index]
            return None
        return offered[order[0]]


def _gain(belief: Posterior, best: float) -> Matrix:
    return expected_improvement(belief.mean, belief.variance, best)


def _learned(pool: Pool, features: Features) -> tuple[Matrix, Matrix]:
    matrix = features.matrix(one.architecture for one in pool.scored)
    return matrix, compressed(np.array([one.score for one in pool.scored]))


def _split(features: Features, matrix: Matrix) -> list[Matrix]:
    return [matrix[:, columns] for columns in features.blocks.values()]
