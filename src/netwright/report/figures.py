"""The figures of a report: pure functions from values to plotly figures.

Every text that comes from outside (names of places, decisions, classes, reasons) is escaped, because plotly
reads a subset of HTML in its texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import accumulate
from math import ceil

import plotly.graph_objects as go

from netwright.nn.task import CLASSIFICATION, Task
from netwright.report import axes, labels, marks
from netwright.report.content import Candidate
from netwright.report.pareto import pareto_front
from netwright.space.architecture import Architecture
from netwright.trial import Trial

_CURVES = ((axes.VERMILLION, "solid"), (axes.BLUE, "dash"), (axes.GREEN, "dot"), (axes.PURPLE, "dashdot"))
_TEXT_CLASSES = 16
_NAMED_CLASSES = 24


def accuracy_over_cost(
    trials: Sequence[Trial],
    metric: str,
    *,
    limit: int | None = None,
    winner: Architecture | None = None,
    task: Task = CLASSIFICATION,
) -> go.Figure:
    """Scatter the trials over one cost, with the Pareto front, the winner and the limit.

    Args:
        trials: complete trials that have the cost, at least one.
        metric: name of the cost.
        limit: the budget's limit on it, or None.
        winner: the architecture to mark, if it is among the trials.
        task: names the score.
    """
    costs = [trial.costs[metric] for trial in trials]
    shares = [trial.metrics[task.objective.name] for trial in trials]
    axis = axes.cost_axis(costs, metric, limit)
    figure = axes.figure(
        300,
        xaxis=axis.layout(labels.COST_TITLES[metric]),
        yaxis=marks.share_axis(shares, f"Validation {task.noun}"),
    )
    texts = [marks.trial_text(trial, task) for trial in trials]
    for fits, symbol, name in ((True, "circle", "fits"), (False, "circle-open", "does not fit")):
        chosen = [index for index, trial in enumerate(trials) if trial.fits is fits]
        if chosen:
            figure.add_scatter(
                x=[costs[i] for i in chosen],
                y=[100 * shares[i] for i in chosen],
                text=[texts[i] for i in chosen],
                mode="markers",
                name=name,
                marker={"symbol": symbol, "size": 8, "color": axes.BLUE, "opacity": 0.65},
                hoverinfo="text",
            )
    front = pareto_front(list(zip(costs, shares, strict=True)))
    figure.add_scatter(
        x=[costs[i] for i in front],
        y=[100 * shares[i] for i in front],
        mode="lines+markers",
        name="Pareto front",
        line={"shape": "hv", "color": axes.INK, "width": 1.5},
        marker={"size": 8, "color": axes.BLUE, "line": {"color": axes.INK, "width": 1.5}},
        hoverinfo="skip",
    )
    same = [i for i, trial in enumerate(trials) if trial.proposal.architecture == winner]
    if same:
        at = max(same, key=lambda i: shares[i])
        marks.mark_winner(figure, costs[at], 100 * shares[at], texts[at])
    marks.draw_limit(figure, axis, metric)
    return figure


def progress(
    trials: Sequence[Trial], *, refined: Sequence[Architecture] = (), task: Task = CLASSIFICATION
) -> go.Figure:
    """Draw the score of each trial, the best one so far, and the failed trials at the bottom.

    Args:
        trials: all trials, at least one.
        refined: the architectures that were then trained in full; they get a ring.
        task: names the score.
    """
    ordered = sorted(trials, key=lambda trial: trial.number)
    complete = [trial for trial in ordered if trial.complete]
    failed = [trial for trial in ordered if not trial.complete]
    shares = [trial.metrics[task.objective.name] for trial in complete]
    vertical = marks.share_axis(shares, f"Validation {task.noun}")
    bottom, top = vertical["range"]
    first, last = ordered[0].number, ordered[-1].number
    room = 0.6 + 0.03 * (last - first)
    figure = axes.figure(
        320,
        xaxis={
            "title": {"text": "Trial"},
            "range": [first - room, last + room],
            "tickformat": "d",
            **({"dtick": 1} if last - first < 8 else {"nticks": 10}),
        },
        yaxis=vertical,
    )
    figure.add_scatter(
        x=[trial.number for trial in complete],
        y=[100 * share for share in shares],
        text=[marks.trial_text(trial, task) for trial in complete],
        mode="markers",
        name="trial",
        marker={"size": 8, "color": axes.BLUE, "opacity": 0.65},
        hoverinfo="text",
    )
    rings = [trial for trial in complete if trial.proposal.architecture in refined]
    figure.add_scatter(
        x=[trial.number for trial in rings],
        y=[100 * trial.metrics[task.objective.name] for trial in rings],
        mode="markers",
        name="trained in full",
        marker={"symbol": "circle-open", "size": 15, "color": axes.ORANGE, "line": {"width": 2.5}},
        hoverinfo="skip",
    )
    best = [100 * share for share in accumulate(shares, max)]
    figure.add_scatter(
        x=[*(trial.number for trial in complete), last] if complete else [],
        y=[*best, best[-1]] if complete else [],
        mode="lines",
        name="best so far",
        line={"shape": "hv", "color": axes.INK, "width": 2},
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=[trial.number for trial in failed],
        y=[bottom + 0.04 * (top - bottom)] * len(failed),
        text=[marks.trial_text(trial, task) for trial in failed],
        mode="markers",
        name="failed",
        marker={"symbol": "x-thin", "size": 10, "line": {"color": axes.VERMILLION, "width": 2.5}},
        hoverinfo="text",
    )
    return figure


def learning_curves(candidates: Sequence[Candidate], *, task: Task = CLASSIFICATION) -> go.Figure:
    """Draw the validation score over the steps of the full trainings.

    Args:
        candidates: best first; those without a curve are left out.
        task: names the score.
    """
    name_of_score = task.objective.name
    curves = [
        [(step, metrics[name_of_score]) for step, metrics in one.curve if name_of_score in metrics]
        for one in candidates
    ]
    shares = [share for points in curves for _, share in points]
    figure = axes.figure(
        320,
        xaxis={"title": {"text": "Training step"}, "rangemode": "tozero", "nticks": 6, "tickformat": ",d"},
        yaxis=marks.share_axis(shares, f"Validation {task.noun}"),
        showlegend=True,
        legend={"x": 1, "y": 0.02, "xanchor": "right", "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
    )
    for index, (candidate, points) in enumerate(zip(candidates, curves, strict=True)):
        if not points:
            continue
        colour, dash = _CURVES[index % len(_CURVES)]
        name = f"{candidate.architecture.key[:8]}: {labels.percent(candidate.validation)}"
        figure.add_scatter(
            x=[step for step, _ in points],
            y=[100 * share for _, share in points],
            mode="lines+markers" if len(points) <= 40 else "lines",
            name=name,
            line={"color": colour, "dash": dash, "width": 2},
            marker={"size": 5},
            hovertemplate=f"{candidate.architecture.key[:8]}<br>step %{{x:,d}}: %{{y:.2f}} %<extra></extra>",
        )
    return figure


def confusion_matrix(
    classes: Sequence[str], counts: Sequence[Sequence[int]], *, in_percent: bool = False
) -> go.Figure:
    """Shade the shares of each true class that were predicted as each class.

    Args:
        classes: names.
        counts: numbers of items by true class (rows) and predicted class (columns).
        in_percent: whether cells bear shares of their row, as long numbers would not fit.
    """
    number = len(classes)
    totals = [sum(row) for row in counts]
    shares = [
        [100 * count / total if total else 0.0 for count in row]
        for row, total in zip(counts, totals, strict=True)
    ]
    names = [escape(labels.shorten(name, 14)) for name in classes]
    texts = [
        [
            f"true: <b>{escape(classes[row])}</b><br>predicted: <b>{escape(classes[column])}</b><br>"
            f"{counts[row][column]:,} of {totals[row]:,} ({shares[row][column]:.1f} %)"
            for column in range(number)
        ]
        for row in range(number)
    ]
    if in_percent:
        cells = [[f"{share:.0f}" if share >= 0.5 else "" for share in row] for row in shares]
    else:
        cells = [[f"{count:,}" if count else "" for count in row] for row in counts]
    places = list(range(0, number, max(1, ceil(number / _NAMED_CLASSES))))
    ticks = {"tickmode": "array", "tickvals": places, "ticktext": [names[i] for i in places]}
    figure = axes.figure(
        max(300, min(760, 110 + 34 * number)),
        xaxis={"title": {"text": "Predicted class"}, "showgrid": False, "tickangle": -40, **ticks},
        yaxis={
            "title": {"text": "True class", "standoff": 12},
            "showgrid": False,
            "autorange": "reversed",
            **ticks,
        },
    )
    figure.add_heatmap(
        z=shares,
        text=cells,
        hovertext=texts,
        hoverinfo="text",
        zmin=0,
        zmax=100,
        xgap=1,
        ygap=1,
        colorscale=[[0, axes.PAPER], [0.02, axes.GRID], [0.3, axes.SKY], [1, axes.BLUE]],
        showscale=number > _TEXT_CLASSES,
        colorbar={"title": {"text": "% of row"}, "thickness": 10, "outlinewidth": 0},
        **({"texttemplate": "%{text}"} if number <= _TEXT_CLASSES else {}),
    )
    return figure
