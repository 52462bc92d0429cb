"""A space's networks with runs of equal cells shortened to one, for looking at many of them quickly.

A cell that stands in a network fifteen times is decided once. What a surrogate model wants to know of it
(what is dead, which paths there are, how it compares with others in cost) shows at one cell of each run as
well as at all of them, several times faster.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from typing import Any

from netwright.ir.graph import Graph
from netwright.space import Architecture, ExpressionSpace, compile_space
from netwright.space.cell_stack import CellStack
from netwright.space.expression import Choice, Part, Place, Repeat, Sequential


class ShortNetworks:
    """Builds the networks of a space with each run of equal cells shortened to one cell.

    Spaces without stacks of cells have nothing to shorten; their networks are the real ones.

    Args:
        space: the space.

    >>> from netwright.space import unrank
    >>> from netwright.spaces.nasbench201 import nasbench201
    >>> space = nasbench201((3, 32, 32), 10)
    >>> graph = ShortNetworks(space).graph(unrank(space, 15_624))
    >>> len(graph.nodes), len(space.to_graph(unrank(space, 15_624)).nodes)
    (50, 146)
    """

    def __init__(self, space: ExpressionSpace) -> None:
        expression = _shortened(space.expression)
        self._short = (
            space
            if expression == space.expression
            else compile_space(expression, space.name, dtype=space.dtype, memory_model=space.memory_model)
        )

    def graph(self, architecture: Architecture) -> Graph:
        """The short network of an architecture of the space."""
        return self._short.to_graph(Architecture(self._short.id, architecture.choices))


def _shortened(expression: Any) -> Any:
    """The same decisions, fewer cells: a run of equal cells counts as one, blocks stay."""
    if isinstance(expression, Sequential):
        return replace(expression, parts=tuple(_shortened(part) for part in expression.parts))
    if isinstance(expression, Place | Repeat):
        return replace(expression, body=_shortened(expression.body))
    if isinstance(expression, Choice) and expression.structural:
        return replace(expression, options=tuple(_shortened(option) for option in expression.options))
    if isinstance(expression, Part) and isinstance(expression.composite, CellStack):
        layout = tuple(item for item, _ in groupby(expression.composite.layout))
        return Part(replace(expression.composite, layout=layout))
    return expression
