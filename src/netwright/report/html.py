"""One self-contained page: it needs no network, no server and no other file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from netwright.files import write_whole
from netwright.ir.memory import fuse
from netwright.nn.task import CLASSIFICATION
from netwright.report import axes, figures, labels, pictures, tables
from netwright.report.content import Accuracy, ReportContent
from netwright.report.environment import templates
from netwright.report.front import front_over_cost, front_rows, hypervolume_growth, title_of, titles
from netwright.report.memory import memory_over_time
from netwright.report.pareto import pareto_front

_BEST = 10
_FAILED = 50
_FRONT = 40
_LONG = 60


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure in the page.

    Attributes:
        name: unique in the page.
        title: heading above it.
        summary: what it shows, for those who cannot see it.
        spec: data and layout as JSON that is safe inside a script element.
        height: pixels.
    """

    name: str
    title: str
    summary: str
    spec: str
    height: int


def write_report(path: str | os.PathLike[str], content: ReportContent) -> None:
    """Write the report of a search as one HTML file, all at once or not at all.

    Args:
        path: file to write; one that exists is replaced.
        content: what to show.

    Raises:
        OSError: if the file cannot be written.
    """
    write_whole(Path(path), render_report(content))


def render_report(content: ReportContent) -> str:
    """Make the text of the page; see ``write_report``."""
    return templates().get_template("report.html.j2").render(_view(content))


def _view(content: ReportContent) -> dict[str, Any]:
    """Everything that the template names."""
    return {
        "content": content,
        "test": _accuracy(content.test),
        "validation": _accuracy(content.validation),
        "finished": _utc(content.finished),
        "fitting": _fitting(content),
        "fidelity": _fidelity(content),
        "cost_heads": [labels.COST_HEADS[metric] for metric in content.cost_names],
        "limits": tables.limit_rows(content.verdict.rows),
        "costs": tables.cost_rows(content),
        "best": tables.best_trials(content, _BEST),
        "failed": tables.failed_trials(content)[:_FAILED],
        "stages": tables.stages(content),
        "long": len(fuse(content.graph)[0]) > _LONG,
        "decisions": tables.decision_rows(content),
        "inactive": max(0, len(content.decisions) - len(content.winner.choices)),
        "classes": tables.class_rows(content),
        "front": _front(content),
        "trade_offs": _trade_offs(content),
        "progress": _progress(content),
        "curves": _curves(content),
        "memory": _memory(content),
        "confusion": _confusion(content),
        "task": content.task,
        "item_noun": content.item,
        "examples": pictures.example_rows(content.examples, content.classes),
        "colours": pictures.colours(content.classes) if content.examples else [],
        "plotly": get_plotlyjs(),
        "dark": axes.DARK,
    }


def _plot(name: str, title: str, summary: str, figure: go.Figure) -> Plot:
    # In a script element only "<" can end the data early, whatever a name contains.
    text = figure.to_json().replace("<", "\\u003c")
    return Plot(name, title, summary, text, int(figure.layout.height))


def _front(content: ReportContent) -> dict[str, Any] | None:
    """The front of several objectives: its table and figures; None with one objective."""
    front = content.front
    if front is None or not content.complete:
        return None
    limits = {row.metric: row.limit for row in content.verdict.rows}
    plots = []
    for objective in front.objectives[1:]:
        figure = front_over_cost(
            content.complete,
            front,
            objective,
            limit=limits.get(objective.name),
            refined=[candidate.architecture for candidate in content.candidates],
            winner=content.winner,
            task=content.task,
        )
        title = title_of(objective)
        summary = (
            f"Scatter plot: validation {content.task.noun} of {len(content.complete)} trials over "
            f"{title.lower()}, with the {len(front.trials)} on the Pareto front of all objectives marked."
        )
        plots.append(_plot(f"front-{objective.name}", title, summary, figure))
    summary = f"Line plot: the hypervolume after each of {len(content.trials)} trials."
    growth = hypervolume_growth(content.trials, front)
    plots.append(_plot("hypervolume", "Hypervolume", summary, growth))
    return {
        "titles": titles(front, content.task),
        "words": ", ".join(title[0].lower() + title[1:] for title in titles(front, content.task)),
        "count": len(front.trials),
        "rows": front_rows(content, front)[:_FRONT],
        "hypervolume": front.hypervolume,
        "box": front.box,
        "plots": plots,
        "coloured": len(front.objectives) > 2,
    }


