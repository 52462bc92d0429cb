"""The Pareto front of several objectives in a report: figures and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from netwright.devices import format_cost
from netwright.nn.task import CLASSIFICATION, Task
from netwright.report import axes, labels, marks
from netwright.report.content import Front, ReportContent
from netwright.space.architecture import Architecture
from netwright.trial import Metric, Trial, value_of

_SIZE = 11


@dataclass(frozen=True, slots=True)
class FrontRow:
    """One point of the front.

    Attributes:
        number: of the trial.
        architecture: short key.
        values: the objectives, in their order.
        trained: the score after the full training, or empty.
        winner: whether this architecture was chosen.
    """

    number: int
    architecture: str
    values: tuple[str, ...]
    trained: str
    winner: bool


def titles(front: Front, task: Task) -> list[str]:
    """What the objectives are called in headings, the score first."""
    return [f"Validation {task.noun}", *(title_of(objective) for objective in front.objectives[1:])]


def title_of(objective: Metric) -> str:
    """What a cost is called."""
    return labels.COST_TITLES.get(objective.name, objective.name)


def front_rows(content: ReportContent, front: Front) -> list[FrontRow]:
    """The points of the front, the best score first; of equal ones the earlier first."""
    score, *costs = front.objectives
    trained = {one.architecture: one.validation for one in content.candidates}
    ranked = sorted(front.trials, key=lambda trial: (-value_of(trial, score), trial.number))
    return [
        FrontRow(
            number=trial.number,
            architecture=trial.proposal.architecture.key[:8],
            values=(
                labels.percent(value_of(trial, score)),
                *(format_cost(one.name, int(value_of(trial, one)), exact=False) for one in costs),
            ),
            trained=labels.percent(trained[trial.proposal.architecture])
            if trial.proposal.architecture in trained
            else "",
            winner=trial.proposal.architecture == content.winner,
        )
        for trial in ranked
    ]


def front_over_cost(
    trials: Sequence[Trial],
    front: Front,
    cost: Metric,
    *,
    limit: int | None = None,
    refined: Sequence[Architecture] = (),
    winner: Architecture | None = None,
    task: Task = CLASSIFICATION,
) -> go.Figure:
    """Scatter the score over one of the objectives, with the points of the front large.

    A point of the front may lie below another one here, since it is better in what this figure does not
    show; so where there is a third objective the colour of a point says its value.

    Args:
        trials: complete trials, at least one.
        front: the front of all objectives.
        cost: the objective on the horizontal axis.
        limit: the budget's limit on it, or None.
        refined: the architectures that were trained in full; they get a ring.
        winner: the architecture to mark.
        task: names the score.
    """
    score = front.objectives[0]
    others = front.objectives[1:]
    colour = others[(others.index(cost) + 1) % len(others)] if len(others) > 1 else None
    axis = axes.cost_axis([int(value_of(trial, cost)) for trial in trials], cost.name, limit)
    figure = axes.figure(
        340,
        xaxis=axis.layout(title_of(cost)),
        yaxis=marks.share_axis([value_of(trial, score) for trial in trials], f"Validation {task.noun}"),
    )
    numbers = {trial.number for trial in front.trials}
    on_front = [trial for trial in trials if trial.number in numbers]
    dominated = [trial for trial in trials if trial.number not in numbers]
    rings = [trial for trial in on_front if trial.proposal.architecture in refined]
    for name, some, marker in (
        ("dominated", dominated, {"size": 7, "color": axes.MUTED, "opacity": 0.45}),
        ("Pareto front", on_front, _front_marker(on_front, colour)),
        (
            "trained in full",
            rings,
            {"symbol": "circle-open", "size": 19, "color": axes.ORANGE, "line": {"width": 2.5}},
        ),
    ):
        figure.add_scatter(
            x=[value_of(trial, cost) for trial in some],
            y=[100 * value_of(trial, score) for trial in some],
            text=[marks.trial_text(trial, task) for trial in some],
            mode="markers",
            name=name,
            marker=marker,
            hoverinfo="skip" if some is rings else "text",
        )
    chosen = [trial for trial in on_front if trial.proposal.architecture == winner]
    if chosen:
        best = max(chosen, key=lambda trial: value_of(trial, score))
        marks.mark_winner(
            figure, value_of(best, cost), 100 * value_of(best, score), marks.trial_text(best, task)
        )
    marks.draw_limit(figure, axis, cost.name)
    return figure


def _front_marker(trials: Sequence[Trial], colour: Metric | None) -> dict[str, Any]:
    """Marks of the points of the front, with their colours by a third objective."""
    marker: dict[str, Any] = {"size": _SIZE, "line": {"color": axes.INK, "width": 1.5}}
    if colour is None:
        return {**marker, "color": axes.BLUE}
    values = [int(value_of(trial, colour)) for trial in trials]
    scale = axes.cost_axis(values, colour.name, None)
    return {
        **marker,
        "color": [scale.position(value) for value in values],
        "cmin": scale.position(scale.low) if scale.low or not scale.log else 0,
        "cmax": scale.position(scale.high),
        "colorscale": [[0, axes.PAPER], [0.5, axes.SKY], [1, axes.BLUE]],
        "colorbar": {
            "title": {"text": title_of(colour), "side": "right"},
            "thickness": 10,
            "outlinewidth": 0,
            "tickmode": "array",
            "tickvals": [scale.position(tick) for tick in scale.ticks],
            "ticktext": list(scale.labels),
        },
    }


def hypervolume_growth(trials: Sequence[Trial], front: Front) -> go.Figure:
    """Draw the hypervolume after each trial.

    Args:
        trials: all trials, as many as ``front.growth`` has shares.
        front: the front.
    """
    numbers = [trial.number for trial in sorted(trials, key=lambda trial: trial.number)]
    last = max(numbers)
    figure = axes.figure(
        340,
        xaxis={
            "title": {"text": "Trial"},
            "range": [min(numbers) - 0.6, last + 0.6],
            "tickformat": "d",
            **({"dtick": 1} if len(numbers) < 8 else {"nticks": 10}),
        },
        yaxis=marks.share_axis(front.growth, "Hypervolume"),
    )
    figure.add_scatter(
        x=numbers,
        y=[100 * share for share in front.growth],
        mode="lines",
        name="hypervolume",
        line={"shape": "hv", "color": axes.INK, "width": 2},
        hovertemplate="after trial %{x}: %{y:.2f} %<extra></extra>",
    )
    return figure
