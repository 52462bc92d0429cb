"""What is kept of a device's memory beside what a network needs, and that networks that fit leave it."""

from __future__ import annotations

import functools

import pytest

from netwright.devices import budget_for
from netwright.ir.tflm import tflm_cost
from netwright.seeding import rng_for
from netwright.space import ExpressionSpace, fitting
from netwright.spaces.mobilenet import mobilenet_tiny

NETWORKS = 25


@functools.cache
def space_of(pixels: int) -> ExpressionSpace:
    return mobilenet_tiny((3, pixels, pixels), 10)


@pytest.mark.parametrize(
    ("pixels", "sram", "flash"), [(28, 64, 256), (28, 96, 512), (96, 128, 512), (96, 320, 1024)]
)
def test_what_fits_leaves_what_is_kept_for_the_program(pixels: int, sram: int, flash: int) -> None:
    space = space_of(pixels)
    candidates = fitting(space, budget_for(max_sram=f"{sram}KB", max_flash=f"{flash}KB"))
    for number in range(NETWORKS):
        network = candidates.sample(rng_for(0, "margins", number))
        found = tflm_cost(space.to_graph(network))
        assert found.arena_bytes_host64 <= found.smallest_arena_host64
        assert found.smallest_arena_host64 + 16 * 1024 <= sram * 1024
        assert found.flash_bytes + 64 * 1024 <= flash * 1024