def _trade_offs(content: ReportContent) -> list[Plot]:
    """A scatter for each cost; none before the first complete trial that has it."""
    plots = []
    limits = {row.metric: row.limit for row in content.verdict.rows}
    for metric in content.cost_names:
        # What cannot be deployed has no costs of the runtime.
        trials = [trial for trial in content.complete if metric in trial.costs]
        if not trials:
            continue
        figure = figures.accuracy_over_cost(
            trials, metric, limit=limits.get(metric), winner=content.winner, task=content.task
        )
        points = [(trial.costs[metric], trial.metrics[content.objective]) for trial in trials]
        title = labels.COST_TITLES[metric]
        summary = (
            f"Scatter plot: validation {content.task.noun} of {len(trials)} trials over {title.lower()}; "
            f"{len(pareto_front(points))} are on the Pareto front."
        )
        plots.append(_plot(f"over-{metric}", title, summary, figure))
    return plots


def _progress(content: ReportContent) -> Plot | None:
    if not content.trials:
        return None
    refined = [candidate.architecture for candidate in content.candidates]
    summary = (
        f"Line plot: best validation {content.task.noun} so far over {len(content.trials)} trials, "
        f"{len(content.failed)} of which failed."
    )
    figure = figures.progress(content.trials, refined=refined, task=content.task)
    return _plot("progress", f"Best validation {content.task.noun} so far", summary, figure)


def _curves(content: ReportContent) -> Plot | None:
    ranked = sorted(content.candidates, key=lambda candidate: -candidate.validation)
    if not any(candidate.curve for candidate in ranked):
        return None
    summary = (
        f"Line plot: validation {content.task.noun} over the training steps of {len(ranked)} final "
        "candidates."
    )
    figure = figures.learning_curves(ranked, task=content.task)
    return _plot("curves", "Full training of the finalists", summary, figure)


def _memory(content: ReportContent) -> Plot:
    figure = memory_over_time(content.graph, content.cost, limit=_room(content))
    summary = (
        f"Stacked bars: bytes of activations in memory at each step of the schedule; the peak is at "
        f"{content.cost.peak_node}. The column Memory of the table below has the same figures."
    )
    return _plot("memory", "Activation memory, step by step", summary, figure)


def _confusion(content: ReportContent) -> Plot | None:
    if content.confusion is None:
        return None
    summary = f"Confusion matrix of {len(content.classes)} classes on the test {content.item}s."
    figure = figures.confusion_matrix(
        content.classes, content.confusion, in_percent=content.task != CLASSIFICATION
    )
    style = "shaded by row" if content.task == CLASSIFICATION else "in % of the row"
    return _plot("confusion", f"Confusion matrix on the test {content.item}s, {style}", summary, figure)


def _accuracy(accuracy: Accuracy) -> dict[str, str]:
    spread = ""
    if accuracy.interval is not None:
        low, high = accuracy.interval
        spread = f"{100 * low:.2f} to {labels.percent(high)}"
    return {"value": labels.percent(accuracy.value), "spread": spread, "basis": accuracy.basis}


def _room(content: ReportContent) -> int | None:
    """What the budget leaves for activations: of an arena, all but the interpreter's structures."""
    limits = {row.metric: row for row in content.verdict.rows}
    rooms = [limits[name].limit for name in ("peak_activation_bytes", "head_bytes") if name in limits]
    if "arena_bytes" in limits and "head_bytes" in content.further_costs:
        arena = limits["arena_bytes"]
        rooms.append(arena.limit - (arena.value - content.further_costs["head_bytes"]))
    return max(1, min(rooms)) if rooms else None


def _utc(finished: float | None) -> str:
    if finished is None:
        return ""
    return datetime.fromtimestamp(finished, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _fitting(content: ReportContent) -> str:
    """How many architectures of the space fit, as exactly as it is known."""
    low, high, size = content.fitting_lower, content.fitting_upper, content.space_size
    if low == size:
        return "all of them fit"
    if low == high:
        return f"{labels.integer(low)} of them fit ({_share_of(low, size)})"
    if content.fitting_likely is not None:
        low, high = (round(end) for end in content.fitting_likely)
    shares = dict.fromkeys((_share_of(low, size), _share_of(high, size)))
    return f"between {labels.integer(low)} and {labels.integer(high)} of them fit ({' to '.join(shares)})"


def _share_of(part: int, whole: int) -> str:
    """A share of two integers of any size; the smallest ones as one in so many."""
    if part == 0:
        return "none"
    if 1000 * part >= whole:
        return labels.percent(part * 10**6 // whole / 10**6, 1)
    times = whole // part
    return f"one in {labels.magnitude(times) if times >= 10**6 else labels.integer(times)}"


def _fidelity(content: ReportContent) -> str:
    """What share of the full training the trials had."""
    shares = sorted({trial.proposal.fidelity for trial in content.trials})
    if not shares or shares == [1.0]:
        return ""
    words = " or ".join(f"{100 * share:g}{labels.SPACE}%" for share in shares[:4])
    return f"Each trial had {words} of the full training{', or more' if len(shares) > 4 else ''}."
