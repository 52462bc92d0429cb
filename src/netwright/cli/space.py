"""``netwright space``: exact answers about a whole search space, before any training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli import budget_options as options
from netwright.cli.output import (
    Column,
    Json,
    exact_count,
    print_json,
    print_line,
    print_table,
)
from netwright.devices import METRICS, Budget, format_cost
from netwright.errors import ConfigError

if TYPE_CHECKING:
    from netwright.space import Architecture, ExpressionSpace, Extremes

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Ask about a whole search space: size, what fits, extremes.",
)

Name = Annotated[
    str, typer.Argument(metavar="SPACE", help="A search space; `netwright space list` shows them.")
]
InputShape = Annotated[
    str,
    typer.Option(
        "--input", metavar="CxHxW", help="Channels, height and width of the data.", show_default=True
    ),
]
Classes = Annotated[int, typer.Option(help="Number of classes.", show_default=True)]

_SHAPE = re.compile(r"(\d{1,9})x(\d{1,9})x(\d{1,9})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked about.

    Attributes:
        space: the space.
        budget: the budget, perhaps without limits.
        origin: how the JSON output begins.
    """

    space: ExpressionSpace
    budget: Budget
    origin: Mapping[str, Any]


@app.command("list")
def list_spaces(json: Json = False) -> None:
    """List the search spaces."""
    from netwright.spaces.catalog import SPACES

    if json:
        print_json(
            {"spaces": [{"name": each.name, "description": each.description} for each in SPACES.values()]}
        )
    else:
        print_table(
            (Column("space"), Column("description")),
            [(each.name, each.description) for each in SPACES.values()],
        )


@app.command("size")
def size_of(
    space: Name, input_shape: InputShape = "1x28x28", classes: Classes = 10, json: Json = False
) -> None:
    """Count all architectures of a space, exactly."""
    from netwright.space import size

    question = _question(space, input_shape, classes, Budget())
    total = size(question.space)
    decisions = len(question.space.decisions)
    if json:
        print_json({**question.origin, "size": total, "decisions": decisions})
    else:
        print_line(f"{question.space.id}: {exact_count(total)} architectures, {decisions} decisions")


@app.command("count")
def count_fitting(
    space: Name,
    input_shape: InputShape = "1x28x28",
    classes: Classes = 10,
    device: options.Device = None,
    max_sram: options.MaxSram = None,
    max_flash: options.MaxFlash = None,
    max_macs: options.MaxMacs = None,
    max_params: options.MaxParams = None,
    sram_margin: options.SramMargin = None,
    flash_margin: options.FlashMargin = None,
    json: Json = False,
) -> None:
    """Count the architectures that fit a budget.

    The answer is exact, or a lower and an upper bound where the exact one would take too long.
    """
    from netwright.space import count, size, why_nothing_fits

    budget = options.budget_from(device, max_sram, max_flash, max_macs, max_params, sram_margin, flash_margin)
    question = _question(space, input_shape, classes, budget)
    total = size(question.space)
    found = count(question.space, budget)
    if json:
        bounds = {"size": total, "lower": found.lower, "upper": found.upper, "exact": found.exact}
        print_json({**question.origin, **bounds})
        return
    _print_heading(question)
    if found.upper == 0:
        print_line(why_nothing_fits(question.space, budget))
        return
    print_line(f"{exact_count(total)} architectures, of which fit")
    if found.exact:
        print_line(f"{exact_count(found.upper)}, {_percent(found.upper, total)}")
    else:
        print_line(f"at least {exact_count(found.lower)}, {_percent(found.lower, total)}")
        print_line(f"at most  {exact_count(found.upper)}, {_percent(found.upper, total)}")


@app.command("sample")
def sample_fitting(
    space: Name,
    input_shape: InputShape = "1x28x28",
    classes: Classes = 10,
    device: options.Device = None,
    max_sram: options.MaxSram = None,
    max_flash: options.MaxFlash = None,
    max_macs: options.MaxMacs = None,
    max_params: options.MaxParams = None,
    sram_margin: options.SramMargin = None,
    flash_margin: options.FlashMargin = None,
    number: Annotated[int, typer.Option(min=1, help="How many to draw.", show_default=True)] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", show_default=True)] = 0,
    json: Json = False,
) -> None:
    """Draw architectures uniformly from those that fit.

    Every architecture that fits the budget has the same chance, and no other has any. The draws are
    independent of each other, so a small space repeats itself.
    """
    from netwright.seeding import rng_for
    from netwright.space import fitting

    budget = options.budget_from(device, max_sram, max_flash, max_macs, max_params, sram_margin, flash_margin)
    question = _question(space, input_shape, classes, budget)
    fits = fitting(question.space, budget)
    rng = rng_for(seed, "space", "sample")
    drawn = [fits.sample(rng) for _ in range(number)]
    if json:
        rows = [_architecture_as_json(question.space, each) for each in drawn]
        print_json({**question.origin, "seed": seed, "architectures": rows})
        return
    _print_heading(question)
    for index, architecture in enumerate(drawn):
        _print_architecture(index, question.space, architecture)


