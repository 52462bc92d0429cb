"""Searches whose evaluations take microseconds: the same fold as the driver's, without a store.

A table, a predictor or any other estimator that answers at once is asked thousands of times in a second; a
database would take most of the time. The history is the same as that of ``run_search``: the same proposals,
made from the same trials, with the same seeds. It can be written into a study at the end, all at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from netwright.errors import ConfigError, StudyError
from netwright.seeding import Streams, seed_for
from netwright.space.architecture import Architecture
from netwright.study.events import StopReason
from netwright.study.history import History
from netwright.study.rules import ask, fault_of
from netwright.trial import Metric, Objectives, Proposal, Strategy, Trial, TrialState

IDLE = 10_000
"""Trials in a row that may cost nothing, since they are known or refused, before a search is exhausted."""

REPEATS = 1000
"""How many of them may be of architectures that were proposed before: some strategies never tire of one."""

_ROUNDING = 1e-9


class Answer(NamedTuple):
    """What is known of a proposal at once.

    Attributes:
        metrics: as an estimator returns them.
        costs: exact costs of the network by name.
        seconds: what the evaluation would have taken, for the simulated clock; None if that is not known.
    """

    metrics: Mapping[str, float]
    costs: Mapping[str, int]
    seconds: float | None = None


class Source(Protocol):
    """An estimator that answers at once."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What an answer has; the first is the objective where no other is asked for."""

    def look_up(self, proposal: Proposal, seed: int) -> Answer:
        """Answer; an error ends the search. A metric that is not a number makes the trial fail."""


Refuse = Callable[[Architecture], str | None]
"""Says why an architecture must not be evaluated, or None if it may be."""


@dataclass(frozen=True, slots=True)
class InMemorySearch:
    """A search that is over.

    Attributes:
        history: its trials; refused and repeated ones are among them.
        evaluations: for each trial how many evaluations have been paid for up to and with it. An evaluation
            at a lower fidelity counts as that share of one.
        clock: for each trial the simulated seconds up to its end; NaN where they are not known.
        stop: why it ended.
    """

    history: History
    evaluations: tuple[float, ...]
    clock: tuple[float, ...]
    stop: StopReason


def search_in_memory(
    space: Any,
    strategy: Strategy,
    source: Source,
    *,
    evaluations: float | None = None,
    seconds: float | None = None,
    seed: int = 0,
    lag: int = 1,
    budget: Mapping[str, int] = MappingProxyType({}),
    objectives: Objectives = (),
    known_is_free: bool = False,
    refuse: Refuse | None = None,
    on_trial: Callable[[Trial], None] | None = None,
) -> InMemorySearch:
    """Search as ``netwright.study.run_search`` does, without a store and on one core.

    Proposal k is made from the results of proposals 0 to k - lag, with the generators that the driver would
    take. A strategy that repeats itself is asked again, see ``netwright.study.rules.ask``.

    Evaluations are paid for: a full one costs 1, one at a lower fidelity its share. A refused architecture is
    not evaluated and costs nothing: its trial has failed and does not fit, so that no strategy learns from
    it. The search ends when all is spent, when nothing is proposed, or after ``IDLE`` trials in a row that
    cost nothing, or ``REPEATS`` of them that were proposed before.

    Args:
        space: where the architectures come from.
        strategy: who proposes.
        source: who evaluates.
        evaluations: how many evaluations may be paid for, or None for as many as the time allows.
        seconds: simulated time. The evaluation that is under way when it ends is finished, as by the driver.
        seed: of the search.
        lag: see above; 1 shows a strategy every result before its next proposal.
        budget: inclusive upper limits on costs by name.
        objectives: what is optimised; by default the first metric of the source.
        known_is_free: do not ask again for what is known, and do not charge it: its trial joins the history
            once more. This is how many published comparisons on tables count queries.
        refuse: says what must not be evaluated, besides what exceeds the budget.
        on_trial: called with every trial.

    Raises:
        ConfigError: if a number makes no sense, or the source knows no seconds where they are limited.
        StudyError: if the strategy proposes what it must not.
        BudgetError: if nothing fits, from the strategy.
    """
    for name, value in (("evaluations", evaluations), ("seconds", seconds)):
        if value is not None and not value > 0:
            raise ConfigError(f"{name}: expected more than 0, got {value}")
    if evaluations is None and seconds is None:
        raise ConfigError("search_in_memory: expected a number of evaluations or of seconds, got neither")
    if lag < 1:
        raise ConfigError(f"lag: expected 1 or more, got {lag}")
    goals = objectives or source.metrics[:1]
    search = _Search(
        strategy,
        source,
        goals,
        space.id,
        seed,
        lag,
        dict(budget),
        known_is_free,
        refuse,
        on_trial,
        math.inf if evaluations is None else evaluations - _ROUNDING,
        math.inf if seconds is None else seconds,
    )
    return search.run(strategy.init(space, budget, goals, seed))


