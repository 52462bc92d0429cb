"""Blocks without weights."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from netwright.blocks import avg_pool, identity, max_pool
from netwright.ir.cost import cost
from netwright.nn.lower import build
from tests.torch_oracle import graph_of


@pytest.mark.parametrize("size", [7, 8])
def test_pools_compute_what_torch_does(size: int) -> None:
    image = torch.randn(2, 3, size, size)
    largest = build(graph_of(max_pool(padding="symmetric"), (3, size, size)))(image)
    torch.testing.assert_close(largest, F.max_pool2d(image, 3, 2, 1))
    mean = build(graph_of(avg_pool(padding="symmetric"), (3, size, size)))(image)
    torch.testing.assert_close(mean, F.avg_pool2d(image, 3, 2, 1, count_include_pad=False))


def test_blocks_without_weights_cost_nothing() -> None:
    for block in (max_pool(), avg_pool(), identity()):
        found = cost(graph_of(block, (3, 8, 8)))
        assert (found.params, found.macs) == (0, 0)


def test_identity_passes_on() -> None:
    image = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(build(graph_of(identity(), (3, 8, 8)))(image), image)
