"""What one dimension of a space does to the cost, apart from all the others.

The dimensions of a network are depth, width, kernel, resolution, expansion, groups, the operation at a place
and the topology. Every decision of a space belongs to one, by the last word of its name; see ``WORDS``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from netwright.errors import SpaceError, TooLargeError
from netwright.space.architecture import Architecture, Value
from netwright.space.compile import ExpressionSpace
from netwright.space.diagram import PEAK, Diagram, Edge
from netwright.space.members import architecture_of, costs_of, counting_diagram, diagram_of
from netwright.space.program import Decision

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "depth": "depth",
        "out": "width",
        "width": "width",
        "hidden": "width",
        "features": "width",
        "kernel": "kernel",
        "height": "resolution",
        "resolution": "resolution",
        "expand": "expansion",
        "expansion": "expansion",
        "groups": "groups",
        "op": "operation",
        "operation": "operation",
        "combine": "operation",
        "input": "topology",
        "inputs": "topology",
        "level": "topology",
        "from": "topology",
    }
)
"""The last word of a decision's name, without digits at its end, and the dimension that it belongs to.

A choice without a name is called after the argument that it is given for, so ``stage1.0.kernel`` is about the
kernel. In a cell ``1.input2`` says what the second input of node 1 is, and ``2.from0`` what connects tensor 0
to node 2, which may be nothing at all: both are topology. A choice between blocks is about the operation,
whatever it is called; any other word is a dimension of its own."""


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value of a cost."""

    smallest: int
    largest: int


@dataclass(frozen=True, slots=True)
class VariedRow:
    """One option of a dimension, taken wherever the dimension occurs.

    Attributes:
        option: index of the option.
        values: what the decisions of the dimension can be set to by it, without repetition.
        architecture: the reference architecture with the option.
        costs: its costs.
        ranges: for each cost the range over all architectures with the option; None where an exact answer
            would take too much.
    """

    option: int
    values: tuple[Value, ...]
    architecture: Architecture
    costs: Mapping[str, int]
    ranges: Mapping[str, Range | None]

    @property
    def label(self) -> str:
        """The values in a few characters.

        Where the decisions differ in their values, as the widths of stages do, the first and the last value
        stand for all.
        """
        if len(self.values) <= 3:
            return ", ".join(map(str, self.values))
        return f"{self.values[0]} ... {self.values[-1]}"


@dataclass(frozen=True, slots=True)
class Variation:
    """What one dimension alone does to the costs of a space; see ``vary``.

    Attributes:
        space: id of the space.
        dimension: its name.
        decisions: names of the decisions that belong to it.
        reference: the architecture in which only the dimension is varied.
        reference_costs: its costs.
        rows: one for each option.
    """

    space: str
    dimension: str
    decisions: tuple[str, ...]
    reference: Architecture
    reference_costs: Mapping[str, int]
    rows: tuple[VariedRow, ...]


def dimension_of(decision: Decision) -> str:
    """The dimension that a decision belongs to.

    >>> dimension_of(Decision("s1.0.kernel", (3, 5, 7))), dimension_of(Decision("normal.1.op2", ("a", "b")))
    ('kernel', 'operation')
    >>> dimension_of(Decision("choice", ("conv", "pool"))), dimension_of(Decision("stem.stride", (1, 2)))
    ('operation', 'stride')
    """
    last = decision.name.rsplit(".", 1)[-1]
    word = last.rstrip("0123456789").rstrip("_") or last
    if word in WORDS:
        return WORDS[word]
    return "operation" if all(isinstance(option, str) for option in decision.options) else word


def dimensions_of(space: ExpressionSpace) -> dict[str, tuple[Decision, ...]]:
    """The dimensions that a space has, each with its decisions, in the order of the network."""
    found: dict[str, list[Decision]] = {}
    for decision in space.decisions:
        found.setdefault(dimension_of(decision), []).append(decision)
    return {name: tuple(decisions) for name, decisions in found.items()}


