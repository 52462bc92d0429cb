"""Tables of how many completions of each state of a diagram stay within a remaining budget.

For each node and every remaining budget r on a grid, the number of completions that cost at most r is a
table; a node's table is the sum of its children's, each moved up by the cost of its edge. A whole table is
kept in *one* Python integer, a fixed number of bytes for each r (Kronecker substitution), so that moving is
a shift, summing is an addition, and no count is ever rounded.

With several limited sums the grid has several dimensions; the first is that of the rows. A table ends at
the row from which on it does not change any more, or beyond which nothing can come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd, prod

from netwright.space.diagram import Diagram, Edge

WORK_LIMIT = 300_000_000
"""Bytes of tables that one pass may add up: some tenths of a second."""

MEMORY_LIMIT = 500_000_000
"""Bytes that the tables may take together when they are kept for indexing."""


Rooms = tuple[int, ...]
"""What is left of the limited sums at a node, in cells of their grids."""


@dataclass(frozen=True, slots=True)
class Term:
    """A limited sum on its grid, in *reduced* costs: what an edge costs beyond the cheapest way on.

    Attributes:
        index: which of the diagram's sums.
        unit: width of a grid cell.
        room: remaining budget at the root, in cells.
        least: cheapest completion of each node.
        round_up: whether costs that are no multiple of the unit are rounded up.
    """

    index: int
    unit: int
    room: int
    least: Sequence[int]
    round_up: bool

    def reduced(self, parent: int, edge: Edge) -> int:
        """Cost of an edge beyond the parent's cheapest completion; never negative."""
        return edge.sums[self.index] + self.least[edge.child] - self.least[parent]

    def cells(self, parent: int, edge: Edge) -> int:
        """The reduced cost in cells."""
        extra = self.reduced(parent, edge)
        return -(-extra // self.unit) if self.round_up else extra // self.unit

    def coarser(self) -> Term:
        """The same on a grid of half as many cells."""
        return Term(self.index, self.unit * 2, self.room // 2, self.least, self.round_up)


@dataclass(frozen=True)
class Plan:
    """What is to be computed: one table for each class of nodes with equal tables.

    Attributes:
        diagram: the diagram.
        terms: the limited sums.
        classes: class of each node.
        members: a node of each class, children first.
        moves: for each class how often it takes in which child's table, moved by how many cells.
        rows: rows of each class's table; at most 0 where nothing within the budget arrives.
        width: bytes of one count.
    """

    diagram: Diagram
    terms: tuple[Term, ...]
    classes: Sequence[int]
    members: Sequence[int]
    moves: Sequence[Counter[tuple[int, tuple[int, ...]]]]
    rows: Sequence[int]
    width: int

    @property
    def row_sizes(self) -> tuple[int, ...]:
        """Cells of a row in each dimension after the first."""
        return tuple(term.room + 1 for term in self.terms[1:])

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return prod(self.row_sizes) * self.width

    def work(self) -> int:
        """Bytes that are added up when all tables are made."""
        pairs = zip(self.rows, self.moves, strict=True)
        return sum(max(rows, 0) * len(moves) for rows, moves in pairs) * self.row_bytes

    def memory(self) -> int:
        """Bytes of all tables."""
        return sum(max(rows, 0) for rows in self.rows) * self.row_bytes


def plan(
    diagram: Diagram,
    binding: Sequence[tuple[int, int]],
    *,
    round_up: bool,
    keep: bool,
    share: float = 1.0,
) -> tuple[Plan, bool]:
    """Choose the grid: the costs' greatest common divisor where that is affordable, else a coarser one.

    Args:
        diagram: the diagram.
        binding: ``(index of a sum, limit)`` of the limited sums.
        round_up: whether costs are rounded up to the grid rather than down.
        keep: whether all tables are kept at once.
        share: part of ``WORK_LIMIT`` and ``MEMORY_LIMIT`` that may be used.

    Returns:
        The plan, and whether no cost is rounded.
    """
    terms = [_finest(diagram, index, limit, round_up) for index, limit in binding]
    terms.sort(key=lambda term: -term.room)
    classes = diagram.classes([term.index for term in terms])
    exact = True
    while True:
        chosen = _planned(diagram, tuple(terms), classes)
        # An exact grid may take twice the time, as it saves the second pass for the other bound.
        work = WORK_LIMIT * share * (2 if exact else 1)
        affordable = chosen.work() <= work and (not keep or chosen.memory() <= MEMORY_LIMIT * share)
        if affordable or all(term.room <= 1 for term in terms):
            return chosen, exact
        exact = False
        widest = max(range(len(terms)), key=lambda number: terms[number].room)
        terms[widest] = terms[widest].coarser()


def _finest(diagram: Diagram, index: int, limit: int, round_up: bool) -> Term:
    least = diagram.best(diagram.names[index], min)
    room = limit - diagram.base_sums[index] - least[diagram.root]
    term = Term(index, 1, room, least, round_up)
    unit = gcd(*(term.reduced(n, edge) for n, node in enumerate(diagram.nodes) for edge in node.edges))
    return Term(index, max(unit, 1), room // max(unit, 1), least, round_up)


def _planned(diagram: Diagram, terms: tuple[Term, ...], classes: Sequence[int]) -> Plan:
    representative = dict(zip(classes, range(len(classes)), strict=True))
    members = [representative[group] for group in range(len(representative))]
    moves = [
        Counter(
            (classes[edge.child], tuple(term.cells(node, edge) for term in terms))
            for edge in diagram.nodes[node].edges
        )
        for node in members
    ]
    spans = [0] * len(members)
    for group, taken in enumerate(moves):
        spans[group] = max((shift[0] + spans[child] for child, shift in taken), default=0)
    room = terms[0].room
    arrivals = [room + 1] * len(members)
    arrivals[classes[diagram.root]] = 0
    for group in range(len(members) - 1, -1, -1):
        for child, shift in moves[group]:
            arrivals[child] = min(arrivals[child], arrivals[group] + shift[0])
    rows = [min(room + 1 - arrivals[group], spans[group] + 1) for group in range(len(members))]
    width = (diagram.counts[diagram.root].bit_length() + 7) // 8
    return Plan(diagram, terms, classes, members, moves, rows, width)


@dataclass(frozen=True)
class CompletionTables:
    """The tables of a plan; ``total`` is the number of paths within the limits.

    Tables that were not to be kept are empty, but for that of the root.
    """

    plan: Plan
    tables: Sequence[int]
    total: int
    _unpacked: dict[int, bytes] = field(default_factory=dict)

    def path(self, index: int) -> list[tuple[int, int]]:
        """The path with an index in ``[0, total)`` as ``(decision, option)`` pairs."""
        diagram, terms = self.plan.diagram, self.plan.terms
        found: list[tuple[int, int]] = []
        here = diagram.root
        room = tuple(term.room for term in terms)
        while (node := diagram.nodes[here]).decision >= 0:
            for edge in node.edges:
                left = tuple(r - term.cells(here, edge) for r, term in zip(room, terms, strict=True))
                number = self._completions(self.plan.classes[edge.child], left) if min(left) >= 0 else 0
                if index < number:
                    found.append((node.decision, edge.option))
                    here, room = edge.child, left
                    break
                index -= number
        return found

    @property
    def diagram(self) -> Diagram:
        """The diagram."""
        return self.plan.diagram

    @property
    def start(self) -> tuple[int, Rooms]:
        """The root, and the rooms there."""
        return self.diagram.root, tuple(term.room for term in self.plan.terms)

    def onward(self, node: int, rooms: Rooms) -> list[tuple[int, int, Rooms]]:
        """The options of a node with completions within the rooms, each with the node and rooms behind it."""
        found = []
        for edge in self.diagram.nodes[node].edges:
            left = tuple(r - term.cells(node, edge) for r, term in zip(rooms, self.plan.terms, strict=True))
            if min(left) >= 0 and self._completions(self.plan.classes[edge.child], left):
                found.append((edge.option, edge.child, left))
        return found

    def within(self, index: int, limit: int) -> int:
        """How many paths are within the limits and within a smaller one on a single cost.

        Args:
            index: which of the sums; one of the plan's terms.
            limit: the smaller limit.
        """
        plan, root = self.plan, self.plan.diagram.root
        rooms = [term.room for term in plan.terms]
        number = next(n for n, term in enumerate(plan.terms) if term.index == index)
        term = plan.terms[number]
        left = limit - plan.diagram.base_sums[index] - term.least[root]
        if left < 0:
            return 0
        rooms[number] = min(rooms[number], left // term.unit)
        return self._completions(plan.classes[root], tuple(rooms))

    def _completions(self, group: int, room: tuple[int, ...]) -> int:
        """Number of completions of a class within a remaining budget in cells."""
        width, rows = self.plan.width, self.plan.rows[group]
        table = self._unpacked.get(group)
        if table is None:
            table = self.tables[group].to_bytes(rows * self.plan.row_bytes, "little")
            self._unpacked[group] = table
        cell = min(room[0], rows - 1)
        for r, size in zip(room[1:], self.plan.row_sizes, strict=True):
            cell = cell * size + r
        return int.from_bytes(table[cell * width : (cell + 1) * width], "little")


def tabulate(plan: Plan, *, keep: bool) -> CompletionTables:
    """Make all tables, children first; without ``keep`` each is dropped after its last use."""
    row_bits = 8 * plan.row_bytes
    masks: dict[tuple[int, ...], int] = {}
    last_use = {child: group for group, moves in enumerate(plan.moves) for child, _ in moves}
    tables: list[int] = []
    for group, moves in enumerate(plan.moves):
        rows = plan.rows[group]
        if not moves:
            tables.append(int.from_bytes((b"\1" + bytes(plan.width - 1)) * prod(plan.row_sizes), "little"))
            continue
        table = 0
        steps: Counter[int] = Counter()
        for (child, shift), times in moves.items():
            if shift[0] >= rows or any(s >= n for s, n in zip(shift[1:], plan.row_sizes, strict=True)):
                continue
            moved = _within_rows(tables[child], shift[1:], plan, masks) * times
            table += moved << (shift[0] * row_bits)
            if shift[0] + plan.rows[child] < rows:
                steps[shift[0] + plan.rows[child]] += moved >> ((plan.rows[child] - 1) * row_bits)
        table &= (1 << (rows * row_bits)) - 1
        tables.append(table + _stairs(steps, rows, plan.row_bytes) if rows > 0 else 0)
        if not keep:
            for child, _ in moves:
                if last_use[child] == group:
                    tables[child] = 0
    root = plan.classes[plan.diagram.root]
    total = tables[root] >> (8 * plan.width * (plan.rows[root] * prod(plan.row_sizes) - 1))
    return CompletionTables(plan, tables, total)


def _within_rows(table: int, shift: tuple[int, ...], plan: Plan, masks: dict[tuple[int, ...], int]) -> int:
    """Move a table in the dimensions after the first; what leaves a row is dropped."""
    if not any(shift):
        return table
    if shift not in masks:
        masks[shift] = _mask(shift, plan)
    offset = 0
    for s, size in zip(shift, plan.row_sizes, strict=True):
        offset = offset * size + s
    return (table << (offset * plan.width * 8)) & masks[shift]


def _mask(shift: tuple[int, ...], plan: Plan) -> int:
    """All ones in the cells that a move within rows may fill; cells that wrapped around are left out."""
    pattern = b"\xff" * plan.width
    for s, size in zip(reversed(shift), reversed(plan.row_sizes), strict=True):
        pattern = bytes(len(pattern) * s) + pattern * (size - s)
    return int.from_bytes(pattern * max(plan.rows), "little")


def _stairs(steps: Counter[int], rows: int, row_bytes: int) -> int:
    """A table whose rows grow by ``steps[i]`` at row i and stay the same in between."""
    if not steps:
        return 0
    starts = sorted(steps)
    row, parts = 0, []
    for start, end in zip(starts, [*starts[1:], rows], strict=True):
        row += steps[start]
        parts.append(row.to_bytes(row_bytes, "little") * (end - start))
    return int.from_bytes(b"".join(parts), "little") << (8 * row_bytes * starts[0])
