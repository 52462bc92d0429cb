"""The architectures that fit, one after the other along a given order, none left out and none twice."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from netwright.errors import BudgetError
from netwright.space import Architecture, FittingArchitectures, why_nothing_fits
from netwright.strategies.candidates import Known

MISSES = 100_000
"""Candidates in a row that may turn out not to fit before the search gives up."""


class Order(Protocol):
    """A bijection on ``range(size)``."""

    @property
    def size(self) -> int:
        """How many numbers there are."""

    def __call__(self, position: int) -> int:
        """The number at a position."""


@dataclass(frozen=True, slots=True)
class InOrder:
    """The numbers below ``size`` as they are.

    Attributes:
        size: how many there are; an integer of any length.
    """

    size: int

    def __call__(self, position: int) -> int:
        """The position itself."""
        return position


@dataclass(frozen=True, slots=True)
class Enumeration:
    """How far the architectures that fit have been used, along an order of their indices.

    The k-th architecture depends on the order and on k alone; what is kept is a shortcut. Nothing is listed,
    so memory does not grow with the space. Where the space can only number a slightly larger set (costs
    rounded down), numbers whose architecture does not fit are passed over. With a rule for what is known,
    numbers whose network came before, drawn differently, are passed over as well.

    Attributes:
        candidates: the architectures that fit, by index, perhaps with some that do not.
        order: the order in which the indices are tried.
        found: number of architectures that lie before ``position``.
        position: place in the order from which the search for the next one goes on.
        known: the networks of those architectures, where none is to come twice.
    """

    candidates: FittingArchitectures
    order: Order
    found: int = 0
    position: int = 0
    known: Known = field(default_factory=Known)

    def at(self, number: int) -> Architecture | None:
        """The architecture with a number along the order, or None when fewer fit.

        Raises:
            BudgetError: if a great many candidates in a row do not fit.
        """
        place = self._find(number)
        return None if place is None else place[1]

    def beyond(self, number: int) -> Enumeration:
        """The same with everything up to a number used."""
        if self.candidates.exact and self.known.rule is None:
            # Nothing is passed over, so there is nothing to look for.
            beyond = min(number + 1, self.order.size)
            return self if beyond <= self.found else replace(self, found=beyond, position=beyond)
        place = None if number < self.found else self._find(number)
        if place is None:
            return self
        position, architecture, known = place
        known = known.adding(known.key(self.candidates.space, architecture))
        return replace(self, found=number + 1, position=position + 1, known=known)

    def _find(self, number: int) -> tuple[int, Architecture, Known] | None:
        """Position, architecture, and what is known before it; a number that was used is looked for anew."""
        found, position, known = self.found, self.position, self.known
        if number < found:
            found, position, known = 0, 0, Known(known.rule)
        if self.candidates.exact and known.rule is None:
            # Nothing is passed over, so positions and numbers are the same.
            found = position = number
        misses = 0
        while position < self.order.size:
            architecture = self.candidates.at(self.order(position))
            if architecture is None:
                misses += 1
                if misses > MISSES:
                    raise BudgetError(self._too_few(number, misses))
            elif (key := known.key(self.candidates.space, architecture)) not in known.keys:
                if found == number:
                    return position, architecture, known
                found, misses, known = found + 1, 0, known.adding(key)
            position += 1
        if not found:
            raise BudgetError(why_nothing_fits(self.candidates.space, dict(self.candidates.limits)))
        return None

    def _too_few(self, number: int, misses: int) -> str:
        limits = ", ".join(f"{metric} {limit}" for metric, limit in self.candidates.limits)
        return (
            f"strategy: expected an architecture that fits for proposal {number}, got {misses} in a row that "
            f"do not; too little of {self.candidates.space.name} fits the budget of {limits}: raise it"
        )
