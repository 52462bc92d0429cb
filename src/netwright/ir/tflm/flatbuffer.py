"""How large a flatbuffer becomes, counted as the builder of the ``flatbuffers`` package lays it down.

A flatbuffer grows from its end towards its start. A vector is its items and their number; a table is its fields,
each aligned to its size, and a reference to a list of where they are; equal lists are in the file once. Nothing is
written here, only counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

Field = tuple[int, int]
"""Number of a field and bytes of its value; fields that have their default value are left out."""

_LARGEST_ALIGNMENT = 16


class Size:
    """Counts the bytes of a file.

    Attributes:
        used: bytes laid down so far, from the end of the file.
    """

    __slots__ = ("_alignment", "_known", "_layouts", "used")

    def __init__(self) -> None:
        self.used = 0
        self._alignment = 1
        self._layouts: set[tuple[int, ...]] = set()
        self._known: dict[tuple[Hashable, int], int] = {}

    def align(self, alignment: int, behind: int = 0) -> None:
        """Pad so that the position is aligned once ``behind`` more bytes are laid down."""
        if alignment > self._alignment:
            self._alignment = alignment
        self.used += -(self.used + behind) % alignment

    def vector(self, item: int, number: int, alignment: int = 4) -> None:
        """A vector of items of so many bytes each."""
        content = item * number
        self.align(4, content)
        if alignment > 4:
            self.align(alignment, content)
        self.used += content + 4

    def table(self, *fields: Field) -> None:
        """A table with these fields, in the order in which they are written."""
        start = self.used
        places: dict[int, int] = {}
        for number, size in fields:
            self.align(size)
            self.used += size
            places[number] = self.used
        self.align(4)
        self.used += 4
        end = self.used
        length = max(places) + 1 if places else 0
        layout = (end - start, *(end - places[n] if n in places else 0 for n in range(length)))
        if layout not in self._layouts:
            self._layouts.add(layout)
            self.used += 2 * (length + 2)

    def part(self, key: Hashable, write: Callable[[], None]) -> None:
        """Lay down a part whose size depends on ``key`` and the position; the same again is not counted anew."""
        known = (key, self.used % _LARGEST_ALIGNMENT)
        found = self._known.get(known)
        if found is not None:
            self.used += found
            return
        before, layouts = self.used, len(self._layouts)
        write()
        if len(self._layouts) == layouts:
            self._known[known] = self.used - before

    def finish(self) -> int:
        """Close the file with its mark and the reference to the root; gives its bytes."""
        self.align(self._alignment, 8)
        self.used += 8
        return self.used
