"""Random search: uniform draws, without replacement, from exactly what fits the budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from netwright.errors import BudgetError
from netwright.seeding import seed_for
from netwright.space import Architecture, FittingArchitectures, why_nothing_fits
from netwright.space.canonical_forms import Rule
from netwright.space.permutation import Permutation
from netwright.strategies.candidates import Known, candidates_in, check_distinct
from netwright.trial import Objectives, Proposal, Trial

MISSES = 100_000
"""Candidates in a row that may turn out not to fit before the search gives up."""


@dataclass(frozen=True, slots=True)
class RandomState:
    """Where a random search stands; a shortcut, since the seed alone decides every proposal.

    Attributes:
        candidates: the architectures that fit, by index, perhaps with some that do not.
        order: the order in which the indices are tried.
        found: number of proposals that lie before ``position``.
        position: place in the order from which the search for the next one goes on.
        known: the networks of those proposals, where none is to come twice.
    """

    candidates: FittingArchitectures
    order: Permutation
    found: int = 0
    position: int = 0
    known: Known = field(default_factory=Known)


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

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> RandomState:
        """Number the architectures that fit.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
        """
        candidates = candidates_in(space, budget)
        order = Permutation(candidates.upper, seed_for(seed, "strategy", "random"))
        return RandomState(candidates, order, known=Known(self.distinct))

    def update(self, state: RandomState, trial: Trial) -> RandomState:
        """Remember how far the order has been used; results change nothing."""
        if trial.number < state.found:
            return state
        place = _find(state, trial.number)
        if place is None:
            return state
        position, architecture, known = place
        known = known.adding(known.key(state.candidates.space, architecture))
        return replace(state, found=trial.number + 1, position=position + 1, known=known)

    def propose(self, state: RandomState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the architecture with this number in the order, or None when fewer fit.

        Raises:
            BudgetError: if a great many candidates in a row do not fit.
        """
        place = _find(state, number)
        return None if place is None else Proposal(number, place[1])


def _find(state: RandomState, number: int) -> tuple[int, Architecture, Known] | None:
    """A proposal's position, architecture, and what is known before it; looked for from the state's position.

    A number that lies before it is looked for from the start.
    """
    found, position, known = state.found, state.position, state.known
    if number < found:
        found, position, known = 0, 0, Known(known.rule)
    if state.candidates.exact and known.rule is None:
        # Nothing is passed over, so positions and proposals are the same.
        found = position = number
    misses = 0
    while position < state.order.size:
        architecture = state.candidates.at(state.order(position))
        if architecture is None:
            misses += 1
            if misses > MISSES:
                limits = ", ".join(f"{metric} {limit}" for metric, limit in state.candidates.limits)
                raise BudgetError(
                    f"random search: expected an architecture that fits for proposal {number}, got {misses} "
                    f"in a row that do not; almost nothing fits the budget of {limits}: raise it"
                )
        elif (key := known.key(state.candidates.space, architecture)) not in known.keys:
            if found == number:
                return position, architecture, known
            found, misses, known = found + 1, 0, known.adding(key)
        position += 1
    if not found:
        raise BudgetError(why_nothing_fits(state.candidates.space, dict(state.candidates.limits)))
    return None
