"""Synchronous successive halving: a whole rung is awaited, then its best part goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from netwright.errors import ConfigError
from netwright.strategies.random_search import RandomSearch
from netwright.strategies.rungs import Ladder, check_eta, fidelities_of
from netwright.strategies.schedule import Ladders, Promotion, Schedule, ScheduleState
from netwright.trial import Objectives, Proposal, Strategy, Trial

Bracket = tuple[int, ...]
"""How many configurations are on each rung, from the one where they start to the top."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """Brackets in turn, each on a ladder of its own.

    Attributes:
        brackets: they are repeated for ever.
        levels: number of fidelities; a bracket of fewer rungs starts higher.
    """

    brackets: tuple[Bracket, ...]
    levels: int

    def bracket(self, number: int) -> Bracket:
        """The bracket on the ladder with this number."""
        return self.brackets[number % len(self.brackets)]

    def place(self, configuration: int) -> tuple[int, int]:
        """Configurations fill one bracket after the other."""
        turns, rest = divmod(configuration, sum(bracket[0] for bracket in self.brackets))
        number = turns * len(self.brackets)
        while rest >= self.bracket(number)[0]:
            rest -= self.bracket(number)[0]
            number += 1
        return number, self.levels - len(self.bracket(number))

    def promotion(self, ladders: Ladders) -> Promotion | None:
        """Look for a rung whose results are complete and whose best have not all gone on, oldest first."""
        for number, ladder in ladders.items():
            for level, expected, going in self._rungs(number, ladder):
                if ladder[level].size < expected:
                    break
                entry = ladder[level].waiting(going)
                if entry is not None:
                    return Promotion(number, level + 1, entry)
        return None

    def finished(self, number: int, ladder: Ladder) -> bool:
        """Whether every rung of the bracket is complete."""
        return all(ladder[level].size >= expected for level, expected, _ in self._rungs(number, ladder))

    def _rungs(self, number: int, ladder: Ladder) -> list[tuple[int, int, int]]:
        """Level, number of results when it is complete, and how many of them then go on, of every rung.

        Where more trials failed than were to be left behind, all that did not go on.
        """
        sizes = self.bracket(number)
        found = []
        expected = sizes[0]
        for place, level in enumerate(range(self.levels - len(sizes), self.levels)):
            going = min(sizes[place + 1], len(ladder[level].entries)) if place + 1 < len(sizes) else 0
            found.append((level, expected, going))
            expected = going
        return found


@dataclass(frozen=True, slots=True)
class SuccessiveHalving:
    """Synchronous successive halving [Jamieson & Talwalkar 2016, arXiv:1502.07943, Alg. 1], again and again.

    A bracket has ``size`` configurations from the strategy ``inner``, which start at the lowest fidelity.
    When all their results are in, the best 1/eta go on to the next fidelity, and so on to the full training.
    Then comes the next bracket. While results of a rung are under way, and nothing else is to be promoted,
    the next bracket is begun, as in the parallel version of [Falkner et al. 2018, arXiv:1807.01774,
    sec. 4.2]; the oldest bracket that can go on always comes first. See ``netwright.strategies.schedule`` for
    what the inner strategy is told, and what happens when it has nothing left.

    Beyond the paper:

    * One in eta goes on, where Alg. 1 has one half; and the fidelities are the same for every bracket, where
      Alg. 1 divides a total budget. Both as in Hyperband.
    * Failed trials count as results that are not among the best.

    Attributes:
        inner: proposes configurations; random search by default.
        eta: one in eta goes up, and gets eta times as much training.
        minimum: lowest fidelity that may occur, in (0, 1].
        fidelities: the fidelities themselves, ascending, in place of ``minimum``; for example those that a
            table has.
        size: configurations of a bracket; by default as many as leave one for the full training.

    >>> SuccessiveHalving().bracket
    (9, 3, 1)
    """

    name: ClassVar[str] = "successive-halving"

    inner: Strategy = field(default_factory=RandomSearch)
    eta: int = 3
    minimum: float = 1 / 9
    fidelities: tuple[float, ...] | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            ConfigError: if one is wrong.
        """
        check_eta(self.name, self.eta)
        least = self.eta ** (len(self.rungs) - 1)
        if self.size is not None and (
            isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < least
        ):
            raise ConfigError(
                f"{self.name}.size: expected an integer of at least {least}, so that none of the "
                f"{len(self.rungs)} rungs is empty, got {self.size!r}; or have fewer rungs"
            )

    @property
    def rungs(self) -> tuple[float, ...]:
        """The fidelities, ascending."""
        return fidelities_of(self.name, self.fidelities, self.minimum, self.eta)

    @property
    def bracket(self) -> Bracket:
        """How many configurations are on each rung."""
        steps = len(self.rungs)
        size = self.eta ** (steps - 1) if self.size is None else self.size
        return tuple(size // self.eta**step for step in range(steps))

    @property
    def schedule(self) -> Schedule:
        """The sampler and the rule."""
        return Schedule(self.name, self.inner, self.rungs, Rounds((self.bracket,), len(self.rungs)))

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> ScheduleState:
        """Start with nothing on any rung; raises as the inner strategy does."""
        return self.schedule.init(space, budget, objectives, seed)

    def update(self, state: ScheduleState, trial: Trial) -> ScheduleState:
        """Put a result on its rung, and decide what the place that it frees is for."""
        return self.schedule.update(state, trial)

    def propose(self, state: ScheduleState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the promotion that is due, or else a new configuration."""
        return self.schedule.propose(state, rng, number)
