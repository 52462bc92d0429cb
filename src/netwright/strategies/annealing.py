"""Simulated annealing: a walk from neighbour to neighbour that goes downhill ever more rarely."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import pstdev
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from netwright.errors import ConfigError
from netwright.seeding import rng_for
from netwright.space import FittingArchitectures
from netwright.space.canonical_forms import Rule
from netwright.strategies.candidates import Known, candidates_in, check_distinct
from netwright.strategies.population import Member, check_count, member_of
from netwright.strategies.variation import bred, drawn
from netwright.trial import Metric, Objectives, Proposal, Trial, single_objective

Scale = Literal["spread", "absolute"]
"""What a temperature is measured in."""


@dataclass(frozen=True, slots=True)
class AnnealingState:
    """Where the walk stands.

    Attributes:
        candidates: the architectures that fit the budget.
        objective: what is optimised.
        seed: of the study; acceptance is drawn from it and the number of the trial.
        current: where the walk is.
        opening: scores of the first networks, from which it started.
        seen: number of trials so far, failed ones too.
        known: the networks of those trials, where none is to come twice.
    """

    candidates: FittingArchitectures = field(compare=False)
    objective: Metric
    seed: int
    current: Member | None = None
    opening: tuple[float, ...] = ()
    seen: int = 0
    known: Known = field(default_factory=Known)


@dataclass(frozen=True, slots=True)
class Annealing:
    """Simulated annealing [Kirkpatrick et al. 1983, Science 220:671, doi:10.1126/science.220.4598.671].

    The first ``opening`` networks are drawn uniformly from what fits, and the walk starts at the best of
    them. Each proposal is a neighbour of the network where the walk is: one decision differs. When its score
    is known, the walk goes there for sure if it is not worse, and with probability exp(difference / T) if it
    is [Metropolis et al. 1953, doi:10.1063/1.1699114]. The temperature of trial n is

        T(n) = temperature * scale * cooling^n,

    where the scale is the standard deviation of the opening's scores, so that one setting suits percentages
    and milliseconds alike [White 1984, ICCD, "Concepts of scale in simulated annealing"], or 1 with
    ``scale="absolute"``. The schedule does not know how many trials there will be, so a longer search begins
    like a shorter one.

    Beyond the paper:

    * A neighbour must fit the budget. If ``MUTATIONS`` in a row do not, a network is drawn uniformly from
      what fits, and the walk may go there by the same rule.
    * At each temperature there is one step, not many until equilibrium.
    * A network that was evaluated is not evaluated again where the driver can help it, so the walk seldom
      goes back the way it came.
    * Trials that failed, or whose objective is not a number, are steps that were not accepted.
    * With lag L, up to L - 1 neighbours are of the network where the walk was when they were proposed. They
      are judged, in the order of their numbers, against the network where it is then.

    The defaults suit studies of about 100 trials: the temperature is halved about every 14. On NAS-Bench-201,
    CIFAR-100, 100 trials reach 73.3 % test accuracy with them on average over 40 seeds, and 73.2 % and 73.0 %
    with a cooling of 0.97 and 0.98, which suits longer studies: after 300 trials on CIFAR-10, where a cold
    walk stays at the top that it is on, the best validation accuracy with 0.97 is 0.05 below that of the
    table, 0.08 with 0.95 (50 seeds).

    Attributes:
        temperature: T(0), in units of the scale; 0 for a walk that never goes downhill.
        cooling: factor from one trial to the next, in (0, 1].
        scale: what temperatures are measured in: ``spread`` or ``absolute``.
        opening: number of networks at random before the walk, at least 1.
        distinct: which drawings are one network, see ``netwright.ir.canonical.Rule``; None for no rule.
            With a rule, no network of the history is proposed again.
    """

    name: ClassVar[str] = "annealing"

    temperature: float = 0.1
    cooling: float = 0.95
    scale: Scale = "spread"
    opening: int = 10
    distinct: Rule | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if a number is out of range, or there is no such scale or rule.
        """
        temperature, cooling = _number(self.temperature), _number(self.cooling)
        if not 0 <= temperature < math.inf:
            raise ConfigError(
                f"{self.name}.temperature: expected a number of at least 0, got {self.temperature!r}"
            )
        if not 0 < cooling <= 1:
            raise ConfigError(
                f"{self.name}.cooling: expected a number above 0, at most 1, got {self.cooling!r}"
            )
        if self.scale not in get_args(Scale):
            raise ConfigError(
                f"{self.name}.scale: expected one of {', '.join(get_args(Scale))}, got {self.scale!r}"
            )
        check_count(self.name, "opening", self.opening)
        check_distinct(self.name, self.distinct)

    def init(
        self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int
    ) -> AnnealingState:
        """Start nowhere.

        Raises:
            SpaceError: if the space is not made from an expression.
            BudgetError: if nothing fits.
            ConfigError: if there are several objectives.
        """
        objective = single_objective(self.name, objectives)
        return AnnealingState(candidates_in(space, budget), objective, seed, known=Known(self.distinct))

    def update(self, state: AnnealingState, trial: Trial) -> AnnealingState:
        """Go to the network of a trial, or stay.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        known = state.known.adding(state.known.key(state.candidates.space, trial.proposal.architecture))
        state = replace(state, seen=state.seen + 1, known=known)
        there = member_of(trial, (state.objective,))
        if there is None or not math.isfinite(there.score):
            return state
        if len(state.opening) < self.opening:
            best = there if state.current is None or there.score > state.current.score else state.current
            return replace(state, current=best, opening=(*state.opening, there.score))
        return replace(state, current=there) if self._accepts(state, there) else state

    def propose(self, state: AnnealingState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give a neighbour of where the walk is, or a random network while it has not started.

        None where no network is to come twice and none is left, as far as one can tell.

        Raises:
            BudgetError: if a random network is needed and practically nothing fits.
        """
        current = state.current
        under_way = max(0, number - state.seen)
        if current is not None and len(state.opening) + under_way >= self.opening:
            neighbour = bred(
                state.candidates,
                lambda: current,
                0.0,
                rng,
                number=number,
                excluded=(),
                known=state.known,
            )
            if neighbour is not None:
                return neighbour
        return drawn(state.candidates, rng, number=number, known=state.known)

    def temperature_of(self, state: AnnealingState, number: int) -> float:
        """The temperature of the trial with a number, in the unit of the objective."""
        scale = pstdev(state.opening) if self.scale == "spread" else 1.0
        return float(self.temperature * scale * self.cooling**number)

    def _accepts(self, state: AnnealingState, there: Member) -> bool:
        assert state.current is not None
        gain = there.score - state.current.score
        if gain >= 0:
            return True
        temperature = self.temperature_of(state, there.number)
        # A function of seed and number, so the walk is the same however often it is folded.
        chance = rng_for(state.seed, "annealing", "accept", there.number).random()
        return temperature > 0 and chance < math.exp(gain / temperature)


def _number(value: Any) -> float:
    """A number as it is, and anything else as NaN, which is in no range."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