class _Search:
    """One call of ``search_in_memory``: what it was given and where it stands."""

    def __init__(
        self,
        strategy: Strategy,
        source: Source,
        objectives: Objectives,
        space: str,
        seed: int,
        lag: int,
        budget: dict[str, int],
        known_is_free: bool,
        refuse: Refuse | None,
        on_trial: Callable[[Trial], None] | None,
        most: float,
        until: float,
    ) -> None:
        self._strategy = strategy
        self._source = source
        self._objectives = objectives
        self._space = space
        self._seed = seed
        self._lag = lag
        self._budget = budget
        self._known_is_free = known_is_free
        self._refuse = refuse
        self._on_trial = on_trial
        self._most = most
        self._until = until
        self._streams = Streams()
        self._trials: list[Trial] = []
        self._seen: set[tuple[Architecture, float]] = set()

    def run(self, state: Any) -> InMemorySearch:
        """Search to the end."""
        strategy, trials = self._strategy, self._trials
        spent, now = 0.0, 0.0
        evaluations: list[float] = []
        clock: list[float] = []
        folded = idle = repeats = number = 0
        stop = StopReason.TRIALS
        while spent < self._most:
            if now >= self._until:
                stop = StopReason.DEADLINE
                break
            while folded <= number - self._lag:
                state = strategy.update(state, trials[folded])
                folded += 1
            proposal = self._proposed(state, number)
            if proposal is None or idle >= IDLE or repeats >= REPEATS:
                stop = StopReason.EXHAUSTED
                break
            key = (proposal.architecture, proposal.fidelity)
            again = key in self._seen
            trial, charge, took = self._evaluated(proposal, again)
            self._seen.add(key)
            idle, repeats = (0, 0) if charge else (idle + 1, repeats + again)
            spent += charge
            now += took
            trials.append(trial)
            evaluations.append(spent)
            clock.append(now)
            number += 1
            if self._on_trial is not None:
                self._on_trial(trial)
        history = History(self._objectives[0], tuple(trials))
        return InMemorySearch(history, tuple(evaluations), tuple(clock), stop)

    def _proposed(self, state: Any, number: int) -> Proposal | None:
        if self._known_is_free:
            rng = self._streams(self._seed, "propose", number, 0)
            proposal = self._strategy.propose(state, rng, number)
        else:
            proposal = ask(self._strategy, state, self._seed, number, self._seen, stream=self._streams)
        if proposal is not None:
            self._check(proposal, number)
        return proposal

    def _check(self, proposal: Proposal, number: int) -> None:
        where = f"strategy {self._strategy.name}, proposal {number}"
        if proposal.number != number or proposal.architecture.space != self._space:
            raise StudyError(
                f"{where}: expected number {number} and an architecture of {self._space}, got number "
                f"{proposal.number} and one of {proposal.architecture.space}; the strategy is wrong"
            )
        known = number - self._lag
        for reference in (proposal.parent, proposal.resume_from):
            if reference is not None and not 0 <= reference <= known:
                raise StudyError(
                    f"{where}: expected a parent that it may know, 0 to {known}, got {reference}; the "
                    "strategy is wrong"
                )
        if not 0 < proposal.fidelity <= 1:
            raise StudyError(f"{where}: fidelity: expected more than 0, at most 1, got {proposal.fidelity}")

    def _evaluated(self, proposal: Proposal, again: bool) -> tuple[Trial, float, float]:
        """The trial of a proposal, what it costs, and how long it takes."""
        number = proposal.number
        seed = seed_for(self._seed, "trial", number)
        why = None if self._refuse is None else self._refuse(proposal.architecture)
        if why is not None:
            return Trial(proposal, TrialState.FAILED, {}, {}, False, seed, why), 0.0, 0.0
        metrics, costs, took = self._source.look_up(proposal, seed)
        for name, limit in self._budget.items():
            if costs[name] > limit:
                raise StudyError(
                    f"strategy {self._strategy.name}, proposal {number}: expected at most {limit} {name}, "
                    f"got {costs[name]}; a strategy must propose what fits the budget, so it is wrong"
                )
        reason = fault_of(metrics, self._objectives[0])
        if reason is None:
            trial = Trial(
                proposal, TrialState.COMPLETE, metrics, costs, True, seed, None, (), 0.0, took or 0.0
            )
        else:
            trial = Trial(proposal, TrialState.FAILED, {}, costs, True, seed, reason)
        if again and self._known_is_free:
            return trial, 0.0, 0.0
        if took is None:
            if self._until < math.inf:
                raise ConfigError("seconds: expected training times to count, the table has none")
            took = math.nan
        return trial, proposal.fidelity, took


def store(
    search: InMemorySearch, study: Any, options: Mapping[str, Sequence[Any]], *, begin: int = 0
) -> None:
    """Write the trials of a search into an open, empty study, in the order of their numbers.

    Args:
        search: the search; its settings must be those of the study.
        study: made by ``netwright.study.open_study``.
        options: the options of every decision of the space, by name.
        begin: number of the first trial to write; those before are in the study already.

    Raises:
        StudyError: if the study has other trials, or cannot be written.
    """
    written = len(study.proposals())
    if written != begin:
        raise StudyError(f"study: expected {begin} trials in it, got {written}; open a new one")
    for trial in search.history.trials[begin:]:
        study.begin(trial.proposal, costs=trial.costs, fits=trial.fits, seed=trial.seed, options=options)
        study.finish(trial)
    study.record_stop(
        {"reason": search.stop.value, "proposals": len(search.history), "finished": len(search.history)}
    )
