"""The figure of the memory over the schedule of a network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import Any

import plotly.graph_objects as go

from netwright.devices import format_bytes
from netwright.ir.cost import Cost
from netwright.ir.graph import Graph
from netwright.ir.memory import Moment, Step, fuse
from netwright.report import axes, labels

_PARTS = (
    ("reads", "read by the step", axes.SKY),
    ("writes", "written by the step", axes.BLUE),
    ("held", "kept for a later step", axes.PURPLE),
)
_NAMED = 24
"""A stage is named below the axis if its middle is this part of the axis away from the last one."""

_SEPARATED = 40
_TENSORS = 8


def memory_over_time(graph: Graph, cost: Cost, *, limit: int | None = None) -> go.Figure:
    """Stack the tensors that are in memory at each step, with the peak and the limit.

    What a step reads, what it writes and what is only kept for a later step (a skip connection) are told
    apart; the box of a step names every tensor.

    Args:
        graph: the network.
        cost: its cost.
        limit: the budget's limit on the peak, or None.
    """
    steps, _ = fuse(graph)
    moments = _moments(cost)
    figure = axes.figure(
        340,
        barmode="stack",
        bargap=0,
        xaxis={"title": {"text": "Step of the schedule"}, "showgrid": False, **_stage_ticks(steps)},
        yaxis=_memory_axis(cost, limit),
    )
    parts = [_parts(step, moments[step.node.name]) for step in steps]
    texts = [_moment_text(step, moments[step.node.name], graph) for step in steps]
    for key, name, colour in _PARTS:
        figure.add_bar(
            x=list(range(len(steps))),
            y=[part[key] for part in parts],
            width=1 if len(steps) > 60 else 0.92,
            name=name,
            text=texts,
            textposition="none",
            hoverinfo="text",
            marker={"color": colour, "line": {"width": 0}},
        )
    _separate_stages(figure, steps)
    _mark_peak(figure, steps, cost)
    if limit is not None:
        _draw_limit(figure, limit, cost)
    return figure


def _moments(cost: Cost) -> dict[str, Moment]:
    return {row.name: row.memory for row in cost.nodes if row.memory is not None}


def _parts(step: Step, moment: Moment) -> dict[str, int]:
    """Bytes that a step reads, writes and merely keeps; they sum to the total of the memory model.

    Where a depthwise convolution works in place, what it saves is taken off what it writes.
    """
    alive = dict(moment.alive)
    reads = sum(alive[name] for name in step.reads)
    held = sum(alive.values()) - reads - alive[moment.step]
    return {"reads": reads, "held": held, "writes": moment.bytes - reads - held}


def _moment_text(step: Step, moment: Moment, graph: Graph) -> str:
    """What the box of a step says: its op and every tensor in memory, the largest first."""
    sizes = sorted(moment.alive, key=lambda tensor: -tensor[1])
    op = labels.op(step.node, graph.input_shapes(step.node))
    lines = [
        f"<b>{escape(labels.shorten(moment.step, 44))}</b>",
        f"{escape(op)}: {format_bytes(moment.bytes, exact=False)} in memory",
    ]
    for name, size in sizes[:_TENSORS]:
        lines.append(f"{format_bytes(size, exact=False)} {escape(labels.shorten(name, 40))}")
    if len(sizes) > _TENSORS:
        lines.append(f"and {len(sizes) - _TENSORS} more")
    return "<br>".join(lines)


def _near(limit: int, cost: Cost) -> bool:
    return limit <= 4 * cost.peak_activation_bytes


def _memory_axis(cost: Cost, limit: int | None) -> dict[str, Any]:
    peak = cost.peak_activation_bytes
    top = max(1.35 * peak, 1.12 * limit if limit is not None and _near(limit, cost) else 0)
    ticks = axes.linear_ticks(0, top, "peak_activation_bytes")
    return {
        "title": {"text": "Activation memory", "standoff": 12},
        "range": [0, top],
        "tickmode": "array",
        "tickvals": list(ticks),
        "ticktext": [format_bytes(round(tick)) for tick in ticks],
    }


def _stages(steps: Sequence[Step]) -> list[tuple[str, int, int]]:
    """Name, first and last index of each run of steps in one top-level place."""
    found = []
    start = 0
    for name, members in groupby(steps, key=lambda step: step.node.name.partition(".")[0]):
        end = start + len(list(members))
        found.append((name, start, end - 1))
        start = end
    return found


def _stage_ticks(steps: Sequence[Step]) -> dict[str, Any]:
    """Write the name of each stage below its middle, where there is room for it."""
    shown: list[tuple[float, str]] = []
    for stage, first, last in _stages(steps):
        middle = (first + last) / 2
        if not shown or middle - shown[-1][0] >= len(steps) / _NAMED:
            shown.append((middle, escape(labels.shorten(stage, 16))))
    return {
        "tickmode": "array",
        "tickvals": [middle for middle, _ in shown],
        "ticktext": [text for _, text in shown],
        "range": [-0.7, len(steps) - 0.3],
    }


def _separate_stages(figure: go.Figure, steps: Sequence[Step]) -> None:
    """Draw a thin line before each stage, unless there are so many that the lines would hide the bars."""
    stages = _stages(steps)
    for _, first, _ in stages[1:] if len(stages) <= _SEPARATED else ():
        figure.add_shape(
            type="line",
            x0=first - 0.5,
            x1=first - 0.5,
            xref="x",
            y0=0,
            y1=1,
            yref="y domain",
            line={"color": axes.GRID, "width": 1},
            layer="below",
        )


def _draw_limit(figure: go.Figure, limit: int, cost: Cost) -> None:
    """Draw the limit as a line, or say how far above the axis it is."""
    text = f"limit {format_bytes(limit, exact=False)}"
    if _near(limit, cost):
        figure.add_hline(y=limit, line={"color": axes.VERMILLION, "width": 2, "dash": "dash"})
        axes.note(figure, text, x=0, y=limit, xref="x domain", yref="y")
    else:
        times = f"{limit / cost.peak_activation_bytes:.0f} {labels.TIMES} the peak"
        axes.note(figure, f"{text}, {times} ↑", x=1, y=0.9, xref="x domain", yref="y domain", xanchor="right")


def _mark_peak(figure: go.Figure, steps: Sequence[Step], cost: Cost) -> None:
    """Point an arrow at the step with the peak."""
    at = next(index for index, step in enumerate(steps) if step.node.name == cost.peak_node)
    left = at < len(steps) / 2
    figure.add_annotation(
        x=at,
        y=cost.peak_activation_bytes,
        ax=26 if left else -26,
        ay=-14,
        text=f"peak <b>{format_bytes(cost.peak_activation_bytes, exact=False)}</b> at "
        f"{escape(labels.shorten(cost.peak_node, 30))}",
        xanchor="left" if left else "right",
        showarrow=True,
        arrowhead=2,
        arrowcolor=axes.INK,
        font={"color": axes.INK, "size": 12},
    )
