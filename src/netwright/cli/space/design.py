"""``netwright space design``: which sub-space suits a device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.output import Column, Json, print_json, print_line, print_table
from netwright.cli.space.distribution import check_plot
from netwright.cli.space.question import Plot, Question, asks_about_a_space
from netwright.devices import format_cost
from netwright.errors import ConfigError

if TYPE_CHECKING:
    from netwright.space.design import Design, SubSpace

SHOWN = 12
"""Rows of the table."""

SAMPLES = 32
"""As many as ``netwright.space.design`` draws, which is not imported for the help."""


@asks_about_a_space(budget=True)
def design_spaces(
    question: Question,
    by: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Decisions that make sub-spaces [those of resolution,width]."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="FILE.yaml", help="Write the best sub-space as a space for `search --space`."),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            min=2,
            help="Networks of each sub-space to plan, where a budget limits what the runtime needs.",
            show_default=True,
        ),
    ] = SAMPLES,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Find the sub-space whose networks make most of a device.

    For every resolution and width: how the MACs of the networks that fit are distributed. The more
    computation the networks of a sub-space can afford, the better they will be (MCUNet, arXiv:2007.10319).
    """
    from netwright.space.design import design, global_decisions

    check_plot(plot)
    if not question.budget:
        raise ConfigError("space design: expected a budget; give --device, or --max-sram and --max-flash")
    names = global_decisions(question.space, None if by is None else [part.strip() for part in by.split(",")])
    if out is not None:
        _check_out(question, names, out)
    question.expect_something_to_fit()
    found = design(question.space, question.budget, names, draws=samples)
    if out is not None:
        from netwright.spaces.catalog import write_space

        write_space(out, question.entry.name, {**question.settings, **found.best.settings})
    if plot is not None:
        from netwright.report.space_figures import design_chart, write_chart

        title = f"Sub-spaces of {question.space.name}: {question.limits}"
        write_chart(Path(plot), design_chart(found, title))
    if json:
        rows = [_as_json(sub) for sub in found.ranked]
        answer: dict[str, Any] = {
            "metric": found.metric,
            "by": list(names),
            "best": dict(found.best.settings),
            "sure": found.sure,
            "sub_spaces": rows,
            "nothing_fits": [dict(settings) for settings in found.empty],
            "out": out,
            "plot": plot,
        }
        print_json({**question.origin, **answer})
        return
    _print(question, found)
    if out is not None:
        print_line(f"best sub-space written to {out}; search it with --space {out}")
    if plot is not None:
        print_line(f"drawn in {plot}")


def _check_out(question: Question, names: tuple[str, ...], out: str) -> None:
    """Check, before any work is done, that the winner can be written."""
    from netwright.space.settling import named_choices
    from netwright.spaces.catalog import FILES

    known = [parameter.name for parameter in question.entry.parameters]
    named = named_choices(question.space)
    missing = [name for name in names if name not in known and name not in named]
    if missing:
        raise ConfigError(
            f"--out: {missing[0]} is decided anew at its place, so that a file cannot settle it; expected "
            f"decisions of {', '.join([*known, *named]) or 'none'}"
        )
    if Path(out).suffix.lower() not in FILES:
        raise ConfigError(f"--out: expected a path that ends in {', '.join(FILES)}, got {out!r}")


def _as_json(sub: SubSpace) -> dict[str, Any]:
    quantile = sub.quantile(0.8)
    return {
        "set": dict(sub.settings),
        "size": sub.size,
        "lower": sub.fitting.lower,
        "upper": sub.fitting.upper,
        "share": {"lower": sub.share[0], "upper": sub.share[1]},
        "mean": {"lower": sub.mean[0], "upper": sub.mean[1]},
        "quantile80": None if quantile is None else {"lower": quantile[0], "upper": quantile[1]},
    }


def _print(question: Question, found: Design) -> None:
    question.print_heading()
    total = len(found.ranked) + len(found.empty)
    print_line(
        f"{total} sub-spaces, of {len(found.ranked)} of which something fits; largest mean of MACs first:"
    )
    columns = (
        *(Column(name, right=True) for name in found.names),
        Column("share that fits", right=True),
        Column("mean MACs", right=True),
        Column("80 % within", right=True),
    )
    rows = []
    for sub in found.ranked[:SHOWN]:
        quantile = sub.quantile(0.8)
        rows.append(
            (
                *(str(value) for value in sub.settings.values()),
                _between(*(f"{100 * share:.3g} %" for share in sub.share)),
                _between(*(format_cost(found.metric, round(end), exact=False) for end in sub.mean)),
                "unknown"
                if quantile is None
                else _between(*(format_cost(found.metric, end, exact=False) for end in quantile)),
            )
        )
    print_table(columns, rows)
    if len(found.ranked) > SHOWN:
        print_line(f"... and {len(found.ranked) - SHOWN} more (--json has them all)")
    if not found.sure:
        print_line("the bounds of the first overlap those of others: they are as good as equal")


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
