"""A keyed order of the numbers below n, for any n, that needs no memory.

Drawing without replacement from a space of 1e19 networks cannot shuffle a list. A keyed bijection on
``range(n)`` does the same: its values at 0, 1, 2 ... are draws without replacement, the k-th draw needs none
of the draws before it, and a draw can be traced back to its number.

The bijection is a balanced Feistel network on the bit strings just long enough for n, with cycle walking for
values that are not below n [Black and Rogaway 2002, "Ciphers with Arbitrary Finite Domains", CT-RSA;
eprint.iacr.org/2001/012]. The round function is SHAKE-256, which has outputs of any length.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

ROUNDS = 12
"""Four suffice for long strings [Luby and Rackoff 1988]; short ones need more: NIST's FF1 takes ten."""


@dataclass(frozen=True, slots=True)
class Permutation:
    """A pseudo-random bijection on ``range(size)``.

    Attributes:
        size: how many numbers are permuted; an integer of any length, at least 0.
        key: an integer of at least 0; other keys give other orders.

    >>> order = Permutation(10, key=7)
    >>> sorted(order(k) for k in range(10))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    >>> order.inverse(order(3))
    3
    """

    size: int
    key: int

    def __post_init__(self) -> None:
        """Check the arguments.

        Raises:
            ValueError: if size or key is negative.
        """
        if self.size < 0 or self.key < 0:
            raise ValueError(
                f"Permutation: expected a size and a key of at least 0, got size {self.size}, key {self.key}"
            )

    def __call__(self, position: int) -> int:
        """Give the number at a position.

        Args:
            position: in ``range(size)``.

        Raises:
            IndexError: if the position is outside.
        """
        self._check(position)
        return self._walk(self._swap(position), range(ROUNDS))

    def inverse(self, number: int) -> int:
        """Give the position of a number.

        Args:
            number: in ``range(size)``.

        Raises:
            IndexError: if the number is outside.
        """
        self._check(number)
        return self._swap(self._walk(number, range(ROUNDS - 1, -1, -1)))

    def _check(self, value: int) -> None:
        if not 0 <= value < self.size:
            raise IndexError(f"Permutation: expected a number from 0 to below {self.size}, got {value}")

    def _swap(self, position: int) -> int:
        """Exchange the first two positions under half of the keys.

        Every Feistel network on 4 bits or more is an even permutation; for a handful of numbers, half of the
        orders would be rarer than the others without this.
        """
        return position ^ self._round(ROUNDS, 0, 1) if position < 2 <= self.size else position

    def _walk(self, value: int, rounds: range) -> int:
        """Apply the Feistel network until the value is below the size again.

        The network permutes fewer than ``4 * size`` values, so this takes fewer than four steps on average;
        it ends since the cycle through ``value`` returns to it.
        """
        if self.size == 1:
            return value
        half = ((self.size - 1).bit_length() + 1) // 2
        value = self._feistel(value, half, rounds)
        while value >= self.size:
            value = self._feistel(value, half, rounds)
        return value

    def _feistel(self, value: int, half: int, rounds: range) -> int:
        """Permute strings of ``2 * half`` bits.

        A round maps ``(left, right)`` to ``(right, left ^ f(right))``. As the halves are swapped at the end,
        the inverse is the same steps with the rounds in reverse order.
        """
        left, right = value >> half, value & ((1 << half) - 1)
        function = _known_round if half <= _FEW_BITS else _round
        key, size = self.key, self.size
        for number in rounds:
            left, right = right, left ^ function(key, size, number, right, half)
        return right << half | left

    def _round(self, number: int, value: int, bits: int) -> int:
        function = _known_round if bits <= _FEW_BITS else _round
        return function(self.key, self.size, number, value, bits)


def _round(key: int, size: int, number: int, value: int, bits: int) -> int:
    """The round function: ``bits`` bits from SHAKE-256."""
    count = (bits + 7) // 8
    text = f"netwright permutation {key} {size} {number} {value:x}".encode()
    return int.from_bytes(hashlib.shake_256(text).digest(count), "big") >> (8 * count - bits)


_FEW_BITS = 8
"""Short strings have so few values that a long search asks for the same ones again and again."""

_known_round = lru_cache(maxsize=ROUNDS << _FEW_BITS)(_round)
