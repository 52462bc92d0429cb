"""Random search: uniform draws, without replacement, from exactly what fits the budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netwright.seeding import seed_for
from netwright.space.canonical_forms import Rule
from netwright.space.permutation import Permutation
from netwright.strategies.candidates import Known, candidates_in, check_distinct
from netwright.strategies.enumeration import Enumeration
from netwright.trial import Objectives, Proposal, Trial


@dataclass(frozen=True, slots=True)
class RandomSearch:
    """Draws from the architectures that fit the budget: uniformly, and none twice.

    The fitting architectures are numbered, and proposal k is the k-th one along a pseudo-random permutation
    of those numbers. So it depends on the seed and on k alone: neither on results, nor on how many workers
    there are, nor on the generator of the proposal. Where the space can only number a slightly larger set
    (costs rounded down), numbers whose architecture does not fit are passed over; the rest stay uniform.

    With ``distinct``, numbers whose network came before, drawn differently, are passed over as well. So the
    networks are uniform over the drawings that are left, not over the networks.

    When all that fit have been proposed, there is no further proposal.

    Attributes:
        distinct: which drawings are one network, see ``netwright.ir.canonical.Rule``; None for no rule.
    """

    name: ClassVar[str] = "random"

    distinct: Rule | None = None

    def __post_init__(self) -> None:
        """Check the option.

        Raises:
            ConfigError: if there is no such rule.
        """
        check_distinct(self.name, self.distinct)

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Enumeration:
        """Number the architectures that fit.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
        """
        candidates = candidates_in(space, budget)
        order = Permutation(candidates.upper, seed_for(seed, "strategy", "random"))
        return Enumeration(candidates, order, known=Known(self.distinct))

    def update(self, state: Enumeration, trial: Trial) -> Enumeration:
        """Remember how far the order has been used; results change nothing."""
        return state.beyond(trial.number)

    def propose(self, state: Enumeration, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the architecture with this number in the order, or None when fewer fit.

        Raises:
            BudgetError: if a great many candidates in a row do not fit.
        """
        architecture = state.at(number)
        return None if architecture is None else Proposal(number, architecture)
