from __future__ import annotations

import numpy as np
import pytest

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.seeding import rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    choice,
    compile_space,
    fitting,
    iterate,
    repeat,
    sample,
    sequential,
)
from netwright.spaces.catalog import SPACES
from netwright.spaces.nasbench201 import nasbench201, nasbench201_architecture
from netwright.strategies import Auto, GaussianProcess
from netwright.strategies.features import BLOCKS, SAMPLED, WIDEST, Block, Features, features_for

CELLS = nasbench201((3, 32, 32), 10)


def drawn(space: ExpressionSpace, number: int, seed: int = 0) -> list[Architecture]:
    rng = rng_for(seed, "features")
    return [sample(space, rng) for _ in range(number)]


@pytest.mark.parametrize("name", ["mobilenet-tiny", "nasbench201", "darts", "resnet", "auto-deeplab-tiny"])
def test_blocks_weigh_the_same(name: str) -> None:
    """In each block two sampled architectures lie at a mean squared distance of 1."""
    sampled = drawn(space := SPACES[name].factory((3, 32, 32), 10), SAMPLED)
    features = Features(space, sampled)
    matrix = features.matrix(sampled)
    assert matrix.shape == (SAMPLED, features.width)
    assert np.isfinite(matrix).all()
    assert set(features.blocks) == set(BLOCKS)
    for columns in features.blocks.values():
        block = matrix[:, columns]
        distances = ((block[:, None] - block[None]) ** 2).sum(-1)
        assert distances.mean() == pytest.approx(1)
        assert block.shape[1] <= WIDEST


def test_vectors_do_not_depend_on_what_was_asked_before() -> None:
    sampled, asked = drawn(CELLS, 20), drawn(CELLS, 20, seed=1)
    one, two = Features(CELLS, sampled), Features(CELLS, sampled)
    first = one.matrix(asked)
    assert (two.matrix(reversed(asked))[::-1] == first).all()
    assert (one.matrix(asked) == first).all()


def test_equal_networks_look_the_same_but_to_the_decisions() -> None:
    """The first cell has two convolutions that nobody reads."""
    one = nasbench201_architecture(
        CELLS, "|nor_conv_1x1~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    )
    two = nasbench201_architecture(CELLS, "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    features = Features(CELLS, drawn(CELLS, 30))
    assert features.key(one) == features.key(two)
    for name, columns in features.blocks.items():
        same = (features.vector(one)[columns] == features.vector(two)[columns]).all()
        assert same == (name not in ("decisions", "drawn"))


def test_dead_networks_are_far_but_not_beyond_all_bounds() -> None:
    dead = nasbench201_architecture(CELLS, "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    features = Features(CELLS, drawn(CELLS, 60))
    away = np.linalg.norm(features.matrix([dead]) - features.matrix(drawn(CELLS, 60)), axis=1)
    assert (away > 0.5).all()
    assert (away < 10).all()


def test_numbers_lie_in_order() -> None:
    """Of the widths 8, 16 and 64, as decisions, 8 is nearer to 16 than to 64, whatever order they are in."""
    space = compile_space(sequential(B.conv_bn_act(out=choice(16, 64, 8)), input=(1, 8, 8)), "widths")
    eight, sixteen, many = sorted(iterate(space), key=lambda one: int(one.choices[0][1]))
    features = Features(space, [eight, sixteen, many], ("decisions",))
    a, b, c = features.matrix([eight, sixteen, many])
    assert np.linalg.norm(a - b) == pytest.approx(np.linalg.norm(b - c))
    assert np.linalg.norm(a - b) < np.linalg.norm(a - c)


def test_thousands_of_decisions_are_folded() -> None:
    """Distances stay about what they were: the block's own scale, whatever its width."""
    layer = B.conv_bn_act(out=2, kernel=choice(1, 3, 5))
    space = compile_space(sequential(repeat("s", layer, depth=400), input=(2, 4, 4)), "deep")
    features = Features(space, drawn(space, 12), ("decisions", "places"))
    assert features.width == 2 * WIDEST
    matrix = features.matrix(drawn(space, 20, seed=1))[:, features.blocks["decisions"]]
    distances = ((matrix[:, None] - matrix[None]) ** 2).sum(-1)[np.triu_indices(20, 1)]
    assert distances.min() > 0.5
    assert distances.max() < 2


def test_what_does_not_vary_is_left_out() -> None:
    space = compile_space(sequential(B.conv_bn_act(out=8, kernel=choice(3, 5)), input=(4, 8, 8)), "kernels")
    features = Features(space, list(iterate(space)))
    assert set(features.blocks) == {"decisions", "places", "paths", "live", "drawn"}
    # MACs and parameters; depth and the number of ops are the same in both.
    assert features.blocks["live"].stop - features.blocks["live"].start == 2


def test_searches_share_what_is_known() -> None:
    names: tuple[Block, ...] = ("paths", "live")
    assert features_for(fitting(CELLS), names) is features_for(fitting(nasbench201((3, 32, 32), 10)), names)
    assert features_for(fitting(CELLS), names) is not features_for(fitting(CELLS, {"params": 500_000}), names)


@pytest.mark.parametrize("blocks", [(), ("decisions", "decisions"), ("depth",), "paths"])
def test_blocks_that_are_none(blocks: tuple[Block, ...]) -> None:
    for make in (Auto, GaussianProcess):
        with pytest.raises(ConfigError, match=r"\.blocks: expected some of decisions, places, paths"):
            make(blocks=blocks)


def test_blocks_from_a_file_are_a_list() -> None:
    assert Auto(blocks=["paths", "live"]) == Auto(blocks=("paths", "live"))  # type: ignore[arg-type]
