from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netwright.errors import DataError
from netwright.nn.layout import channels_first


@pytest.mark.parametrize(
    ("shape", "layout", "expected"),
    [
        ((5, 8, 9), None, (5, 1, 8, 9)),
        ((5, 8, 9, 3), None, (5, 3, 8, 9)),
        ((5, 3, 8, 9), None, (5, 3, 8, 9)),
        ((5, 1, 8, 9), None, (5, 1, 8, 9)),
        ((5, 8, 9, 6), "NHWC", (5, 6, 8, 9)),
        ((5, 6, 8, 9), "NCHW", (5, 6, 8, 9)),
        ((5, 3, 9, 3), "NHWC", (5, 3, 3, 9)),
        ((5, 128, 6), "NHW", (5, 1, 128, 6)),
        ((5, 128, 6), None, (5, 6, 1, 128)),
        ((5, 6, 128), None, (5, 6, 1, 128)),
        ((5, 24, 6), None, (5, 6, 1, 24)),
        ((5, 11, 6), None, (5, 1, 11, 6)),
        ((5, 128, 6), "NCT", (5, 128, 1, 6)),
        ((5, 1, 128), None, (5, 1, 1, 128)),
        ((5, 128), "NT", (5, 1, 1, 128)),
    ],
)
def test_layouts(shape: tuple[int, ...], layout: str | None, expected: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    found = channels_first(values, "there", layout)
    assert found.shape == expected
    # All values of a row stay in it.
    assert (np.sort(found.reshape(len(found), -1)) == np.sort(values.reshape(len(values), -1))).all()


def test_time_and_channels_land_where_they_belong() -> None:
    values = np.random.default_rng(0).normal(size=(5, 3, 40))
    for found in (
        channels_first(values, "there"),
        channels_first(values, "there", "NCT"),
        channels_first(values.transpose(0, 2, 1), "there"),
        channels_first(values.transpose(0, 2, 1), "there", "NTC"),
        channels_first(values.transpose(0, 2, 1)[:, None], "there", "NHWC"),
    ):
        assert (found == values[:, :, None]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_])
def test_bytes_may_be_pixels_and_are_never_taken_for_windows(dtype: type[Any]) -> None:
    with pytest.raises(DataError, match="NHW, NTC or NCT"):
        channels_first(np.zeros((5, 128, 6), dtype), "there")


@pytest.mark.parametrize(
    ("shape", "layout", "message"),
    [
        ((5, 3, 9, 3), None, "add an array `layout`"),
        ((5, 8, 9, 6), None, "add an array `layout`"),
        ((5, 8), None, "cannot tell what rows of shape"),
        ((5,), None, "got shape"),
        ((5, 0, 8), None, "got shape"),
        ((5, 12, 6), None, "cannot tell whether float64"),
        ((5, 6, 23), None, "add an array `layout` with the word NHW, NTC or NCT"),
        ((5, 128, 6), "NT", "layout NT has 2 axes"),
        ((5, 128), "NTC", "layout NTC has 3 axes"),
        ((5, 8, 9), "NHWC", "layout NHWC has 4 axes"),
        ((5, 8, 9), "CHW", "expected layout NHW, NHWC, NCHW, NTC, NCT, NT, got 'CHW'"),
    ],
)
def test_doubtful_layouts_are_refused(shape: tuple[int, ...], layout: str | None, message: str) -> None:
    with pytest.raises(DataError, match=rf"^there: .*{message}"):
        channels_first(np.zeros(shape), "there", layout)
