"""``netwright space draw``: one architecture as a picture and in words."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from netwright.cli.output import Json, print_json, print_line
from netwright.cli.space.question import Question, asks_about_a_space
from netwright.devices import format_cost
from netwright.errors import ConfigError

if TYPE_CHECKING:
    from netwright.space import Architecture, ExpressionSpace


@asks_about_a_space(budget=False)
def draw_architecture(
    question: Question,
    seed: Annotated[int | None, typer.Option(help="Draw a random one with this seed [0].")] = None,
    rank: Annotated[int | None, typer.Option(help="The one with this rank.")] = None,
    architecture: Annotated[
        str | None,
        typer.Option(metavar="JSON", help="The one with these choices: JSON, or a file that holds it."),
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE.svg", help="Where to draw it [SPACE-KEY.svg].")
    ] = None,
    json: Json = False,
) -> None:
    """Draw one architecture as SVG, and say in words how it is made.

    Of a cell, the steps of each block; of a trellis, the path; of any other network, its layers.
    """
    from netwright.report.space_drawings import draw, path_words, picture_of, steps_of
    from netwright.report.space_figures import write_text
    from netwright.space import costs_of
    from netwright.space import rank as rank_of

    chosen = _chosen(question.space, seed, rank, architecture)
    path = Path(out or f"{question.space.name}-{chosen.key}.svg")
    if path.suffix.lower() != ".svg":
        raise ConfigError(f"--out: expected a path that ends in .svg, got {out!r}")
    picture = picture_of(question.space, chosen)
    write_text(path, draw(picture))
    costs = costs_of(question.space, chosen)
    if json:
        answer: dict[str, Any] = {
            "key": chosen.key,
            "rank": rank_of(question.space, chosen),
            "architecture": chosen.to_dict(),
            "costs": costs,
            "cells": {cell.name: steps_of(cell) for cell in picture.cells},
            "paths": {one.name: list(one.path) for one in picture.paths},
            "drawing": str(path),
        }
        print_json({**question.origin, **answer})
        return
    print_line(f"{question.space.id}: {chosen.key}")
    print_line(
        "  " + ", ".join(f"{name} {format_cost(name, value, exact=False)}" for name, value in costs.items())
    )
    for one in picture.paths:
        print_line(path_words(one))
    for cell in picture.cells:
        print_line(f"cell {cell.name}")
        for line in steps_of(cell):
            print_line(f"  {line}")
    for layer in picture.layers:
        kernel = f", kernel {layer.kernel}" if layer.kernel else ""
        print_line(f"  {layer.place}: {layer.channels} channels of {layer.size}x{layer.size}{kernel}")
    print_line(f"drawn in {path}")


def _chosen(
    space: ExpressionSpace, seed: int | None, rank: int | None, architecture: str | None
) -> Architecture:
    from netwright.seeding import rng_for
    from netwright.space import sample, unrank

    if sum(one is not None for one in (seed, rank, architecture)) > 1:
        raise ConfigError("space draw: expected one of --seed, --rank and --architecture, got several")
    if architecture is not None:
        return _read(space, architecture)
    if rank is not None:
        return unrank(space, rank)
    return sample(space, rng_for(seed or 0, "space", "draw"))


def _read(space: ExpressionSpace, source: str) -> Architecture:
    """Choices as JSON, or an architecture as the other verbs print it, from the text or a file."""
    text = source
    if not source.lstrip().startswith("{"):
        try:
            text = Path(source).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"--architecture: expected JSON or a file with JSON, got {source!r} ({error})"
            ) from None
    try:
        found = json_module.loads(text)
    except ValueError as error:
        raise ConfigError(f"--architecture: expected JSON, got {text[:60]!r} ({error})") from None
    for key in ("architecture", "choices"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict):
        raise ConfigError(f"--architecture: expected an object of choices, got {text[:60]!r}")
    return space.architecture(found)
