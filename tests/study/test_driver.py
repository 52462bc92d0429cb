from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.errors import ConfigError, StudyError
from netwright.study import (
    Event,
    Executor,
    Finished,
    ProcessExecutor,
    Reported,
    Resumed,
    SearchResult,
    SerialExecutor,
    Started,
    Stopped,
    StopReason,
    StudySettings,
    open_study,
    read_study,
    run_search,
)
from netwright.trial import Context, Estimator, Metric, Proposal, Strategy, Trial
from tests.study.probes import ACCURACY, SPACE, Climber, Table, costs_of, settings


def search(
    directory: Path,
    *,
    trials: int | None = 7,
    strategy: Strategy = Climber(),  # noqa: B008 - a frozen value
    estimator: Estimator = Table(),  # noqa: B008
    executor: Executor | None = None,
    with_settings: StudySettings | None = None,
    deadline: float | None = None,
    on_event: Any = None,
) -> SearchResult:
    with open_study(directory, with_settings or settings()) as study:
        return run_search(
            SPACE,
            strategy,
            estimator,
            study,
            executor or SerialExecutor(),
            costs_of=costs_of,
            trials=trials,
            deadline=deadline,
            on_event=on_event,
        )


@dataclass(frozen=True)
class Watching(Climber):
    """Notes which trials each proposal was made from."""

    seen: dict[int, list[int]] = field(default_factory=dict)

    def propose(self, state: tuple[Trial, ...], rng: np.random.Generator, number: int) -> Proposal | None:
        self.seen[number] = [trial.number for trial in state]
        return super().propose(state, rng, number)


@pytest.mark.parametrize("lag", [1, 4])
def test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag(tmp_path: Path, lag: int) -> None:
    strategy = Watching()
    with ProcessExecutor(lag) as executor:
        result = search(
            tmp_path,
            strategy=strategy,
            estimator=Table(delay=0.05),
            executor=executor,
            with_settings=settings(lag=lag),
        )
    assert strategy.seen == {number: list(range(number - lag + 1)) for number in range(7)}
    assert [trial.number for trial in result.history] == list(range(7))


def test_any_number_of_workers_makes_the_same_study(tmp_path: Path) -> None:
    faults = {2: "raise", 5: "exit", 6: "nan"}
    contents = []
    for workers in (1, 2, 4):
        orders: list[int] = []
        with ProcessExecutor(workers) as executor:
            result = search(
                tmp_path / str(workers),
                estimator=Table(delay=0.1, faults=faults),
                executor=executor,
                trials=9,
                on_event=lambda event, orders=orders: (
                    orders.append(event.trial.number) if isinstance(event, Finished) else None
                ),
            )
        contents.append(result.history.comparable())
        assert sorted(orders) == list(range(9))
    assert contents[0] == contents[1] == contents[2]
    assert [trial["state"] for trial in contents[0]].count("failed") == 3


def test_another_seed_makes_another_study(tmp_path: Path) -> None:
    one = search(tmp_path / "7", trials=4).history.comparable()
    other = search(tmp_path / "8", trials=4, with_settings=settings(seed=8)).history.comparable()
    assert one != other


def test_a_study_in_pieces_equals_one_in_a_piece(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", trials=7).history
    for trials in (0, 1, 5, 7):
        events: list[Event] = []
        part = search(tmp_path / "parts", trials=trials, on_event=events.append)
        assert part.stop == Stopped(StopReason.TRIALS, trials, trials)
        assert part.history.comparable() == whole.comparable()[:trials]
    assert isinstance(events[0], Resumed)
    assert events[0] == Resumed(5, ())


def test_events_tell_the_story_in_order(tmp_path: Path) -> None:
    events: list[Event] = []
    result = search(tmp_path, trials=2, estimator=Table(faults={1: "raise"}), on_event=events.append)
    kinds = [Started, Reported, Reported, Finished, Started, Reported, Reported, Finished, Stopped]
    assert [type(event) for event in events] == kinds
    first, second = events[3], events[7]
    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert first.best is first.trial
    assert (second.best, second.finished) == (first.trial, 2)
    assert second.trial.reason == "ValueError: the kernel is too large"
    assert events[-1] == result.stop


def test_a_finished_search_does_nothing(tmp_path: Path) -> None:
    before = search(tmp_path, trials=3)
    log = tmp_path / "evaluations"
    after = search(tmp_path, trials=3, estimator=Table(log=log))
    assert after.history == before.history
    assert not log.exists()
    with read_study(tmp_path) as study:
        assert [stop["reason"] for stop in study.stops()] == ["trials"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nan", "metric validation_accuracy: expected a finite number, got nan"),
        ("no objective", "the objective validation_accuracy is missing; the estimator returned ['loss']"),
    ],
)
def test_metrics_that_are_no_result_make_a_failed_trial(tmp_path: Path, fault: str, reason: str) -> None:
    history = search(tmp_path, trials=3, estimator=Table(faults={1: fault})).history
    assert [trial.complete for trial in history] == [True, False, True]
    assert history[1].reason == reason
    assert history[1].metrics == {}
    assert len(history[1].curve) == 2


