"""The loop of a search: propose, evaluate, record.

Proposal k is a function of the seed and of the results of proposals 0 to k - lag, in the order of their
numbers. Up to ``lag`` evaluations may run at once, and it does not matter in which order they end: any number
of workers up to the lag gives the same study, and so does a search that was killed and continued.
"""

from __future__ import annotations

import math
import shutil
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from netwright.errors import ConfigError, StudyError
from netwright.seeding import seed_for
from netwright.space.architecture import Architecture, Value
from netwright.study.context import TrialSettings
from netwright.study.events import Event, Finished, Reported, Resumed, Started, Stopped, StopReason
from netwright.study.executor import Executor, Outcome, Report
from netwright.study.history import History, better_of, front_with
from netwright.study.interrupts import Interrupts
from netwright.study.rules import ask, fault_of
from netwright.study.store import Study
from netwright.trial import Estimator, Proposal, Strategy, Trial, TrialState


class Decision(Protocol):
    """What the driver needs to know of a decision."""

    @property
    def name(self) -> str:
        """The name, unique in the space."""

    @property
    def options(self) -> Sequence[Value]:
        """What can be chosen, in a fixed order."""


class Space(Protocol):
    """What the driver needs to know of a search space; opaque spaces do."""

    @property
    def id(self) -> str:
        """The id, which the architectures bear too."""

    @property
    def decisions(self) -> Sequence[Any]:
        """The decisions, each a ``Decision``."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """How a call of ``run_search`` ended.

    Attributes:
        history: all finished trials of the study.
        stop: why the search ended, and after how many proposals.
    """

    history: History
    stop: Stopped


def run_search(
    space: Space,
    strategy: Strategy,
    estimator: Estimator,
    study: Study,
    executor: Executor,
    *,
    costs_of: Callable[[Architecture], Mapping[str, int]],
    trials: int | None,
    deadline: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> SearchResult:
    """Search until the trials are done, the time is over, or nothing is left to propose.

    Seed, lag, budget and objectives are those of ``study.settings``. A study that was begun before is
    continued: finished trials are kept, proposals whose evaluation was cut off are evaluated again, and the
    final history is that of an unbroken search.

    If a strategy proposes an architecture that an earlier proposal had (at the same fidelity), it is asked
    again with the next generator, up to 50 times; then the duplicate is accepted and evaluated with its own
    seed.

    After the deadline nothing new is proposed, but the proposals made before are finished, so that a search
    that ran out of time is exactly the beginning of a longer one.

    The first SIGINT (Ctrl-C) or SIGTERM ends the running evaluations, which a later call begins again, and
    returns; a second one acts at once. This holds in the main thread.

    Args:
        space: where the architectures come from.
        strategy: who proposes.
        estimator: who evaluates; its first metric is the first objective. Further ones are among its metrics
            too, or else costs.
        study: the open record.
        executor: where evaluations run; the caller closes it.
        costs_of: the exact costs of an architecture by name; every metric of the budget is among them, and
            every objective that is not measured.
        trials: how many proposals the study shall have in all, or None for as many as the deadline allows.
        deadline: a reading of ``time.monotonic()``, or None.
        on_event: called with every event, between the steps of the search: it should be quick.

    Returns:
        The history, and why the search ended.

    Raises:
        ConfigError: if the arguments do not fit the study or each other.
        StudyError: if the strategy proposes what it must not, or the study cannot be written, or trials
            cannot begin. What is finished is safe; running evaluations are marked to be run again.
    """
    _check(space, strategy, estimator, study, executor, trials, deadline)
    search = _Search(
        space=space,
        strategy=strategy,
        estimator=estimator,
        study=study,
        executor=executor,
        costs_of=costs_of,
        trials=math.inf if trials is None else trials,
        deadline=math.inf if deadline is None else deadline,
        tell=on_event or _ignore,
    )
    with Interrupts() as interrupts:
        try:
            stop = search.run(interrupts)
        except BaseException:
            search.abandon("the search was ended by an error")
            raise
    return SearchResult(study.history(), stop)


def _ignore(event: Event) -> None:
    pass


def _check(
    space: Space,
    strategy: Strategy,
    estimator: Estimator,
    study: Study,
    executor: Executor,
    trials: int | None,
    deadline: float | None,
) -> None:
    settings = study.settings
    for what, expected, got in (
        ("space", settings.space, space.id),
        ("strategy", settings.strategy, strategy.name),
        ("objective", settings.objective, estimator.metrics[0] if estimator.metrics else None),
    ):
        if expected != got:
            raise ConfigError(f"{what}: expected {expected} as the study has it, got {got}")
    measured = {metric.name: metric for metric in estimator.metrics}
    for objective in settings.further:
        if measured.get(objective.name, objective) != objective:
            raise ConfigError(
                f"objective: expected {objective} as the study has it, got {measured[objective.name]} as the "
                "estimator has it"
            )
    if executor.workers > settings.lag:
        raise ConfigError(
            f"workers: expected at most {settings.lag}, the study's lag, got {executor.workers}; proposal k "
            "waits for the result of proposal k - lag, so more could not be kept busy. Use fewer workers, or "
            "a new study with a larger lag"
        )
    if trials is None and deadline is None:
        raise ConfigError("trials: expected a number of trials or a time limit, got neither")
    if trials is not None and trials < 0:
        raise ConfigError(f"trials: expected 0 or more, got {trials}")


@dataclass(slots=True)
class _Search:
    """One call of ``run_search``: what it was given and where it stands."""

    space: Space
    strategy: Strategy
    estimator: Estimator
    study: Study
    executor: Executor
    costs_of: Callable[[Architecture], Mapping[str, int]]
    trials: float
    deadline: float
    tell: Callable[[Event], None]
    finished: dict[int, Trial] = field(init=False)
    again: deque[Proposal] = field(init=False)
    next: int = field(init=False)
    seen: set[tuple[Architecture, float]] = field(init=False)
    options: dict[str, Sequence[Value]] = field(init=False)
    best: Trial | None = field(init=False)
    front: tuple[Trial, ...] = field(init=False)
    state: Any = field(init=False)
    folded: int = 0
    running: dict[int, Started] = field(default_factory=dict)
    stop: StopReason | None = None

    def __post_init__(self) -> None:
        history, proposals = self.study.history(), self.study.proposals()
        self.finished = {trial.number: trial for trial in history}
        self.again = deque(self.study.unfinished())
        self.next = len(proposals)
        self.seen = {(proposal.architecture, proposal.fidelity) for proposal in proposals}
        self.options = {decision.name: tuple(decision.options) for decision in self.space.decisions}
        self.best, self.front = history.best, history.pareto
        settings = self.study.settings
        self.state = self.strategy.init(self.space, settings.budget, settings.objectives, settings.seed)

    def run(self, interrupts: Interrupts) -> Stopped:
        if self.next:
            self.tell(Resumed(len(self.finished), tuple(proposal.number for proposal in self.again)))
        while interrupts.signal is None:
            self._fill(interrupts)
            if not self.running:
                break
            for message in self.executor.wait(interrupts.reader):
                if isinstance(message, Report):
                    self._report(message)
                else:
                    self._finish(message)
        if interrupts.signal is not None:
            self.stop = StopReason.INTERRUPTED
            self.abandon(f"the search was ended by {interrupts.signal}")
        assert self.stop is not None, "a search without a reason to stop goes on"
        stop = Stopped(self.stop, self.next, len(self.finished), interrupts.signal)
        recorded = {"reason": stop.reason.value, "proposals": stop.proposals, "finished": stop.finished}
        # A search that is over and started again does nothing, and leaves no trace of that.
        if recorded not in [{name: one.get(name) for name in recorded} for one in self.study.stops()]:
            self.study.record_stop(recorded)
        self.tell(stop)
        return stop

    def abandon(self, reason: str) -> None:
        """End what runs, and write that it must run again."""
        self.executor.cancel_all()
        for number in sorted(self.running):
            del self.running[number]  # first, since a second Ctrl-C may bring us here again
            self.study.interrupt(number, reason)

    # ---------------------------------------------------------------------------------------- proposing

    def _fill(self, interrupts: Interrupts) -> None:
        """Start evaluations while there are free workers and proposals that may be made."""
        while len(self.running) < self.executor.workers and interrupts.signal is None:
            if self.again:
                self._start(self.again.popleft())
            elif self.stop is None and self._may_propose():
                proposal = self._propose()
                if proposal is None:
                    self.stop = StopReason.EXHAUSTED
                else:
                    self._start(proposal)
            else:
                return

    def _may_propose(self) -> bool:
        """Whether the next proposal is wanted and everything it depends on is known; folds that in."""
        if self.next >= self.trials:
            self.stop = StopReason.TRIALS
        elif time.monotonic() >= self.deadline:
            self.stop = StopReason.DEADLINE
        if self.stop is not None:
            return False
        needed = self.next - self.study.settings.lag + 1
        while self.folded < needed:
            if self.folded not in self.finished:
                return False
            self.state = self.strategy.update(self.state, self.finished[self.folded])
            self.folded += 1
        return True

    def _propose(self) -> Proposal | None:
        seed = self.study.settings.seed
        return ask(self.strategy, self.state, seed, self.next, self.seen, self._check_proposal)

    def _check_proposal(self, proposal: Proposal) -> None:
        where = f"strategy {self.strategy.name}, proposal {self.next}"
        if proposal.number != self.next:
            raise StudyError(
                f"{where}: expected number {self.next}, got {proposal.number}; the strategy is wrong"
            )
        if proposal.architecture.space != self.space.id:
            raise StudyError(
                f"{where}: expected an architecture of {self.space.id}, got one of "
                f"{proposal.architecture.space}; the strategy is wrong"
            )
        for name, value in proposal.architecture:
            if value not in self.options.get(name, ()):
                raise StudyError(
                    f"{where}: {name}: expected one of {self.options.get(name, ())}, got {value!r}; "
                    "the strategy is wrong"
                )
        known = self.next - self.study.settings.lag
        for role, number in (("parent", proposal.parent), ("resume_from", proposal.resume_from)):
            if number is not None and not 0 <= number <= known:
                raise StudyError(
                    f"{where}: {role}: expected a proposal that it may know, 0 to {known}, got {number}; "
                    "the strategy is wrong"
                )
        if not 0 < proposal.fidelity <= 1:
            raise StudyError(f"{where}: fidelity: expected more than 0, at most 1, got {proposal.fidelity}")

    # ---------------------------------------------------------------------------------------- evaluating

    def _start(self, proposal: Proposal) -> None:
        number, costs = proposal.number, dict(self.costs_of(proposal.architecture))
        self._require_fit(proposal, costs)
        self._require_objectives(costs)
        seed = seed_for(self.study.settings.seed, "trial", number)
        if self.study.attempts(number) == 0:
            # Left by a study whose database was deleted: its checkpoint is not ours to continue from.
            shutil.rmtree(self.study.workdir(number), ignore_errors=True)
        attempt = self.study.begin(proposal, costs=costs, fits=True, seed=seed, options=self.options)
        self.running[number] = Started(proposal, costs, attempt)
        if number == self.next:
            self.next += 1
            self.seen.add((proposal.architecture, proposal.fidelity))
        settings = TrialSettings(number, seed, self.study.workdir(number).parent.absolute())
        self.executor.start(proposal, self.estimator, settings)
        self.tell(self.running[number])

    def _require_fit(self, proposal: Proposal, costs: Mapping[str, int]) -> None:
        where = f"strategy {self.strategy.name}, proposal {proposal.number}"
        for name, limit in self.study.settings.budget.items():
            if name not in costs:
                raise StudyError(f"{where}: the budget limits {name}, but only {sorted(costs)} are known")
            if costs[name] > limit:
                raise StudyError(
                    f"{where}: expected at most {limit} {name}, got {costs[name]}; a strategy must propose "
                    f"what fits the budget, so it is wrong: {proposal.architecture.to_json()}"
                )

    def _require_objectives(self, costs: Mapping[str, int]) -> None:
        known = {*costs, *(metric.name for metric in self.estimator.metrics)}
        for objective in self.study.settings.objectives:
            if objective.name not in known:
                raise StudyError(
                    f"objective {objective.name}: expected a metric of the estimator or a cost, got neither; "
                    f"expected one of {', '.join(sorted(known))}"
                )

    def _report(self, report: Report) -> None:
        value = report.metrics.get(self.study.settings.objective.name)
        if value is not None:
            self.study.report(report.number, report.step, value)
        self.tell(Reported(report.number, report.step, report.metrics))

    def _finish(self, outcome: Outcome) -> None:
        started = self.running[outcome.number]
        reason = outcome.reason
        if outcome.metrics is not None:
            reason = self._fault_of(outcome.metrics)
        trial = Trial(
            proposal=started.proposal,
            state=TrialState.COMPLETE if reason is None else TrialState.FAILED,
            metrics=outcome.metrics if outcome.metrics is not None and reason is None else {},
            costs=started.costs,
            fits=True,
            seed=seed_for(self.study.settings.seed, "trial", outcome.number),
            reason=reason,
            curve=outcome.curve,
            started=outcome.started,
            seconds=outcome.seconds,
        )
        self.study.finish(trial)
        del self.running[outcome.number]
        self.finished[outcome.number] = trial
        settings = self.study.settings
        self.best = better_of(settings.objective, self.best, trial)
        self.front = front_with(settings.objectives, self.front, trial)
        self.tell(Finished(trial, self.best, len(self.finished), len(self.front)))

    def _fault_of(self, metrics: Mapping[str, float]) -> str | None:
        """Say why metrics are no result: all objectives that are measured are to be there."""
        measured = {metric.name for metric in self.estimator.metrics}
        objectives = [one for one in self.study.settings.objectives if one.name in measured]
        faults = (fault_of(metrics, objective) for objective in objectives)
        return next((fault for fault in faults if fault is not None), None)
