"""Budgets: upper limits on the costs of a network, by device or by hand, and the verdict of a network.

A ``Budget`` maps metric names to inclusive upper limits, so it goes wherever the functions of
``netwright.space`` take a budget. The metrics are ``macs``, ``params``, ``weight_bytes``,
``peak_activation_bytes``, for spaces with a table of it ``latency_ns``, and what TensorFlow Lite Micro needs
to run the int8 network (see ``netwright.ir.runtime``): ``head_bytes``, ``arena_bytes``, ``flash_bytes``.

What memory of a device becomes a limit
---------------------------------------
*SRAM.* The tensor arena, planned activations (or what planning them takes) and the interpreter's
structures, is known from the network alone, to the byte but for up to 32 bytes where planning decides.
The structures are counted as they are on a 64-bit computer, where the figure can be checked with the real
interpreter; on a 32-bit processor pointers are half as long, so that the arena is smaller there. Beside
the arena a program needs SRAM for its stack and its own data: 16 KB are an allowance for these, not a
measurement, but at most a quarter of the memory::

    limit of arena_bytes = sram - 16 KB     64 KB: 48 KB   128 KB: 112 KB   320 KB: 304 KB

*Flash.* It holds the model file, whose size is known, and the program (interpreter, kernels, start-up code),
for which 64 KB are an allowance, but at most half of the memory::

    limit of flash_bytes = flash - 64 KB    128 KB: 64 KB  256 KB: 192 KB   1 MB: 960 KB

Stacks of a radio or an operating system are not in these figures: give what they leave as ``max_sram`` and
``max_flash``. A margin given as a share replaces the rule: ``sram_margin=0`` lets the arena have all of the
SRAM. ``max_head``, ``max_arena`` and ``max_file`` limit the planned activations, the arena and the file
themselves, with nothing kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from netwright.devices.catalog import Device, find_device
from netwright.devices.units import (
    KB,
    Quantity,
    format_bytes,
    format_count,
    format_time,
    parse_bytes,
    parse_count,
    parse_time,
)
from netwright.errors import BudgetError
from netwright.ir.cost import COSTS
from netwright.ir.latency import LATENCY
from netwright.ir.runtime import RUNTIME

METRICS = (*COSTS, LATENCY, *RUNTIME)
"""The costs that a budget can limit, in the order in which they are shown."""


_FORMAT = 1
_MEMORY = {
    "arena_bytes": ("SRAM", "the tensor arena"),
    "flash_bytes": ("flash", "the model file"),
    "peak_activation_bytes": ("SRAM", "activations"),
    "weight_bytes": ("flash", "weights"),
}


@dataclass(frozen=True, slots=True)
class _Margin:
    """Kept of a memory for the program: ``fixed`` bytes, but at most a ``share`` of the memory."""

    fixed: int
    share: Fraction

    def kept(self, memory: int) -> Fraction:
        return min(Fraction(self.fixed), memory * self.share)


_SRAM_MARGIN = _Margin(16 * KB, Fraction(1, 4))
_FLASH_MARGIN = _Margin(64 * KB, Fraction(1, 2))


@dataclass(frozen=True, slots=True)
class Limit:
    """One upper limit and where it comes from.

    Attributes:
        metric: one of ``METRICS``.
        limit: the largest value that is allowed.
        origin: the device or the option that set it.
        memory_bytes: size of the memory of which ``limit`` is a part, or None where it is not a part of one.
    """

    metric: str
    limit: int
    origin: str
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        """Check the limit.

        Raises:
            BudgetError: if the metric is unknown, or the limit is not positive or more than its memory.
        """
        if self.metric not in METRICS:
            raise BudgetError(f"budget: expected a metric of {', '.join(METRICS)}, got {self.metric!r}")
        if self.limit < 1:
            raise BudgetError(
                f"{self.origin}: expected a limit of at least 1 for {self.metric}, got {self.limit}; "
                "leave it out for no limit"
            )
        if self.memory_bytes is not None and self.limit > self.memory_bytes:
            raise BudgetError(
                f"{self.origin}: expected a limit of at most the memory, {self.memory_bytes} bytes, "
                f"got {self.limit} for {self.metric}"
            )

    def explain(self) -> str:
        """Say in one line how the limit came about."""
        if self.memory_bytes is None:
            return f"{self.metric} at most {format_cost(self.metric, self.limit)} ({self.origin})"
        memory, purpose = _MEMORY[self.metric]
        size, kept, left = (
            format_bytes(value, exact=False)
            for value in (self.memory_bytes, self.memory_bytes - self.limit, self.limit)
        )
        return f"{memory} {size} - {kept} kept for the program = {left} for {purpose} ({self.origin})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Budget(Mapping[str, int]):
    """Inclusive upper limits by metric: an immutable mapping that also knows why.

    Two budgets are equal, and hash equally, if they set the same limits, whatever the reason. A budget
    without limits is possible and everything fits it. ``budget_for`` makes one.

    Attributes:
        limits: at most one for each metric, in the order of ``METRICS``.
        device: name of the device, or None.

    >>> budget = budget_for("nrf52840", max_macs="2M")
    >>> dict(budget)
    {'macs': 2000000, 'arena_bytes': 245760, 'flash_bytes': 983040}
    """

    limits: tuple[Limit, ...] = ()
    device: str | None = None

    def __post_init__(self) -> None:
        """Put the limits into their order.

        Raises:
            BudgetError: if a metric is limited twice.
        """
        names = [limit.metric for limit in self.limits]
        if len(set(names)) < len(names):
            raise BudgetError(f"budget: expected each metric once, got {', '.join(names)}")
        ordered = tuple(sorted(self.limits, key=lambda limit: METRICS.index(limit.metric)))
        object.__setattr__(self, "limits", ordered)

    def __getitem__(self, metric: str) -> int:
        for limit in self.limits:
            if limit.metric == metric:
                return limit.limit
        raise KeyError(metric)

    def __iter__(self) -> Iterator[str]:
        return (limit.metric for limit in self.limits)

    def __len__(self) -> int:
        return len(self.limits)

    def __hash__(self) -> int:
        return hash(tuple(self.items()))

    def __repr__(self) -> str:
        limits = ", ".join(f"{metric} <= {value}" for metric, value in self.items())
        return f"Budget({limits or 'no limits'}{f'; {self.device}' if self.device else ''})"

    def explain(self) -> list[str]:
        """Say in one line a limit how it came about.

        >>> budget_for("nrf52840").explain()[0]
        'SRAM 256 KB - 16 KB kept for the program = 240 KB for the tensor arena (nrf52840)'
        """
        return [limit.explain() for limit in self.limits] or ["no limits"]

    def check(self, costs: Mapping[str, int]) -> Verdict:
        """Hold costs against the limits.

        Args:
            costs: costs by metric; others than those of the budget are ignored.

        Raises:
            BudgetError: if a cost that the budget limits is missing.
        """
        missing = [metric for metric in self if metric not in costs]
        if missing:
            raise BudgetError(
                f"budget: expected the costs {', '.join(self)}, got only {', '.join(costs) or 'none'}; "
                f"add {', '.join(missing)}"
            )
        return Verdict(tuple(Check(metric, costs[metric], limit) for metric, limit in self.items()))

    def to_dict(self) -> dict[str, Any]:
        """Give the budget as plain JSON values."""
        return {
            "format": _FORMAT,
            "device": self.device,
            "limits": dict(self),
            "origins": [asdict(limit) for limit in self.limits],
            "explanation": self.explain(),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Budget:
        """Read what ``to_dict`` gave.

        Raises:
            BudgetError: if the format is unknown or a key is missing.
        """
        if data.get("format") != _FORMAT:
            raise BudgetError(
                f"budget: expected format {_FORMAT}, got {data.get('format')!r}; "
                "it was written by another version of netwright"
            )
        try:
            return Budget(tuple(Limit(**entry) for entry in data["origins"]), data["device"])
        except (KeyError, TypeError) as error:
            raise BudgetError(
                f"budget: expected what Budget.to_dict writes, got {dict(data)} ({error!r})"
            ) from None


@dataclass(frozen=True, slots=True)
class Check:
    """One cost held against its limit.

    Attributes:
        metric: one of ``METRICS``.
        value: the cost.
        limit: the largest value that is allowed.
    """

    metric: str
    value: int
    limit: int

    @property
    def fits(self) -> bool:
        """Whether the value is within the limit; the limit itself is."""
        return self.value <= self.limit

    @property
    def share(self) -> float:
        """Part of the limit that is used; above 1 where it does not fit."""
        return self.value / self.limit

    def to_dict(self) -> dict[str, Any]:
        """Give the row as plain JSON values."""
        return {**asdict(self), "fits": self.fits, "share": self.share}

    def explain(self) -> str:
        """Say in one line how much is used, or by how much it is too large.

        >>> Check("arena_bytes", 60_728, 178_176).explain()
        'arena_bytes: 59.3 KB of 174 KB (34.1 %)'
        >>> Check("macs", 2_000_001, 2_000_000).explain()
        'macs: 2000001 of 2000000 (100.1 %): 1 too many'
        """
        if self.fits:
            value, limit = (format_cost(self.metric, n, exact=False) for n in (self.value, self.limit))
            return f"{self.metric}: {value} of {limit} ({100 * self.share:.1f} %)"
        # Rounded figures could read as equal, and the share must never read as 100 %.
        share = math.ceil(Fraction(1000 * self.value, self.limit)) / 10
        over = self.value - self.limit
        return f"{self.metric}: {self.value} of {self.limit} ({share:.1f} %): {over} too many"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a network fits a budget, metric by metric.

    Attributes:
        rows: one for each metric that the budget limits.
    """

    rows: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """Whether every cost is within its limit."""
        return all(row.fits for row in self.rows)

    def explain(self) -> list[str]:
        """Say in one line a metric how much of the budget is used."""
        return [row.explain() for row in self.rows] or ["no limits"]

    def to_dict(self) -> dict[str, Any]:
        """Give the verdict as plain JSON values."""
        return {"fits": self.fits, "rows": [row.to_dict() for row in self.rows]}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Verdict:
        """Read what ``to_dict`` gave.

        Raises:
            BudgetError: if a key is missing.
        """
        try:
            rows = tuple(Check(row["metric"], row["value"], row["limit"]) for row in data["rows"])
        except (KeyError, TypeError) as error:
            raise BudgetError(
                f"verdict: expected what Verdict.to_dict writes, got {dict(data)} ({error!r})"
            ) from None
        return Verdict(rows)


