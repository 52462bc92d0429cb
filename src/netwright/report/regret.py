"""The page of a comparison of strategies: curves with confidence bands, and the table of results."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from netwright.report import axes
from netwright.report.environment import templates

_COLOURS = (axes.BLUE, axes.VERMILLION, axes.GREEN, axes.PURPLE, axes.ORANGE, axes.SKY)
_DASHES = ("solid", "dash", "dot", "dashdot")
_DECADES = 4
"""Decades below the largest mean that a logarithmic axis shows at most: a regret may become 0."""


@dataclass(frozen=True, slots=True)
class BandCurve:
    """A curve between two bounds.

    Attributes:
        name: for the legend.
        x: positions.
        middle: the curve; NaN where it has no value.
        low: lower bounds.
        high: upper bounds.
    """

    name: str
    x: tuple[float, ...]
    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CurveFigure:
    """Curves in a frame.

    Attributes:
        name: unique in the page, one word.
        title: heading above it.
        summary: what it shows, for those who cannot see it.
        x_title: what the horizontal axis measures.
        y_title: what the vertical axis measures.
        log: whether the vertical axis is logarithmic.
        curves: in the order of the legend.
    """

    name: str
    title: str
    summary: str
    x_title: str
    y_title: str
    log: bool
    curves: tuple[BandCurve, ...]


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table of results.

    Attributes:
        caption: what it shows.
        headers: of the columns; those after the first stand above numbers.
        rows: cells as text.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """What the page shows.

    Attributes:
        title: heading.
        facts: a few words each about what was compared.
        figures: the curves.
        tables: of results.
        notes: sentences below the tables.
    """

    title: str
    facts: tuple[str, ...]
    figures: tuple[CurveFigure, ...]
    tables: tuple[ResultTable, ...]
    notes: tuple[str, ...]


def render_comparison(page: ComparisonPage) -> str:
    """Make the text of one self-contained page."""
    plots = []
    for one in page.figures:
        figure = curve_figure(one)
        # In a script element only "<" can end the data early, whatever a name contains.
        spec = figure.to_json().replace("<", "\\u003c")
        plots.append({"figure": one, "spec": spec, "height": int(figure.layout.height)})
    template = templates().get_template("comparison.html.j2")
    return template.render(page=page, plots=plots, plotly=get_plotlyjs(), dark=axes.DARK)


def curve_figure(one: CurveFigure) -> go.Figure:
    """Draw curves with their bands; colours and dashes tell them apart."""
    floor = _floor(one) if one.log else -math.inf
    figure = axes.figure(
        380,
        xaxis={"title": {"text": escape(one.x_title)}},
        yaxis={
            "title": {"text": escape(one.y_title) + (", log scale" if one.log else "")},
            **({"type": "log", "range": _decades(one, floor), "dtick": 1} if one.log else _span(one)),
        },
        showlegend=True,
        legend={"orientation": "h", "y": -0.22},
        hovermode="x unified",
    )
    for number, curve in enumerate(one.curves):
        colour = _COLOURS[number % len(_COLOURS)]
        line = {"color": colour, "width": 2, "dash": _DASHES[number // len(_COLOURS) % len(_DASHES)]}
        group: dict[str, Any] = {"legendgroup": curve.name, "x": curve.x, "mode": "lines"}
        for side, fill in ((curve.low, None), (curve.high, "tonexty")):
            figure.add_scatter(
                **group,
                y=_drawn(side, floor),
                line={"width": 0, "color": colour},
                fill=fill,
                fillcolor=_pale(colour) if fill else None,
                showlegend=False,
                hoverinfo="skip",
            )
        figure.add_scatter(**group, y=_drawn(curve.middle, floor), name=escape(curve.name), line=line)
    return figure


def _floor(one: CurveFigure) -> float:
    """The smallest value that a logarithmic axis shows."""
    shown = [y for curve in one.curves for y in curve.middle if y > 0]
    return max(min(shown), max(shown) / 10**_DECADES) if shown else 1.0


def _decades(one: CurveFigure, floor: float) -> list[float]:
    most = max((y for curve in one.curves for y in curve.high if y > 0), default=10 * floor)
    return [math.log10(floor) - 0.1, math.log10(max(most, floor)) + 0.1]


def _span(one: CurveFigure) -> dict[str, Any]:
    """The range that shows how the curves end; where one of them began would flatten all of them."""
    ends = [next((y for y in reversed(curve.middle) if not math.isnan(y)), math.nan) for curve in one.curves]
    known = [y for y in ends if not math.isnan(y)]
    most = max((y for curve in one.curves for y in curve.high if not math.isnan(y)), default=1.0)
    least = min(known, default=0.0)
    margin = 0.5 * (most - least) or 1.0
    return {"range": [least - margin, most + 0.1 * margin]}


def _drawn(values: Sequence[float], floor: float) -> list[float | None]:
    """Values as plotly takes them: nothing for NaN, and what is below the floor on it."""
    return [None if math.isnan(value) else max(value, floor) for value in values]


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"
