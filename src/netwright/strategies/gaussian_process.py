"""Bayesian optimisation as it is usually done: a Gaussian process on the architecture as it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netwright.strategies.candidates import check_count
from netwright.strategies.features import Block, check_blocks
from netwright.strategies.surrogate import Surrogate, SurrogateState
from netwright.trial import Objectives, Proposal, Trial

FRESH = (10, 10)
"""Random networks and variations that come into the pool with each trial."""


@dataclass(frozen=True, slots=True)
class GaussianProcess:
    """Bayesian optimisation with expected improvement [Jones et al. 1998].

    The kernel is a Matérn 5/2 of one distance, the weighted sum of three squared distances between
    architectures, whose weights are learned:

    * ``decisions``: how many active decisions differ (a Hamming distance; decisions that are not active in
      both differ by half), and for numbers by how much;
    * ``paths``: which runs of operations lead through the network's parts, as in the path encoding
      [White et al. 2021, arXiv:1910.11858, section 3], which tells networks apart by what they do;
    * ``drawn``: the logarithms of MACs and parameters, with which accuracy grows over most of any space.

    The candidates are random networks and variations of the five best; a few come in with every trial and
    stay for some time. All fit the budget. Trials under way are handled as by ``auto``, which is the same
    search on other features.

    Attributes:
        initial: random networks before the model is asked, at least 1.
        blocks: what the kernel sees, see ``netwright.strategies.features``.
    """

    name: ClassVar[str] = "gp"

    initial: int = 10
    blocks: tuple[Block, ...] = ("decisions", "paths", "drawn")

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if one is not valid.
        """
        check_count(self.name, "initial", self.initial)
        object.__setattr__(self, "blocks", check_blocks(self.name, self.blocks))

    @property
    def _search(self) -> Surrogate:
        return Surrogate(self.name, self.initial, self.blocks, FRESH, distinct=False)

    def init(
        self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int
    ) -> SurrogateState:
        """Start without trials.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        return self._search.init(space, budget, objectives, seed)

    def update(self, state: SurrogateState, trial: Trial) -> SurrogateState:
        """Learn from a trial, and let candidates in.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        return self._search.update(state, trial)

    def propose(self, state: SurrogateState, rng: np.random.Generator, number: int) -> Proposal | None:
        """The candidate of largest expected improvement, or None when nothing is left.

        Raises:
            BudgetError: if a random network is needed and practically nothing fits.
        """
        return self._search.propose(state, rng, number)
