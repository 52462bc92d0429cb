"""Hyperband: brackets of successive halving that start at every fidelity in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from netwright.strategies.random_search import RandomSearch
from netwright.strategies.rungs import check_eta, fidelities_of
from netwright.strategies.schedule import Schedule, ScheduleState
from netwright.strategies.successive_halving import Bracket, Rounds
from netwright.trial import Objectives, Proposal, Strategy, Trial


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Hyperband [Li et al. 2018, arXiv:1603.06560, Alg. 1].

    How far a low fidelity can be trusted is not known beforehand. So brackets of successive halving follow
    each other that start at the lowest fidelity, at the second lowest, ... and at the full training, each
    with about the same total training; then they begin again. Results under way are treated as by
    ``SuccessiveHalving``: the next bracket is begun.

    Brackets start at different fidelities, and the inner strategy is told the first result of every
    configuration. Scores of different fidelities are thus compared by an inner strategy that learns; use
    ``SuccessiveHalving`` or ``ASHA`` with those.

    Beyond the paper:

    * The bracket of s + 1 rungs starts with floor((s_max + 1) / (s + 1)) eta^s configurations, as in the
      paper's table of brackets (R = 81, eta = 3) and in its authors' published code. The line in Alg. 1,
      ceil((s_max + 1) / (s + 1) eta^s), gives somewhat larger brackets, 34 for 27 in that example.
    * Brackets are not begun anew with a larger R: the highest fidelity is the full training.
    * Failed trials count as results that are not among the best.

    Attributes:
        inner: proposes configurations; random search by default, as in the paper.
        eta: one in eta goes up, and gets eta times as much training.
        minimum: lowest fidelity that may occur, in (0, 1]; the paper's 1 / R.
        fidelities: the fidelities themselves, ascending, in place of ``minimum``; for example those that a
            table has.

    >>> Hyperband(minimum=1 / 9).brackets
    ((9, 3, 1), (3, 1), (3,))
    """

    name: ClassVar[str] = "hyperband"

    inner: Strategy = field(default_factory=RandomSearch)
    eta: int = 3
    minimum: float = 1 / 9
    fidelities: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if one is wrong.
        """
        check_eta(self.name, self.eta)
        fidelities_of(self.name, self.fidelities, self.minimum, self.eta)

    @property
    def rungs(self) -> tuple[float, ...]:
        """The fidelities, ascending."""
        return fidelities_of(self.name, self.fidelities, self.minimum, self.eta)

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """How many configurations are on each rung of each bracket, the longest bracket first."""
        steps = len(self.rungs)
        return tuple(
            tuple(steps // rungs * self.eta ** (rungs - 1) // self.eta**step for step in range(rungs))
            for rungs in range(steps, 0, -1)
        )

    @property
    def schedule(self) -> Schedule:
        """The sampler and the rule."""
        return Schedule(self.name, self.inner, self.rungs, Rounds(self.brackets, len(self.rungs)))

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> ScheduleState:
        """Start with nothing on any rung; raises as the inner strategy does."""
        return self.schedule.init(space, budget, objectives, seed)

    def update(self, state: ScheduleState, trial: Trial) -> ScheduleState:
        """Put a result on its rung, and decide what the place that it frees is for."""
        return self.schedule.update(state, trial)

    def propose(self, state: ScheduleState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the promotion that is due, or else a new configuration."""
        return self.schedule.propose(state, rng, number)
