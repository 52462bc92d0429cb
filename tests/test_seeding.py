"""Generators by purpose, against numpy's own way to make them."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from netwright.seeding import Streams, rng_for, seed_for

PURPOSES = [(), ("propose", 17, 0), ("local", 2**40), (7,)]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_generators_are_those_of_numpy(purpose: tuple[int | str, ...]) -> None:
    expected = np.random.Generator(np.random.Philox(key=seed_for(3, *purpose)))
    found = rng_for(3, *purpose)
    assert np.array_equal(found.integers(2**62, size=50), expected.integers(2**62, size=50))
    assert np.array_equal(pickle.loads(pickle.dumps(found)).random(9), expected.random(9))


def test_streams_begin_afresh_whatever_was_drawn_before() -> None:
    streams = Streams()
    for disturbance in range(5):
        for purpose in PURPOSES:
            found, expected = streams(3, *purpose), rng_for(3, *purpose)
            for _ in range(disturbance):  # leaves half of a word behind, and a buffer half used
                assert found.integers(10, dtype=np.int32) == expected.integers(10, dtype=np.int32)
            assert np.array_equal(found.random(disturbance), expected.random(disturbance))


def test_seeds_tell_purposes_apart() -> None:
    seeds = {seed_for(seed, *purpose) for seed in range(20) for purpose in PURPOSES}
    assert len(seeds) == 80
    assert all(0 <= seed < 2**63 for seed in seeds)
