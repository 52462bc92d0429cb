"""Read and write quantities: memory in bytes, counts of operations and parameters, and times.

This is the one place of the project where units are parsed. Three families, which never mix:

* memory: ``B``, ``KB``, ``MB``, ``GB``. ``KB`` is 1024 bytes, as data sheets of microcontrollers use it, and
  ``KiB`` and ``K`` are the same; likewise ``MB`` = 1024**2 and ``GB`` = 1024**3. A plain number is bytes.
* counts: ``k`` = 1000, ``M`` = 1000**2, ``G`` = 1000**3, ``T`` = 1000**4. A plain number is itself.
* times: ``ns``, ``us``, ``ms``, ``s``. A plain number is nanoseconds, which is how times are kept.

Case never matters (``64kb``, ``2m``): neither bits nor thousandths are ever meant. A space between number and
unit is allowed. A fraction is allowed where the result is whole: ``1.5MB`` is, ``0.3 B`` is not. Digits may
be grouped with ``_`` as in Python; a comma is refused, since it means thousands to some and tenths to others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NoReturn

from netwright.errors import BudgetError

Quantity = int | float | str
"""A quantity as users write it: ``65536``, ``2e6`` or ``"64KB"``."""

KB = 1024
MB = 1024**2
GB = 1024**3

_BYTE_UNITS: Mapping[str, int] = {
    "": 1, "b": 1, "byte": 1, "bytes": 1,
    "k": KB, "kb": KB, "kib": KB,
    "m": MB, "mb": MB, "mib": MB,
    "g": GB, "gb": GB, "gib": GB,
}  # fmt: skip
_COUNT_UNITS: Mapping[str, int] = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

_TIME_UNITS: Mapping[str, int] = {"": 1, "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}

_BYTE_STEPS = (("GB", GB), ("MB", MB), ("KB", KB))
_COUNT_STEPS = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3))
_TIME_STEPS = (("s", 10**9), ("ms", 10**6), ("us", 10**3))

_LONGEST = 64  # characters; no quantity is longer, and Python refuses integers of thousands of digits
_NUMBER = r"\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:e\+?\d{1,2})?"
_PATTERN = rf"(?P<sign>[+-]?)\s*(?P<number>{_NUMBER})\s*(?P<unit>[a-z]*)"
_QUANTITY = re.compile(_PATTERN, re.IGNORECASE | re.ASCII)


def parse_bytes(quantity: Quantity, where: str = "size") -> int:
    """Read an amount of memory.

    Args:
        quantity: a text such as ``"64KB"``, or a number of bytes.
        where: name of the option that it was given to, for the error message.

    Returns:
        Whole bytes, zero or more.

    Raises:
        BudgetError: if it is empty, negative, has an unknown unit, or is not a whole number of bytes.

    >>> parse_bytes("64KB"), parse_bytes("1.5 MiB"), parse_bytes(4096)
    (65536, 1572864, 4096)
    >>> parse_bytes("64 bits", where="--max-sram")
    Traceback (most recent call last):
    netwright.errors.BudgetError: --max-sram: expected a unit of B, KB, MB, GB, got 'bits' in '64 bits'; \
