"""What comes out of the main job, and how it is written: export, model card, report, result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.devices import format_cost
from netwright.errors import StudyError
from netwright.estimators.held_out import HeldOut
from netwright.estimators.trained import NETWORK, evaluate_held_out, pixel_statistics
from netwright.export import Accuracy, Card, DataFacts, SearchFacts, export_onnx, load, save, write_card
from netwright.export.card import installed_versions
from netwright.files import write_whole
from netwright.ir.cost import COSTS, Cost, cost
from netwright.ir.graph import Graph
from netwright.nn.intervals import wilson_interval
from netwright.nn.kind import CLIPS, IMAGES, Kind
from netwright.nn.task import CLASSIFICATION
from netwright.pipeline.config import SearchConfig
from netwright.pipeline.objectives import box_of, pareto_result
from netwright.report import Accuracy as ReportedAccuracy
from netwright.report import Candidate, Example, Front, ReportContent, Snippet, write_report
from netwright.report.front import title_of
from netwright.study import History, Stopped, StopReason
from netwright.trial import Trial, value_of

if TYPE_CHECKING:
    from netwright.pipeline.job import Job

RESULT = "result.json"
REPORT = "report.html"
EXPORT = "export"
ONNX = "model.onnx"
FORMAT = 1


@dataclass(frozen=True)
class SearchOutcome:
    """How the main job ended.

    Attributes:
        config: its settings.
        result: the content of ``result.json``, or None if the job was interrupted.
        already: whether it had been finished by an earlier call.
        stop: how the last phase ended, or None if it had been finished before.
    """

    config: SearchConfig
    result: Mapping[str, Any] | None
    already: bool
    stop: Stopped | None = None

    @property
    def report(self) -> Path:
        """The report's path."""
        return self.config.out / REPORT

    @property
    def export(self) -> Path:
        """The folder of the exported network."""
        return self.config.out / EXPORT


def read_outcome(job: Job) -> SearchOutcome | None:
    """The outcome of an earlier call of the same job, or None if it is not finished.

    A job is finished too if it has searched for longer than is asked for now.
    """
    result = read_result(job.out)
    if result is None or result.get("settings") != job.identity() or not _enough(result, job):
        return None
    return SearchOutcome(job.config, result, already=True)


def _enough(result: Mapping[str, Any], job: Job) -> bool:
    """Whether a search with the limits of this job would not go on from this result."""
    stop, minutes = result["stop"], job.config.minutes
    seconds = result["search_seconds"]
    if stop["reason"] == StopReason.DEADLINE.value:
        seconds = max(seconds, stop["minutes"] * 60)
    return (
        stop["reason"] == StopReason.EXHAUSTED.value
        or result["trials"] >= job.trials
        or (minutes is not None and seconds >= minutes * 60)
    )


def read_result(out: Path) -> Mapping[str, Any] | None:
    """The content of a run directory's ``result.json``, or None if there is none.

    Raises:
        StudyError: if it cannot be read.
    """
    path = out / RESULT
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{path}: expected the JSON of a finished search ({error}); delete it to go on"
        ) from None
    if not isinstance(result, dict) or result.get("format") != FORMAT:
        raise StudyError(
            f"{path}: expected format {FORMAT}, got another one, of another version of netwright; "
            "delete it to write it anew"
        )
    return result


