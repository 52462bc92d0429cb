from __future__ import annotations

from itertools import combinations

import pytest

from netwright.seeding import rng_for
from netwright.space import ExpressionSpace, canonical, mutate, sample
from netwright.spaces.darts import darts
from netwright.spaces.mobilenet import mobilenet_tiny
from netwright.spaces.nasbench201 import nasbench201, nasbench201_architecture
from netwright.strategies.features import Features
from netwright.strategies.shortened import ShortNetworks

SPACES = {"nasbench201": nasbench201((3, 32, 32), 10), "darts": darts((3, 32, 32), 10)}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_short_networks_are_equal_where_the_real_ones_are(space: ExpressionSpace) -> None:
    """Under the canonical form, among relatives, of which some are the same network."""
    rng = rng_for(0, "short")
    architectures = [sample(space, rng)]
    for _ in range(11):
        architectures.append(mutate(space, architectures[-1], rng))
    features = Features(space, architectures[:2])
    for one, two in combinations(architectures, 2):
        same = canonical(space, one, "flat") == canonical(space, two, "flat")
        assert (features.key(one) == features.key(two)) == same


def test_a_cell_in_another_drawing() -> None:
    space = SPACES["nasbench201"]
    one = nasbench201_architecture(
        space, "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|"
    )
    two = nasbench201_architecture(space, "|none~0|+|nor_conv_1x1~0|none~1|+|none~0|none~1|skip_connect~2|")
    features = Features(space, [one, two])
    assert features.key(one) == features.key(two)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_runs_of_cells_become_one(space: ExpressionSpace) -> None:
    architecture = sample(space, rng_for(1))
    short, full = ShortNetworks(space).graph(architecture), space.to_graph(architecture)
    assert len(short.nodes) < 0.6 * len(full.nodes)
    assert short.input_shape == full.input_shape
    assert short[short.outputs[0]].shape == full[full.outputs[0]].shape


def test_chains_are_left_as_they_are() -> None:
    space = mobilenet_tiny((1, 28, 28), 10)
    architecture = sample(space, rng_for(2))
    assert ShortNetworks(space).graph(architecture) == space.to_graph(architecture)
