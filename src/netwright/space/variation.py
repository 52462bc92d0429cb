"""Small changes to an architecture, on spaces whose decisions depend on each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from netwright.errors import SpaceError
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.counting import architecture_of, counting_diagram, walk
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
    others = {
        decision: [o for o in range(len(space.decisions[decision].options)) if o != taken[decision]]
        for decision in changeable
    }
    while others:
        decisions = list(others)
        changed = decisions[int(rng.integers(len(decisions)))]
        option = others[changed][int(rng.integers(len(others[changed])))]
        path = _changed(counting_diagram(space), {**taken, changed: option}, rng)
        if path is not None:
            return architecture_of(space, path)
        # In a trellis a level may be out of reach of its neighbours: draw among what is left.
        others[changed].remove(option)
        if not others[changed]:
            del others[changed]
    raise SpaceError(f"mutate: no single change of this architecture of {space.name} is in the space")


def _changed(diagram: Diagram, taken: Mapping[int, int], rng: np.random.Generator) -> _Path | None:
    """The path that takes these options and draws all others; None if there is none."""
    path: _Path = []
    index = diagram.root
    while (node := diagram.nodes[index]).decision >= 0:
        option = taken.get(node.decision)
        if option is None:
            option = node.edges[int(rng.integers(len(node.edges)))].option
        child = next((edge.child for edge in node.edges if edge.option == option), None)
        if child is None:
            return None
        path.append((node.decision, option))
        index = child
    return path


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
                for path in _completions(counting_diagram(space), settled.get):
                    yield architecture_of(space, path)


def _taken(space: ExpressionSpace, architecture: Architecture) -> dict[int, int]:
    diagram = counting_diagram(space)
    walked = walk(space, architecture, diagram)
    return {diagram.nodes[index].decision: option for index, option in walked}


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
