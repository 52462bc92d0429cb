"""Charts about a whole space: distributions with bounds, sub-spaces, what one dimension does.

A chart is a value. It is drawn by plotly for an HTML page, which answers to the pointer, or as plain SVG,
which plotly cannot write without a browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from netwright.devices import format_cost
from netwright.errors import ConfigError
from netwright.files import write_whole
from netwright.report import axes, labels
from netwright.space.design import Design, SubSpace
from netwright.space.dimensions import Variation
from netwright.space.distributions import Distribution
from netwright.space.opaque import EstimatedDistribution

_COLOURS = (axes.BLUE, axes.VERMILLION, axes.GREEN, axes.PURPLE, axes.ORANGE, axes.SKY)
_DASHES = ("solid", "dash", "dot", "dashdot")
_DASH_ARRAYS = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3"}
_WIDTH, _HEIGHT = 860, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 20, 44, 56
_PERCENT = axes.Axis(
    0, 100, False, (0, 20, 40, 60, 80, 100), ("0 %", "20 %", "40 %", "60 %", "80 %", "100 %"), None, None
)


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve between two bounds.

    Attributes:
        name: for the legend.
        x: positions.
        low: lower bounds there.
        high: upper bounds there; equal to ``low`` where the curve is exact.
        middle: a curve between the bounds to draw strongly; without one the bounds are the curve.
        step: whether it stays as it is up to the next position.
        colour: of lines and area.
        dash: of the line.
    """

    name: str
    x: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    middle: tuple[float, ...] | None = None
    step: bool = False
    colour: str = axes.BLUE
    dash: str = "solid"

    @property
    def exact(self) -> bool:
        """Whether the bounds agree."""
        return self.low == self.high

    @property
    def lines(self) -> tuple[tuple[float, ...], ...]:
        """What is drawn as lines."""
        if self.middle is not None:
            return (self.middle,)
        return (self.low,) if self.exact else (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves in a frame.

    Attributes:
        title: what it shows.
        x: horizontal axis.
        x_title: what it measures.
        y: vertical axis.
        y_title: what it measures.
        curves: in the order of the legend.
    """

    title: str
    x: axes.Axis
    x_title: str
    y: axes.Axis
    y_title: str
    curves: tuple[Curve, ...]


def distribution_chart(found: Distribution | EstimatedDistribution, title: str) -> Chart:
    """The lower and the upper cumulative distribution of a cost.

    Args:
        found: the distribution; of an estimated one the band at its confidence.
        title: what is distributed.
    """
    if isinstance(found, EstimatedDistribution):
        low, high = ([100 * share for share in side] for side in (found.lower, found.upper))
        name = f"{100 * found.confidence:g} % band from {found.samples} samples"
        curve = Curve(name, tuple(found.values), tuple(low), tuple(high), step=True)
    else:
        curve = _cumulative(found, "exact" if found.exact else "lower and upper bound")
    axis = _cost_axis(found.values, found.metric)
    return Chart(
        title, axis, labels.COST_TITLES[found.metric], _PERCENT, "architectures with at most this", (curve,)
    )


def design_chart(found: Design, title: str, *, best: int = 3, others: int = 3) -> Chart:
    """The distributions of the best sub-spaces and of some others.

    Args:
        found: the ranked sub-spaces.
        title: of which device.
        best: how many of the best to show.
        others: how many others, evenly through the rest of the ranking.
    """
    known = [sub for sub in found.ranked if sub.distribution is not None]
    rest = known[best:]
    picked = [rest[len(rest) * index // others] for index in range(others)] if len(rest) > others else rest
    curves, values = [], []
    for number, sub in enumerate([*known[:best], *picked]):
        assert sub.distribution is not None
        values += [value for value, _, _ in _shown(sub.distribution)]
        curves.append(
            _cumulative(
                sub.distribution,
                f"{number + 1 if number < best else ''}{'. ' if number < best else ''}{_name(sub)}",
                _COLOURS[number % len(_COLOURS)],
                "solid" if number < best else _DASHES[1 + number % 3],
            )
        )
    axis = _cost_axis(values, found.metric, log=False)
    return Chart(
        title,
        axis,
        labels.COST_TITLES[found.metric],
        _PERCENT,
        "fitting networks with at most this",
        tuple(curves),
    )


def variation_chart(found: Variation, metric: str, title: str) -> Chart:
    """What the options of one dimension do to a cost: the reference network, and the range of the space."""
    positions = tuple(float(row.option) for row in found.rows)
    costs = tuple(float(row.costs[metric]) for row in found.rows)
    ranges = [row.ranges[metric] for row in found.rows]
    if any(one is None for one in ranges):
        low, high = costs, costs
    else:
        low = tuple(float(one.smallest) for one in ranges if one is not None)
        high = tuple(float(one.largest) for one in ranges if one is not None)
    name = "all else at the reference" + ("" if low == high else "; area: all networks with the option")
    last = max(1.0, positions[-1])
    axis = axes.Axis(
        -0.04 * last, 1.04 * last, False, positions, tuple(row.label for row in found.rows), None, None
    )
    cost = _cost_axis([round(value) for value in (*low, *high)], metric)
    curve = Curve(name, positions, low, high, middle=costs)
    return Chart(title, axis, found.dimension, cost, labels.COST_TITLES[metric], (curve,))


def write_chart(path: Path, chart: Chart) -> None:
    """Write a chart to a file, as HTML or SVG by its ending.

    Raises:
        ConfigError: if the path ends in something else, or cannot be written.
    """
    check_ending(path, ".html", ".svg")
    text = svg(chart) if path.suffix.lower() == ".svg" else html(chart)
    write_text(path, text)


def check_ending(path: Path, *endings: str) -> None:
    """Check the kind of file that is asked for before any work is done.

    Raises:
        ConfigError: if the path does not end in one of the endings.
    """
    if path.suffix.lower() not in endings:
        raise ConfigError(f"{path}: expected a path that ends in {' or '.join(endings)}; rename the file")


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        ConfigError: if it cannot be written.
    """
    try:
        write_whole(path, text)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); give another path") from None


