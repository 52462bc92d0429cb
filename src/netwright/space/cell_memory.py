"""Peak memory of a cell while its connections are still being decided.

A tensor is in memory until its last use, and a node's output that is never used until the cell's end. So
what is alive at one moment depends on decisions that come later: whether a tensor is used *again*. A moment
is therefore kept with the tensors on which its total still depends; as soon as a tensor is used again, or
cannot be any more, every moment that waited for this is settled. Only moments that can still be the largest
are kept, so that few states have to be told apart.

All totals are vectors, one component for each geometry (size of map and width) at which the cell stands. A
floor says up to which total a component cannot matter, because something around the cell takes more anyway;
moments below it are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from netwright.ir.memory import Fusion
from netwright.space.composite import Profile

Bytes = tuple[int, ...]
"""Bytes at each geometry."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A step of the schedule whose total depends on tensors that may be used again.

    Attributes:
        total: bytes that are in memory in any case.
        pending: bits of the tensors that are in memory too if they are used again.
        again: bits of tensors that must be used again for this moment to be.
        never: bits of tensors that must not.
    """

    total: Bytes
    pending: int
    again: int
    never: int


@dataclass(frozen=True, slots=True)
class Term:
    """The memory of an operation of a node, at each geometry.

    Attributes:
        shared: where nothing is fused into the producer of its input.
        alone: where it is the only reader of its input.
    """

    shared: tuple[Profile, ...]
    alone: tuple[Profile, ...]


@dataclass(frozen=True, slots=True)
class CellMemory:
    """What of the memory of a cell matters for later.

    Attributes:
        homes: for every tensor the tensor whose memory it is in.
        used: bits of the watched tensors that an operation has read.
        held: tensors that wait for the node's end, as the results of identities.
        results: bytes of the node's results that are in memory of their own.
        moments: see ``Moment``.
        fusible: what may be fused into the last operation, if nothing else reads its result.
        first: the same of the first node, if it has a single operation.
    """

    homes: tuple[int, ...]
    used: int
    held: int
    results: Bytes
    moments: frozenset[Moment]
    fusible: Fusion = "closed"
    first: Fusion = "closed"


@dataclass(frozen=True, slots=True)
class Room:
    """What does not change while a cell is decided.

    Attributes:
        sizes: bytes of every tensor of the cell.
        lasting: bits of tensors that stay in memory to the cell's end.
        watched: bits of tensors of which it matters whether an operation has read them.
        floor: totals up to which a geometry's peak is decided elsewhere.
    """

    sizes: tuple[Bytes, ...]
    lasting: int
    watched: int
    floor: Bytes


def entered(inputs: int, geometries: int) -> CellMemory:
    """The memory when a cell begins; that its inputs are in memory is counted with what made them.

    Args:
        inputs: number of the cell's inputs.
        geometries: number of components of all totals.
    """
    return CellMemory(tuple(range(inputs)), 0, 0, (0,) * geometries, frozenset())


def bits(tensors: Iterable[int]) -> int:
    """Tensors as the bits of an integer."""
    found = 0
    for tensor in tensors:
        found |= 1 << tensor
    return found


def members(mask: int) -> list[int]:
    """The tensors of an integer's bits."""
    return [index for index in range(mask.bit_length()) if mask >> index & 1]


def add(first: Bytes, second: Bytes) -> Bytes:
    """Sum at each geometry."""
    return tuple(a + b for a, b in zip(first, second, strict=True))


def total(sizes: Sequence[Bytes], mask: int, start: Bytes) -> Bytes:
    """``start`` and the sizes of all tensors of a mask."""
    for tensor in members(mask):
        start = add(start, sizes[tensor])
    return start


def apply_term(
    memory: CellMemory, room: Room, source: int, term: Term, certain: int, later: int
) -> CellMemory:
    """Run an operation of a node.

    Args:
        memory: the memory before.
        room: the cell.
        source: the tensor that it reads.
        term: its memory.
        certain: bits of tensors that are sure to be used again after it.
        later: bits of tensors that may be.
    """
    home = memory.homes[source]
    bit = 1 << home
    sizes = room.sizes
    certain, later = _homes(memory, certain | room.lasting), _homes(memory, later)
    before = _used(memory.moments, bit, sizes)
    everything = bits(set(memory.homes))
    alone = not (memory.used >> home & 1) and not certain & bit and term.alone != term.shared
    open_again = bool(later & bit) and not certain & bit
    moments = set(before)
    variants: list[tuple[tuple[Profile, ...], int, int]] = []
    if not alone:
        variants.append((term.shared, 0, 0))
    else:
        variants.append((term.alone, 0, bit))
        if open_again:
            variants.append((term.shared, bit, 0))
    alias = term.shared[0].alias
    for profiles, again, never in variants:
        for needed in (True, False):
            extra = tuple(p.with_input if needed else p.without_input for p in profiles)
            if max(extra) < 0:
                continue
            kept = certain | memory.held | (bit if needed or alias or again else 0)
            pending = (everything & later) & ~kept & ~never
            moments.add(
                Moment(
                    total(sizes, kept & everything, add(memory.results, extra)),
                    pending,
                    0 if not open_again else again,
                    0 if not open_again else never,
                )
            )
    own = tuple(0 if alias else p.output for p in term.shared)
    return replace(
        memory,
        used=memory.used | bit & room.watched,
        held=memory.held | (bit if alias else 0),
        results=add(memory.results, own),
        moments=_settled(moments, later | certain, room),
    )