@app.command("extremes")
def extremes_of(
    space: Name,
    input_shape: InputShape = "1x28x28",
    classes: Classes = 10,
    device: options.Device = None,
    max_sram: options.MaxSram = None,
    max_flash: options.MaxFlash = None,
    max_macs: options.MaxMacs = None,
    max_params: options.MaxParams = None,
    sram_margin: options.SramMargin = None,
    flash_margin: options.FlashMargin = None,
    json: Json = False,
) -> None:
    """Find the smallest and largest costs of those that fit.

    With --json each value comes with an architecture that has it.
    """
    from netwright.space import extremes

    budget = options.budget_from(device, max_sram, max_flash, max_macs, max_params, sram_margin, flash_margin)
    question = _question(space, input_shape, classes, budget)
    found = {metric: extremes(question.space, metric, budget) for metric in METRICS}
    if json:
        rows = {metric: _extremes_as_json(question.space, each) for metric, each in found.items()}
        print_json({**question.origin, "extremes": rows})
        return
    _print_heading(question)
    _print_extremes(found, budget)


def _question(name: str, input_shape: str, classes: int, budget: Budget) -> _Question:
    from netwright.spaces.catalog import find_space, make_space

    match = _SHAPE.fullmatch(input_shape.strip())
    if match is None:
        raise ConfigError(
            f"--input: expected channels, height and width such as 1x28x28 or 3x32x32, got {input_shape!r}"
        )
    shape = tuple(int(number) for number in match.groups())
    space = make_space(name, shape, classes)
    origin = {
        "space": find_space(name).name,
        "id": space.id,
        "input": list(shape),
        "classes": classes,
        "budget": dict(budget),
    }
    return _Question(space, budget, origin)


def _percent(part: int, whole: int) -> str:
    """A share of exact integers, in as many digits as it needs to be seen."""
    percent = 100 * part / whole
    return f"{percent:.3g} %" if part < whole else "100 %"


def _print_heading(question: _Question) -> None:
    print_line(question.space.id)
    for line in question.budget.explain():
        print_line(f"  {line}")
    print_line()


def _architecture_as_json(space: ExpressionSpace, architecture: Architecture) -> dict[str, Any]:
    from netwright.space import costs_of, rank

    return {
        "key": architecture.key,
        "rank": rank(space, architecture),
        "architecture": architecture.to_dict(),
        "costs": costs_of(space, architecture),
    }


def _print_architecture(index: int, space: ExpressionSpace, architecture: Architecture) -> None:
    from netwright.space import costs_of

    costs = costs_of(space, architecture)
    shown = ", ".join(f"{name} {format_cost(name, value, exact=False)}" for name, value in costs.items())
    print_line(f"{index + 1}. {architecture.key}: {shown}")
    print_line(f"   {' '.join(f'{name}={value}' for name, value in architecture)}")


def _extremes_as_json(space: ExpressionSpace, found: Extremes) -> dict[str, Any]:
    return {
        name: {"value": extreme.value, **_architecture_as_json(space, extreme.architecture)}
        for name, extreme in (("smallest", found.smallest), ("largest", found.largest))
    }


def _print_extremes(found: Mapping[str, Extremes], budget: Budget) -> None:
    columns = (
        Column("cost"),
        Column("smallest", right=True),
        Column("", right=True),
        Column("largest", right=True),
        Column("", right=True),
        Column("limit", right=True),
    )
    rows = []
    for metric, each in found.items():
        row = [metric]
        for value in (each.smallest.value, each.largest.value):
            row += [f"{value:,}", format_cost(metric, value, exact=False)]
        rows.append((*row, f"{budget[metric]:,}" if metric in budget else "none"))
    print_table(columns, rows)
