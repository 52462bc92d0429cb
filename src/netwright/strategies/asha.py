"""ASHA: asynchronous successive halving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from netwright.strategies.random_search import RandomSearch
from netwright.strategies.rungs import Ladder, check_eta, fidelities_of
from netwright.strategies.schedule import Ladders, Promotion, Schedule, ScheduleState
from netwright.trial import Objectives, Proposal, Strategy, Trial


@dataclass(frozen=True, slots=True)
class Eager:
    """One endless ladder: whatever is among the best of its rung goes up at once.

    Attributes:
        eta: one in ``eta`` goes up.
    """

    eta: int

    def place(self, configuration: int) -> tuple[int, int]:
        """Everything starts at the bottom."""
        return 0, 0

    def promotion(self, ladders: Ladders) -> Promotion | None:
        """Look for an entry to promote, from the rung below the top downwards."""
        ladder = ladders.get(0, ())
        for level in range(len(ladder) - 2, -1, -1):
            # Alg. 2 does not speak of trials that fail; here they do not make a rung larger.
            entry = ladder[level].waiting(len(ladder[level].entries) // self.eta)
            if entry is not None:
                return Promotion(0, level + 1, entry)
        return None

    def finished(self, number: int, ladder: Ladder) -> bool:
        """It never is."""
        return False


@dataclass(frozen=True, slots=True)
class ASHA:
    """Asynchronous successive halving [Li et al. 2020, arXiv:1810.05934, Alg. 2].

    Configurations come from the strategy ``inner``. Whenever a place is free: if one of the best 1/eta of a
    rung has not gone on to the next, it does, the highest rung first; otherwise a new configuration starts at
    the lowest fidelity. See ``netwright.strategies.schedule`` for what a free place is here, what the inner
    strategy is told, and what happens when it has nothing left.

    Beyond the paper:

    * The fidelities go down from the full training by factors of eta, not up from a minimum resource, so that
      the highest one always is the full training. The paper's early-stopping rate s is a larger ``minimum``.
    * Of the entries that may go up, the best does; Alg. 2 leaves open which one.

    Attributes:
        inner: proposes configurations; random search by default, as in the paper.
        eta: one in eta goes up, and gets eta times as much training.
        minimum: lowest fidelity that may occur, in (0, 1].
        fidelities: the fidelities themselves, ascending, in place of ``minimum``; for example those that a
            table has.

    >>> ASHA(minimum=0.25, eta=2).rungs
    (0.25, 0.5, 1.0)
    """

    name: ClassVar[str] = "asha"

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
    def schedule(self) -> Schedule:
        """The sampler and the rule."""
        return Schedule(self.name, self.inner, self.rungs, Eager(self.eta))

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> ScheduleState:
        """Start with nothing on any rung; raises as the inner strategy does."""
        return self.schedule.init(space, budget, objectives, seed)

    def update(self, state: ScheduleState, trial: Trial) -> ScheduleState:
        """Put a result on its rung, and decide what the place that it frees is for."""
        return self.schedule.update(state, trial)

    def propose(self, state: ScheduleState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the promotion that is due, or else a new configuration."""
        return self.schedule.propose(state, rng, number)