def budget_for(
    device: Device | str | None = None,
    max_sram: Quantity | None = None,
    max_flash: Quantity | None = None,
    max_macs: Quantity | None = None,
    max_params: Quantity | None = None,
    sram_margin: float | None = None,
    flash_margin: float | None = None,
    max_latency: Quantity | None = None,
    max_head: Quantity | None = None,
    max_arena: Quantity | None = None,
    max_file: Quantity | None = None,
) -> Budget:
    """Make a budget from a device, from limits given by hand, or from both.

    A limit given by hand replaces that of the device. ``max_sram`` and ``max_flash`` are sizes of memory, as
    those of a device are, so the margin for the program is taken from them too.

    Args:
        device: a device or the name of one; None for no device.
        max_sram: bytes of SRAM, e.g. ``"64KB"`` (1 KB = 1024 bytes).
        max_flash: bytes of flash, e.g. ``"256KB"``.
        max_macs: multiply-accumulates, e.g. ``"2M"`` (1 M = 1000000).
        max_params: parameters, e.g. ``"60k"``.
        sram_margin: share of the SRAM, in [0, 1), that is kept for the program; None for the rule above.
        flash_margin: the same for flash.
        max_latency: time of one pass, e.g. ``"20ms"``, by the latency table of the space.
        max_head: bytes of planned activations.
        max_arena: bytes of the tensor arena, in place of what is left of the SRAM.
        max_file: bytes of the model file, in place of what is left of the flash.

    Returns:
        The budget; without limits if nothing is given.

    Raises:
        BudgetError: if a limit cannot be read, is zero, leaves nothing beside the margin, or is given as a
            size of memory and by itself.
        ConfigError: if the device is unknown.

    >>> dict(budget_for(max_sram="64KB", sram_margin=0.25))
    {'arena_bytes': 49152}
    """
    target = find_device(device) if isinstance(device, str) else device
    limits = [
        Limit(metric, parse(quantity, option), option)
        for metric, option, quantity, parse in (
            ("macs", "max_macs", max_macs, parse_count),
            ("params", "max_params", max_params, parse_count),
            (LATENCY, "max_latency", max_latency, parse_time),
            ("head_bytes", "max_head", max_head, parse_bytes),
            ("arena_bytes", "max_arena", max_arena, parse_bytes),
            ("flash_bytes", "max_file", max_file, parse_bytes),
        )
        if quantity is not None
    ]
    flash, sram = (None, None) if target is None else (target.flash_bytes, target.sram_bytes)
    memories = (
        ("flash_bytes", "flash", flash, max_flash, flash_margin, _FLASH_MARGIN, ("max_file", max_file)),
        ("arena_bytes", "sram", sram, max_sram, sram_margin, _SRAM_MARGIN, ("max_arena", max_arena)),
    )
    for metric, memory, of_device, by_hand, margin, rule, (itself, given) in memories:
        if given is not None:
            _check_alone(itself, f"max_{memory}", by_hand, f"{memory}_margin", margin)
            continue
        size = of_device if by_hand is None else parse_bytes(by_hand, f"max_{memory}")
        if margin is not None:
            _check_margin(f"{memory}_margin", margin, f"max_{memory}", size)
        if size is not None:
            origin = target.name if target and by_hand is None else f"max_{memory}"
            limits.append(_memory_limit(metric, origin, size, margin, rule))
    return Budget(tuple(limits), None if target is None else target.name)


