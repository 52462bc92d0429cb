"""Small changes to an architecture, on spaces whose decisions depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from netwright.errors import SpaceError
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.counting import architecture_of, walk
from netwright.space.diagram import Diagram

_Path = list[tuple[int, int]]


def mutate(space: ExpressionSpace, architecture: Architecture, rng: np.random.Generator) -> Architecture:
    """Change one active decision to another of its options, both drawn uniformly.

    Decisions that the change makes active are drawn uniformly, option by option; decisions that it makes
    inactive are dropped; all others keep their values.

    Args:
        space: the space.
        architecture: one of its architectures.
        rng: the generator to draw from.

    Returns:
        Another architecture of the space.

    Raises:
        SpaceError: if the architecture is not of this space, or no decision of it has another option.
    """
    taken = _taken(space, architecture)
    changeable = [decision for decision in taken if len(space.decisions[decision].options) > 1]
    if not changeable:
        raise SpaceError(
            f"mutate: no active decision of this architecture of {space.name} has another option"
        )
    changed = changeable[int(rng.integers(len(changeable)))]
    others = [o for o in range(len(space.decisions[changed].options)) if o != taken[changed]]
    taken[changed] = others[int(rng.integers(len(others)))]
    path: _Path = []
    index = space.diagram.root
    while (node := space.diagram.nodes[index]).decision >= 0:
        option = taken.get(node.decision)
        if option is None:
            option = int(rng.integers(len(space.decisions[node.decision].options)))
        path.append((node.decision, option))
        index = next(edge.child for edge in node.edges if edge.option == option)
    return architecture_of(space, path)


def neighbours(space: ExpressionSpace, architecture: Architecture) -> Iterator[Architecture]:
    """All architectures that one mutation can lead to, each once.

    Where a change makes decisions active (a deeper stage, another block), every way to settle them is a
    neighbour; there can be many, so they are made one by one.

    Args:
        space: the space.
        architecture: one of its architectures.

    Raises:
        SpaceError: if the architecture is not of this space.
    """
    taken = _taken(space, architecture)
    for changed in taken:
        for option in range(len(space.decisions[changed].options)):
            if option != taken[changed]:
                settled = {**taken, changed: option}
                for path in _completions(space.diagram, settled.get):
                    yield architecture_of(space, path)


def _taken(space: ExpressionSpace, architecture: Architecture) -> dict[int, int]:
    nodes = space.diagram.nodes
    return {nodes[index].decision: option for index, option in walk(space, architecture)}


def _completions(diagram: Diagram, settled: Callable[[int], int | None]) -> Iterator[_Path]:
    """All paths that agree with the settled decisions, depth first."""
    pending: list[tuple[int, _Path]] = [(diagram.root, [])]
    while pending:
        index, path = pending.pop()
        node = diagram.nodes[index]
        if node.decision < 0:
            yield path
            continue
        option = settled(node.decision)
        for edge in reversed(node.edges):
            if option is None or edge.option == option:
                pending.append((edge.child, [*path, (node.decision, edge.option)]))