def combined(
    memory: CellMemory,
    room: Room,
    output: Sequence[Profile] | None,
    certain: int,
    later: int,
) -> CellMemory:
    """End a node: its results become one tensor.

    Args:
        memory: the memory after its operations.
        room: the cell.
        output: memory of what combines the results, counted without them; None where the node has one
            operation, whose result is its output.
        certain: bits of tensors that are sure to be used after it.
        later: bits of tensors that may be.
    """
    number = len(memory.homes)
    sizes = room.sizes
    certain, later = _homes(memory, certain | room.lasting), _homes(memory, later)
    # Where its only operation is an identity, the node is in the memory of what that reads.
    home = members(memory.held)[0] if output is None and memory.held else number
    moments = set(memory.moments)
    everything = bits(set(memory.homes))
    if output is not None:
        for needed in (True, False):
            extra = tuple(p.with_input if needed else p.without_input for p in output)
            if max(extra) < 0:
                continue
            kept = (certain | (memory.held if needed else 0)) & everything
            base = memory.results if needed else (0,) * len(extra)
            moments.add(Moment(total(sizes, kept, add(base, extra)), everything & later & ~kept, 0, 0))
    nothing = (0,) * len(memory.results)
    after = replace(
        memory,
        homes=(*memory.homes, home),
        held=0,
        results=nothing,
        moments=frozenset(moments),
        fusible="closed",
        first=memory.fusible if output is None else memory.first,
    )
    possible = _homes(after, 1 << number | certain | later)
    return replace(after, moments=_settled(moments, possible, room))


def finished(memory: CellMemory, room: Room, leaving: int, output: Bytes | None) -> Bytes:
    """The peak of the whole cell, at each geometry; 0 where it is not above the floor.

    Args:
        memory: the memory behind the last node.
        room: the cell.
        leaving: bits of the node outputs that leave the cell.
        output: bytes of their concatenation; None where a single one leaves.
    """
    homes = _homes(memory, leaving)
    totals = [m.total for m in _settled(_used(memory.moments, homes, room.sizes), 0, room)]
    if output is not None:
        totals.append(total(room.sizes, homes, output))
    peaks = tuple(max(values) for values in zip((0,) * len(memory.results), *totals, strict=True))
    return tuple(peak if peak > least else 0 for peak, least in zip(peaks, room.floor, strict=True))


def sure(memory: CellMemory, beside: Sequence[int]) -> int:
    """Bytes that the network needs whatever is decided later; 0 if nothing is known yet.

    Args:
        memory: the memory so far.
        beside: for each geometry the bytes that are held beside the cell; below 0 where it does not stand.
    """
    return max(
        (
            value + more
            for moment in memory.moments
            if not moment.again and not moment.never
            for value, more in zip(moment.total, beside, strict=True)
            if value and more >= 0
        ),
        default=0,
    )


def _homes(memory: CellMemory, mask: int) -> int:
    return bits(memory.homes[tensor] for tensor in members(mask) if tensor < len(memory.homes))


def _used(moments: Iterable[Moment], mask: int, sizes: Sequence[Bytes]) -> frozenset[Moment]:
    """The moments once it is known that tensors were used again after all of them."""
    if not mask:
        return frozenset(moments)
    return frozenset(
        Moment(total(sizes, m.pending & mask, m.total), m.pending & ~mask, m.again & ~mask, m.never)
        for m in moments
        if not m.never & mask
    )


def _settled(moments: Iterable[Moment], later: int, room: Room) -> frozenset[Moment]:
    """The moments once it is known that only the tensors of ``later`` can still be used."""
    left = set()
    for m in moments:
        if m.again & ~later:
            continue
        pending = m.pending & later
        most = total(room.sizes, pending, m.total)
        high = [value > least for value, least in zip(most, room.floor, strict=True)]
        if any(high):
            values = tuple(value if up else 0 for value, up in zip(m.total, high, strict=True))
            left.add(Moment(values, pending, m.again, m.never & later))
    found: list[Moment] = []
    for moment in sorted(left, key=_weight, reverse=True):
        if not any(_covers(other, moment) for other in found):
            found.append(moment)
    return frozenset(found)


def _weight(moment: Moment) -> tuple[int, int, int]:
    return sum(moment.total), moment.pending.bit_count(), -(moment.again | moment.never).bit_count()


def _covers(large: Moment, small: Moment) -> bool:
    """Whether a moment is at least as large as another whatever comes."""
    return (
        small.pending & ~large.pending == 0
        and large.again & ~small.again == 0
        and large.never & ~small.never == 0
        and all(a >= b for a, b in zip(large.total, small.total, strict=True))
    )
