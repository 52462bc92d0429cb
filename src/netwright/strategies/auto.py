"""The default: Bayesian optimisation on what is live in a network."""

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
class Auto:
    """A Gaussian process that sees what a network computes, not how it is drawn.

    What makes it better than other strategies here is what the space makes cheap:

    * The process sees the *live* operations with their places and widths, the paths through the parts of
      the network, and depth, MACs and parameters of what is live, see ``netwright.strategies.features``.
      Where one decision makes the work of others useless, models on the decisions alone have to learn that
      from trials.
    * The candidates are random networks and variations of the five best in one decision, all within the
      budget. A few of each come in with every trial and stay, so that hundreds are compared for each
      proposal, and around a network that stays among the best the whole neighbourhood is.
    * A network that is known in another drawing is not proposed again (``distinct``).
    * Scores are compressed below their median, so that networks that do not learn do not set the scale.

    The candidate of largest expected improvement is proposed [Jones et al. 1998]. With trials under way, it
    is one of the first few of a list in which each is chosen as if those before had been observed at their
    means [Ginsbourger et al. 2010, Alg. 1], since it is not known which of them run. ``docs/strategies.md``
    has what each part is worth.

    A trial that failed, whose objective is not a number, or that does not fit teaches the model nothing, but
    its architecture is not proposed again. When all that fits has been proposed, there is no further
    proposal.

    Attributes:
        initial: random networks before the model is asked, at least 1.
        distinct: whether a network is proposed in one drawing only.
        blocks: what the model sees; to leave one out shows what it is worth.
    """

    name: ClassVar[str] = "auto"

    initial: int = 5
    distinct: bool = True
    blocks: tuple[Block, ...] = ("places", "paths", "live")

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if one is not valid.
        """
        check_count(self.name, "initial", self.initial)
        object.__setattr__(self, "blocks", check_blocks(self.name, self.blocks))

    @property
    def _search(self) -> Surrogate:
        return Surrogate(self.name, self.initial, self.blocks, FRESH, self.distinct)

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
