"""``netwright space vary``: what one dimension alone does to the cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.output import Column, Json, print_json, print_line, print_table
from netwright.cli.space.distribution import Metric, check_metric, check_plot
from netwright.cli.space.question import Plot, Question, asks_about_a_space
from netwright.devices import format_cost

if TYPE_CHECKING:
    from netwright.space.dimensions import Range, VariedRow

_BAR = 32


@asks_about_a_space(budget=False)
def vary_dimension(
    question: Question,
    dimension: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="kernel, depth, width, resolution, expansion, groups, operation or topology.",
            show_default=False,
        ),
    ],
    metric: Metric = "macs",
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Show what one dimension alone does to the cost.

    Each row sets all decisions of the dimension to one option. The costs are those of a reference network,
    the middle option of everything else; the range is over all architectures with the option.
    """
    from netwright.space.dimensions import dimensions_of, vary

    check_metric(metric, question.space)
    check_plot(plot)
    found = vary(question.space, dimension)
    if plot is not None:
        from netwright.report.space_figures import variation_chart, write_chart

        title = f"{question.space.name}: what the {dimension} alone does ({question.fixed})"
        write_chart(Path(plot), variation_chart(found, metric, title))
    if json:
        answer: dict[str, Any] = {
            "dimension": dimension,
            "dimensions": list(dimensions_of(question.space)),
            "decisions": list(found.decisions),
            "reference": {"architecture": found.reference.to_dict(), "costs": dict(found.reference_costs)},
            "rows": [_as_json(row) for row in found.rows],
            "plot": plot,
        }
        print_json({**question.origin, **answer})
        return
    print_line(question.space.id)
    print_line(f"  {question.fixed}")
    print_line(f"  {dimension}: {_few(found.decisions)}")
    print_line("  all else at the middle option of each decision, the lower one of two")
    print_line()
    _print(found.rows, dimension, metric)
    if plot is not None:
        print_line(f"drawn in {plot}")


def _as_json(row: VariedRow) -> dict[str, Any]:
    ranges = {
        metric: None if one is None else {"smallest": one.smallest, "largest": one.largest}
        for metric, one in row.ranges.items()
    }
    return {
        "option": row.option,
        "values": list(row.values),
        "architecture": row.architecture.to_dict(),
        "costs": dict(row.costs),
        "ranges": ranges,
    }


def _few(names: tuple[str, ...]) -> str:
    """The decisions, or the first of them and how many there are."""
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:3])} ... ({len(names)} decisions)"


def _print(rows: tuple[VariedRow, ...], dimension: str, metric: str) -> None:
    columns = (
        Column(dimension),
        *(Column(name, right=True) for name in rows[0].costs),
        Column(f"range of {metric}", right=True),
        Column(metric),
    )
    most = max(max(row.costs[metric] for row in rows), 1)
    table = [
        (
            row.label,
            *(format_cost(name, row.costs[name], exact=False) for name in row.costs),
            _range(row.ranges[metric], metric),
            "#" * max(1, round(_BAR * row.costs[metric] / most)),
        )
        for row in rows
    ]
    print_table(columns, table)


def _range(found: Range | None, metric: str) -> str:
    if found is None:
        return "too large to say"
    low, high = (format_cost(metric, end, exact=False) for end in (found.smallest, found.largest))
    return low if low == high else f"{low} to {high}"