def write_outcome(
    job: Job,
    found: History,
    finals: History,
    folder: Path,
    stop: Stopped,
    *,
    interrupted: Callable[[], bool],
) -> SearchOutcome | None:
    """Test the best of the finals, once, and write everything; ``result.json`` comes last.

    Args:
        job: the job.
        found: the trials of the search.
        finals: the final trainings, at least one of them complete.
        folder: where the networks of the final trainings are kept.
        stop: how the search ended.
        interrupted: asked between the steps that take seconds.

    Returns:
        The outcome, or None if it was interrupted: then there is no ``result.json``, and to call it again
        gives the same.
    """
    winner = finals.best
    assert winner is not None, "called with a complete final training"
    architecture = winner.proposal.architecture
    workdir = folder / "trials" / str(winner.number)
    held_out = evaluate_held_out(job.source, job.space, architecture, workdir)
    if interrupted():
        return None
    graph = job.space.to_graph(architecture)
    network = load(workdir / NETWORK)
    card = _card(job, found, finals, winner, held_out)
    export = job.out / EXPORT
    # A result of fewer trials must not stand beside the files of this one.
    (job.out / RESULT).unlink(missing_ok=True)
    save(export, graph, network)
    export_onnx(network, graph, export / ONNX, metadata={"classes": json.dumps(job.data.classes)})
    if interrupted():
        return None
    write_card(export, card)
    write_report(job.out / REPORT, _content(job, found, finals, winner, held_out))
    result = _result(job, found, finals, winner, held_out, card, stop)
    write_whole(job.out / RESULT, json.dumps(result, indent=1, allow_nan=False) + "\n")
    return SearchOutcome(job.config, result, already=False, stop=stop)


def busy_seconds(trials: list[Trial]) -> float:
    """Wall time in seconds during which at least one of the trials ran."""
    total, until = 0.0, 0.0
    for trial in sorted(trials, key=lambda trial: trial.started):
        end = trial.started + trial.seconds
        total += max(0.0, end - max(trial.started, until))
        until = max(until, end)
    return total


def _card(job: Job, found: History, finals: History, winner: Trial, held_out: HeldOut) -> Card:
    graph = job.space.to_graph(winner.proposal.architecture)
    scale = pixel_statistics(job.data, job.rows)
    channels, height, width = graph.input_shape
    pixels = job.data.images
    return Card(
        name=f"{job.space.name} for {job.data.name}",
        data=DataFacts(
            name=job.data.name,
            fingerprint=job.data.fingerprint,
            classes=job.data.classes,
            input_shape=(channels, height, width),
            channel_order=_channel_order(job.data.kind, channels),
            mean=scale.mean,
            std=scale.std,
            pixel_range=(0, 255) if pixels.dtype.kind == "u" else (float(pixels.min()), float(pixels.max())),
            train=len(job.rows.train_indices),
            validation=len(job.rows.validation_indices),
            test=job.data.test_size,
            notes=job.data.notes,
            label_shape=job.data.label_shape,
            kind=job.data.kind,
            front_end=None if job.data.front_end is None else job.data.front_end.to_dict(),
        ),
        costs=winner.costs,
        accuracy=Accuracy(
            validation=_validation(job, winner),
            test=held_out.evaluation.score,
            spreads={
                f"validation, {_finalists(job, finals)} trained in full": tuple(
                    _validation(job, trial) for trial in finals.top(len(finals))
                )
            },
            test_interval=held_out.evaluation.interval,
            further=_further(held_out),
        ),
        task=job.task,
        seed=job.config.seed,
        dtype=job.space.dtype,
        budget=job.budget,
        architecture=winner.proposal.architecture,
        search=SearchFacts(
            space=job.space.id,
            strategy=job.strategy.name,
            trials=len(found),
            failed=len(found.failed),
            size=job.size,
            fitting=job.fitting.upper if job.fitting.exact else None,
            seconds=round(busy_seconds([*found]) + busy_seconds([*finals]), 1),
            settings={"fidelity": job.fidelity, "epochs": job.recipe.epochs},
        ),
    )


def _channel_order(kind: Kind, channels: int) -> str:
    """What the channels are, in words."""
    if kind is IMAGES and channels in (1, 3):
        return "grey" if channels == 1 else "RGB"
    if kind is CLIPS:
        return "one: the logarithm of the power in each band"
    return "one" if channels == 1 else f"{channels} channels in the order of the data"


