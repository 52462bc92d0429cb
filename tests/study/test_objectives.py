"""Studies with several objectives: kept, read by Optuna, resumed, and their Pareto fronts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from netwright.errors import ConfigError, StudyError
from netwright.seeding import rng_for
from netwright.study import (
    Finished,
    History,
    SearchResult,
    SerialExecutor,
    StudySettings,
    open_study,
    read_study,
    run_search,
)
from netwright.study.settings import differences
from netwright.trial import Context, Metric, Objectives, Proposal, Trial, TrialState
from tests.study.probes import ACCURACY, SPACE, Climber, Table, costs_of, settings

MACS = Metric("macs", "", "minimize")
LOSS = Metric("loss", "nats", "minimize")
BOTH = (ACCURACY, MACS)


@dataclass(frozen=True)
class Two(Table):
    """Measures a second objective as well."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (ACCURACY, LOSS)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        metrics = super().__call__(proposal, context)
        if self.faults.get(proposal.number) == "no loss":
            return {ACCURACY.name: metrics[ACCURACY.name]}
        return {**metrics, "loss": float(int(proposal.architecture["width"]))}


@dataclass(frozen=True)
class Listening(Climber):
    """Remembers which objectives it was told of."""

    told: Any = None

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        self.told.append(objectives)
        return super().init(space, budget, objectives, seed)


def search(
    directory: Path,
    *further: Metric,
    trials: int = 12,
    estimator: Table = Two(),
    strategy: Climber = Climber(),  # noqa: B008
    on_event: Any = None,
) -> SearchResult:
    with open_study(directory, settings(further=further)) as study:
        return run_search(
            SPACE,
            strategy,
            estimator,
            study,
            SerialExecutor(),
            costs_of=costs_of,
            trials=trials,
            on_event=on_event,
        )


