"""What a seeded bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A small wrong edit.

    Attributes:
        wrong: what is wrong with it, in words.
        file: path within ``src/netwright``.
        old: text that is in the file exactly once.
        new: what takes its place.
        tests: files, classes and functions for pytest, one after the other.
    """

    wrong: str
    file: str
    old: str
    new: str
    tests: str