def _content(job: Job, found: History, finals: History, winner: Trial, held_out: HeldOut) -> ReportContent:
    architecture = winner.proposal.architecture
    graph = job.space.to_graph(architecture)
    costs = _cost(job, graph)
    return ReportContent(
        title=f"The best network for {job.data.name}",
        command=job.command,
        data=job.data.name,
        data_fingerprint=job.data.fingerprint,
        space=job.space.name,
        space_size=job.size,
        fitting_lower=job.fitting.lower,
        fitting_upper=job.fitting.upper,
        fitting_likely=job.fitting.likely,
        strategy=job.strategy.name,
        device=job.config.device,
        budget=tuple(job.budget.explain()),
        verdict=job.budget.check(winner.costs),
        trials=tuple(found),
        winner=architecture,
        graph=graph,
        cost=costs,
        further_costs={name: value for name, value in winner.costs.items() if name not in COSTS},
        candidates=tuple(
            Candidate(trial.proposal.architecture, _validation(job, trial), trial.curve)
            for trial in finals.completed
        ),
        validation=_reported_validation(job, winner),
        test=ReportedAccuracy(
            held_out.evaluation.score,
            held_out.evaluation.interval,
            f"95 % interval, {held_out.evaluation.count:,} {job.data.kind.items}",
        ),
        seed=job.config.seed,
        search_seconds=busy_seconds([*found]),
        final_seconds=busy_seconds([*finals]),
        process_seconds=sum(trial.seconds for trial in (*found, *finals)),
        versions=installed_versions(),
        decisions=job.space.decisions,
        snippets=_snippets(job, graph.input_shape),
        finished=time.time(),
        classes=job.data.classes,
        class_accuracy=held_out.evaluation.class_scores,
        confusion=held_out.evaluation.confusion,
        task=job.task,
        kind=job.data.kind,
        further={name.replace("_", " "): share for name, share in _further(held_out).items()},
        front=_front(job, found),
        examples=tuple(Example(one.image, one.truth, one.prediction, one.score) for one in held_out.examples),
    )


def _result(
    job: Job,
    found: History,
    finals: History,
    winner: Trial,
    held_out: HeldOut,
    card: Card,
    stop: Stopped,
) -> dict[str, Any]:
    architecture = winner.proposal.architecture
    costs = _cost(job, job.space.to_graph(architecture))
    several = {} if len(job.objectives) == 1 else {"pareto": _pareto(job, found, finals)}
    return {
        "format": FORMAT,
        "architecture": {"key": architecture.key, **architecture.to_dict()},
        "task": job.task.name,
        job.task.objective.name: _validation(job, winner),
        f"test_{job.task.key}": held_out.evaluation.score,
        **_further(held_out),
        "test_interval": list(held_out.evaluation.interval),
        "test_standard_error": held_out.evaluation.standard_error,
        "test_images": held_out.evaluation.count,
        "costs": {**costs.to_dict(), **winner.costs},
        "budget": job.budget.to_dict(),
        "fits": job.budget.check(winner.costs).fits,
        "seed": job.config.seed,
        "trials": len(found),
        "failed_trials": len(found.failed),
        "finalists": [_finalist(job, trial) for trial in finals],
        **several,
        "space": {
            "id": job.space.id,
            "size": job.size,
            "fitting": {
                "lower": job.fitting.lower,
                "upper": job.fitting.upper,
                **({} if job.fitting.likely is None else {"likely": list(job.fitting.likely)}),
            },
        },
        "data": {
            "name": job.data.name,
            "fingerprint": job.data.fingerprint,
            "kind": job.data.kind.name,
        },
        "search_seconds": round(busy_seconds([*found]), 3),
        "final_seconds": round(busy_seconds([*finals]), 3),
        "process_seconds": round(sum(trial.seconds for trial in (*found, *finals)), 3),
        "fidelity": job.fidelity,
        "epochs": job.recipe.epochs,
        "command": job.command,
        "versions": dict(card.versions),
        "stop": {"reason": stop.reason.value, "minutes": job.config.minutes},
        "settings": job.identity(),
    }


