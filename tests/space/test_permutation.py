from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.space.permutation import Permutation

keys = st.integers(0, 2**63)

FIRST_OF_1000 = [43, 89, 595, 721, 515, 810]
FIRST_OF_1E20 = 24_550_313_465_838_184_523


def excess(frequencies: Sequence[int]) -> float:
    """Chi-square against equal frequencies, in standard deviations above its mean. All keys are fixed."""
    expected = sum(frequencies) / len(frequencies)
    freedom = len(frequencies) - 1
    statistic = sum((frequency - expected) ** 2 for frequency in frequencies) / expected
    return (statistic - freedom) / math.sqrt(2 * freedom)


@given(st.integers(0, 200), keys)
def test_every_number_once(size: int, key: int) -> None:
    order = Permutation(size, key)
    assert sorted(order(position) for position in range(size)) == list(range(size))


@given(st.data(), st.integers(1, 2**200), keys)
def test_inverse_at_any_size(data: st.DataObject, size: int, key: int) -> None:
    order = Permutation(size, key)
    value = data.draw(st.integers(0, size - 1))
    assert 0 <= order(value) < size
    assert order.inverse(order(value)) == value
    assert order(order.inverse(value)) == value


def test_sizes_beyond_any_hash_length() -> None:
    order = Permutation(10**400, 3)
    numbers = [order(position) for position in range(10)]
    assert [order.inverse(number) for number in numbers] == list(range(10))
    # Uniform numbers below 1e400 are all of about 400 digits, and not close to each other.
    assert min(numbers) > 10**397
    assert min(abs(a - b) for a, b in permutations(numbers, 2)) > 10**396


def test_the_order_depends_on_the_key_only() -> None:
    assert [Permutation(1000, 1)(k) for k in range(5)] == [Permutation(1000, 1)(k) for k in range(5)]
    assert [Permutation(1000, 1)(k) for k in range(5)] != [Permutation(1000, 2)(k) for k in range(5)]


def test_the_order_never_changes_between_versions() -> None:
    # A study that is resumed with a later version must continue the same order.
    assert [Permutation(1000, 42)(k) for k in range(6)] == FIRST_OF_1000
    assert Permutation(10**20, 42)(0) == FIRST_OF_1E20


@pytest.mark.parametrize(("size", "orders"), [(2, 500), (3, 1000), (4, 2400)])
def test_all_orders_of_a_few_numbers_are_equally_likely(size: int, orders: int) -> None:
    seen = Counter(tuple(Permutation(size, key)(k) for k in range(size)) for key in range(orders))
    assert excess([seen[order] for order in permutations(range(size))]) < 3


@pytest.mark.parametrize("size", [3, 4, 9, 16])
def test_half_of_the_orders_are_even(size: int) -> None:
    # A Feistel network alone is always even on 16 numbers.
    even = 0
    for key in range(400):
        order = [Permutation(size, key)(k) for k in range(size)]
        even += sum(a > b for a, b in combinations(order, 2)) % 2 == 0
    assert excess([even, 400 - even]) < 6  # one degree of freedom: p = 0.2 %


@pytest.mark.parametrize("size", [11, 16])
def test_first_two_numbers_are_a_uniform_pair(size: int) -> None:
    orders = [Permutation(size, key) for key in range(3000)]
    seen = Counter((order(0), order(1)) for order in orders)
    assert excess([seen[pair] for pair in permutations(range(size), 2)]) < 3


def test_one_order_spreads_evenly() -> None:
    order = Permutation(10**19, 5)
    bins = Counter(order(k) * 20 // 10**19 for k in range(4000))
    assert excess([bins[b] for b in range(20)]) < 3


@pytest.mark.parametrize("position", [-1, 10, 11])
def test_positions_outside(position: int) -> None:
    order = Permutation(10, 0)
    with pytest.raises(IndexError, match=f"expected a number from 0 to below 10, got {position}"):
        order(position)
    with pytest.raises(IndexError, match=f"expected a number from 0 to below 10, got {position}"):
        order.inverse(position)


@pytest.mark.parametrize(("size", "key"), [(-1, 0), (5, -1)])
def test_arguments_are_checked(size: int, key: int) -> None:
    with pytest.raises(ValueError, match=f"got size {size}, key {key}"):
        Permutation(size, key)
