"""``netwright space distribution``: how a cost is distributed, with bounds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.output import Column, Json, exact_count, print_json, print_line, print_table
from netwright.cli.space.question import SAMPLES, Plot, Question, Samples, asks_about_a_space
from netwright.devices import format_cost
from netwright.errors import ConfigError, TooLargeError
from netwright.ir.latency import LATENCY

if TYPE_CHECKING:
    from netwright.space import ExpressionSpace
    from netwright.space.distributions import Distribution
    from netwright.space.opaque import EstimatedDistribution

QUANTILES = (5, 25, 50, 75, 95)
"""In per cent."""

Metric = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The cost, such as macs, params, weight_bytes or arena_bytes.",
        show_default=True,
    ),
]


@asks_about_a_space(budget=True)
def distribution_of(
    question: Question,
    metric: Metric = "macs",
    samples: Samples = SAMPLES,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Show how a cost is distributed over the architectures that fit.

    Smallest, quantiles, mean and largest, each between bounds that agree where the arithmetic is exact. Where
    even bounds would take too long, it is an estimate from samples and says so.
    """
    from netwright.space.distributions import distribution
    from netwright.space.opaque import estimate_distribution

    check_metric(metric, question.space)
    check_plot(plot)
    question.expect_something_to_fit()
    reason = ""
    found: Distribution | EstimatedDistribution
    try:
        found = distribution(question.space, metric, question.budget)
    except TooLargeError as error:
        reason = str(error)
        found = estimate_distribution(question.space, metric, question.budget, samples)
    if plot is not None:
        _draw(question, found, plot)
    rows = _estimated_rows(found) if reason else _rows(found)
    if json:
        print_json({**question.origin, **_as_json(found, rows, reason), "plot": plot})
        return
    question.print_heading()
    _print(found, rows, reason)
    if plot is not None:
        print_line(f"drawn in {plot}")


def check_metric(metric: str, space: ExpressionSpace) -> None:
    """Check the name of a cost.

    Raises:
        ConfigError: if the space has no such cost.
    """
    if metric not in space.limits:
        hint = "; give --latency-table FILE" if metric == LATENCY else ""
        raise ConfigError(f"--metric: expected one of {', '.join(space.limits)}, got {metric!r}{hint}")


def check_plot(plot: str | None) -> None:
    """Check, before any work is done, that a plot of this kind can be drawn.

    Raises:
        ConfigError: if the path does not end in .html or .svg.
    """
    if plot is not None and Path(plot).suffix.lower() not in (".html", ".svg"):
        raise ConfigError(f"--plot: expected a path that ends in .html or .svg, got {plot!r}")


_Rows = dict[str, tuple[float, float]]


def _rows(found: Any) -> _Rows:
    ends = {"min": (found.quantile(2.0**-1000)), "max": (found.quantile(1.0))}
    middle = {f"{share} %": found.quantile(share / 100) for share in QUANTILES}
    return {"min": ends["min"], **middle, "mean": found.mean(), "max": ends["max"]}


def _estimated_rows(found: Any) -> _Rows:
    """Where the band at the stated confidence crosses each share; the ends are those seen."""

    def crossing(shares: tuple[float, ...], wanted: float) -> float:
        inside = (value for value, share in zip(found.values, shares, strict=True) if share >= wanted)
        return float(next(inside, found.values[-1]))

    rows: _Rows = {"min seen": (found.values[0], found.values[0])}
    for share in QUANTILES:
        rows[f"{share} %"] = (crossing(found.upper, share / 100), crossing(found.lower, share / 100))
    rows["max seen"] = (found.values[-1], found.values[-1])
    return rows


def _as_json(found: Any, rows: _Rows, reason: str) -> dict[str, Any]:
    bounds = {name: {"lower": low, "upper": high} for name, (low, high) in rows.items()}
    answer: dict[str, Any] = {"metric": found.metric, "estimated": bool(reason)}
    if reason:
        answer |= {"confidence": found.confidence, "samples": found.samples, "reason": reason}
    else:
        answer |= {"exact": found.exact, "lower": found.lower[-1], "upper": found.upper[-1]}
    cumulative = {"values": found.values, "lower": found.lower, "upper": found.upper}
    return {
        **answer,
        "quantiles": bounds,
        "cumulative": {name: list(one) for name, one in cumulative.items()},
    }


def _print(found: Any, rows: _Rows, reason: str) -> None:
    if reason:
        print_line(f"not exact: {reason}")
        print_line(
            f"estimated from {found.samples} samples that fit; "
            f"all quantiles hold at once with {100 * found.confidence:g} % confidence"
        )
    elif found.lower[-1] == found.upper[-1]:
        print_line(f"{found.metric} of {exact_count(found.upper[-1])} architectures")
    else:
        low, high = exact_count(found.lower[-1]), exact_count(found.upper[-1])
        print_line(f"{found.metric} of {low} to {high} architectures")
    columns = (
        Column(""),
        Column("at least", right=True),
        Column("", right=True),
        Column("at most", right=True),
        Column("", right=True),
    )
    table = []
    for name, bounds in rows.items():
        row = [name]
        for end in bounds:
            row += [f"{end:,.0f}", format_cost(found.metric, round(end), exact=False)]
        table.append(tuple(row))
    print_table(columns, table)


def _draw(question: Question, found: Distribution | EstimatedDistribution, plot: str) -> None:
    from netwright.report.space_figures import distribution_chart, write_chart

    title = f"{question.space.name} ({question.fixed}): {question.limits}"
    write_chart(Path(plot), distribution_chart(found, title))