def _cost(job: Job, graph: Graph) -> Cost:
    return cost(graph, dtype=job.space.dtype, memory_model=job.space.memory_model)


def _finalist(job: Job, trial: Trial) -> dict[str, Any]:
    objective = job.task.objective.name
    return {
        "architecture": trial.proposal.architecture.key,
        "state": trial.state.value,
        objective: trial.metrics.get(objective),
        "reason": trial.reason,
        "seed": trial.seed,
    }


def _finalists(job: Job, finals: History) -> str:
    """In words which trials the finals are."""
    count = len(finals.completed)
    return f"the best {count} of the search" if len(job.objectives) == 1 else f"{count} of the Pareto front"


def _pareto(job: Job, found: History, finals: History) -> dict[str, Any]:
    """The front of the search, and what became of its points that were trained in full."""
    numbers = [trial.number for trial in job.finalists(found)]
    best = {trial.number for trial in finals.pareto}
    folder = job.final_directory(job.finalists(found)).relative_to(job.out)
    return {
        **pareto_result(found, box_of(found, job.budget, job.ranges)),
        "trained": [
            {
                "trial": numbers[trial.number],
                "architecture": trial.proposal.architecture.key,
                "values": {one.name: value_of(trial, one) for one in job.objectives},
                # Of those that were trained in full no other dominates it.
                "on_front": trial.number in best,
                "network": str(folder / "trials" / str(trial.number) / NETWORK),
            }
            for trial in finals.completed
        ],
    }


def _front(job: Job, found: History) -> Front | None:
    """The front as the report shows it."""
    if len(job.objectives) == 1:
        return None
    box = box_of(found, job.budget, job.ranges)
    lines = []
    for objective in job.objectives:
        name = objective.name
        if objective.direction == "maximize":
            lines.append(f"Validation {job.task.noun}: 0 to 1")
        else:
            worst = format_cost(name, round(box.reference[name]), exact=False)
            lines.append(f"{title_of(objective)}: {worst} ({box.basis[name]}) to 0")
    growth = found.hypervolumes(box.reference, box.ideal)
    return Front(job.objectives, found.pareto, growth, tuple(lines))


def _validation(job: Job, trial: Trial) -> float:
    return trial.metrics[job.task.objective.name]


def _reported_validation(job: Job, winner: Trial) -> ReportedAccuracy:
    """The validation score; its interval where the score and the number of images suffice for one."""
    score, rows = _validation(job, winner), len(job.rows.validation_indices)
    counted = f"{rows:,} {job.data.kind.items}"
    if job.task == CLASSIFICATION:
        return ReportedAccuracy(score, wilson_interval(score, rows), f"95 % interval, {counted}")
    return ReportedAccuracy(score, basis=counted)


def _further(held_out: HeldOut) -> dict[str, float]:
    """What else is known of the test, by its name in the result."""
    if held_out.evaluation.task == CLASSIFICATION:
        return {}
    return {f"test_{held_out.evaluation.task.item}_accuracy": held_out.evaluation.accuracy}


def _snippets(job: Job, shape: tuple[int, ...]) -> tuple[Snippet, ...]:
    size = ", ".join(str(n) for n in shape)
    export = job.out / EXPORT
    return (
        Snippet(
            "Load it with netwright and torch",
            f'import netwright, torch\n\nnetwork = netwright.load("{export}")\n'
            f"logits = network(torch.zeros(1, {size}))  # see {export}/card.md for the scaling of "
            f"{job.data.kind.value}s",
        ),
        Snippet(
            "Run it with ONNX Runtime, without netwright",
            f'import numpy as np, onnxruntime\n\nsession = onnxruntime.InferenceSession("{export}/{ONNX}")\n'
            f'logits = session.run(None, {{"input": np.zeros((1, {size}), np.float32)}})[0]',
        ),
    )