write for example 64KB (1 KB = 1024 bytes)
    """
    return _parse(quantity, where, _BYTE_UNITS, "B, KB, MB, GB", "bytes", "64KB (1 KB = 1024 bytes)")


def parse_count(quantity: Quantity, where: str = "count") -> int:
    """Read a count, for example of multiply-accumulates or of parameters.

    Args:
        quantity: a text such as ``"2M"``, or a number.
        where: name of the option that it was given to, for the error message.

    Returns:
        A whole number, zero or more.

    Raises:
        BudgetError: if it is empty, negative, has an unknown unit, or is not a whole number.

    >>> parse_count("2M"), parse_count("60k"), parse_count("1.5G")
    (2000000, 60000, 1500000000)
    """
    return _parse(quantity, where, _COUNT_UNITS, "k, M, G, T", "units", "2M (1 M = 1000000)")


def parse_time(quantity: Quantity, where: str = "time") -> int:
    """Read a time, for example a latency.

    Args:
        quantity: a text such as ``"20ms"``, or a number of nanoseconds.
        where: name of the option that it was given to, for the error message.

    Returns:
        Whole nanoseconds, zero or more.

    Raises:
        BudgetError: if it is empty, negative, has an unknown unit, or is not a whole number of nanoseconds.

    >>> parse_time("20ms"), parse_time("1.5 s")
    (20000000, 1500000000)
    """
    return _parse(quantity, where, _TIME_UNITS, "ns, us, ms, s", "nanoseconds", "20ms")


def format_bytes(size: int, *, exact: bool = True) -> str:
    """Write an amount of memory.

    Args:
        size: bytes, zero or more.
        exact: True writes what ``parse_bytes`` reads back as the same number: in the largest unit in which it
            has at most two decimals, else in bytes. False rounds to three digits, for tables and sentences.

    >>> format_bytes(65536), format_bytes(177408), format_bytes(60728)
    ('64 KB', '173.25 KB', '60728 B')
    >>> format_bytes(60728, exact=False)
    '59.3 KB'
    """
    return _format(size, _BYTE_STEPS, "format_bytes", exact, space=" ", base_unit="B")


def format_count(count: int, *, exact: bool = True) -> str:
    """Write a count.

    Args:
        count: a whole number, zero or more.
        exact: True writes what ``parse_count`` reads back as the same number; False rounds to three digits.

    >>> format_count(2_000_000), format_count(60_500), format_count(4_456_448)
    ('2M', '60.5k', '4456448')
    >>> format_count(4_456_448, exact=False)
    '4.46M'
    """
    return _format(count, _COUNT_STEPS, "format_count", exact, space="", base_unit="")


def format_time(nanoseconds: int, *, exact: bool = True) -> str:
    """Write a time.

    Args:
        nanoseconds: zero or more.
        exact: True writes what ``parse_time`` reads back as the same number; False rounds to three digits.

    >>> format_time(20_000_000), format_time(1_234_567)
    ('20 ms', '1234567 ns')
    >>> format_time(1_234_567, exact=False)
    '1.23 ms'
    """
    return _format(nanoseconds, _TIME_STEPS, "format_time", exact, space=" ", base_unit="ns")


def _parse(
    quantity: Quantity, where: str, units: Mapping[str, int], named: str, whole: str, example: str
) -> int:
    def refuse(expected: str, got: object) -> NoReturn:
        raise BudgetError(f"{where}: expected {expected}, got {got}; write for example {example}")

    if isinstance(quantity, bool) or not isinstance(quantity, int | float | str):
        refuse("a number or a text", f"{quantity!r} ({type(quantity).__name__})")
    if isinstance(quantity, str):
        text = quantity.strip()
        match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            refuse("a number and a unit", repr(quantity[:_LONGEST]) if text else "nothing")
        factor = units.get(match["unit"].lower())
        if factor is None:
            refuse(f"a unit of {named}", f"{match['unit']!r} in {quantity!r}")
        value = Fraction(match["sign"] + match["number"].replace("_", "")) * factor
    elif isinstance(quantity, float) and quantity - quantity != 0:  # nan and the infinities
        refuse("a finite number", repr(quantity))
    else:
        value = Fraction(quantity)
    if value < 0:
        refuse("zero or more", repr(quantity))
    if value.denominator != 1:
        refuse(f"a whole number of {whole}", f"{quantity!r}, which is {float(value):g}")
    return int(value)


def _format(
    value: int, steps: tuple[tuple[str, int], ...], where: str, exact: bool, space: str, base_unit: str
) -> str:
    if value < 0:
        raise BudgetError(f"{where}: expected zero or more, got {value}; a quantity is never negative")
    for unit, factor in steps:
        if value < factor:
            continue
        if not exact:
            return f"{_three_digits(Fraction(value, factor))}{space}{unit}"
        hundredths = Fraction(value * 100, factor)
        if hundredths.denominator == 1:
            return f"{_decimal(int(hundredths))}{space}{unit}"
    return f"{value}{space}{base_unit}"


def _three_digits(value: Fraction) -> str:
    if value >= 100:
        return str(round(value))
    if value >= 10:
        return _decimal(round(value * 10) * 10)
    return _decimal(round(value * 100))


def _decimal(hundredths: int) -> str:
    """Write a number of hundredths without needless zeros: 250 as ``2.5``."""
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".") if rest else str(whole)