def format_cost(metric: str, value: int, *, exact: bool = True) -> str:
    """Write a cost in the unit of its metric.

    >>> format_cost("weight_bytes", 65536), format_cost("macs", 2_000_000)
    ('64 KB', '2M')
    """
    if metric == LATENCY:
        return format_time(value, exact=exact)
    return format_bytes(value, exact=exact) if metric.endswith("_bytes") else format_count(value, exact=exact)


def _check_margin(option: str, margin: float, memory: str, size: int | None) -> None:
    if not 0 <= margin < 1:
        raise BudgetError(f"{option}: expected a share from 0 to below 1, got {margin}; 0.25 is 25 %")
    if size is None:
        raise BudgetError(
            f"{option}: expected a memory that it is a share of, got none; "
            f"give a device that has one or {memory}, or leave it out"
        )


def _check_alone(itself: str, memory: str, by_hand: object, option: str, margin: float | None) -> None:
    for name, value in ((memory, by_hand), (option, margin)):
        if value is not None:
            raise BudgetError(f"{name}: expected either it or {itself}, got both; leave one of them out")


def _memory_limit(metric: str, origin: str, size: int, margin: float | None, rule: _Margin) -> Limit:
    """What of a memory of this size is left for the network."""
    # Through its decimal digits: 0.9 of 100 bytes is 90 bytes, though the nearest float is a little less.
    kept = rule.kept(size) if margin is None else Fraction(str(float(margin))) * size
    left = math.floor(size - kept)
    if left < 1:
        raise BudgetError(
            f"{origin}: expected more memory than is kept for the program, got {format_bytes(size)}, of "
            f"which {math.ceil(kept)} bytes are kept; raise it, or leave it out for no limit"
        )
    return Limit(metric, left, origin, size)
