"""How many architectures there are, which ones fit, and the ends of what they cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from math import ceil, floor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.output import Column, Json, exact_count, print_json, print_line, print_table, short_count
from netwright.cli.space.question import (
    SAMPLES,
    Question,
    Samples,
    about,
    asks_about_a_space,
    percent,
)
from netwright.devices import format_cost
from netwright.errors import BudgetError, TooLargeError

if TYPE_CHECKING:
    from netwright.space import Architecture, ExpressionSpace, Extremes
    from netwright.space.opaque import SeenExtremes


def list_spaces(
    sizes: Annotated[
        bool, typer.Option("--sizes", help="Count each as it is by default, which takes some seconds.")
    ] = False,
    json: Json = False,
) -> None:
    """List the search spaces."""
    from netwright.space import size
    from netwright.spaces.catalog import SPACES, make_space

    totals = {name: size(make_space(name)) for name in SPACES} if sizes else {}
    if json:
        spaces = [
            {
                "name": entry.name,
                "description": entry.description,
                "input": list(entry.input_shape),
                "classes": entry.classes,
                "parameters": [one.name for one in entry.parameters],
                **({"size": totals[name]} if sizes else {}),
            }
            for name, entry in SPACES.items()
        ]
        print_json({"spaces": spaces})
        return
    columns = (Column("space"), *([Column("size", right=True)] if sizes else []), Column("description"))
    rows = [
        (entry.name, *([_short(totals[name])] if sizes else []), entry.description)
        for name, entry in SPACES.items()
    ]
    print_table(columns, rows)


@asks_about_a_space(budget=False)
def size_of(question: Question, json: Json = False) -> None:
    """Count all architectures of a space, exactly."""
    from netwright.space import size
    from netwright.space.dimensions import dimensions_of

    total = size(question.space)
    decisions = len(question.space.decisions)
    dimensions = dimensions_of(question.space)
    if json:
        counts = {name: len(found) for name, found in dimensions.items()}
        print_json({**question.origin, "size": total, "decisions": decisions, "dimensions": counts})
        return
    print_line(f"{question.space.id}: {exact_count(total)} architectures, {decisions} decisions")
    print_line(f"  fixed: {question.fixed}")
    for name, found in dimensions.items():
        values = list(dict.fromkeys(option for decision in found for option in decision.options))
        if all(isinstance(value, int | float) for value in values):
            values.sort()
        print_line(f"  open:  {name}, {len(found)} decision{'s' * (len(found) > 1)} of {_listed(values)}")


@asks_about_a_space(budget=True)
def count_fitting(question: Question, samples: Samples = SAMPLES, json: Json = False) -> None:
    """Count the architectures that fit a budget.

    The answer is exact, or a lower and an upper bound where the exact one would take too long. Where even
    bounds would, it is an estimate from samples and says so.
    """
    from netwright.space import count, size, why_nothing_fits
    from netwright.space.counting import DRAWS

    total = size(question.space)
    try:
        question.expect_something_to_fit()
        found = count(question.space, question.budget)
    except BudgetError as nothing:
        _nothing_fits(question, total, str(nothing), json)
        return
    except TooLargeError as reason:
        _estimated_count(question, total, samples, str(reason), json)
        return
    if found.upper == 0:
        _nothing_fits(question, total, why_nothing_fits(question.space, question.budget), json)
        return
    if json:
        bounds: dict[str, Any] = {"size": total, "lower": found.lower, "upper": found.upper}
        bounds["exact"] = found.exact
        if found.likely is not None:
            bounds["likely"] = list(found.likely)
        print_json({**question.origin, **bounds, "estimated": False})
        return
    question.print_heading()
    print_line(f"{exact_count(total)} architectures, of which fit")
    if found.exact:
        print_line(f"{exact_count(found.upper)}, {percent(found.upper, total)}")
    elif found.likely is not None:
        low, high = (round(end) for end in found.likely)
        shares = f"{percent(low, total)} to {percent(high, total)}"
        print_line(f"about {short_count(low)} to {short_count(high)}, {shares}: a 95 % interval from {DRAWS}")
        print_line(
            f"draws of the {short_count(found.upper)} that may, each planned as the interpreter does it"
        )
    else:
        print_line(f"at least {exact_count(found.lower)}, {percent(found.lower, total)}")
        print_line(f"at most  {exact_count(found.upper)}, {percent(found.upper, total)}")


def _nothing_fits(question: Question, total: int, reason: str, json: bool) -> None:
    """None is an answer to the question how many; it comes with its reason."""
    if json:
        none = {"size": total, "lower": 0, "upper": 0, "exact": True, "estimated": False}
        print_json({**question.origin, **none, "reason": reason})
        return
    question.print_heading()
    print_line(reason)


def _estimated_count(question: Question, total: int, samples: int, reason: str, json: bool) -> None:
    """Say how many fit, as far as samples tell."""
    from netwright.space.opaque import estimate_count

    found = estimate_count(question.space, question.budget, samples)
    low, high = floor(found.lower), min(total, ceil(found.upper))
    if json:
        answer: dict[str, Any] = {
            "size": total,
            "lower": low,
            "upper": high,
            "exact": False,
            "estimated": True,
            "estimate": found.value,
            "confidence": found.confidence,
            "samples": found.samples,
            "reason": reason,
        }
        print_json({**question.origin, **answer})
        return
    question.print_heading()
    print_line(f"not exact: {reason}")
    print_line(f"{exact_count(total)} architectures, of which fit, estimated from {found.samples} samples,")
    print_line(f"about {about(found.value)}, {percent(found.value, total)}")
    print_line(
        f"{about(low)} to {about(high)} with {100 * found.confidence:g} % confidence, "
        f"{percent(low, total)} to {percent(high, total)}"
    )


@asks_about_a_space(budget=True)
def sample_fitting(
    question: Question,
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

    question.expect_something_to_fit()
    fits = fitting(question.space, question.budget)
    rng = rng_for(seed, "space", "sample")
    drawn = [fits.sample(rng) for _ in range(number)]
    if json:
        rows = [_architecture_as_json(question.space, each, question.budget) for each in drawn]
        print_json({**question.origin, "seed": seed, "architectures": rows})
        return
    question.print_heading()
    for index, architecture in enumerate(drawn):
        _print_architecture(index, question.space, architecture, question.budget)


@asks_about_a_space(budget=True)
def extremes_of(question: Question, samples: Samples = SAMPLES, json: Json = False) -> None:
    """Find the smallest and largest costs of those that fit.

    With --json each value comes with an architecture that has it. Where an exact answer would take too much,
    they are the smallest and the largest seen among samples, marked so.
    """
    from netwright.space import extremes, smallest
    from netwright.space.opaque import estimate_extremes

    question.expect_something_to_fit()
    found: dict[str, Extremes | SeenExtremes] = {}
    reasons: dict[str, str] = {}
    for metric in question.space.limits:
        try:
            found[metric] = extremes(question.space, metric, question.budget)
        except TooLargeError as reason:
            reasons[metric] = str(reason)
            with suppress(TooLargeError):
                least = format_cost(metric, smallest(question.space, metric), exact=False)
                reasons[metric] = f"{reason}; none of all is below {least}"
            found[metric] = estimate_extremes(question.space, metric, question.budget, samples)
    if json:
        rows = {
            metric: _extremes_as_json(question.space, metric, each, question.budget)
            for metric, each in found.items()
        }
        for metric, reason_given in reasons.items():
            rows[metric]["reason"] = reason_given
        print_json({**question.origin, "extremes": rows})
        return
    question.print_heading()
    _print_extremes(found, question)
    for metric, reason_given in reasons.items():
        print_line(f"{metric}: the smallest and largest of {samples} samples; not exact: {reason_given}")


def _listed(values: Collection[object]) -> str:
    """Options, or the first and last of many and how many there are."""
    texts = [str(value) for value in values]
    if len(texts) <= 8:
        return ", ".join(texts)
    return f"{', '.join(texts[:3])} ... {texts[-1]} ({len(texts)} values)"


def _short(total: int) -> str:
    text = exact_count(total)
    return text if "(" not in text else text.partition("(about ")[2].rstrip(")")


def _costs(space: ExpressionSpace, architecture: Architecture, budget: Collection[str]) -> dict[str, int]:
    """The costs of an architecture; those of the runtime where they were asked about, as they take longer."""
    from netwright.space import costs_of, every_cost_of
    from netwright.space.deployed import limits_a_runtime

    return (every_cost_of if limits_a_runtime(budget) else costs_of)(space, architecture)


def _architecture_as_json(
    space: ExpressionSpace, architecture: Architecture, budget: Collection[str]
) -> dict[str, Any]:
    from netwright.space import rank

    return {
        "key": architecture.key,
        "rank": rank(space, architecture),
        "architecture": architecture.to_dict(),
        "costs": _costs(space, architecture, budget),
    }


def _print_architecture(
    index: int, space: ExpressionSpace, architecture: Architecture, budget: Collection[str]
) -> None:
    costs = _costs(space, architecture, budget)
    shown = ", ".join(f"{name} {format_cost(name, value, exact=False)}" for name, value in costs.items())
    print_line(f"{index + 1}. {architecture.key}: {shown}")
    print_line(f"   {' '.join(f'{name}={value}' for name, value in architecture)}")


def _extremes_as_json(
    space: ExpressionSpace, metric: str, found: Extremes | SeenExtremes, budget: Collection[str]
) -> dict[str, Any]:
    from netwright.space import Extremes

    if isinstance(found, Extremes):
        ends = (found.smallest, found.largest)
        labels: dict[str, Any] = {"estimated": False}
    else:
        ends = (found.smallest_seen, found.largest_seen)
        labels = {
            "estimated": True,
            "share_beyond": found.share_beyond,
            "confidence": found.confidence,
            "samples": found.samples,
        }
    rows = {
        name: {
            "value": extreme.value,
            **_architecture_as_json(space, extreme.architecture, (metric, *budget)),
        }
        for name, extreme in zip(("smallest", "largest"), ends, strict=True)
    }
    return {**rows, **labels}


def _print_extremes(found: Mapping[str, Extremes | SeenExtremes], question: Question) -> None:
    from netwright.space import Extremes

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
        exact = isinstance(each, Extremes)
        ends = (
            (each.smallest, each.largest)
            if isinstance(each, Extremes)
            else (each.smallest_seen, each.largest_seen)
        )
        row = [metric if exact else f"{metric}, seen"]
        for end in ends:
            row += [f"{end.value:,}", format_cost(metric, end.value, exact=False)]
        limit = question.budget.get(metric)
        rows.append((*row, "none" if limit is None else f"{limit:,}"))
    print_table(columns, rows)