def html(chart: Chart) -> str:
    """The chart as a page that needs no other file."""
    figure = axes.figure(
        560,
        title={"text": escape(chart.title), "font": {"size": 14}, "x": 0.02, "xanchor": "left"},
        xaxis=chart.x.layout(escape(chart.x_title)),
        yaxis=chart.y.layout(escape(chart.y_title)),
        showlegend=True,
        legend={"orientation": "h", "y": -0.18},
        margin={"l": 70, "r": 24, "t": 56, "b": 60},
        paper_bgcolor=axes.PAPER,
    )
    for curve in chart.curves:
        shape = "hv" if curve.step else "linear"
        line = {"color": curve.colour, "width": 2, "shape": shape, "dash": curve.dash}
        if not curve.exact:
            edge = {**line, "width": 0}
            figure.add_scatter(
                x=curve.x, y=curve.low, mode="lines", line=edge, legendgroup=curve.name, showlegend=False,
                hoverinfo="skip",
            )  # fmt: skip
            figure.add_scatter(
                x=curve.x, y=curve.high, mode="lines", line=edge, legendgroup=curve.name, showlegend=False,
                fill="tonexty", opacity=0.3, hoverinfo="skip",
            )  # fmt: skip
        for number, y in enumerate(curve.lines):
            figure.add_scatter(
                x=curve.x, y=y, mode="lines+markers" if curve.middle else "lines", name=escape(curve.name),
                line=line, legendgroup=curve.name, showlegend=number == 0,
            )  # fmt: skip
    text: str = figure.to_html(include_plotlyjs=True, full_html=True, config={"displaylogo": False})
    return text


