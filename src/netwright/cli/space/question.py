"""What every verb of ``netwright space`` has in common: the space that is asked about, and the budget.

A verb names a parameter ``question`` and is decorated with ``asks_about_a_space``. On the command line it
then has the argument SPACE and the options below in its place, each written down once::

    @asks_about_a_space(budget=True)
    def count(question: Question, json: Json = False) -> None: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from netwright.cli.budget_options import LatencyFiles, budget_from, budget_parameters
from netwright.cli.output import exact_count, print_line
from netwright.devices import Budget, format_cost, read_latency
from netwright.errors import BudgetError, ConfigError
from netwright.ir.latency import LATENCY

if TYPE_CHECKING:
    from netwright.space import ExpressionSpace
    from netwright.spaces.catalog import SpaceEntry

Name = Annotated[
    str,
    typer.Argument(
        metavar="SPACE", help="A search space (`netwright space list` shows them), or a file of one."
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="CxHxW", help="Channels, height and width of the data [those of the space]."
    ),
]
Classes = Annotated[int | None, typer.Option(help="Number of classes [that of the space].")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A parameter of the space, or a decision to settle; may be repeated.",
    ),
]
Resolution = Annotated[
    int | None, typer.Option(metavar="PIXELS", help="The same as --set resolution=PIXELS.")
]
Samples = Annotated[
    int,
    typer.Option(
        min=1, help="Networks to draw where an exact answer would take too much.", show_default=True
    ),
]
Plot = Annotated[str | None, typer.Option(metavar="FILE", help="Draw it to FILE.html or FILE.svg.")]

SAMPLES = 300
"""How many networks are drawn, where nothing else is said: some seconds for spaces of large cells."""

_SHAPE = re.compile(r"(\d{1,9})x(\d{1,9})x(\d{1,9})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about.

    Attributes:
        space: the space.
        entry: where it is from.
        settings: its parameters as they were given, on the command line and in a file.
        input_shape: (channels, height, width) of the data.
        classes: number of classes.
        budget: the budget, perhaps without limits.
    """

    space: ExpressionSpace
    entry: SpaceEntry
    settings: Mapping[str, Any]
    input_shape: tuple[int, ...]
    classes: int
    budget: Budget

    @property
    def origin(self) -> dict[str, Any]:
        """How the JSON output begins."""
        table = self.space.latency
        return {
            "space": self.entry.name,
            "id": self.space.id,
            "input": list(self.input_shape),
            "classes": self.classes,
            "set": dict(self.settings),
            "budget": dict(self.budget),
            **({} if table is None else {"latency_table": table.name}),
        }

    @property
    def fixed(self) -> str:
        """What is fixed about the space, in words; parameters as they were given or are by default."""
        shape = "x".join(map(str, self.input_shape))
        known = {one.name: one.default for one in self.entry.parameters} | dict(self.settings)
        settings = [f"{name} {value}" for name, value in known.items() if value is not None]
        if self.space.latency is not None:
            settings.append(f"latency by {self.space.latency.name}, batch {self.space.latency.batch}")
        return ", ".join([f"input {shape}", f"{self.classes} classes", *settings])

    @property
    def limits(self) -> str:
        """The budget in a few words, for the title of a plot."""
        if self.budget.device is not None:
            return self.budget.device
        limits = (f"{name} up to {format_cost(name, limit)}" for name, limit in self.budget.items())
        return ", ".join(limits) or "no limits"

    def print_heading(self) -> None:
        """Print the space, what is fixed and the limits."""
        print_line(self.space.id)
        print_line(f"  {self.fixed}")
        for line in self.budget.explain():
            print_line(f"  {line}")
        print_line()

    def expect_something_to_fit(self) -> None:
        """Check each limit by itself, which is quick.

        Raises:
            BudgetError: if the smallest network is above one of them.
        """
        from netwright.space import smallest, why_nothing_fits

        if any(smallest(self.space, metric) > limit for metric, limit in self.budget.items()):
            raise BudgetError(why_nothing_fits(self.space, self.budget))


def asks_about_a_space(*, budget: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb the argument SPACE and the options that go with it in place of ``question``.

    Args:
        budget: whether it takes the options of a budget too.
    """

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        own = [one for name, one in signature(verb).parameters.items() if name != "question"]
        hints = get_type_hints(verb, include_extras=True)
        shared = [*_space_parameters(), *(budget_parameters() if budget else [])]
        names = [one.name for one in shared]

        @wraps(verb)
        def asked(**given: Any) -> None:
            answered = {name: given.pop(name) for name in names}
            verb(question=_question(answered), **given)

        parameters = [
            *shared,
            *(one.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[one.name]) for one in own),
        ]
        # typer reads options off the signature, and their types off the annotations.
        asked.__signature__ = signature(verb).replace(parameters=parameters)  # type: ignore[attr-defined]
        asked.__annotations__ = {one.name: one.annotation for one in parameters}
        return asked

    return decorate


def _space_parameters() -> list[Parameter]:
    types: dict[str, Any] = {
        "input_shape": InputShape,
        "classes": Classes,
        "settings": Settings,
        "resolution": Resolution,
        "latency_table": LatencyFiles,
    }
    return [
        Parameter("space", Parameter.KEYWORD_ONLY, annotation=Name),
        *(
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in types.items()
        ),
    ]


def _question(given: dict[str, Any]) -> Question:
    from netwright.spaces.catalog import load_space, resolve_space

    source = given.pop("space")
    shape = read_shape(given.pop("input_shape"))
    classes = given.pop("classes")
    settings = read_settings(given.pop("settings") or ())
    resolution = given.pop("resolution")
    if resolution is not None and settings.setdefault("resolution", str(resolution)) != str(resolution):
        raise ConfigError(
            f"--resolution: expected the same as --set resolution={settings['resolution']}, "
            f"got {resolution}; give one of them"
        )
    latency = read_latency(given.pop("latency_table"))
    limits = budget_from(**given) if given else Budget()
    if LATENCY in limits and latency is None:
        raise ConfigError("--max-latency: expected a table of times too; give --latency-table FILE")
    entry, known = resolve_space(source, settings)
    space = replace(load_space(source, shape, classes, settings), latency=latency)
    return Question(
        space,
        entry,
        known,
        entry.input_shape if shape is None else shape,
        entry.classes if classes is None else classes,
        limits,
    )


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Read the shape of the data.

    Raises:
        ConfigError: if it is not three numbers.
    """
    if text is None:
        return None
    match = _SHAPE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"--input: expected channels, height and width such as 1x28x28 or 3x32x32, got {text!r}"
        )
    return tuple(int(number) for number in match.groups())


def read_settings(texts: Sequence[str]) -> dict[str, str]:
    """Read what ``--set`` gives.

    Raises:
        ConfigError: if one has no name or no value, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise ConfigError(f"--set: expected NAME=VALUE, such as resolution=224, got {text!r}")
        if name in found:
            raise ConfigError(f"--set: expected {name} once, got {found[name]!r} and {value!r}")
        found[name] = value
    return found


def percent(part: float, whole: float) -> str:
    """A share in as many digits as it needs to be seen; whole numbers may be of any size."""
    return f"{100 * (part / whole):.3g} %" if part != whole else "100 %"


def about(value: float) -> str:
    """An estimated number, which must not look exact."""
    return exact_count(round(value)) if value < 1000 else f"{value:.3g}"
