"""What several figures of trials have in common: the axis of the score, texts, the winner, the limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from netwright.devices import format_cost
from netwright.nn.task import Task
from netwright.report import axes, labels
from netwright.trial import Trial

_MARGIN = 0.08


def share_axis(shares: Sequence[float], title: str) -> dict[str, Any]:
    """A vertical axis in per cent with room around the values."""
    low, high = (min(shares), max(shares)) if shares else (0.0, 1.0)
    pad = max(_MARGIN * (high - low), 0.002)
    return {
        "title": {"text": f"{title} (%)"},
        "range": [max(-1.0, 100 * (low - 1.5 * pad)), min(101.0, 100 * (high + pad))],
        "nticks": 7,
    }


def trial_text(trial: Trial, task: Task) -> str:
    """What the box of a trial says."""
    head = f"<b>trial {trial.number}</b>"
    if trial.complete:
        head += f": {labels.percent(trial.metrics[task.objective.name])}"
    else:
        head += f" failed: {escape(labels.shorten(trial.reason or 'no reason recorded', 60))}"
    costs = ", ".join(
        f"{format_cost(metric, number, exact=False)}{suffix}"
        for metric, suffix in _COST_WORDS.items()
        if (number := trial.costs.get(metric)) is not None
    )
    lines = [head, costs, *(escape(line) for line in labels.architecture(trial.proposal.architecture))]
    return "<br>".join(line for line in lines if line)


_COST_WORDS: Mapping[str, str] = {
    "macs": " MACs",
    "params": " params",
    "weight_bytes": " weights",
    "peak_activation_bytes": " peak",
}


def mark_winner(figure: go.Figure, x: float, y: float, text: str) -> None:
    """Put a star at the winner."""
    figure.add_scatter(
        x=[x],
        y=[y],
        text=[f"<b>winner</b><br>{text}"],
        mode="markers",
        name="winner",
        marker={"symbol": "star", "size": 17, "color": axes.ORANGE, "line": {"color": axes.INK, "width": 1}},
        hoverinfo="text",
    )


def draw_limit(figure: go.Figure, axis: axes.Axis, metric: str) -> None:
    """Draw the limit as a vertical line, or say on which side of the axis it is."""
    if axis.limit is not None:
        at = axis.position(axis.limit)
        text = f"limit {format_cost(metric, axis.limit, exact=False)}"
        left, right = axis.position(axis.low), axis.position(axis.high)
        anchor = "right" if at > (left + right) / 2 else "left"
        figure.add_shape(
            type="line", x0=axis.limit, x1=axis.limit, xref="x", y0=0, y1=1, yref="y domain",
            line={"color": axes.VERMILLION, "width": 2, "dash": "dash"},
        )  # fmt: skip
        axes.note(figure, text, x=at, y=0, xref="x", yref="y domain", xanchor=anchor)
    elif axis.beyond is not None:
        text = f"limit {format_cost(metric, axis.beyond, exact=False)}, beyond this axis →"
        axes.note(figure, text, x=1, y=0, xref="x domain", yref="y domain", xanchor="right")
