"""Random numbers that depend on a seed and a purpose, never on what was drawn before.

Every draw of a search comes from a generator that is made afresh from ``(seed, purpose ...)``. So no
generator state is ever saved, and proposal 17 is the same in a resumed study as in an unbroken one.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence

Stream = int | str


def seed_for(seed: int, *purpose: Stream) -> int:
    """Derive a 63-bit seed from a seed and what it is for.

    Args:
        seed: seed of the study.
        *purpose: integers and words that tell this use from every other, e.g. ``("trial", 17)``.

    Returns:
        An integer in ``[0, 2**63)``, the same on every machine and in every version of Python.

    >>> seed_for(0, "trial", 1) == seed_for(0, "trial", 1)
    True
    >>> seed_for(0, "trial", 1) == seed_for(0, "trial", 2)
    False
    """
    text = repr((int(seed), *map(str, purpose))).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def rng_for(seed: int, *purpose: Stream) -> np.random.Generator:
    """Make a generator for one purpose; counter-based, so making it costs microseconds.

    >>> float(rng_for(0, 5).random()) == float(rng_for(0, 5).random())
    True
    """
    key = _Key(seed_for(seed, *purpose))
    return np.random.Generator(np.random.Philox(key))  # type: ignore[arg-type]  # numpy's stubs are too narrow


class Streams:
    """The generators of ``rng_for``, one after the other in a single object.

    For loops in which making a generator would take most of the time. The generator that a call gives is that
    of ``rng_for`` until the next call; it must not be kept beyond.

    >>> streams = Streams()
    >>> float(streams(0, 5).random()) == float(rng_for(0, 5).random())
    True
    """

    def __init__(self) -> None:
        self._key = np.zeros(2, dtype=np.uint64)
        zeros = np.zeros(4, dtype=np.uint64)
        self._state: Any = {
            "bit_generator": "Philox",
            "state": {"counter": zeros, "key": self._key},
            "buffer": zeros,
            "buffer_pos": 4,
            "has_uint32": 0,
            "uinteger": 0,
        }
        self._philox = np.random.Philox(key=0)
        self._generator = np.random.Generator(self._philox)

    def __call__(self, seed: int, *purpose: Stream) -> np.random.Generator:
        """The generator for one purpose; the one before is no longer valid."""
        self._key[0] = seed_for(seed, *purpose)
        self._philox.state = self._state
        return self._generator


class _Key(ISeedSequence):
    """Hands a key to Philox as it is.

    ``Philox(key=...)`` makes the same generator, but gathers entropy of the operating system beside it, which
    takes longer than all the rest.
    """

    __slots__ = ("_words",)

    def __init__(self, key: int) -> None:
        self._words = np.array([key, 0], dtype=np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint64) -> np.ndarray[Any, np.dtype[Any]]:
        """The key; Philox asks for two words of 64 bits."""
        return self._words


def integer_below(rng: np.random.Generator, bound: int) -> int:
    """Draw an integer uniformly from ``[0, bound)``, for bounds beyond 64 bits too.

    Args:
        rng: the generator to draw from.
        bound: a positive integer of any size.

    Raises:
        ValueError: if ``bound`` is not positive.
    """
    if bound < 1:
        raise ValueError(f"integer_below: expected a positive bound, got {bound}")
    bits = (bound - 1).bit_length()
    count = (bits + 7) // 8
    while True:
        drawn = int.from_bytes(rng.bytes(count), "big") >> (8 * count - bits)
        if drawn < bound:
            return drawn
