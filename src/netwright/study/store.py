"""The durable record of a search: an Optuna study, so that Optuna's tools open it.

One proposal is one Optuna trial, or several if its evaluation was cut off: each attempt has its own, and all
but the last are marked as interrupted. What a trial carries:

======================  =================================================================================
parameters              the active decisions, as categorical parameters
values                  the objectives in their order (complete trials)
intermediate values     the first objective by step, as reported
``proposal``            our number; Optuna's own number counts attempts
``attempt``             0 for the first attempt
``architecture``        the architecture's JSON
``fidelity`` ...        ``fidelity``, ``parent``, ``resume_from``, ``seed``, ``fits``
``cost.NAME``           exact costs
``metric.NAME``         what the estimator measured
``curve``               ``[step, metrics]`` pairs
``seconds``             wall time of the evaluation
``reason``              why it failed
``interrupted``         true for an attempt that was cut off
======================  =================================================================================

A proposal is written in one transaction before it runs. A result is safe as soon as the trial's state is
written, which happens last: what a crash leaves behind is either a finished trial or one to run again.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from netwright.errors import StudyError
from netwright.space.architecture import Architecture, Value
from netwright.study.database import DATABASE, DATABASE_ERRORS, cause, connect, disconnect, quiet, shown
from netwright.study.history import History
from netwright.study.locks import DriverLock
from netwright.study.ownership import claim
from netwright.study.settings import StudySettings, differences, require_format
from netwright.trial import Proposal, Trial, TrialState, value_of

LOCK = "driver.lock"
TRIALS = "trials"
NAME = "netwright"

_SETTINGS = "netwright"
_STOPS = "stops"


class Study:
    """The record of one search; made by ``open_study`` to write or ``read_study`` to read.

    Close it, or use it in a ``with`` statement.

    Attributes:
        directory: the run directory.
        settings: what the search depends on.
        name: name of the Optuna study.
        url: where Optuna finds it, e.g. for ``optuna-dashboard``; without password.
    """

    def __init__(
        self,
        directory: Path,
        settings: StudySettings,
        optuna_study: optuna.Study,
        storage: RDBStorage,
        url: str,
        lock: DriverLock | None,
    ) -> None:
        self.directory = directory
        self.settings = settings
        self.name = optuna_study.study_name
        self.url = url
        self._optuna = optuna_study
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(self.name)
        self._lock = lock
        self._absorbed: set[int] = set()
        self._proposals: dict[int, Proposal] = {}
        self._attempts: dict[int, int] = {}
        self._trials: dict[int, Trial] = {}
        self._running: dict[int, int] = {}
        self._distributions: dict[str, CategoricalDistribution] = {}
        self._refresh()
        if lock is not None:
            for number in sorted(self._running):
                self.interrupt(number, "the search was killed while it ran")
        self._require_no_gaps()

    # ------------------------------------------------------------------------------------------ reading

    def history(self) -> History:
        """Give the finished trials; a reader sees what another process has finished meanwhile.

        Only trials that are new or were unfinished are read from the database.
        """
        if self._lock is None:
            self._refresh()
        return History.of(self.settings.objective, self._trials.values(), self.settings.further)

    def proposals(self) -> tuple[Proposal, ...]:
        """Give every proposal that was ever written, in the order of their numbers."""
        if self._lock is None:
            self._refresh()
        return tuple(self._proposals[number] for number in sorted(self._proposals))

    def unfinished(self) -> tuple[Proposal, ...]:
        """Give the proposals that have no result: they run now or must run again."""
        return tuple(one for one in self.proposals() if one.number not in self._trials)

    def attempts(self, number: int) -> int:
        """Say how many evaluations of a proposal have begun."""
        return self._attempts.get(number, 0)

    def stops(self) -> list[dict[str, Any]]:
        """Give the recorded ends of the search, the earliest first: why, when, after how many proposals."""
        stops: list[dict[str, Any]] = self._storage.get_study_user_attrs(self._study_id).get(_STOPS, [])
        return stops

    def workdir(self, number: int) -> Path:
        """Give the folder of a trial; it is not made here."""
        return self.directory / TRIALS / str(number)

    # ------------------------------------------------------------------------------------------ writing

    def begin(
        self,
        proposal: Proposal,
        *,
        costs: Mapping[str, int],
        fits: bool,
        seed: int,
        options: Mapping[str, Sequence[Value]],
    ) -> int:
        """Write down that a proposal is evaluated from now on.

        Args:
            proposal: what is evaluated.
            costs: its exact costs.
            fits: whether they are within the budget.
            seed: seed of the trial.
            options: the options of every decision of the space, in a fixed order.

        Returns:
            The number of attempts before this one.
        """
        self._require_driver()
        number, attempt = proposal.number, self.attempts(proposal.number)
        choices = dict(proposal.architecture.choices)
        row = optuna.trial.create_trial(
            state=OptunaState.RUNNING,
            params=choices,
            distributions={name: self._distribution(name, options[name]) for name in choices},
            user_attrs={
                "proposal": number,
                "attempt": attempt,
                "architecture": proposal.architecture.to_dict(),
                "fidelity": proposal.fidelity,
                "parent": proposal.parent,
                "resume_from": proposal.resume_from,
                "seed": seed,
                "fits": fits,
                **{f"cost.{name}": value for name, value in costs.items()},
            },
        )
        with self._writing():
            self._running[number] = self._storage.create_new_trial(self._study_id, row)
        self._proposals[number] = proposal
        self._attempts[number] = attempt + 1
        return attempt

    def report(self, number: int, step: int, value: float) -> None:
        """Write an intermediate value of the first objective, for Optuna's plots and for those who watch."""
        self._require_driver()
        with self._writing():
            self._storage.set_trial_intermediate_value(self._running[number], step, value)

    def finish(self, trial: Trial) -> None:
        """Write a result. When this returns, it is on disk."""
        self._require_driver()
        row = self._running[trial.number]
        with self._writing():
            for name, value in trial.metrics.items():
                self._storage.set_trial_user_attr(row, f"metric.{name}", value)
            if trial.curve:
                self._storage.set_trial_user_attr(row, "curve", trial.curve)
            self._storage.set_trial_user_attr(row, "seconds", trial.seconds)
            if trial.complete:
                values = [value_of(trial, objective) for objective in self.settings.objectives]
                self._storage.set_trial_state_values(row, OptunaState.COMPLETE, values)
            else:
                self._storage.set_trial_user_attr(row, "reason", trial.reason)
                self._storage.set_trial_state_values(row, OptunaState.FAIL)
        del self._running[trial.number]
        self._trials[trial.number] = trial

    def interrupt(self, number: int, reason: str) -> None:
        """Write that an evaluation was cut off: no result, the proposal is to be run again."""
        self._require_driver()
        row = self._running[number]
        with self._writing():
            self._storage.set_trial_user_attr(row, "interrupted", True)
            self._storage.set_trial_user_attr(row, "reason", f"interrupted: {reason}; run again")
            self._storage.set_trial_state_values(row, OptunaState.FAIL)
        del self._running[number]

    def record_stop(self, stop: Mapping[str, Any]) -> None:
        """Add to the list of the search's ends.

        Args:
            stop: why and after how many proposals, as JSON values; the time is added.
        """
        self._require_driver()
        with self._writing():
            stops = [*self.stops(), {**stop, "time": time.time()}]
            self._storage.set_study_user_attr(self._study_id, _STOPS, stops)

    def close(self) -> None:
        """Give back the database and the lock; a second time does nothing."""
        disconnect(self._storage)
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ----------------------------------------------------------------------------------------- internals

    def _distribution(self, name: str, options: Sequence[Value]) -> CategoricalDistribution:
        if name not in self._distributions:
            self._distributions[name] = CategoricalDistribution(tuple(options))
        return self._distributions[name]

    def _require_driver(self) -> None:
        if self._lock is None:
            raise StudyError(f"{self.directory}: this study was opened to be read; use open_study to write")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except DATABASE_ERRORS as error:
            raise StudyError(
                f"{self.directory}: the database cannot be written ({cause(error)}); "
                "when that is mended (disk space, rights, server), the same command again continues"
            ) from error
        except optuna.exceptions.UpdateFinishedTrialError as error:
            raise StudyError(
                f"{self.directory}: another program has ended a running trial of this study ({error}); "
                "the same command again continues"
            ) from error

    def _refresh(self) -> None:
        """Take in what is new; Optuna's cache asks the database for new and unfinished trials only."""
        self._running = {}
        for row in self._optuna.get_trials(deepcopy=False):
            if row.number not in self._absorbed and "proposal" in row.user_attrs:
                self._absorb(row)

    def _absorb(self, row: FrozenTrial) -> None:
        attributes = row.user_attrs
        number: int = attributes["proposal"]
        self._proposals[number] = _proposal_of(row)
        self._attempts[number] = max(self.attempts(number), attributes["attempt"] + 1)
        if not row.state.is_finished():
            self._running[number] = self._storage.get_trial_id_from_study_id_trial_number(
                self._study_id, row.number
            )
            return
        self._absorbed.add(row.number)
        ended_by_us = row.state is OptunaState.COMPLETE or "reason" in attributes
        if attributes.get("interrupted") or not ended_by_us:
            return
        if number in self._trials:
            raise StudyError(f"{self.directory}: proposal {number} has two results; the database is damaged")
        self._trials[number] = _trial_of(row, self._proposals[number])

    def _require_no_gaps(self) -> None:
        missing = sorted(set(range(len(self._proposals))) - self._proposals.keys())
        if missing:
            raise StudyError(
                f"{self.directory}: proposals {missing} are missing from the database; it is damaged, "
                "restore it from a copy or start a new run directory"
            )


