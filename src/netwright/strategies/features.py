"""Architectures as numbers that surrogate models learn from, on any space made from an expression.

The numbers come in blocks, since a kernel weighs whole blocks rather than single columns:

- ``decisions``: the active decisions, one column for each option, and one for the order of numeric options;
- ``places``: which operations are live, where, and how wide;
- ``paths``: which runs of operations lead through the parts of the network;
- ``live``: log MACs and parameters of what is live, depth along the longest and the shortest way, live ops;
- ``drawn``: log MACs and parameters of the network as it is drawn, dead ops too.

Columns and scales are set by a sample of the space: what never varies is no column, and in each block two
sampled architectures lie at a mean squared distance of 1. All but ``decisions`` are read off the graph, with
runs of equal cells shortened, see ``netwright.strategies.structure`` and ``shortened``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from math import log
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from netwright.errors import ConfigError
from netwright.ir.canonical import canonical_key
from netwright.seeding import rng_for
from netwright.space import Architecture, ExpressionSpace, FittingArchitectures
from netwright.strategies.shortened import ShortNetworks
from netwright.strategies.structure import Structure, structure_of

Block = Literal["decisions", "places", "paths", "live", "drawn"]
BLOCKS: tuple[Block, ...] = get_args(Block)

Matrix = NDArray[np.float64]

SAMPLED = 64
"""Architectures that set columns and scales."""

WIDEST = 512
"""Columns of a block; more are folded together with random signs, which keeps distances about as they are."""

OVERFLOW = 32
"""Columns for places and paths that the sample did not show."""

MEMORY = 20_000
"""Architectures whose features are kept."""

FAR = 4.0
"""Standard deviations at which a number of the blocks ``live`` and ``drawn`` is cut off."""

_Values = Mapping[Any, float]


class Features:
    """Describes the architectures of a space; remembers those that it has described.

    What it gives is a function of the space, the sample and the architecture alone. So it may be shared.

    Args:
        space: the space.
        sample: architectures that set the columns and scales.
        names: the blocks that are wanted.
    """

    def __init__(
        self, space: ExpressionSpace, sample: Sequence[Architecture], names: Sequence[Block] = BLOCKS
    ) -> None:
        self._short = ShortNetworks(space)
        self._known: dict[Architecture, Matrix] = {}
        self._keys: dict[Architecture, str] = {}
        seen = [self._read(architecture) for architecture in sample]
        self._readers: list[tuple[str, _Columns]] = []
        self.blocks: dict[str, slice] = {}
        """Where in a vector each block is; blocks that do not vary in this space are left out."""
        start = 0
        for name in names:
            columns = _Columns(name, [_VALUES[name](*one, space) for one in seen])
            if columns.width:
                self._readers.append((name, columns))
                self.blocks[name] = slice(start, start + columns.width)
                start += columns.width
        self.width = start
        self._space = space

    def _read(self, architecture: Architecture) -> tuple[Architecture, Structure]:
        return architecture, structure_of(self._short.graph(architecture))

    def vector(self, architecture: Architecture) -> Matrix:
        """All blocks of one architecture, one after the other: ``(width,)``; not to be written to."""
        known = self._known.get(architecture)
        if known is None:
            _, structure = self._read(architecture)
            parts = [
                columns(_VALUES[name](architecture, structure, self._space))
                for name, columns in self._readers
            ]
            known = np.concatenate([*parts, np.zeros(0)])
            _remember(self._known, architecture, known)
        return known

    def key(self, architecture: Architecture) -> str:
        """The canonical form of an architecture, by which dead ops and the order of sums do not count.

        It is that of the short network under the rule ``flat``, see ``netwright.ir.canonical``: other keys
        than those of ``netwright.space.canonical``, but the same architectures fall together.
        """
        known = self._keys.get(architecture)
        if known is None:
            known = canonical_key(self._short.graph(architecture), "flat")
            _remember(self._keys, architecture, known)
        return known

    def matrix(self, architectures: Iterable[Architecture]) -> Matrix:
        """The vectors of some architectures, ``(N, width)``."""
        vectors = [self.vector(architecture) for architecture in architectures]
        return np.array(vectors).reshape(len(vectors), self.width)


def _remember(known: dict[Architecture, Any], architecture: Architecture, value: Any) -> None:
    if len(known) >= MEMORY:
        del known[next(iter(known))]
    known[architecture] = value


def features_for(candidates: FittingArchitectures, names: tuple[Block, ...] = BLOCKS) -> Features:
    """The features of the architectures that fit a budget, scaled by a sample of them.

    The sample is the same for every seed, so searches of one space share one object and what it remembers.
    """
    return _features_for(candidates.space, candidates.limits, names, _Same(candidates))


class _Same:
    """Passes a value to a cached function without being part of its key."""

    def __init__(self, value: FittingArchitectures) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=4)
def _features_for(
    space: ExpressionSpace, limits: tuple[tuple[str, int], ...], names: tuple[Block, ...], candidates: _Same
) -> Features:
    rng = rng_for(0, "features", space.id)
    sample = [candidates.value.sample(rng) for _ in range(SAMPLED)]
    return Features(space, sample, names)


def check_blocks(strategy: str, blocks: Sequence[Block]) -> tuple[Block, ...]:
    """Check the option ``blocks`` of a strategy.

    Returns:
        The blocks as a tuple; files have lists.

    Raises:
        ConfigError: if there is none, one comes twice, or one is unknown.
    """
    if (
        isinstance(blocks, str)
        or not blocks
        or any(blocks.count(one) > 1 or one not in BLOCKS for one in blocks)
    ):
        raise ConfigError(
            f"{strategy}.blocks: expected some of {', '.join(BLOCKS)}, each once, got {blocks!r}"
        )
    return tuple(blocks)


# -------------------------------------------------------------------------------------- values and columns


def _decisions(architecture: Architecture, structure: Structure, space: ExpressionSpace) -> _Values:
    """Two options of a decision lie 1 apart, squared; numbers lie further apart by their order."""
    values: dict[Any, float] = {}
    chosen = dict(architecture.choices)
    for decision in space.decisions:
        if decision.name in chosen:
            option = chosen[decision.name]
            values[decision.name, str(option)] = 0.5**0.5
            options = decision.options
            if len(options) > 2 and all(isinstance(one, int | float) for one in options):
                values[decision.name, ""] = sorted(options).index(option) / (len(options) - 1)
    return values


def _places(architecture: Architecture, structure: Structure, space: ExpressionSpace) -> _Values:
    values: dict[Any, float] = dict.fromkeys(structure.places.items(), 1.0)
    return {**values, **structure.widths}


def _paths(architecture: Architecture, structure: Structure, space: ExpressionSpace) -> _Values:
    return structure.paths


def _live(architecture: Architecture, structure: Structure, space: ExpressionSpace) -> _Values:
    return {
        "macs": log(1 + structure.macs),
        "params": log(1 + structure.params),
        "deepest": structure.deepest,
        "shallowest": structure.shallowest,
        "ops": structure.ops,
    }


def _drawn(architecture: Architecture, structure: Structure, space: ExpressionSpace) -> _Values:
    return {"macs": log(1 + structure.drawn_macs), "params": log(1 + structure.drawn_params)}


_VALUES: Mapping[str, Callable[[Architecture, Structure, ExpressionSpace], _Values]] = {
    "decisions": _decisions,
    "places": _places,
    "paths": _paths,
    "live": _live,
    "drawn": _drawn,
}


class _Columns:
    """Turns named values into the columns of a block.

    Args:
        name: of the block.
        sample: the values of the sampled architectures.
    """

    def __init__(self, name: str, sample: Sequence[_Values]) -> None:
        names = sorted({key for values in sample for key in values}, key=repr)
        table = np.array([[values.get(key, 0.0) for key in names] for values in sample], dtype=float)
        table = table.reshape(len(sample), len(names))
        low, high = table.min(0, initial=np.inf), table.max(0, initial=-np.inf)
        # Cells are alike, so many columns are, up to their scale: one of them is enough.
        scaled = (table / np.where(high > 0, np.abs(table).max(0, initial=0), 1.0)).round(9)
        first = set(np.unique(scaled, axis=1, return_index=True)[1].tolist()) if len(names) else set()
        varies = [bool(high[k] > low[k]) and k in first for k in range(len(names))]
        self._index = {key: k for k, key in enumerate(key for key, v in zip(names, varies, strict=True) if v)}
        self._constant = {key for key, v in zip(names, varies, strict=True) if not v}
        self._standard = name in ("live", "drawn")
        kept = table[:, varies]
        if self._standard:
            # A dead network has no MACs at all: the scale is that of the living.
            self._shift = np.median(kept, 0)
            spread = np.abs(kept - self._shift).mean(0)
            self._scale = np.where(spread > 0, spread, 1.0)
        else:
            self._shift = np.zeros(kept.shape[1])
            self._scale = np.ones(len(self._index)) if name == "decisions" else np.abs(kept).max(0, initial=1)
        overflow = 0 if self._standard or not len(self._index) else OVERFLOW
        self._plain = len(self._index) + overflow
        self._overflow = overflow
        folds = self._plain > WIDEST
        self._fold = [_hashed(key, WIDEST) for key in range(self._plain)] if folds else None
        self.width = WIDEST if folds else self._plain
        self._norm = 1.0
        if self.width:
            rows = np.array([self(values) for values in sample])
            # Twice the variance is the mean squared distance of two rows.
            self._norm = float(np.sqrt(2 * rows.var(0).sum())) or 1.0

    def __call__(self, values: _Values) -> Matrix:
        plain = np.zeros(self._plain)
        plain[: len(self._index)] = -self._shift / self._scale
        for key, value in values.items():
            place = self._index.get(key)
            if place is not None:
                plain[place] = (value - self._shift[place]) / self._scale[place]
            elif self._overflow and key not in self._constant:
                column, sign = _hashed(key, self._overflow)
                plain[len(self._index) + column] += sign
        if self._standard:
            plain = np.clip(plain, -FAR, FAR)
        if self._fold is not None:
            folded = np.zeros(WIDEST)
            for value, (column, sign) in zip(plain, self._fold, strict=True):
                folded[column] += sign * value
            plain = folded
        return plain / self._norm


def _hashed(key: Any, columns: int) -> tuple[int, int]:
    """A column and a sign that depend on the key alone."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big") % columns, 1 if digest[4] & 1 else -1