@contextmanager
def with_optuna(directory: Path) -> Iterator[optuna.Study]:
    """The study as a program that knows nothing of netwright reads it."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{directory / 'study.db'}")
    try:
        yield optuna.load_study(study_name="netwright", storage=storage)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_optuna_sees_all_values_and_the_same_front(tmp_path: Path) -> None:
    history = search(tmp_path, MACS, LOSS, estimator=Two(faults={3: "raise"}), trials=20).history
    with with_optuna(tmp_path) as found:
        check(history, found)


def check(history: History, found: optuna.Study) -> None:
    assert [direction.name for direction in found.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    assert found.metric_names == ["validation_accuracy", "macs", "loss"]
    for trial, row in zip(history, found.trials, strict=True):
        if trial.complete:
            assert row.values == [trial.metrics[ACCURACY.name], trial.costs["macs"], trial.metrics["loss"]]
        else:
            assert (trial.number, row.state.name) == (3, "FAIL")
    best = [row.user_attrs["proposal"] for row in found.best_trials]
    assert [trial.number for trial in history.pareto] == best
    assert 1 < len(best) < 19
    optuna.visualization.plot_pareto_front(found)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    history = search(tmp_path, MACS).history
    with read_study(tmp_path) as study:
        assert study.settings == settings(further=(MACS,))
        assert study.settings.objectives == BOTH
        assert study.history() == history
        assert study.history().objectives == BOTH
        assert study.history().pareto == history.pareto


def test_in_pieces_it_is_the_same(tmp_path: Path) -> None:
    whole = search(tmp_path / "whole", MACS).history
    for trials in (3, 7, 12):
        pieces = search(tmp_path / "pieces", MACS, trials=trials).history
    assert pieces == whole


def test_the_strategy_is_told_of_all_objectives(tmp_path: Path) -> None:
    told: list[Objectives] = []
    search(tmp_path / "two", MACS, strategy=Listening(told=told), trials=1)
    search(tmp_path / "one", strategy=Listening(told=told), trials=1)
    assert told == [BOTH, (ACCURACY,)]


def test_events_tell_how_large_the_front_is(tmp_path: Path) -> None:
    sizes: list[int] = []

    def watch(event: object) -> None:
        if isinstance(event, Finished):
            sizes.append(event.front)

    search(tmp_path, MACS, trials=6, on_event=watch)
    history = search(tmp_path, MACS, on_event=watch).history
    assert sizes == [len(History.of(ACCURACY, [*history][: n + 1], (MACS,)).pareto) for n in range(12)]


def test_a_measured_objective_must_be_returned(tmp_path: Path) -> None:
    history = search(tmp_path, LOSS, estimator=Two(faults={1: "no loss"}), trials=3).history
    assert history[1].reason == (
        "the objective loss is missing; the estimator returned ['validation_accuracy']"
    )


def test_an_objective_that_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError,
        match="objective beauty: expected a metric of the estimator or a cost, got neither; expected one of "
        "loss, macs, params, validation_accuracy",
    ):
        search(tmp_path, Metric("beauty", "", "maximize"))


def test_an_objective_the_other_way_round(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"objective: expected .*'maximize'.* got .*'minimize'"):
        search(tmp_path, Metric("loss", "nats", "maximize"))


def test_an_objective_twice() -> None:
    with pytest.raises(
        ConfigError, match="objectives: expected each once, got validation_accuracy, macs, macs"
    ):
        settings(further=(MACS, MACS))


def test_another_set_of_objectives_is_refused(tmp_path: Path) -> None:
    open_study(tmp_path, settings()).close()
    with pytest.raises(StudyError, match="further: the study has nothing, this call has"):
        open_study(tmp_path, settings(further=(MACS,)))
    one, two = settings().to_dict(), settings(further=(MACS,)).to_dict()
    assert len(differences(one, two)) == 1
    assert StudySettings.from_dict(two) == settings(further=(MACS,))


def test_a_study_of_one_objective_is_kept_as_it_always_was() -> None:
    """What a study holds that was made before there could be several objectives."""
    old = {
        "format": 1,
        "space": SPACE.id,
        "objective": {"name": "validation_accuracy", "unit": "share", "direction": "maximize"},
        "strategy": "climber",
        "seed": 7,
        "lag": 4,
        "budget": {"macs": 10_000_000},
        "options": {},
        "estimator": {},
        "data": None,
    }
    assert settings().to_dict() == old
    assert StudySettings.from_dict(old) == settings()
    assert settings(further=(MACS,)).to_dict()["format"] == 2  # older versions refuse it in good order


# ------------------------------------------------------------------------------------------- the history

NETWORK = SPACE.of({"depth": 1, "width": 8, "kernel1": 3, "act": "relu"})


def trial(number: int, accuracy: float | None, macs: int = 50, fits: bool = True) -> Trial:
    return Trial(
        proposal=Proposal(number, NETWORK),
        state=TrialState.FAILED if accuracy is None else TrialState.COMPLETE,
        metrics={} if accuracy is None else {ACCURACY.name: accuracy},
        costs={"macs": macs},
        fits=fits,
        seed=1,
    )


REFERENCE = {ACCURACY.name: 0.0, "macs": 100}
IDEAL = {ACCURACY.name: 1.0, "macs": 0}


def test_the_front_leaves_out_what_failed_or_does_not_fit() -> None:
    trials = [
        trial(0, 0.5, 50),
        trial(1, None, 10),
        trial(2, 0.9, 90),
        trial(3, 0.4, 60),
        trial(4, 0.99, 5, False),
    ]
    history = History.of(ACCURACY, [*trials, trial(5, 0.5, 50)], (MACS,))
    assert [one.number for one in history.pareto] == [0, 2, 5]
    assert History(ACCURACY, (), (MACS,)).pareto == ()


def test_with_one_objective_the_front_are_the_best() -> None:
    history = History.of(ACCURACY, [trial(0, 0.9), trial(1, 0.2), trial(2, 0.9)])
    assert [one.number for one in history.pareto] == [0, 2]
    assert history.hypervolume({ACCURACY.name: 0.5}, {ACCURACY.name: 1}) == pytest.approx(0.8)


def test_hypervolume_by_hand() -> None:
    """Boxes of 0.5 x 0.5 and 0.9 x 0.1, which share 0.5 x 0.1."""
    history = History.of(ACCURACY, [trial(0, 0.5, 50), trial(1, 0.9, 90), trial(2, 0.4, 60)], (MACS,))
    assert history.hypervolume(REFERENCE, IDEAL) == pytest.approx(0.25 + 0.09 - 0.05)
    assert history.hypervolumes(REFERENCE, IDEAL) == pytest.approx((0.25, 0.29, 0.29))


def test_what_is_beyond_the_reference_counts_for_nothing() -> None:
    history = History.of(ACCURACY, [trial(0, None), trial(1, 0.9, 100), trial(2, 0.9, 200)], (MACS,))
    assert history.hypervolumes(REFERENCE, IDEAL) == (0, 0, 0)
    assert History(ACCURACY, (), (MACS,)).hypervolume(REFERENCE, IDEAL) == 0


def test_hypervolumes_grow_to_the_hypervolume() -> None:
    rng = rng_for(0, "hypervolumes")
    further = (MACS, LOSS)
    ends = ({**REFERENCE, "loss": 2.0}, {**IDEAL, "loss": 0.0})
    trials = [
        Trial(
            Proposal(number, NETWORK),
            TrialState.COMPLETE,
            {ACCURACY.name: float(rng.random()), "loss": float(2.2 * rng.random())},
            {"macs": int(rng.integers(1, 110))},
            fits=True,
            seed=0,
        )
        for number in range(30)
    ]
    shares = History.of(ACCURACY, trials, further).hypervolumes(*ends)
    expected = [History.of(ACCURACY, trials[: n + 1], further).hypervolume(*ends) for n in range(30)]
    assert shares == pytest.approx(expected)
    assert np.all(np.diff(shares) >= 0)
    assert 0.3 < shares[-1] < 1


def test_best_and_top_may_go_by_a_cost() -> None:
    history = History.of(MACS, [trial(0, 0.9, 30), trial(1, 0.5, 10), trial(2, 0.7, 20)], (ACCURACY,))
    assert history.best is history[1]
    assert [one.number for one in history.top(2)] == [1, 2]
    assert json.loads(json.dumps(history.comparable()))