def open_study(
    directory: Path, settings: StudySettings, *, url: str | None = None, name: str = NAME
) -> Study:
    """Open the study of a run directory to write, or make it.

    Trials that a killed search left running are marked as interrupted.

    Args:
        directory: the run directory; made if it is missing.
        settings: what the search depends on; an existing study must have the same.
        url: a database in place of ``study.db`` in the run directory, e.g. ``postgresql://...``; the run
            directory still holds the checkpoints, so a study belongs to one run directory.
        name: name of the Optuna study, of which a server holds many.

    Raises:
        StudyError: if another search is running on it, if it was made with other settings (each is named), if
            the directory is on a network file system, or if the database cannot be opened.
        MissingDependencyError: if the driver of that database is not installed.
    """
    wanted = settings.to_dict()
    directory.mkdir(parents=True, exist_ok=True)
    lock = DriverLock(directory / LOCK)
    try:
        storage = connect(directory, url)
        try:
            study = _load(storage, name, settings)
            _agree(directory, storage, name, wanted)
            if url is not None:
                claim(directory, storage, name)
            return Study(directory, settings, study, storage, shown(directory, url), lock)
        except BaseException:
            disconnect(storage)
            raise
    except BaseException:
        lock.release()
        raise


def read_study(directory: Path, *, url: str | None = None, name: str = NAME) -> Study:
    """Open the study of a run directory to read, also while a search is writing it.

    Args:
        directory: the run directory.
        url: the database, if it is not ``study.db`` in the run directory.
        name: name of the Optuna study.

    Raises:
        StudyError: if there is none, or if its database cannot be read.
    """
    if url is None and not (directory / DATABASE).exists():
        raise StudyError(f"{directory}: expected a run directory with {DATABASE}, found none; check the path")
    storage = connect(directory, url)
    try:
        with quiet():
            try:
                study = optuna.load_study(study_name=name, storage=storage)
            except KeyError:
                raise StudyError(f"{directory}: its database has no study named {name!r}") from None
        stored = study.user_attrs.get(_SETTINGS)
        if stored is None:
            raise StudyError(f"{directory}: the study {name!r} was not made by netwright, or not yet begun")
        return Study(directory, StudySettings.from_dict(stored), study, storage, shown(directory, url), None)
    except BaseException:
        disconnect(storage)
        raise


