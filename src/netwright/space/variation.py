"""Small changes to an architecture, on spaces whose decisions depend on each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from netwright.errors import SpaceError
from netwright.space.architecture import Architecture
from netwright.space.compile import ExpressionSpace
from netwright.space.members import Walked, architecture_of, counting_diagram, walked


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
    here = walked(space, architecture)
    taken, decisions = here.taken, space.decisions
    changeable: Sequence[int] = here.changeable
    if not changeable:
        raise SpaceError(
            f"mutate: no active decision of this architecture of {space.name} has another option"
        )
    refused: dict[int, list[int]] = {}
    while changeable:
        changed = changeable[int(rng.integers(len(changeable)))]
        old, left, width = taken[changed], refused.get(changed), len(decisions[changed].options)
        if left is None:
            option = int(rng.integers(width - 1))
            option += option >= old
        else:
            option = left[int(rng.integers(len(left)))]
        child = _changed(space, here, changed, option, rng)
        if child is not None:
            return child
        # In a trellis a level may be out of reach of its neighbours: draw among what is left.
        others = left or [other for other in range(width) if other != old]
        refused[changed] = [other for other in others if other != option]
        if not refused[changed]:
            changeable = [decision for decision in changeable if decision != changed]
    raise SpaceError(f"mutate: no single change of this architecture of {space.name} is in the space")


def _changed(
    space: ExpressionSpace, here: Walked, changed: int, option: int, rng: np.random.Generator
) -> Architecture | None:
    """The architecture with one option changed that draws what is open then; None if there is none."""
    diagram = counting_diagram(space)
    place = here.places[changed]
    index, old = here.path[place]
    edges = diagram.edges_of(index)
    edge = edges.get(option)
    if edge is None:
        return None
    if edge.child == edges[old].child:  # the rest stays as it is
        return space.lookup.replaced(here.choices, here.slots[changed], changed, option)
    nodes = diagram.nodes
    path = [(nodes[index].decision, option) for index, option in here.path[:place]]
    path.append((changed, option))
    index = edge.child
    while (decision := nodes[index].decision) >= 0:
        kept = here.taken.get(decision)
        if kept is None:
            open_edges = nodes[index].edges
            kept = open_edges[int(rng.integers(len(open_edges)))].option
        edge = diagram.edges_of(index).get(kept)
        if edge is None:
            return None
        path.append((decision, kept))
        index = edge.child
    return architecture_of(space, path)


class Neighbourhood:
    """All architectures that one mutation can lead to, numbered from 0, each once.

    Where a change makes decisions active (a deeper stage, another block), every way to settle them is a
    neighbour. There can be a great many; none is made before it is asked for.

    Args:
        space: the space.
        architecture: one of its architectures.

    Raises:
        SpaceError: if the architecture is not of this space.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, repeat, sequential, unrank
    >>> stage = repeat("s", B.inverted_residual(out=8, kernel=choice(3, 5)), depth=choice(1, 2))
    >>> space = compile_space(sequential(stage, input=(8, 8, 8)), "stage")
    >>> around = Neighbourhood(space, unrank(space, 0))
    >>> [dict(around[index].choices) for index in range(len(around))]  # doctest: +NORMALIZE_WHITESPACE
    [{'s.depth': 2, 's.0.kernel': 3, 's.1.kernel': 3},
     {'s.depth': 2, 's.0.kernel': 3, 's.1.kernel': 5},
     {'s.depth': 1, 's.0.kernel': 5}]
    """

    def __init__(self, space: ExpressionSpace, architecture: Architecture) -> None:
        self._space = space
        self._diagram = diagram = counting_diagram(space)
        self._here = here = walked(space, architecture)
        self._taken = here.taken
        # Each change: how many decisions lie before it, its option, the node behind it.
        self._changes: list[tuple[int, int, int, dict[int, int]]] = []
        counts: list[int] = []
        for place, (index, old) in enumerate(here.path):
            same = diagram.edges_of(index)[old].child
            for edge in diagram.nodes[index].edges:
                if edge.option == old:
                    continue
                known: dict[int, int] = {}
                count = 1 if edge.child == same else self._count(edge.child, known)
                if count:
                    self._changes.append((place, edge.option, edge.child, known))
                    counts.append(count)
        self._ends = list(accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @property
    def size(self) -> int:
        """How many there are; ``len`` cannot say it beyond 63 bits."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> Architecture:
        """The neighbour with a number.

        Raises:
            IndexError: if there is none.
        """
        if not 0 <= number < self.size:
            raise IndexError(f"neighbour: expected a number from 0 to {self.size - 1}, got {number}")
        which = bisect_right(self._ends, number)
        rest = number - (self._ends[which - 1] if which else 0)
        place, option, index, known = self._changes[which]
        nodes = self._diagram.nodes
        before, old = self._here.path[place]
        changed = nodes[before].decision
        if index == self._diagram.edges_of(before)[old].child:  # the rest stays as it is
            slot = self._here.slots[changed]
            return self._space.lookup.replaced(self._here.choices, slot, changed, option)
        path = [(nodes[index].decision, option) for index, option in self._here.path[:place]]
        path.append((changed, option))
        while (decision := nodes[index].decision) >= 0:
            here = self._taken.get(decision)
            if here is None:
                for edge in nodes[index].edges:
                    count = self._count(edge.child, known)
                    if rest < count:
                        break
                    rest -= count
            else:
                edge = self._diagram.edges_of(index)[here]
            path.append((decision, edge.option))
            index = edge.child
        return architecture_of(self._space, path)

    def _count(self, index: int, known: dict[int, int]) -> int:
        """Number of ways on from a node that keep all decisions as they are; the depth is that of a walk."""
        diagram, taken = self._diagram, self._taken
        while (decision := diagram.nodes[index].decision) >= 0 and decision in taken:
            edge = diagram.edges_of(index).get(taken[decision])
            if edge is None:
                return 0
            index = edge.child
        if decision < 0:
            return 1
        count = known.get(index)
        if count is None:
            count = sum(self._count(edge.child, known) for edge in diagram.nodes[index].edges)
            known[index] = count
        return count


def neighbours(space: ExpressionSpace, architecture: Architecture) -> Iterator[Architecture]:
    """All architectures that one mutation can lead to, each once, one by one; see ``Neighbourhood``.

    Args:
        space: the space.
        architecture: one of its architectures.

    Raises:
        SpaceError: if the architecture is not of this space.
    """
    around = Neighbourhood(space, architecture)
    for number in range(around.size):
        yield around[number]
