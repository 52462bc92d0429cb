"""Grid search: everything that fits the budget, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from netwright.space.canonical_forms import Rule
from netwright.strategies.candidates import Known, candidates_in, check_distinct
from netwright.strategies.enumeration import Enumeration, InOrder
from netwright.trial import Objectives, Proposal, Trial


@dataclass(frozen=True, slots=True)
class Grid:
    """Enumerates the architectures that fit the budget, in the order of their ranks, in constant memory.

    Proposal k is the k-th architecture of the space that fits, see ``netwright.space.unrank``: the last
    decisions change fastest. It depends on k alone. After the last one there is no further proposal, and then
    the best that was found is the best there is.

    With ``distinct``, an architecture whose network came before, drawn differently, is passed over. That
    takes a key for every network, so memory grows.

    Attributes:
        distinct: which drawings are one network, see ``netwright.ir.canonical.Rule``; None for no rule.
    """

    name: ClassVar[str] = "grid"

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
        return Enumeration(candidates, InOrder(candidates.upper), known=Known(self.distinct))

    def update(self, state: Enumeration, trial: Trial) -> Enumeration:
        """Remember how far the enumeration is; results change nothing."""
        return state.beyond(trial.number)

    def propose(self, state: Enumeration, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the architecture with this number, or None when fewer fit.

        Raises:
            BudgetError: if a great many candidates in a row do not fit.
        """
        architecture = state.at(number)
        return None if architecture is None else Proposal(number, architecture)