def test_what_a_trial_records(tmp_path: Path) -> None:
    trial = search(tmp_path, trials=1).history[0]
    assert trial.costs == costs_of(trial.proposal.architecture)
    assert trial.fits
    assert 0 <= trial.seed < 2**63
    assert [step for step, _ in trial.curve] == [0, 1]
    assert trial.seconds > 0
    assert trial.started > 1.7e9


def test_a_search_goes_on_when_every_trial_fails(tmp_path: Path) -> None:
    result = search(tmp_path, trials=4, estimator=Table(faults=dict.fromkeys(range(4), "raise")))
    assert len(result.history.failed) == 4
    assert result.history.best is None


# --------------------------------------------------------------------------------------- strategies that err


@dataclass(frozen=True)
class Saying(Climber):
    """Says what it is told to, whatever the state."""

    architecture: Any = None
    changes: Mapping[str, Any] = field(default_factory=dict)

    def propose(self, state: tuple[Trial, ...], rng: np.random.Generator, number: int) -> Proposal | None:
        architecture = self.architecture or SPACE.draw(rng)
        return replace(Proposal(number, architecture), **self.changes)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study in which no test leaves anything."""
    return tmp_path_factory.mktemp("empty")


SMALL = SPACE.of({"depth": 1, "width": 8, "kernel1": 3, "act": "relu"})
LARGE = SPACE.of({"depth": 1, "width": 160, "kernel1": 13, "act": "relu"})


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (Saying(changes={"number": 5}), "expected number 0, got 5"),
        (
            Saying(architecture=replace(SMALL, space="other-1")),
            "expected an architecture of tiny-0000, got one of other",
        ),
        (
            Saying(architecture=replace(SMALL, choices=(("depth", 3),))),
            r"depth: expected one of \(1, 2\), got 3",
        ),
        (Saying(architecture=replace(SMALL, choices=(("deep", 1),))), r"deep: expected one of \(\), got 1"),
        (Saying(changes={"parent": 0}), "parent: expected a proposal that it may know, 0 to -4, got 0"),
        (Saying(changes={"resume_from": -1}), "resume_from: expected a proposal that it may know"),
        (Saying(changes={"fidelity": 0.0}), "fidelity: expected more than 0, at most 1, got 0.0"),
    ],
)
def test_a_proposal_that_is_none_is_an_error_of_the_strategy(
    empty: Path, strategy: Strategy, message: str
) -> None:
    with pytest.raises(StudyError, match=f"strategy climber, proposal 0: {message}"):
        search(empty, strategy=strategy)
    with read_study(empty) as study:
        assert study.proposals() == ()


def test_a_proposal_over_the_budget_is_never_evaluated(tmp_path: Path) -> None:
    log = tmp_path / "evaluations"
    tight = settings(budget={"macs": 100_000})
    with pytest.raises(StudyError, match="climber, proposal 0: expected at most 100000 macs, got 2704000"):
        search(tmp_path, strategy=Saying(architecture=LARGE), estimator=Table(log=log), with_settings=tight)
    assert not log.exists()
    with read_study(tmp_path) as study:
        assert study.proposals() == ()


def test_a_limit_on_a_cost_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the budget limits sram, but only \['macs', 'params'\] are known"):
        search(tmp_path, with_settings=settings(budget={"sram": 1}))


@dataclass(frozen=True)
class Repeating(Climber):
    """Draws from five architectures, with the same chance each."""

    asked: list[int] = field(default_factory=list)

    def propose(self, state: tuple[Trial, ...], rng: np.random.Generator, number: int) -> Proposal | None:
        self.asked.append(number)
        width = (8, 16, 24, 32, 48)[int(rng.integers(5))]
        return Proposal(number, SPACE.of({"depth": 1, "width": width, "kernel1": 3, "act": "relu"}))


def test_a_strategy_that_repeats_itself_is_asked_again_and_then_gets_its_way(tmp_path: Path) -> None:
    strategy = Repeating()
    history = search(tmp_path, strategy=strategy, trials=6).history
    architectures = [trial.proposal.architecture for trial in history]
    assert len(set(architectures[:5])) == 5
    assert architectures[5] in architectures[:5]
    assert strategy.asked.count(5) == 50
    # The duplicate has a seed of its own, so it is a second measurement.
    twin = next(trial for trial in history if trial.proposal.architecture == architectures[5])
    assert twin.seed != history[5].seed
    assert twin.metrics != history[5].metrics


@dataclass(frozen=True)
class Promoting(Climber):
    """Evaluates each architecture cheaply, then again in full from the checkpoint."""

    def propose(self, state: tuple[Trial, ...], rng: np.random.Generator, number: int) -> Proposal | None:
        if number % 2 and state:
            cheap = state[-1].proposal
            return Proposal(number, cheap.architecture, parent=cheap.number, resume_from=cheap.number)
        return Proposal(number, SPACE.draw(rng), fidelity=0.25)


def test_the_same_architecture_at_another_fidelity_is_no_duplicate(tmp_path: Path) -> None:
    history = search(tmp_path, strategy=Promoting(), trials=2, with_settings=settings(lag=1)).history
    assert history[0].proposal.architecture == history[1].proposal.architecture
    assert history[1].proposal.resume_from == 0


@dataclass(frozen=True)
class Finite(Climber):
    def propose(self, state: tuple[Trial, ...], rng: np.random.Generator, number: int) -> Proposal | None:
        return None if number == 5 else Proposal(number, SPACE.draw(rng))


def test_nothing_left_to_propose_ends_the_search(tmp_path: Path) -> None:
    for _ in range(2):
        result = search(tmp_path, strategy=Finite(), trials=100)
        assert result.stop == Stopped(StopReason.EXHAUSTED, 5, 5)
    with read_study(tmp_path) as study:
        assert [(stop["reason"], stop["proposals"]) for stop in study.stops()] == [("exhausted", 5)]


# ---------------------------------------------------------------------------------- arguments that do not fit


def test_more_workers_than_the_lag_are_refused(tmp_path: Path) -> None:
    message = "workers: expected at most 2, the study's lag, got 3"
    with ProcessExecutor(3) as executor, pytest.raises(ConfigError, match=message):
        search(tmp_path, executor=executor, with_settings=settings(lag=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "other-1"}, "space: expected other-1 as the study has it, got tiny-0000"),
        ({"strategy": "random"}, "strategy: expected random as the study has it, got climber"),
        (
            {"objective": Metric("loss", "", "minimize")},
            "objective: expected Metric.*loss.*got Metric.*acc",
        ),
    ],
)
def test_arguments_must_be_those_of_the_study(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        search(tmp_path, with_settings=settings(**changes))


def test_a_search_needs_an_end(empty: Path) -> None:
    with pytest.raises(ConfigError, match="a number of trials or a time limit, got neither"):
        search(empty, trials=None)
    with pytest.raises(ConfigError, match="trials: expected 0 or more, got -1"):
        search(empty, trials=-1)


# --------------------------------------------------------------------------------------------------- time


def test_after_the_deadline_what_was_proposed_is_finished_and_nothing_is_added(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", trials=8).history.comparable()
    part = search(tmp_path / "part", trials=None, deadline=time.monotonic() - 1)
    assert part.stop == Stopped(StopReason.DEADLINE, 0, 0)
    with ProcessExecutor(2) as executor:
        timed = search(
            tmp_path / "part",
            trials=None,
            estimator=Table(delay=0.1),
            executor=executor,
            deadline=time.monotonic() + 1.0,
        )
    assert timed.stop.reason is StopReason.DEADLINE
    assert timed.stop.proposals == timed.stop.finished == len(timed.history)
    both = min(len(whole), len(timed.history))
    assert timed.history.comparable()[:both] == whole[:both]
    with read_study(tmp_path / "part") as study:
        assert study.stops()[-1]["proposals"] == len(timed.history)
        assert study.stops()[-1]["reason"] == "deadline"
    more = search(tmp_path / "part", trials=len(timed.history) + 3, deadline=math.inf)
    assert more.stop == Stopped(StopReason.TRIALS, len(timed.history) + 3, len(timed.history) + 3)
    assert more.history.comparable()[:both] == whole[:both]


# --------------------------------------------------------------------------------------------- interruptions


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_search_in_good_order(tmp_path: Path, number: signal.Signals) -> None:
    whole = search(tmp_path / "whole", trials=6).history.comparable()
    before = signal.getsignal(number)

    def interrupt(event: Event) -> None:
        if isinstance(event, Started) and event.proposal.number == 3:
            os.kill(os.getpid(), number)

    slow = Table(faults={2: "hang", 3: "hang"})
    with ProcessExecutor(2) as executor:
        result = search(tmp_path / "broken", trials=6, estimator=slow, executor=executor, on_event=interrupt)
    assert result.stop == Stopped(StopReason.INTERRUPTED, 4, 2, signal.Signals(number).name)
    assert signal.getsignal(number) == before
    with read_study(tmp_path / "broken") as study:
        assert [proposal.number for proposal in study.unfinished()] == [2, 3]
        assert study.stops()[-1]["reason"] == "interrupted"
    events: list[Event] = []
    again = search(tmp_path / "broken", trials=6, on_event=events.append)
    assert events[0] == Resumed(2, (2, 3))
    attempts = [event.attempt for event in events if isinstance(event, Started)]
    assert attempts == [1, 1, 0, 0]
    assert again.history.comparable() == whole


def test_a_second_signal_acts_at_once(tmp_path: Path) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Started):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, on_event=interrupt)
    with read_study(tmp_path) as study:
        assert [proposal.number for proposal in study.unfinished()] == [0]


def test_an_error_of_a_watcher_leaves_a_study_that_continues(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", trials=5).history.comparable()

    def fail(event: Event) -> None:
        if isinstance(event, Started) and event.proposal.number == 2:
            raise RuntimeError("the screen is gone")

    with pytest.raises(RuntimeError, match="the screen is gone"):
        search(tmp_path / "broken", trials=5, on_event=fail)
    with read_study(tmp_path / "broken") as study:
        assert [proposal.number for proposal in study.unfinished()] == [2]
    assert search(tmp_path / "broken", trials=5).history.comparable() == whole


def test_an_estimator_that_cannot_be_sent_stops_the_search_and_can_be_mended(tmp_path: Path) -> None:
    class Local:
        metrics = (ACCURACY,)

        def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
            return {ACCURACY.name: 1.0}

    with (
        ProcessExecutor(1) as executor,
        pytest.raises(ConfigError, match="cannot be sent to a trial process"),
    ):
        search(tmp_path, trials=2, estimator=Local(), executor=executor)
    assert len(search(tmp_path, trials=2).history) == 2


def test_a_search_runs_in_another_thread_too(tmp_path: Path) -> None:
    results: list[SearchResult] = []
    thread = threading.Thread(target=lambda: results.append(search(tmp_path, trials=2)))
    thread.start()
    thread.join()
    assert len(results[0].history) == 2


@dataclass(frozen=True)
class Checkpointing:
    """Says whether it found a checkpoint of its own."""

    metrics: tuple[Metric, ...] = (ACCURACY,)
    interrupt: bool = False

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        found = context.checkpoint_of(proposal.number) is not None
        (context.workdir / "checkpoint.pt").write_text("weights")
        if self.interrupt:
            raise KeyboardInterrupt
        return {ACCURACY.name: 0.5, "found": found}


def test_a_retry_finds_its_checkpoint_and_a_new_study_finds_none(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, trials=1, estimator=Checkpointing(interrupt=True))
    assert search(tmp_path, trials=1, estimator=Checkpointing()).history[0].metrics["found"] == 1.0
    for file in tmp_path.glob("study.db*"):
        file.unlink()
    assert search(tmp_path, trials=1, estimator=Checkpointing()).history[0].metrics["found"] == 0.0
