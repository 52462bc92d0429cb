"""Parts of population-based strategies: who is a member, who becomes a parent, who survives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from netwright.errors import ConfigError
from netwright.pareto import crowding, sorted_fronts
from netwright.space import Architecture
from netwright.trial import Objectives, Trial, scores_of

Merit = tuple[float, ...]
"""What members are compared by; the larger one is better, the first number first."""


@dataclass(frozen=True, slots=True)
class Member:
    """A network that is alive.

    Attributes:
        number: the number of its proposal; it is also its age.
        architecture: what it is.
        scores: by each objective; larger is better, whichever way the objective goes.
        violation: how far it is beyond the budget, 0 if it fits; see ``violation_of``.
    """

    number: int
    architecture: Architecture
    scores: tuple[float, ...]
    violation: float = 0.0

    @property
    def score(self) -> float:
        """By the first objective."""
        return self.scores[0]


def member_of(trial: Trial, objectives: Objectives) -> Member | None:
    """A trial as a member, or None if it failed, does not fit, or a value of it is not a number.

    Raises:
        StudyError: if a complete trial lacks an objective.
    """
    scores = scores_of(trial, objectives)
    return None if scores is None else Member(trial.number, trial.proposal.architecture, scores)


def member_within(trial: Trial, objectives: Objectives, budget: Mapping[str, int]) -> Member | None:
    """The same, but one that does not fit is a member too, with its violation of the budget."""
    member = member_of(replace(trial, fits=True), objectives)
    return None if member is None else replace(member, violation=violation_of(trial, budget))


def violation_of(trial: Trial, budget: Mapping[str, int]) -> float:
    """The sum over all limits of how far a trial is beyond each, as a share of the limit; 0 if it fits.

    A trial that does not fit for another reason than these limits is as far beyond them as can be.
    """
    if trial.fits:
        return 0.0
    beyond = (trial.costs.get(name, 0) / max(limit, 1) - 1 for name, limit in budget.items())
    return sum(share for share in beyond if share > 0) or float("inf")


def tournament(
    members: Sequence[Member],
    size: int,
    rng: np.random.Generator,
    merit: Callable[[int], Merit],
) -> Member:
    """The best of some members that are drawn with replacement; of equals the one that was drawn first.

    Args:
        members: at least one.
        size: how many are drawn.
        rng: the generator to draw from.
        merit: of the member with an index.
    """
    drawn = rng.integers(len(members), size=size)
    return members[max((int(index) for index in drawn), key=merit)]


def without_the_oldest(members: Sequence[Member], joined: Member, count: int) -> tuple[Member, ...]:
    """The youngest members, oldest first: the oldest dies, not the worst.

    Age is the number of the proposal, so results in any order give the same members.
    """
    if not members or members[-1].number < joined.number:
        return (*members, joined)[-count:]
    return tuple(sorted((*members, joined), key=lambda member: member.number))[-count:]


def crowded_merits(members: Sequence[Member]) -> list[Merit]:
    """The merit of each member by the crowded comparison: the lower front first, then the less crowded.

    [Deb et al. 2002, doi:10.1109/4235.996017, III.B], with constraint domination.
    """
    points = [member.scores for member in members]
    fronts = sorted_fronts(points, [member.violation for member in members])
    distances = [0.0] * len(members)
    for front in set(fronts):
        here = [index for index, number in enumerate(fronts) if number == front]
        for index, distance in zip(here, crowding([points[index] for index in here]), strict=True):
            distances[index] = distance
    return [(-float(front), distance) for front, distance in zip(fronts, distances, strict=True)]


def without_the_worst(members: Sequence[Member], count: int) -> tuple[Member, ...]:
    """The members of the highest merit, in the order of their numbers; of equals the youngest.

    Elitist replacement by non-dominated sorting [Deb et al. 2002, doi:10.1109/4235.996017, III.C].
    """
    if len(members) <= count:
        return tuple(sorted(members, key=lambda member: member.number))
    merits = crowded_merits(members)
    ranked = sorted(range(len(members)), key=lambda i: (merits[i], members[i].number), reverse=True)
    return tuple(sorted((members[index] for index in ranked[:count]), key=lambda member: member.number))


def check_count(strategy: str, option: str, value: Any) -> None:
    """Check an option that is a number of members.

    Raises:
        ConfigError: if it is not an integer of at least 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{strategy}.{option}: expected an integer of at least 1, got {value!r}")


def check_probability(strategy: str, option: str, value: Any) -> None:
    """Check an option that is a probability.

    Raises:
        ConfigError: if it is not a number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigError(f"{strategy}.{option}: expected a number from 0 to 1, got {value!r}")