def vary(space: ExpressionSpace, dimension: str) -> Variation:
    """Vary one dimension and keep all others.

    For each option all decisions of the dimension are set to it together: a decision that has fewer options
    to its last, and one that cannot take it (the level of a layer in a trellis) to the nearest that it can.
    All other decisions stay as they are in the reference architecture: the middle option of each, the lower
    one of two; of a choice between blocks the nearest to the middle in which the dimension occurs. Beside
    that stands the range over the whole space with only the dimension restricted.

    Args:
        space: a space made from an expression.
        dimension: one of those that it has, see ``dimensions_of``.

    Raises:
        SpaceError: if the space does not have the dimension.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, sequential
    >>> layer = B.conv_bn_act(out=choice(8, 16), kernel=choice(1, 3))
    >>> found = vary(compile_space(sequential(layer, input=(2, 4, 4)), "two"), "kernel")
    >>> [(row.label, row.costs["macs"], row.ranges["macs"].largest) for row in found.rows]
    [('1', 256, 512), ('3', 2304, 4608)]
    """
    known = dimensions_of(space)
    if dimension not in known:
        raise SpaceError(
            f"dimension: {space.name} has no decision about {dimension!r}; expected one of {', '.join(known)}"
        )
    chosen = {space.decisions.index(decision) for decision in known[dimension]}
    diagrams = {metric: _diagram(space, metric) for metric in space.costs}
    middle = [(len(decision.options) - 1) // 2 for decision in space.decisions]
    reference = _nearest(space, middle, chosen)
    rows = []
    for option in range(max(len(decision.options) for decision in known[dimension])):
        wanted = [option if index in chosen else kept for index, kept in enumerate(middle)]
        architecture = _nearest(space, wanted, chosen)
        values = [decision.options[min(option, len(decision.options) - 1)] for decision in known[dimension]]
        ranges = {
            metric: None if diagram is None else _range(diagram, metric, chosen, option)
            for metric, diagram in diagrams.items()
        }
        rows.append(
            VariedRow(
                option,
                tuple(dict.fromkeys(values)),
                architecture,
                costs_of(space, architecture),
                ranges,
            )
        )
    names = tuple(decision.name for decision in known[dimension])
    return Variation(space.id, dimension, names, reference, costs_of(space, reference), tuple(rows))


def _diagram(space: ExpressionSpace, metric: str) -> Diagram | None:
    try:
        return diagram_of(space, {metric})
    except TooLargeError:
        return None


def _nearest(space: ExpressionSpace, wanted: Sequence[int], chosen: Collection[int]) -> Architecture:
    """The architecture whose decisions are, one after the other, as near to the wanted options as can be.

    Of operations that are not varied, those behind which most of the varied decisions are come first.
    """
    diagram = counting_diagram(space)
    varied: list[int] = []
    for node in diagram.nodes:
        below = max((varied[edge.child] for edge in node.edges), default=0)
        varied.append(below + (node.decision in chosen))
    free = {
        index
        for index, decision in enumerate(space.decisions)
        if index not in chosen and dimension_of(decision) == "operation"
    }
    path = []
    index = diagram.root
    while (node := diagram.nodes[index]).decision >= 0:
        ranked = sorted(node.edges, key=partial(_order, wanted[node.decision]))
        if node.decision in free:
            ranked.sort(key=lambda edge: -varied[edge.child])
        path.append((node.decision, ranked[0].option))
        index = ranked[0].child
    return architecture_of(space, path)


def _order(option: int, edge: Edge) -> tuple[int, int]:
    return _distance(edge, option), edge.option


def _distance(edge: Edge, option: int) -> int:
    return abs(edge.option - option)


def _range(diagram: Diagram, metric: str, chosen: Collection[int], option: int) -> Range:
    restricted = diagram.restricted(_only(diagram, chosen, option))
    assert restricted is not None  # every node keeps an edge
    least, most = (restricted.best(metric, pick)[restricted.root] for pick in (min, max))
    if metric == PEAK:
        return Range(max(restricted.base_peak, least), max(restricted.base_peak, most))
    base = restricted.base_sums[restricted.term(metric)]
    return Range(base + least, base + most)


def _only(diagram: Diagram, chosen: Collection[int], option: int) -> Callable[[int, Edge], bool]:
    def keep(index: int, edge: Edge) -> bool:
        node = diagram.nodes[index]
        nearest = min(_distance(other, option) for other in node.edges)
        return node.decision not in chosen or _distance(edge, option) == nearest

    return keep
