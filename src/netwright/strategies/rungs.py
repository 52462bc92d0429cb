"""Rungs and ladders: which results stand beside which at every fidelity, and which of them went on."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from netwright.errors import ConfigError
from netwright.space import Architecture


@dataclass(frozen=True, slots=True)
class Entry:
    """A result on a rung.

    Attributes:
        number: of the proposal that had it.
        architecture: what was evaluated.
        score: its objective; larger is better, whichever way the objective goes.
    """

    number: int
    architecture: Architecture
    score: float


@dataclass(frozen=True, slots=True)
class Rung:
    """The results at one fidelity.

    Attributes:
        entries: best first; of equals the earlier proposal.
        blanks: results that nothing can be made of: the trial failed, or the architecture is here already.
        promoted: numbers of the entries that went on, or are to go on, to the next rung.
    """

    entries: tuple[Entry, ...] = ()
    blanks: int = 0
    promoted: frozenset[int] = frozenset()

    @property
    def size(self) -> int:
        """Number of results."""
        return len(self.entries) + self.blanks

    def joined(self, number: int, architecture: Architecture, score: float | None) -> Rung:
        """This rung and one more result; None for one that cannot be learned from."""
        if score is None or any(entry.architecture == architecture for entry in self.entries):
            return replace(self, blanks=self.blanks + 1)
        place = bisect_left(self.entries, (-score, number), key=lambda entry: (-entry.score, entry.number))
        entry = Entry(number, architecture, score)
        return replace(self, entries=(*self.entries[:place], entry, *self.entries[place:]))

    def sending(self, number: int) -> Rung:
        """This rung after one of its entries went on."""
        return replace(self, promoted=self.promoted | {number})

    def waiting(self, count: int) -> Entry | None:
        """The best of the first ``count`` entries that has not gone on, or None."""
        return next((entry for entry in self.entries[:count] if entry.number not in self.promoted), None)


Ladder = tuple[Rung, ...]
"""A rung for every fidelity, the lowest first."""


def level_of(ladder: Ladder, number: int) -> int | None:
    """The rung on which a proposal's result is, or None."""
    for level, rung in enumerate(ladder):
        if any(entry.number == number for entry in rung.entries):
            return level
    return None


def left_over(ladder: Ladder) -> Iterator[tuple[float, int, Entry]]:
    """Everything below the top that has not gone on.

    Yields:
        The share of its rung that is better, the level of the rung, and the entry.
    """
    for level, rung in enumerate(ladder[:-1]):
        for place, entry in enumerate(rung.entries):
            if entry.number not in rung.promoted:
                yield place / rung.size, level, entry


def fidelities_of(strategy: str, fidelities: object, minimum: object, eta: int) -> tuple[float, ...]:
    """The fidelities of the rungs, the lowest first.

    Args:
        strategy: whose options they are, for messages.
        fidelities: the fidelities themselves; or None for such that go down from 1 by factors of ``eta``.
        minimum: the lowest one is not below it, in (0, 1].
        eta: at least 2.

    Raises:
        ConfigError: if the fidelities are not shares, each larger than the one before, or the minimum is
            no share.

    >>> [round(fidelity, 3) for fidelity in fidelities_of("asha", None, 0.1, 3)]
    [0.111, 0.333, 1.0]
    """
    if fidelities is not None:
        return _given(strategy, fidelities)
    if isinstance(minimum, bool) or not isinstance(minimum, int | float) or not 0 < minimum <= 1:
        raise ConfigError(
            f"{strategy}.minimum: expected a share of the full training above 0, at most 1, got {minimum!r}"
        )
    steps = 0
    # 1 / 3**2 is not below a minimum that was written 0.1111111111.
    while minimum * eta ** (steps + 1) * (1 - 1e-9) <= 1:
        steps += 1
    return tuple(1 / eta**step for step in range(steps, -1, -1))


def _given(strategy: str, fidelities: object) -> tuple[float, ...]:
    if isinstance(fidelities, list | tuple):
        shares = [float(f) for f in fidelities if isinstance(f, int | float) and not isinstance(f, bool)]
        ascending = all(a < b for a, b in zip([0.0, *shares], [*shares, 2.0], strict=True))
        if len(shares) == len(fidelities) > 0 and ascending and shares[-1] <= 1:
            return tuple(shares)
    raise ConfigError(
        f"{strategy}.fidelities: expected shares of the full training above 0, at most 1, each larger than "
        f"the one before, such as [0.06, 1], got {fidelities!r}"
    )


def check_eta(strategy: str, eta: object) -> None:
    """Check the option ``eta``.

    Raises:
        ConfigError: if it is not an integer of at least 2.
    """
    if isinstance(eta, bool) or not isinstance(eta, int) or eta < 2:
        raise ConfigError(f"{strategy}.eta: expected an integer of at least 2, got {eta!r}")
