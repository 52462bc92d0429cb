"""The main job: from data and a budget to a trained, measured and exported network that fits."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from netwright.devices import Budget, budget_for, parse_bytes, read_latency
from netwright.errors import BudgetError, ConfigError, SpaceError, StudyError, TooLargeError
from netwright.estimators.trained import SplitData, TrainedAccuracy
from netwright.ir.latency import LATENCY
from netwright.nn.augment import find_augmentation
from netwright.nn.data import Data, Split, load_data, split
from netwright.nn.prepare import pick_device
from netwright.nn.recipe import Recipe, check_precision, recipe_for
from netwright.nn.task import Task, find_task
from netwright.pareto import spread_over
from netwright.pipeline.command import command_line, python_call
from netwright.pipeline.config import SearchConfig, make_config
from netwright.pipeline.feasibility import why_nothing_fits
from netwright.pipeline.objectives import check_objectives, read_objectives
from netwright.pipeline.outcome import SearchOutcome, busy_seconds, read_outcome, write_outcome
from netwright.pipeline.progress import (
    Checked,
    Exporting,
    Finishing,
    Loaded,
    Planned,
    Progress,
    Searching,
)
from netwright.space import (
    Architecture,
    Count,
    ExpressionSpace,
    Extremes,
    count,
    every_cost_of,
    extremes,
    size,
    unrank,
)
from netwright.spaces.catalog import load_space, resolve_space
from netwright.strategies import AtFidelity, Listed, make_strategy, options_of
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
from netwright.study.interrupts import Interrupts
from netwright.trial import Objectives, Strategy, Trial, scores_of

PRELOAD = ("netwright.estimators.trained", "torch._dynamo")
"""What trial processes find imported; torch imports the second when the first optimizer is made, in 1.5 s."""
_PASSES = 24_000
"""Images that a trial sees at the default fidelity, unless a fifth of the full training is less."""

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class Job:
    """A checked main job: what the settings stand for.

    Attributes:
        config: the settings.
        command: how to do it again.
        data: the data; their test set stays closed until the end.
        rows: which rows train and which validate.
        space: the compiled space.
        budget: the limits.
        size: number of architectures of the space.
        fitting: how many of them fit.
        ranges: smallest and largest of each cost in the whole space; None where they cannot be known.
        objectives: what is optimised, the score of the task first.
        strategy: what proposes.
        recipe: the full training.
        fidelity: share of it that a trial gets.
        source: data and split as trials see them.
    """

    config: SearchConfig
    command: str
    data: Data
    rows: Split
    space: ExpressionSpace
    budget: Budget
    size: int
    fitting: Count
    ranges: Mapping[str, Extremes | None]
    objectives: Objectives
    strategy: Strategy
    recipe: Recipe
    fidelity: float
    source: SplitData

    @property
    def task(self) -> Task:
        """What the labels are for, which names the objective."""
        return self.data.task

    @property
    def out(self) -> Path:
        """The run directory."""
        return self.config.out

    @property
    def trials(self) -> int:
        """Number of trials at most: no more than fit."""
        limit, fitting = self.config.trial_limit, self.fitting.upper
        return fitting if limit is None else min(limit, fitting)

    @property
    def planned_trials(self) -> int | None:
        """Number of trials, or None where only the time is limited."""
        return None if self.config.trial_limit is None else self.trials

    @property
    def settings(self) -> StudySettings:
        """What the history of the search depends on."""
        options = {**options_of(self.strategy), "fidelity": self.fidelity}
        return self.settings_of(self.strategy.name, options)

    def settings_of(self, strategy: str, options: Mapping[str, Any]) -> StudySettings:
        """What the history of a study of this job depends on, with a strategy and its options."""
        return StudySettings(
            space=self.space.id,
            objective=self.objectives[0],
            further=self.objectives[1:],
            strategy=strategy,
            seed=self.config.seed,
            lag=self.config.lag,
            budget=dict(self.budget),
            options=options,
            estimator={**self.estimator(keep=False).settings(), **self._latency()},
            data=self.data.fingerprint,
        )

    def _latency(self) -> dict[str, str]:
        """The table that trials are held against, if there is one."""
        table = self.space.latency
        return {} if table is None else {"latency_table": table.fingerprint}

    def identity(self) -> dict[str, Any]:
        """What makes two calls the same job but for how long they search, as JSON values.

        It has what the settings stand for: ``64KB`` is 65536, and data are the same wherever they lie.
        """
        return {**self.settings.to_dict(), "top": self.config.top}

    def estimator(self, *, keep: bool) -> TrainedAccuracy:
        """The estimator of this job; ``keep`` for the final trainings."""
        threads = self.config.threads
        return TrainedAccuracy(self.source, self.space, self.recipe, self.config.accelerator, threads, keep)

    def finalists(self, found: History) -> tuple[Trial, ...]:
        """What is trained in full: the best trials, of each architecture the best one.

        With several objectives: of the Pareto front the most accurate, and then each time the trial that is
        the farthest from those before, with every objective scaled to its range over the front.
        """
        ranked = found.top(len(found))
        if found.further:
            front = {trial.number for trial in found.pareto}
            ranked = tuple(trial for trial in ranked if trial.number in front)
        best: dict[Architecture, Trial] = {}
        for trial in ranked:
            best.setdefault(trial.proposal.architecture, trial)
        chosen = tuple(best.values())
        if not found.further:
            return chosen[: self.config.top]
        points = [scores_of(trial, found.objectives) or () for trial in chosen]
        return tuple(chosen[index] for index in spread_over(points, self.config.top, first=0))

    def final_directory(self, finalists: tuple[Trial, ...]) -> Path:
        """Where the final trainings of these finalists are kept: other finalists, another folder."""
        keys = "".join(trial.proposal.architecture.key for trial in finalists)
        return self.out / "final" / hashlib.sha256(keys.encode()).hexdigest()[:12]


def search(
    data: Any,
    out: str | Path,
    *,
    space: str | ExpressionSpace | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> SearchOutcome:
    """Find, train, test and export the best network that fits a budget.

    The same call again continues where the last one stopped, and does nothing when the job is done.

    Args:
        data: ``digits``, ``fashion-mnist``, ``fashion-mnist-pixels``, ``npz:PATH``, ``audio:PATH``,
            ``folder:PATH``, a torch Dataset or a pair of them.
        out: run directory.
        space: name of a search space, a file that `netwright space design` wrote, or a space of your own; by
            default ``mobilenet-tiny``; ``auto-deeplab-tiny`` for labels of pixels, ``conv1d-tiny`` for
            windows of sensors, ``spectrogram-tiny`` for audio.
        on_progress: called with what happens.
        **settings: see ``SearchConfig``.

    Returns:
        What came out; ``result`` is None if the search was interrupted.

    Raises:
        NetwrightError: if a setting, the data or the budget is wrong, or all trials failed.
    """
    source = None if isinstance(data, str) else load_data(data)
    if space is not None and not isinstance(space, str | ExpressionSpace):
        raise ConfigError(
            f"space: expected a name or a space that compile_space made, got {type(space).__name__}"
        )
    name = data if source is None else source.name
    label = space.name if isinstance(space, ExpressionSpace) else space
    config = make_config({"data": name, "out": out, "space": label, **settings})
    return run(
        config,
        source=source,
        space=space if isinstance(space, ExpressionSpace) else None,
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
    job = prepare_job(config, source, space, tell)
    done = read_outcome(job)
    if done is not None:
        return done
    _make_directory(job.out)
    # Open to the end, so that no other process works in this run directory meanwhile.
    with open_study(job.out, job.settings, url=config.storage) as study:
        tell(_plan(job))
        found, stop = _search(job, study, tell)
        if stop.reason is StopReason.INTERRUPTED:
            return SearchOutcome(config, None, False, stop)
        if not found.completed:
            raise StudyError(_all_failed(job.out, found))
        finalists = job.finalists(found)
        finals, final_stop = _finish(job, finalists, tell)
        if final_stop.reason is StopReason.INTERRUPTED:
            return SearchOutcome(config, None, False, final_stop)
        if not finals.completed:
            raise StudyError(_all_failed(job.final_directory(finalists), finals))
        return _conclude(job, found, finals, stop, tell)


def prepare_job(
    config: SearchConfig, source: Data | None, space: ExpressionSpace | None, tell: OnProgress
) -> Job:
    """Load the data, compile the space and check the budget; nothing is written.

    Raises:
        BudgetError: if nothing fits.
        NetwrightError: if a setting or the data are wrong.
    """
    # Everything that can be wrong with the settings is said before data are read.
    budget = _budget(config)
    latency = read_latency(config.latency_table)
    timed = latency is not None or (space is not None and space.latency is not None)
    if LATENCY in budget and not timed:
        raise ConfigError("max_latency: expected a table of times too; give latency_table")
    strategy = make_strategy(config.strategy_name, **config.options)
    _check_settings(config, space)
    objectives = read_objectives(config.objectives, find_task(config.task))
    if LATENCY in [one.name for one in objectives] and not timed:
        raise ConfigError("objectives: expected a table of times too for latency; give latency_table")
    check_objectives(strategy, objectives)
    data = source if source is not None else load_data(config.data)
    _check_task(config, data)
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
            data.task,
            data.kind,
        )
    )
    compiled = (
        load_space(config.space_for(data.kind), data.shape, len(data.classes)) if space is None else space
    )
    if latency is not None:
        compiled = replace(compiled, latency=latency)
    _check_space(compiled, data)
    fitting = count(compiled, budget)
    # Where a limit is on what a runtime needs, an upper bound says little: one must have been seen to fit.
    if (fitting.upper if fitting.likely is None else fitting.lower) == 0:
        raise BudgetError(why_nothing_fits(compiled, budget))
    # A strategy that cannot search this space says so when it begins: before anything is written.
    strategy.init(compiled, budget, objectives, config.seed)
    ranges = _ranges(compiled)
    tell(Checked(compiled.id, size(compiled), fitting, ranges, tuple(budget.explain())))
    recipe = _recipe(config, data)
    return Job(
        config=config,
        command=_command(config, source, space),
        data=data,
        rows=rows,
        space=compiled,
        budget=budget,
        size=size(compiled),
        fitting=fitting,
        ranges=ranges,
        objectives=objectives,
        strategy=strategy,
        recipe=recipe,
        fidelity=config.fidelity or _fidelity(recipe, len(rows.train_indices)),
        # The data themselves, so that trials neither read files again nor depend on where they lie.
        source=SplitData(data, data.fingerprint, share, config.seed, data.task),
    )


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
        max_latency=config.max_latency,
        max_head=config.max_head,
        max_arena=config.max_arena,
        max_file=config.max_file,
    )


def _check_settings(config: SearchConfig, space: ExpressionSpace | None) -> None:
    """Check what would otherwise be found out by the first trial, or when something is written already."""
    if config.worker_count > config.lag:
        raise ConfigError(
            f"workers: expected at most {config.lag}, the lag, got {config.worker_count}; use fewer workers "
            "or a larger lag (the lag belongs to the study and changes its result)"
        )
    find_task(config.task)
    if space is None and config.space is not None:
        resolve_space(config.space)
    pick_device(config.accelerator)
    if config.augmentation is not None:
        find_augmentation(config.augmentation)
    if config.precision is not None:
        check_precision(config.precision)
    if _memory_limit(config) == 0:
        raise ConfigError("memory_limit: expected more than 0, got 0; leave it out for no limit")
    if config.out.exists() and not config.out.is_dir():
        raise ConfigError(f"{config.out}: expected a run directory, found a file; give another path")


def _check_task(config: SearchConfig, data: Data) -> None:
    """Check that the data have the labels that the task needs."""
    if data.task.name != config.task:
        raise ConfigError(
            f"task: {data.name} has one label for each {data.task.item}, which is {data.task.name}, got "
            f"{config.task}; use --task {data.task.name}, or other data"
        )


def _check_space(space: ExpressionSpace, data: Data) -> None:
    """Check that the networks of a space take such images and have the outputs that the labels need."""
    graph = space.to_graph(unrank(space, 0))
    channels, outputs = graph.input_shape[0], graph[graph.outputs[0]].shape
    if len(graph.input_shape) != 3 or channels != data.shape[0]:
        raise SpaceError(
            f"space {space.name}: expected networks for {data.kind.items} of {data.shape[0]} channels, as "
            f"{data.name} has them, got the input {graph.input_shape}; change the input of the space"
        )
    wanted = data.task.outputs(len(data.classes), data.label_shape)
    if outputs != wanted:
        raise SpaceError(
            f"space {space.name}: expected {len(data.classes)} outputs for each {data.task.item}, one for "
            f"each class of {data.name}, in the shape {wanted}, got {outputs}; take a space that ends in "
            f"blocks.{data.task.head}"
        )


def _ranges(space: ExpressionSpace) -> dict[str, Extremes | None]:
    """The smallest and largest of each cost; None where they cannot be known."""
    found: dict[str, Extremes | None] = dict.fromkeys(space.costs)
    for metric in space.costs:
        # Where exact answers would take too much, the search needs none, unless the budget asks for it.
        with suppress(TooLargeError):
            found[metric] = extremes(space, metric)
    return found


def _make_directory(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(
            f"{out}: expected a run directory that can be made ({error.strerror}); give another path"
        ) from None


def _command(config: SearchConfig, source: Data | None, space: ExpressionSpace | None) -> str:
    objects = {} if source is None else {"data": f"<{source.name}>"}
    if space is not None:
        objects["space"] = f"<{space.name}>"
    return python_call(config, objects) if objects else command_line(config)


def _plan(job: Job) -> Planned:
    config = job.config
    return Planned(
        trials=job.planned_trials,
        fitting=job.planned_trials != config.trial_limit,
        minutes=config.minutes,
        workers=config.worker_count,
        epochs=job.recipe.epochs,
        fidelity=job.fidelity,
        top=min(config.top, job.trials),
        objectives=tuple(part.strip() for part in config.objectives.split(",")),
    )


def _recipe(config: SearchConfig, data: Data) -> Recipe:
    recipe = recipe_for(data)
    changes: dict[str, Any] = {"class_weights": config.class_weights}
    names = ("epochs", "batch_size", "learning_rate", "augmentation", "label_smoothing", "precision")
    for name in names:
        if getattr(config, name) is not None:
            changes[name] = getattr(config, name)
    return replace(recipe, **changes)


def _fidelity(recipe: Recipe, rows: int) -> float:
    """Share of the full training in which a trial sees about ``_PASSES`` images, a fifth at most."""
    return min(0.2, float(f"{_PASSES / (recipe.epochs * rows):.3g}"))


def _memory_limit(config: SearchConfig) -> int | None:
    return None if config.memory_limit is None else parse_bytes(config.memory_limit, "memory_limit")


def _executor(config: SearchConfig, workers: int) -> ProcessExecutor:
    timeout = None if config.timeout is None else config.timeout * 60
    return ProcessExecutor(workers, _memory_limit(config), timeout, preload=PRELOAD)


def _search(job: Job, study: Study, tell: OnProgress) -> tuple[History, Stopped]:
    config = job.config
    deadline = math.inf
    if config.minutes is not None:
        deadline = time.monotonic() + max(0.0, config.minutes * 60 - busy_seconds([*study.history()]))

    def left() -> float | None:
        return None if deadline == math.inf else max(0.0, deadline - time.monotonic())

    with _executor(config, config.worker_count) as executor:
        result = run_search(
            job.space,
            AtFidelity(job.strategy, job.fidelity),
            job.estimator(keep=False),
            study,
            executor,
            costs_of=lambda architecture: every_cost_of(job.space, architecture),
            trials=job.trials,
            deadline=deadline,
            on_event=lambda event: tell(Searching(event, job.planned_trials, left())),
        )
    return result.history, result.stop


def _finish(job: Job, finalists: tuple[Trial, ...], tell: OnProgress) -> tuple[History, Stopped]:
    """Train the best architectures in full: a study of its own, so that it is resumed in the same way."""
    strategy = Listed(tuple(trial.proposal.architecture for trial in finalists))
    settings = job.settings_of(strategy.name, {"architectures": [one.key for one in strategy.architectures]})
    numbers = tuple(trial.number for trial in finalists)
    with (
        open_study(job.final_directory(finalists), settings) as study,
        _executor(job.config, min(job.config.worker_count, len(finalists))) as executor,
    ):
        result = run_search(
            job.space,
            strategy,
            job.estimator(keep=True),
            study,
            executor,
            costs_of=lambda architecture: every_cost_of(job.space, architecture),
            trials=len(finalists),
            on_event=lambda event: tell(Finishing(event, len(finalists), numbers)),
        )
    return result.history, result.stop


def _conclude(job: Job, found: History, finals: History, stop: Stopped, tell: OnProgress) -> SearchOutcome:
    """Test and write; Ctrl-C is noticed between the steps, since torch's exporter may swallow it."""
    finalists, winner = job.finalists(found), finals.best
    assert winner is not None, "called with a complete final training"
    score = winner.metrics[job.task.objective.name]
    tell(Exporting(finalists[winner.number].number, score, job.out / "export"))
    with Interrupts() as interrupts:
        try:
            outcome = write_outcome(
                job,
                found,
                finals,
                job.final_directory(finalists),
                stop,
                interrupted=lambda: interrupts.signal is not None,
            )
        except OSError as error:
            raise StudyError(
                f"{job.out}: the result cannot be written ({error}); when that is mended, the same command "
                "goes on"
            ) from error
    if outcome is None:
        cut = replace(stop, reason=StopReason.INTERRUPTED, signal=interrupts.signal)
        return SearchOutcome(job.config, None, False, cut)
    return outcome


def _all_failed(directory: Path, history: History) -> str:
    if not history.failed:
        return f"{directory}: the time was over before the first trial began; give more minutes"
    first = history.failed[0]
    what = "the only trial" if len(history) == 1 else f"all {len(history)} trials"
    return (
        f"{directory}: {what} failed; the first because: {first.reason}. What it did and printed is in "
        f"{directory / 'trials' / str(first.number)}; mend the cause, then use another run directory"
    )