def svg(chart: Chart) -> str:
    """The chart as the text of an SVG file."""
    height = _HEIGHT + 20 * len(chart.curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="{escape(axes.FONT)}" font-size="12" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f'<rect width="100%" height="100%" fill="{axes.PAPER}"/>',
        _text(_LEFT, 26, chart.title, bold=True),
    ]
    bottom = _HEIGHT - _BOTTOM
    for tick, label in zip(chart.x.ticks, chart.x.labels, strict=True):
        x = _x(chart, tick)
        parts += [
            _line([(x, _TOP), (x, bottom)], axes.GRID, 1),
            _text(x, bottom + 18, label, anchor="middle"),
        ]
    for tick, label in zip(chart.y.ticks, chart.y.labels, strict=True):
        y = _y(chart, tick)
        parts += [
            _line([(_LEFT, y), (_WIDTH - _RIGHT, y)], axes.GRID, 1),
            _text(_LEFT - 8, y + 4, label, anchor="end"),
        ]
    for curve in chart.curves:
        parts += _curve(chart, curve)
    parts.append(_line([(_LEFT, bottom), (_WIDTH - _RIGHT, bottom)], axes.MUTED, 1))
    title = f"{chart.x_title}, log scale" if chart.x.log else chart.x_title
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, bottom + 40, title, anchor="middle"))
    parts.append(
        f'<g transform="translate(16 {(_TOP + bottom) / 2:g}) rotate(-90)">'
        + _text(0, 0, f"{chart.y_title}, log scale" if chart.y.log else chart.y_title, anchor="middle")
        + "</g>"
    )
    for number, curve in enumerate(chart.curves):
        y = _HEIGHT + 8 + 20 * number
        parts.append(_line([(_LEFT, y - 4), (_LEFT + 30, y - 4)], curve.colour, 2.5, curve.dash))
        parts.append(_text(_LEFT + 38, y, curve.name))
    return "\n".join([*parts, "</svg>", ""])


def _curve(chart: Chart, curve: Curve) -> list[str]:
    def points(values: Sequence[float]) -> list[tuple[float, float]]:
        found: list[tuple[float, float]] = []
        for x, y in zip(curve.x, values, strict=True):
            if curve.step and found:
                found.append((_x(chart, x), found[-1][1]))
            found.append((_x(chart, x), _y(chart, y)))
        return found

    parts = []
    if not curve.exact:
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*points(curve.low), *reversed(points(curve.high))])
        parts.append(f'<polygon points="{outline}" fill="{curve.colour}" fill-opacity="0.18"/>')
    parts += [_line(points(values), curve.colour, 2, curve.dash) for values in curve.lines]
    if curve.middle:
        parts += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{curve.colour}"/>'
            for x, y in points(curve.middle)
        ]
    return parts


def _x(chart: Chart, value: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * _place(chart.x, value)


def _y(chart: Chart, value: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * _place(chart.y, value)


def _place(axis: axes.Axis, value: float) -> float:
    """Where a value is on an axis, from 0 to 1."""
    inside = min(max(value, axis.low), axis.high)
    low, high, here = (axis.position(one) for one in (axis.low, axis.high, inside))
    return (here - low) / (high - low)


def _line(points: Sequence[tuple[float, float]], colour: str, width: float, dash: str = "solid") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = f' stroke-dasharray="{_DASH_ARRAYS[dash]}"' if _DASH_ARRAYS[dash] else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashes}/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{axes.INK}"{weight}>{escape(words)}</text>'


def _cumulative(found: Distribution, name: str, colour: str = axes.BLUE, dash: str = "solid") -> Curve:
    shown = _shown(found)
    return Curve(
        name,
        tuple(float(value) for value, _, _ in shown),
        tuple(low for _, low, _ in shown),
        tuple(high for _, _, high in shown),
        step=found.complete,
        colour=colour,
        dash=dash,
    )


def _shown(found: Distribution) -> list[tuple[int, float, float]]:
    """Values with bounds of the share at most that, in per cent, but for a flat end at 100 %."""
    few, most = found.lower[-1], found.upper[-1]
    shown: list[tuple[int, float, float]] = []
    for value, low, high in zip(found.values, found.lower, found.upper, strict=True):
        shown.append((value, 100 * (low / most), 100 * min(1.0, high / max(1, few))))
        if low == most:
            return shown
    # Whatever the total is, all of it is within the last value.
    return [*shown[:-1], (found.values[-1], 100.0, 100.0)]


def _name(sub: SubSpace) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in sub.settings.items())
    low, high = (format_cost("macs", round(end), exact=False) for end in sub.mean)
    return f"{settings} (mean {low})" if low == high else f"{settings} (mean {low} to {high})"


def _cost_axis(values: Sequence[int], metric: str, *, log: bool = True) -> axes.Axis:
    axis = axes.cost_axis(values, metric, None)
    if not axis.log or log:
        return axis
    high = max(values) * 1.02
    ticks = axes.linear_ticks(0, high, metric)
    return axes.Axis(
        0, high, False, ticks, tuple(format_cost(metric, round(tick)) for tick in ticks), None, None
    )
