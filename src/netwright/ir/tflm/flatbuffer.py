"""How large a flatbuffer becomes, counted as the builder of the ``flatbuffers`` package lays it down.

A flatbuffer grows from its end towards its start. A vector is its items and their number; a table is its
fields, each aligned to its size, and a reference to its layout, which says where they are; equal layouts are
in the file once. Nothing is written here, only counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

Field = tuple[int, int]
"""Number of a field and bytes of its value; fields that have their default value are left out."""

Layout = tuple[int, ...]
"""Bytes of a table, then for every field how far it is from the start, 0 for one that is left out."""

_LARGEST_ALIGNMENT = 16


class Vector(NamedTuple):
    """So many items of so many bytes each, the first of them aligned."""

    item: int
    number: int
    alignment: int = 4


class Table(NamedTuple):
    """Fields in the order in which they are written."""

    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Vectors and tables that follow each other; one object for all that are alike, which keeps sizes.

    Attributes:
        pieces: what it consists of.
        known: by position (modulo the largest alignment) its bytes where its layouts are in the file already,
            and these layouts.
    """

    pieces: tuple[Vector | Table, ...]
    known: dict[int, tuple[int, frozenset[Layout]]] = field(default_factory=dict)


class Size:
    """Counts the bytes of a file.

    Attributes:
        used: bytes laid down so far, from the end of the file.
    """

    __slots__ = ("_layouts", "used")

    def __init__(self) -> None:
        self.used = 0
        self._layouts: set[Layout] = set()

    def lay(self, part: Part) -> None:
        """Lay down a part."""
        position = self.used % _LARGEST_ALIGNMENT
        found = part.known.get(position)
        if found is None:
            found = part.known[position] = _measure(part, position)
        size, layouts = found
        if layouts <= self._layouts:
            self.used += size
            return
        for piece in part.pieces:
            if isinstance(piece, Vector):
                self.used = _behind_vector(self.used, piece)
                continue
            self.used, layout = _behind_table(self.used, piece)
            if layout not in self._layouts:
                self._layouts.add(layout)
                self.used += 2 * (len(layout) + 1)

    def finish(self, alignment: int) -> int:
        """Close a file of this largest alignment with its mark and root; gives its bytes."""
        self.used = _aligned(self.used, alignment, 8) + 8
        return self.used


def _measure(part: Part, position: int) -> tuple[int, frozenset[Layout]]:
    used = position
    layouts: list[Layout] = []
    for piece in part.pieces:
        if isinstance(piece, Vector):
            used = _behind_vector(used, piece)
        else:
            used, layout = _behind_table(used, piece)
            layouts.append(layout)
    return used - position, frozenset(layouts)


def _aligned(used: int, alignment: int, behind: int = 0) -> int:
    """The position padded so that it is aligned once ``behind`` more bytes are laid down."""
    return used + -(used + behind) % alignment


def _behind_vector(used: int, vector: Vector) -> int:
    content = vector.item * vector.number
    return _aligned(_aligned(used, 4, content), vector.alignment, content) + content + 4


def _behind_table(used: int, table: Table) -> tuple[int, Layout]:
    start = used
    places: dict[int, int] = {}
    for number, size in table.fields:
        used = _aligned(used, size) + size
        places[number] = used
    used = _aligned(used, 4) + 4
    length = max(places) + 1 if places else 0
    return used, (used - start, *(used - places[n] if n in places else 0 for n in range(length)))
