"""What fidelity schedules have in common: a sampler of new configurations, ladders, and who goes up when.

Papers describe these schedules as a loop that is asked for work whenever a worker is free. Here that moment
is the fold: proposal k is made right after the result of proposal k - L came in, so **every result frees one
place, and what is done with the place is decided in the update that folds it in**. The decision is marked in
the state, so no later proposal repeats it, although the result of the promoted one is not known for a while.
With lag L this is the asynchronous algorithm with L workers that finish in the order in which they started.

A strategy cannot wait. Where a schedule would, because results are under way, it starts another
configuration; None ends a study, so it is never a way to wait.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from netwright.errors import StudyError
from netwright.strategies.rungs import Entry, Ladder, Rung, left_over, level_of
from netwright.trial import Metric, Objectives, Proposal, Strategy, Trial, score_of, single_objective

Ladders = Mapping[int, Ladder]
"""Ladders by number, in ascending order; those that are finished are left out."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """A result that is to be continued at a higher fidelity.

    Attributes:
        ladder: number of its ladder.
        level: of the rung that it goes to.
        entry: the result.
    """

    ladder: int
    level: int
    entry: Entry


class Rule(Protocol):
    """Where configurations start and who goes up: what tells one schedule from another."""

    def place(self, configuration: int) -> tuple[int, int]:
        """The ladder and the level at which the configuration with this number starts."""

    def promotion(self, ladders: Ladders) -> Promotion | None:
        """What is to go up now, or None to start a new configuration."""

    def finished(self, number: int, ladder: Ladder) -> bool:
        """Whether nothing more will happen on a ladder."""


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """Where a schedule stands.

    Attributes:
        sampler: state of the sampler.
        objective: what is optimised.
        seen: number of trials so far.
        origins: numbers of the proposals that started configurations, in order.
        ladders: those that go on.
        due: what the place that the last trial freed is for; None for a new configuration.
        decided: how many promotions were due so far, this one included.
        running: promotions that were due and whose results are not known.
    """

    sampler: Any
    objective: Metric
    seen: int
    origins: tuple[int, ...]
    ladders: Ladders
    due: Promotion | None = None
    decided: int = 0
    running: tuple[Promotion, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """A sampler on ladders.

    The sampler is any strategy that leaves the fidelity alone. Its proposals are the configurations, numbered
    0, 1, 2 ... among themselves, and it is told one trial for each: that on the configuration's first rung.
    So its trials have one fidelity (with Hyperband, that of the bracket), and none counts twice because it
    was promoted.

    When the sampler has nothing left, the study goes on with what is there: the entries of unfinished ladders
    that have not gone on, the one with the smallest share of better ones on its rung first. With d results
    under way, one of the first d + 1 is drawn, as the proposals under way may have taken d of them; the
    driver asks again if so. When no entry is left, the study is over.

    Attributes:
        name: of the strategy, for messages.
        sampler: proposes configurations.
        fidelities: of the rungs, ascending.
        rule: who goes up.
    """

    name: str
    sampler: Strategy
    fidelities: tuple[float, ...]
    rule: Rule

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> ScheduleState:
        """Start with nothing on any rung.

        Raises:
            ConfigError: if there are several objectives.
            NetwrightError: as the sampler does.
        """
        objective = single_objective(self.name, objectives)
        return ScheduleState(self.sampler.init(space, budget, objectives, seed), objective, 0, (), {})

    def update(self, state: ScheduleState, trial: Trial) -> ScheduleState:
        """Put a result on its rung, and decide what the place that it frees is for.

        Raises:
            StudyError: if a complete trial lacks the objective.
        """
        state = replace(self._recorded(state, trial), seen=state.seen + 1, due=None)
        due = self.rule.promotion(state.ladders)
        if due is None:
            return state
        ladder = state.ladders[due.ladder]
        sent = _changed(ladder, due.level - 1, ladder[due.level - 1].sending(due.entry.number))
        return replace(
            state,
            ladders={**state.ladders, due.ladder: sent},
            due=due,
            decided=state.decided + 1,
            running=(*state.running, due),
        )

    def propose(self, state: ScheduleState, rng: np.random.Generator, number: int) -> Proposal | None:
        """Give the promotion that is due, or else a new configuration, or else what is left.

        Raises:
            StudyError: if the sampler chooses fidelities itself.
        """
        if state.due is not None:
            return self._promoted(number, state.due)
        # All proposals before this one were promotions that were due, or configurations.
        configuration = max(0, number - state.decided)
        proposal = self.sampler.propose(state.sampler, rng, configuration)
        if proposal is None:
            return self._left(state, rng, number)
        if proposal.fidelity != 1 or proposal.resume_from is not None:
            raise StudyError(
                f"strategy {self.name}: expected a sampler that leaves the fidelity to the schedule, but "
                f"{self.sampler.name} chose {proposal.fidelity}; give it alone, or another one as inner"
            )
        _, level = self.rule.place(configuration)
        parent = None if proposal.parent is None else state.origins[proposal.parent]
        return replace(proposal, number=number, fidelity=self.fidelities[level], parent=parent)

    def _promoted(self, number: int, promotion: Promotion) -> Proposal:
        entry = promotion.entry
        return Proposal(
            number, entry.architecture, self.fidelities[promotion.level], resume_from=entry.number
        )

    def _left(self, state: ScheduleState, rng: np.random.Generator, number: int) -> Proposal | None:
        rest = sorted(
            (share, -level, ladder_number, entry.number, entry)
            for ladder_number, ladder in state.ladders.items()
            for share, level, entry in left_over(ladder)
        )
        if not rest:
            return None
        under_way = max(0, number - state.seen)
        _, level, ladder_number, _, entry = rest[int(rng.integers(min(len(rest), under_way + 1)))]
        return self._promoted(number, Promotion(ladder_number, 1 - level, entry))

    def _recorded(self, state: ScheduleState, trial: Trial) -> ScheduleState:
        """Put a result on its rung, and tell the sampler if it is a configuration's first."""
        source = trial.proposal.resume_from
        if source is None:
            configuration = len(state.origins)
            place = self.rule.place(configuration)
            state = replace(
                state,
                sampler=self.sampler.update(state.sampler, _as_sampled(trial, configuration, state.origins)),
                origins=(*state.origins, trial.number),
            )
        else:
            found = _destination(state, source)
            if found is None:
                return state  # its ladder is finished: nothing waits for it
            place = found
        number, level = place
        ladder = state.ladders.get(number) or (Rung(),) * len(self.fidelities)
        if source is not None:
            # A promotion that was due is marked already; one of what was left over is marked here.
            ladder = _changed(ladder, level - 1, ladder[level - 1].sending(source))
        score = score_of(trial, state.objective)
        rung = ladder[level].joined(trial.number, trial.proposal.architecture, score)
        ladders = {**state.ladders, number: _changed(ladder, level, rung)}
        if self.rule.finished(number, ladders[number]):
            del ladders[number]
        running = tuple(one for one in state.running if one.entry.number != source)
        return replace(state, ladders=dict(sorted(ladders.items())), running=running)


def _as_sampled(trial: Trial, configuration: int, origins: tuple[int, ...]) -> Trial:
    """A trial as the sampler knows it, by the number among the configurations."""
    parent = trial.proposal.parent
    known = None if parent is None else bisect_left(origins, parent)
    return replace(trial, proposal=replace(trial.proposal, number=configuration, parent=known, fidelity=1.0))


def _destination(state: ScheduleState, source: int) -> tuple[int, int] | None:
    """The ladder and level that the continuation of a proposal belongs to."""
    for promotion in state.running:
        if promotion.entry.number == source:
            return promotion.ladder, promotion.level
    for number, ladder in state.ladders.items():
        level = level_of(ladder, source)
        if level is not None and level + 1 < len(ladder):
            return number, level + 1
    return None


def _changed(ladder: Ladder, level: int, rung: Rung) -> Ladder:
    return (*ladder[:level], rung, *ladder[level + 1 :])
