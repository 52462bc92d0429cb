"""Style of the figures, and axes whose ticks are round in the unit of a cost.

plotly's own ticks are round in tens, so an axis of bytes would read 97.7 KB, 195 KB. Colours are from the
palette of Okabe and Ito, which can be told apart with any kind of colour vision; marks that mean different
things differ in shape as well.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from netwright.devices import format_cost
from netwright.devices.units import GB, KB, MB

INK = "#1f2328"
MUTED = "#59636e"
GRID = "#e4e7eb"
PAPER = "#fffffe"
BLUE = "#0072b2"
SKY = "#56b4e9"
GREEN = "#009e73"
ORANGE = "#e69f00"
VERMILLION = "#d55e00"
PURPLE = "#cc79a7"

DARK = {
    INK: "#e6eaee",
    MUTED: "#9aa5b1",
    GRID: "#31373e",
    PAPER: "#16191d",
    BLUE: "#4ba3d8",
    SKY: "#86cdf2",
    VERMILLION: "#f0803c",
}
"""What a colour becomes on a dark page; a colour that is not here stays."""

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

_LOG_FROM = 15
"""An axis whose largest value is so many times its smallest one is logarithmic."""

_BYTE_UNITS = (1, KB, MB, GB, 1024 * GB)
_MOST_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a cost.

    Attributes:
        low: smallest value shown.
        high: largest value shown.
        log: whether it is logarithmic.
        ticks: values at which a number is written.
        labels: the numbers, with units.
        limit: the budget's limit if it is on the axis.
        beyond: the limit if it is too far away to be shown.
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    limit: int | None
    beyond: int | None

    def layout(self, title: str) -> dict[str, Any]:
        """The axis as plotly's layout wants it."""
        ends = (self.low, self.high)
        return {
            "title": {"text": f"{title}, log scale" if self.log else title},
            "type": "log" if self.log else "linear",
            "range": [math.log10(end) for end in ends] if self.log else list(ends),
            "tickmode": "array",
            "tickvals": list(self.ticks),
            "ticktext": list(self.labels),
        }

    def position(self, value: float) -> float:
        """The coordinate of a value for shapes and annotations: plotly wants exponents on a log axis."""
        return math.log10(value) if self.log else value


def cost_axis(values: Sequence[int], metric: str, limit: int | None) -> Axis:
    """Lay out an axis for the costs of trials.

    The limit is on the axis if that does not squeeze the trials into less than half of it.

    Args:
        values: the costs, at least one.
        metric: name of the cost; its unit decides where the ticks are.
        limit: the budget's limit, or None.
    """
    low, high = min(values), max(values)
    log = low > 0 and high / low >= _LOG_FROM
    near = limit is not None and (limit * low <= high**2 if log else limit <= 2 * high)
    ends = [low, high, *([limit] if limit is not None and near else [])]
    if log:
        pad = (max(ends) / min(ends)) ** 0.06
        start, end = min(ends) / pad, max(ends) * pad
    else:
        pad = 0.07 * (max(ends) - min(ends)) or 0.2 * max(ends) or 1
        start, end = max(0, min(ends) - pad), max(ends) + pad
    ticks = _log_ticks(start, end, metric) if log else linear_ticks(start, end, metric)
    return Axis(
        low=start,
        high=end,
        log=log,
        ticks=ticks,
        labels=tuple(format_cost(metric, round(tick)) for tick in ticks),
        limit=limit if near else None,
        beyond=None if near else limit,
    )


def linear_ticks(low: float, high: float, metric: str) -> tuple[float, ...]:
    """At most six values that are round in the unit of a cost.

    >>> linear_ticks(0, 130_000, "weight_bytes") == tuple(KB * n for n in (0, 50, 100))
    True
    """
    steps = sorted(_round_numbers(max(1.0, high), metric))
    step = next(step for step in steps if (high - low) / step <= _MOST_TICKS)
    return tuple(float(step * n) for n in range(math.ceil(low / step), math.floor(high / step) + 1))


def _log_ticks(low: float, high: float, metric: str) -> tuple[float, ...]:
    """Round values on a log axis, thinned out evenly to at most six."""
    ticks = sorted(float(n) for n in _round_numbers(high, metric) if low <= n <= high)
    stride = max(1, math.ceil(len(ticks) / (_MOST_TICKS + 1)))
    return tuple(ticks[::stride])


def _round_numbers(high: float, metric: str) -> set[int]:
    """1, 2 and 5 times a power of ten in every unit, to beyond ``high``."""
    if metric.endswith("bytes"):
        return {unit * power * n for unit in _BYTE_UNITS for power in (1, 10, 100) for n in (1, 2, 5)}
    digits = len(str(round(high)))
    return {10**power * n for power in range(digits + 1) for n in (1, 2, 5)}


def figure(height: int, **layout: Any) -> go.Figure:
    """An empty figure in the style of the report.

    Args:
        height: pixels; the width is that of the page.
        **layout: plotly's layout, added to the style.
    """
    empty = go.Figure(
        layout={
            "template": "none",
            "height": height,
            "margin": {"l": 56, "r": 16, "t": 16, "b": 52},
            "font": {"family": FONT, "size": 12, "color": INK},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "showlegend": False,
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": MUTED, "activecolor": INK},
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": PAPER,
                "bordercolor": MUTED,
                "align": "left",
                "font": {"family": FONT, "size": 12, "color": INK},
            },
        }
    )
    line = {"gridcolor": GRID, "zeroline": False, "linecolor": MUTED, "tickcolor": MUTED, "automargin": True}
    empty.update_xaxes(showgrid=True, showline=True, ticks="outside", ticklen=4, **line)
    empty.update_yaxes(showgrid=True, showline=False, **line)
    empty.update_layout(**layout)
    return empty


def note(
    figure: go.Figure, text: str, *, x: float, y: float, xref: str, yref: str, xanchor: str = "left"
) -> None:
    """Write a few words about the limit into a figure, just above a point.

    Args:
        figure: is changed.
        text: escaped where it comes from outside.
        x: coordinate.
        y: coordinate.
        xref: what ``x`` is measured on: an axis or its ``domain``, as plotly names them.
        yref: the same for ``y``.
        xanchor: whether the words are to the right of the point (``left``) or to its left (``right``).
    """
    figure.add_annotation(
        text=text,
        x=x,
        y=y,
        xref=xref,
        yref=yref,
        xanchor=xanchor,
        yanchor="bottom",
        xshift=4 if xanchor == "left" else -4,
        yshift=2,
        showarrow=False,
        font={"color": VERMILLION, "size": 12},
        bgcolor=PAPER,
        opacity=0.9,
        borderpad=1,
    )
