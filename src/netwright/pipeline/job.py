"""The main job: from data and a budget to a trained, measured and exported network that fits."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from netwright.devices import Budget, budget_for, parse_bytes
from netwright.errors import BudgetError, ConfigError, StudyError
from netwright.estimators.trained import OBJECTIVE, Task, TrainedAccuracy
from netwright.ir.cost import COSTS
from netwright.nn.data import Data, Split, load_data, split
from netwright.nn.recipe import Recipe, recipe_for
from netwright.pipeline.config import SearchConfig, make_config
from netwright.pipeline.outcome import SearchOutcome, busy_seconds, read_outcome, write_outcome
from netwright.pipeline.progress import Checked, Exporting, Finishing, Loaded, Progress, Searching
from netwright.space import (
    Count,
    ExpressionSpace,
    costs_of,
    count,
    extremes,
    size,
    why_nothing_fits,
)
from netwright.spaces.catalog import make_space
from netwright.strategies import make_strategy
from netwright.strategies.listed import Listed
from netwright.study import (
    History,
    ProcessExecutor,
    Stopped,
    StopReason,
    Study,
    StudySettings,
    open_study,
    run_search,
)
from netwright.trial import Trial

PRELOAD = ("netwright.estimators.trained",)
_PASSES = 24_000
"""Images that a trial sees at the default fidelity, unless a quarter of the full training is less."""

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Job:
    """A checked main job: what the settings stand for.

    Attributes:
        config: the settings.
        data: the data; their test set stays closed until the end.
        rows: which rows train and which validate.
        space: the compiled space.
        budget: the limits.
        size: number of architectures of the space.
        fitting: how many of them fit.
        recipe: the full training.
        fidelity: share of it that a trial gets.
        task: data and split as trials see them.
    """

    config: SearchConfig
    data: Data
    rows: Split
    space: ExpressionSpace
    budget: Budget
    size: int
    fitting: Count
    recipe: Recipe
    fidelity: float
    task: Task

    @property
    def out(self) -> Path:
        """The run directory."""
        return self.config.out

    def estimator(self, *, keep: bool) -> TrainedAccuracy:
        """The estimator of this job; ``keep`` for the final trainings."""
        return TrainedAccuracy(self.task, self.space, self.recipe, self.config.accelerator, keep)

    def study(self, directory: Path, strategy: str, options: dict[str, Any], storage: str | None) -> Study:
        """Open a study of this job."""
        settings = StudySettings(
            space=self.space.id,
            objective=OBJECTIVE,
            strategy=strategy,
            seed=self.config.seed,
            lag=self.config.lag,
            budget=dict(self.budget),
            options=options,
            estimator=self.estimator(keep=False).settings(),
            data=self.data.fingerprint,
        )
        return open_study(directory, settings, url=storage)


def search(
    data: Any,
    out: str | Path,
    *,
    space: str | ExpressionSpace = "mobilenet-tiny",
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> SearchOutcome:
    """Find, train, test and export the best network that fits a budget.

    The same call again continues where the last one stopped, and does nothing when the job is done.

    Args:
        data: ``digits``, ``fashion-mnist``, ``npz:PATH``, ``folder:PATH``, a torch Dataset or a pair of them.
        out: run directory.
        space: name of a search space, or one of your own.
        on_progress: called with what happens.
        **settings: see ``SearchConfig``.

    Returns:
        What came out; ``result`` is None if the search was interrupted.

    Raises:
        NetwrightError: if a setting, the data or the budget is wrong, or all trials failed.
    """
    name = data if isinstance(data, str) else load_data(data).name
    label = space if isinstance(space, str) else space.name
    config = make_config({"data": name, "out": out, "space": label, **settings})
    return run(
        config,
        source=None if isinstance(data, str) else load_data(data),
        space=None if isinstance(space, str) else space,
        on_progress=on_progress,
    )


def run(
    config: SearchConfig,
    *,
    source: Data | None = None,
    space: ExpressionSpace | None = None,
    on_progress: OnProgress | None = None,
) -> SearchOutcome:
    """Do the main job with checked settings; see ``search``.

    Args:
        config: the settings.
        source: the data, if they are not to be loaded by name.
        space: the space, if it is not to be looked up by name.
        on_progress: called with what happens.
    """
    tell = on_progress or _ignore
    done = read_outcome(config)
    if done is not None:
        return done
    job = prepare_job(config, source, space, tell)
    found, stop = _search(job, tell)
    if stop.reason is StopReason.INTERRUPTED:
        return SearchOutcome(config, None, False, stop)
    if not found.completed:
        raise StudyError(_all_failed(job.out, found))
    finals, stop = _finish(job, found, tell)
    if stop.reason is StopReason.INTERRUPTED:
        return SearchOutcome(config, None, False, stop)
    if not finals.completed:
        raise StudyError(_all_failed(final_directory(job, found), finals))
    tell(Exporting(job.out / "export"))
    return write_outcome(job, found, finals, final_directory(job, found), stop)


def prepare_job(
    config: SearchConfig, source: Data | None, space: ExpressionSpace | None, tell: OnProgress
) -> Job:
    """Load the data, compile the space and check the budget; nothing is written.

    Raises:
        BudgetError: if nothing fits.
    """
    # Everything that can be wrong with the settings is said before data are read.
    budget = _budget(config)
    make_strategy(config.strategy, **config.options)
    if config.worker_count > config.lag:
        raise ConfigError(
            f"workers: expected at most {config.lag}, the lag, got {config.worker_count}; use fewer workers "
            "or a larger lag (the lag belongs to the study and changes its result)"
        )
    data = source if source is not None else load_data(config.data)
    share = config.validation or (0.2 if len(data.labels) < 10_000 else 0.1)
    rows = split(data, share, config.seed)
    tell(
        Loaded(
            data.name,
            len(rows.train_indices),
            len(rows.validation_indices),
            data.test_size,
            data.shape,
            len(data.classes),
            data.notes,
        )
    )
    if space is None:
        space = make_space(config.space, data.shape, len(data.classes))
    fitting = count(space, budget)
    if fitting.upper == 0:
        raise BudgetError("; ".join((why_nothing_fits(space, budget), *budget.explain())))
    whole = {metric: extremes(space, metric) for metric in COSTS}
    tell(Checked(space.id, size(space), fitting, whole, tuple(budget.explain())))
    recipe = _recipe(config, data)
    return Job(
        config=config,
        data=data,
        rows=rows,
        space=space,
        budget=budget,
        size=size(space),
        fitting=fitting,
        recipe=recipe,
        fidelity=config.fidelity or _fidelity(recipe, len(rows.train_indices)),
        task=Task(source or config.data, data.fingerprint, share, config.seed),
    )


def final_directory(job: Job, found: History) -> Path:
    """Where the final trainings of these finalists are kept: other finalists, another folder."""
    keys = "-".join(trial.proposal.architecture.key[:6] for trial in found.top(job.config.top))
    return job.out / "final" / keys


def _ignore(progress: Progress) -> None:
    pass


def _budget(config: SearchConfig) -> Budget:
    return budget_for(
        config.device,
        max_sram=config.max_sram,
        max_flash=config.max_flash,
        max_macs=config.max_macs,
        max_params=config.max_params,
        sram_margin=config.sram_margin,
        flash_margin=config.flash_margin,
    )


def _recipe(config: SearchConfig, data: Data) -> Recipe:
    recipe = recipe_for(data)
    changes: dict[str, Any] = {"class_weights": config.class_weights}
    if config.epochs is not None:
        changes["epochs"] = config.epochs
    if config.augmentation is not None:
        changes["augmentation"] = config.augmentation
    return replace(recipe, **changes)


def _fidelity(recipe: Recipe, rows: int) -> float:
    """Share of the full training in which a trial sees about ``_PASSES`` images, a quarter at most."""
    return min(0.25, round(_PASSES / (recipe.epochs * rows), 4))


def _executor(job: Job, workers: int) -> ProcessExecutor:
    config = job.config
    limit = None if config.memory_limit is None else parse_bytes(config.memory_limit, "memory_limit")
    timeout = None if config.timeout is None else config.timeout * 60
    return ProcessExecutor(workers, memory_limit_bytes=limit, timeout_s=timeout, preload=PRELOAD)


def _search(job: Job, tell: OnProgress) -> tuple[History, Stopped]:
    config = job.config
    strategy = make_strategy(config.strategy, **config.options)
    options = {**asdict(strategy), "fidelity": job.fidelity}  # type: ignore[call-overload]
    limited = _AtFidelity(strategy, job.fidelity)
    with job.study(job.out, strategy.name, options, config.storage) as study:
        deadline = None
        if config.minutes is not None:
            spent = busy_seconds(list(study.history()))
            deadline = time.monotonic() + max(0.0, config.minutes * 60 - spent)
        with _executor(job, config.worker_count) as executor:
            result = run_search(
                job.space,
                limited,
                job.estimator(keep=False),
                study,
                executor,
                costs_of=lambda architecture: costs_of(job.space, architecture),
                trials=config.trial_limit,
                deadline=deadline,
                on_event=lambda event: tell(Searching(event, config.trial_limit)),
            )
    return result.history, result.stop


@dataclass(frozen=True, slots=True)
class _AtFidelity:
    """A strategy whose proposals all get one low fidelity."""

    strategy: Any
    fidelity: float

    @property
    def name(self) -> str:
        return str(self.strategy.name)

    def init(self, *arguments: Any) -> Any:
        return self.strategy.init(*arguments)

    def update(self, state: Any, trial: Trial) -> Any:
        return self.strategy.update(state, trial)

    def propose(self, state: Any, rng: Any, number: int) -> Any:
        proposal = self.strategy.propose(state, rng, number)
        return None if proposal is None else replace(proposal, fidelity=self.fidelity)


def _finish(job: Job, found: History, tell: OnProgress) -> tuple[History, Stopped]:
    """Train the best architectures in full: a study of its own, so that it is resumed in the same way."""
    finalists = tuple(trial.proposal.architecture for trial in found.top(job.config.top))
    strategy = Listed(finalists)
    options = {"architectures": [architecture.key for architecture in finalists]}
    workers = min(job.config.worker_count, len(finalists))
    with (
        job.study(final_directory(job, found), strategy.name, options, None) as study,
        _executor(job, workers) as executor,
    ):
        result = run_search(
            job.space,
            strategy,
            job.estimator(keep=True),
            study,
            executor,
            costs_of=lambda architecture: costs_of(job.space, architecture),
            trials=len(finalists),
            on_event=lambda event: tell(Finishing(event, len(finalists))),
        )
    return result.history, result.stop


def _all_failed(directory: Path, history: History) -> str:
    first = history.failed[0]
    return (
        f"{directory}: all {len(history)} trials failed; the first because: {first.reason}. "
        f"See {directory / 'trials' / str(first.number)}"
    )