def _load(storage: RDBStorage, name: str, settings: StudySettings) -> optuna.Study:
    with quiet():
        return optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[objective.direction for objective in settings.objectives],
            load_if_exists=True,
        )


def _agree(directory: Path, storage: RDBStorage, name: str, wanted: dict[str, Any]) -> None:
    """Write the settings of a new study, or insist on those of an old one."""
    study_id = storage.get_study_id_from_name(name)
    stored = storage.get_study_user_attrs(study_id).get(_SETTINGS)
    if stored is None:
        if storage.get_all_trials(study_id, deepcopy=False):
            raise StudyError(
                f"{directory}: the study {name!r} has trials that netwright did not make; use another name"
            )
        with quiet():
            study = optuna.load_study(study_name=name, storage=storage)
            study.set_metric_names([one["name"] for one in (wanted["objective"], *wanted.get("further", ()))])
        storage.set_study_user_attr(study_id, _SETTINGS, wanted)
        return
    require_format(stored)
    changed = differences(stored, wanted)
    if changed:
        lines = "\n  ".join(changed)
        raise StudyError(
            f"{directory}: its study was made with other settings:\n  {lines}\n"
            "repeat the stored settings to continue it, or use another run directory for a new search"
        )


# ------------------------------------------------------------------------------------------- rows to values


def _proposal_of(row: FrozenTrial) -> Proposal:
    attributes = row.user_attrs
    return Proposal(
        number=attributes["proposal"],
        architecture=Architecture.from_dict(attributes["architecture"]),
        fidelity=attributes["fidelity"],
        parent=attributes["parent"],
        resume_from=attributes["resume_from"],
    )


def _trial_of(row: FrozenTrial, proposal: Proposal) -> Trial:
    attributes = row.user_attrs
    complete = row.state is OptunaState.COMPLETE
    return Trial(
        proposal=proposal,
        state=TrialState.COMPLETE if complete else TrialState.FAILED,
        metrics=_named(attributes, "metric."),
        costs=_named(attributes, "cost."),
        fits=attributes["fits"],
        seed=attributes["seed"],
        reason=None if complete else attributes["reason"],
        curve=tuple((step, metrics) for step, metrics in attributes.get("curve", [])),
        started=_seconds(row.datetime_start),
        seconds=attributes.get("seconds", 0.0),
    )


def _named(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in attributes.items() if name.startswith(prefix)}


def _seconds(moment: datetime.datetime | None) -> float:
    return 0.0 if moment is None else moment.timestamp()
