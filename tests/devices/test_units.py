from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.devices.units import (
    format_bytes,
    format_count,
    format_time,
    parse_bytes,
    parse_count,
    parse_time,
)
from netwright.errors import BudgetError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KB", 65_536),
        ("64kb", 65_536),
        ("64 KiB", 65_536),
        ("64k", 65_536),
        (" 64KB ", 65_536),
        ("1MB", 1_048_576),
        ("1.5MB", 1_572_864),
        ("2GiB", 2_147_483_648),
        ("100", 100),
        ("100B", 100),
        ("100 bytes", 100),
        ("0", 0),
        ("+7", 7),
        ("1_048_576", 1_048_576),
        ("1e3", 1000),
        ("0.5KB", 512),
        (4096, 4096),
        (4096.0, 4096),
    ],
)
def test_bytes(text: str | int | float, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("2M", 2_000_000),
        ("2m", 2_000_000),
        ("60k", 60_000),
        ("60K", 60_000),
        ("1.5G", 1_500_000_000),
        ("0.001k", 1),
        ("3T", 3_000_000_000_000),
        ("2e6", 2_000_000),
        ("2e+6", 2_000_000),
        (2e6, 2_000_000),
        (7, 7),
        ("0", 0),
    ],
)
def test_counts(text: str | int | float, count: int) -> None:
    assert parse_count(text) == count


def test_fractions_are_exact_in_decimal() -> None:
    # 0.1 and 4.35 have no exact float: the text is what counts.
    assert parse_count("4.35k") == 4350
    assert parse_count("0.1k") == 100
    assert parse_bytes("0.0009765625KB") == 1


@pytest.mark.parametrize(
    ("text", "expected", "got"),
    [
        ("", "a number and a unit", "nothing"),
        ("  ", "a number and a unit", "nothing"),
        ("KB", "a number and a unit", "'KB'"),
        ("64 bits", "a unit of B, KB, MB, GB", "'bits' in '64 bits'"),
        ("64TB", "a unit of B, KB, MB, GB", "'TB'"),
        ("-64KB", "zero or more", "'-64KB'"),
        (-1, "zero or more", "-1"),
        ("0.3KB", "a whole number of bytes", "'0.3KB', which is 307.2"),
        (0.5, "a whole number of bytes", "0.5"),
        ("12,5KB", "a number and a unit", "'12,5KB'"),
        ("1,024", "a number and a unit", "'1,024'"),
        ("64KB64", "a number and a unit", "'64KB64'"),
        ("1e-3KB", "a number and a unit", "'1e-3KB'"),
        ("1e999999999", "a number and a unit", "'1e999999999'"),
        ("٣KB", "a number and a unit", "'٣KB'"),
        (float("nan"), "a finite number", "nan"),
        (float("inf"), "a finite number", "inf"),
        (float("-inf"), "a finite number", "-inf"),
        (True, "a number or a text", "True (bool)"),
        (None, "a number or a text", "None (NoneType)"),
    ],
)
def test_errors_say_where_what_and_what_to_do(text: str, expected: str, got: str) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_bytes(text, where="--max-sram")
    message = str(caught.value)
    assert message.startswith(f"--max-sram: expected {expected}, got {got}")
    assert message.endswith("; write for example 64KB (1 KB = 1024 bytes)")


def test_bytes_are_no_unit_of_counts() -> None:
    with pytest.raises(BudgetError, match=r"max_params: expected a unit of k, M, G, T, got 'KB' in '60KB'"):
        parse_count("60KB", where="max_params")


def test_absurdly_long_numbers_are_refused_at_once() -> None:
    with pytest.raises(BudgetError, match="a number and a unit"):
        parse_bytes("9" * 5000)


@given(st.integers(0, 2**70))
def test_bytes_round_trip(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size
    assert parse_bytes(format_bytes(size).lower().replace(" ", "")) == size


@given(st.integers(0, 10**20))
def test_count_round_trip(count: int) -> None:
    assert parse_count(format_count(count)) == count


@given(st.integers(0, 2**60))
def test_times_round_trip(time: int) -> None:
    assert parse_time(format_time(time)) == time


@pytest.mark.parametrize(
    ("text", "nanoseconds"), [("20ms", 20_000_000), ("1.5s", 1_500_000_000), ("3 us", 3000), (7, 7)]
)
def test_times(text: str | int, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds


def test_a_time_has_no_unit_of_memory() -> None:
    with pytest.raises(BudgetError, match=r"--max-latency: expected a unit of ns, us, ms, s, got 'KB'"):
        parse_time("20KB", where="--max-latency")


@given(st.integers(1, 4000), st.sampled_from(["KB", "MB", "GB"]))
def test_whole_units_are_written_in_that_unit_or_a_larger_one(number: int, unit: str) -> None:
    size = parse_bytes(f"{number}{unit}")
    assert not format_bytes(size).endswith(" B")
    assert parse_bytes(format_bytes(size)) == size


@given(st.integers(0, 2**60))
def test_rounded_text_is_near_the_value(size: int) -> None:
    number, unit = format_bytes(size, exact=False).split(" ")
    factor = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}[unit]
    assert float(number) * factor == pytest.approx(size, rel=0.0051)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1 KB"), (1536, "1.5 KB"), (60_728, "60728 B")],
)
def test_format_bytes(value: int, text: str) -> None:
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (60_728, "59.3 KB"),
        (999, "999 B"),
        (1024, "1 KB"),
        (174 * 1024, "174 KB"),
        (1_625_293, "1.55 MB"),
        (10_240, "10 KB"),
    ],
)
def test_format_bytes_rounded(value: int, text: str) -> None:
    assert format_bytes(value, exact=False) == text


def test_format_refuses_negative_values() -> None:
    with pytest.raises(BudgetError, match="format_count: expected zero or more, got -1"):
        format_count(-1)
