from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.ir.graph import Node
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Conv,
    Flatten,
    GlobalPool,
    Linear,
    Op,
    Pool,
    Resize,
    Shape,
    Slice,
)
from netwright.report import labels
from netwright.space import Architecture


@given(st.integers(1, 10**40))
def test_magnitude_is_within_half_a_unit_of_its_last_digit(value: int) -> None:
    mantissa, power = labels.magnitude(value).split(f" {labels.TIMES} 10^")
    size = Fraction(mantissa) * 10 ** int(power)

    assert 1 <= Fraction(mantissa) < 10
    assert abs(size - value) <= Fraction(10 ** int(power), 200)


@given(st.integers(0, 10**40))
def test_integer_keeps_every_digit(value: int) -> None:
    text = labels.integer(value)

    assert int(text.rpartition("exactly ")[2].strip(")").replace(",", "")) == value


@given(st.text(), st.integers(2, 40))
def test_shortened_text_is_short_and_keeps_both_ends(text: str, length: int) -> None:
    short = labels.shorten(text, length)

    assert len(short) == min(len(text), length)
    assert text.startswith(short.partition("…")[0]) or "…" in text
    assert text[:1] == short[:1] or length < 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3599.7, "1 h 0 min"),
        (86_400, "1 d 0 h"),
    ],
)
def test_duration_carries(seconds: float, text: str) -> None:
    assert labels.duration(seconds) == text


def test_an_unknown_share_says_so() -> None:
    assert labels.percent(float("nan")) == "unknown"


@pytest.mark.parametrize(
    ("op", "inputs", "text"),
    [
        (Conv(16, (3, 3)), ((8, 4, 4),), "conv 3×3"),
        (Conv(8, (5, 5), (2, 2), groups=8), ((8, 4, 4),), "conv 5×5, depthwise, stride 2"),
        (
            Conv(16, (1, 3), (1, 2), (1, 2), groups=4),
            ((8, 4, 4),),
            "conv 1×3, 4 groups, stride 1×2, dilation 1×2",
        ),
        (Linear(10), ((64,),), "linear 64 → 10"),
        (BatchNorm(), ((8, 4, 4),), "batch norm"),
        (Activation("hardswish"), ((8, 4, 4),), "hardswish"),
        (Pool("max", (3, 3), (2, 2)), ((8, 4, 4),), "max pool 3×3, stride 2"),
        (GlobalPool(), ((8, 4, 4),), "global average pool"),
        (ChannelShuffle(4), ((8, 4, 4),), "channel shuffle, 4 groups"),
        (Slice(0, 4), ((8, 4, 4),), "channels 0 to 3"),
        (Resize((8, 8)), ((8, 4, 4),), "resize to 8×8, bilinear"),
        (Flatten(), ((8, 4, 4),), "flatten"),
        (Add(), ((8, 4, 4), (8, 4, 4)), "add"),
    ],
)
def test_ops_in_words(op: Op, inputs: tuple[Shape, ...], text: str) -> None:
    assert labels.op(Node("place", op, ("x",), op.output_shape(inputs)), inputs) == text


def test_a_long_architecture_is_cut_to_a_few_short_lines() -> None:
    choices = tuple((f"stage{number}.some.long.name{number}", 50 * "v") for number in range(60))

    lines = labels.architecture(Architecture("s", choices), width=40, most=10)

    assert len(lines) == 10
    assert lines[-1] == "…"
    assert all(len(line) <= 40 for line in lines)
