"""The decisions of a space by what architectures record of them, for quick reading and writing.

Strategies read and write thousands of architectures in a second. What is checked here is what
``ExpressionSpace.recorded`` checks; where it fails, that one says what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netwright.space.architecture import Architecture, Value
from netwright.space.program import Decision


class Lookup:
    """Pairs of decision and option of one space.

    Args:
        space: id of the space.
        decisions: its decisions, in order.
    """

    def __init__(self, space: str, decisions: Sequence[Decision]) -> None:
        self._space = space
        self._pairs: tuple[tuple[tuple[str, Value], ...], ...] = tuple(
            tuple((decision.name, option) for option in decision.options) for decision in decisions
        )
        self._codes = {
            pair: (number, option, type(pair[1]))
            for number, pairs in enumerate(self._pairs)
            for option, pair in enumerate(pairs)
        }

    def settled(self, architecture: Architecture) -> dict[int, int] | None:
        """The option of each decision of an architecture, by numbers, in the order of the space.

        Whether these decisions are the active ones is not looked at.

        Returns:
            None if something is not recorded as this space does.
        """
        if architecture.space != self._space:
            return None
        settled: dict[int, int] = {}
        codes = self._codes
        last = -1
        for pair in architecture.choices:
            code = codes.get(pair)
            if code is None:
                return None
            decision, option, kind = code
            # 1, 1.0 and True are equal, but one architecture has one way to be written.
            if decision <= last or type(pair[1]) is not kind:
                return None
            settled[decision] = option
            last = decision
        return settled

    def replaced(
        self, choices: tuple[tuple[str, Value], ...], slot: int, decision: int, option: int
    ) -> Architecture:
        """The architecture with the choice at one place replaced by another option of its decision."""
        pair = self._pairs[decision][option]
        return Architecture(self._space, (*choices[:slot], pair, *choices[slot + 1 :]))

    def architecture(self, path: Iterable[tuple[int, int]]) -> Architecture:
        """The architecture with these numbers of decisions and options, in any order."""
        pairs = self._pairs
        return Architecture(self._space, tuple([pairs[d][option] for d, option in sorted(path)]))
