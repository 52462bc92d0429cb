"""BANANAS: an ensemble of neural predictors on a path encoding, and mutations of the best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from netwright.seeding import seed_for
from netwright.strategies.candidates import candidates_in, check_count
from netwright.strategies.features import Block, Features, Matrix, features_for
from netwright.strategies.gaussian import compressed
from netwright.strategies.pool import Pool, grown, start, unseen
from netwright.trial import Objectives, Proposal, Trial, single_objective

FRESH = (0, 20)
"""Random networks and mutations that come into the pool with each trial."""

MEMBERS = 5
"""Networks in the ensemble, as published."""


@dataclass(frozen=True, slots=True)
class BananasState:
    """What the search knows after some trials.

    Attributes:
        pool: the trials, and the networks that may come next.
        features: describes networks.
        predictor: the ensemble, trained on the trials of complete generations; None before the first.
    """

    pool: Pool
    features: Features = field(compare=False)
    predictor: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Bananas:
    """BANANAS [White et al. 2021, arXiv:1910.11858, Alg. 1].

    An ensemble of five small neural networks predicts scores from the paths through a network (see
    ``paths`` of ``netwright.strategies.features``), or from the decisions where the space is a chain, in
    which there is one path. Mean and deviation of their predictions make a normal distribution for each
    candidate, and the candidate with the best draw from its own is proposed: independent Thompson sampling.
    The ensemble is trained anew after every ``generation`` trials.

    Deviations from the paper:

    * The candidates are mutations of the five best, in one decision each. They come into a pool, a few with
      every trial, and stay for a while, in place of 100 that are made for each generation: to describe a
      network takes longer than to predict it. What does not fit the budget does not come in.
    * Networks of a generation are chosen one by one, each with a draw of its own, since a proposal is one
      network; results that come in during a generation are learned from when it is complete.
    * The loss is the squared error of compressed scores (see ``auto``), not the mean absolute percentage
      error: scikit-learn has no other, and scores of other scales than accuracy have no percentage.

    Attributes:
        initial: random networks before the ensemble is asked, at least 1.
        generation: trials between two trainings, at least 1.
    """

    name: ClassVar[str] = "bananas"

    initial: int = 10
    generation: int = 10

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if one is not a positive integer.
        """
        check_count(self.name, "initial", self.initial)
        check_count(self.name, "generation", self.generation)

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> BananasState:
        """Start without trials.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        objective = single_objective(self.name, objectives)
        candidates = candidates_in(space, budget)
        encoding: tuple[Block, ...] = ("paths",) if candidates.space.composed else ("decisions",)
        return BananasState(
            start(candidates, objective, seed, self.name, FRESH), features_for(candidates, encoding)
        )

    def update(self, state: BananasState, trial: Trial) -> BananasState:
        """Take in a trial; train the ensemble when a generation is complete.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        pool = grown(state.pool, trial)
        scores, before = len(pool.scored), len(state.pool.scored)
        complete = scores >= self.initial and (scores - self.initial) % self.generation == 0
        if scores == before or not complete or not state.features.blocks:
            return replace(state, pool=pool)
        from netwright.strategies.ensemble import trained

        features = state.features.matrix(one.architecture for one in pool.scored)
        values = compressed(np.array([one.score for one in pool.scored]))
        seed = seed_for(pool.seed, "strategy", self.name, "ensemble", scores)
        return BananasState(pool, state.features, trained(features, values, MEMBERS, seed))

    def propose(self, state: BananasState, rng: np.random.Generator, number: int) -> Proposal | None:
        """The candidate with the best draw, or a random network while there is no ensemble.

        None where nothing is left that fits.

        Raises:
            BudgetError: if a random network is needed and practically nothing fits.
        """
        offered = list(state.pool.open().items()) if state.predictor is not None else []
        if offered:
            mean, deviation = state.predictor(state.features.matrix(one for one, _ in offered))
            draws: Matrix = rng.normal(mean, deviation)
            architecture, parent = offered[int(np.argmax(draws))]
            return Proposal(number, architecture, parent=parent)
        drawn = unseen(state.pool, rng)
        return None if drawn is None else Proposal(number, drawn)
