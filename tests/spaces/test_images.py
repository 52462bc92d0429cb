"""Sizes of images, and strides that suit them."""

from __future__ import annotations

from math import ceil, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import SpaceError
from netwright.spaces.images import (
    LEAST,
    fewer_strides,
    resolution_axis,
    resolution_choices,
    square_images,
)

STRIDES = st.lists(st.sampled_from((1, 2)), min_size=1, max_size=7).map(tuple)


@given(strides=STRIDES, size=st.integers(1, 300))
def test_strides_go_from_the_front_and_no_more_than_needed(strides: tuple[int, ...], size: int) -> None:
    kept = fewer_strides(strides, size)
    gone = [index for index, (a, b) in enumerate(zip(strides, kept, strict=True)) if a != b]
    assert all(kept[index] == 1 for index in gone)
    if gone:
        assert set(kept[: gone[-1] + 1]) == {1}
        one_more = (*kept[: gone[-1]], strides[gone[-1]], *kept[gone[-1] + 1 :])
        assert ceil(size / prod(one_more)) < LEAST
    assert ceil(size / prod(kept)) >= min(LEAST, size)


@pytest.mark.parametrize(
    ("size", "halvings"), [(224, 5), (128, 5), (96, 5), (64, 4), (32, 3), (20, 3), (8, 1)]
)
def test_five_halvings_of_imagenet_networks(size: int, halvings: int) -> None:
    assert prod(fewer_strides((2, 2, 2, 2, 1, 2), size)) == 2**halvings


def test_resolutions_are_published_given_or_of_the_images() -> None:
    published = (128, 160, 224)
    assert resolution_choices(224, published) == published
    assert resolution_choices(128, published) == published
    assert resolution_choices(127, published)[-1] == 127
    assert resolution_choices(28, published, fixed=96) == (96,)
    assert resolution_axis((96,)) == 96
    axis = resolution_axis(published)
    assert not isinstance(axis, int)
    assert (axis.name, axis.options) == ("resolution", published)


def test_square_images() -> None:
    assert square_images("here", (3, 32, 32)) == (3, 32)


@pytest.mark.parametrize("shape", [(3, 32, 24), (3, 7, 7), (0, 32, 32), (32,), (3, 32)])
def test_other_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SpaceError, match=r"here: expected square images of at least 8 pixels, got .*shape"):
        square_images("here", shape)
