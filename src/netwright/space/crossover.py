"""Two architectures combined into a third, on spaces whose decisions depend on each other."""

from __future__ import annotations

import numpy as np

from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.diagram import Diagram
from netwright.space.members import architecture_of, counting_diagram, walk


def cross(
    space: ExpressionSpace, first: Architecture, second: Architecture, rng: np.random.Generator
) -> Architecture:
    """Combine two architectures decision by decision: uniform crossover that follows the space.

    Uniform crossover [Syswerda 1989] takes each value from either parent. Where decisions depend on each
    other that may be no architecture at all, so the child is made from the first decision to the last, each
    of them active in it:

    * where a parent takes the decision, and its option is open to the child, it may be inherited; if both
      are so, either is with equal probability;
    * where none is (no parent takes the decision, or what came before rules their options out, as with a
      level of a trellis that is out of reach), an open option is drawn uniformly.

    So the child is always an architecture of the space, and every decision in which both parents agree and
    whose option is open keeps it.

    Args:
        space: the space.
        first: one of its architectures.
        second: another, or the same.
        rng: the generator to draw from.

    Returns:
        An architecture of the space, perhaps one of the parents.

    Raises:
        SpaceError: if a parent is not an architecture of this space.
    """
    diagram = counting_diagram(space)
    parents = [_taken(space, parent, diagram) for parent in (first, second)]
    path: list[tuple[int, int]] = []
    index = diagram.root
    while (node := diagram.nodes[index]).decision >= 0:
        children = {edge.option: edge.child for edge in node.edges}
        inherited = [parent[node.decision] for parent in parents if node.decision in parent]
        open_options = [option for option in inherited if option in children] or list(children)
        option = open_options[0]
        if any(other != option for other in open_options):
            option = open_options[int(rng.integers(len(open_options)))]
        path.append((node.decision, option))
        index = children[option]
    return architecture_of(space, path)


def _taken(space: ExpressionSpace, architecture: Architecture, diagram: Diagram) -> dict[int, int]:
    """The option of each decision that an architecture takes."""
    return {diagram.nodes[index].decision: option for index, option in walk(space, architecture, diagram)}
