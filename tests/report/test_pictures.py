from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from netwright.report import Example, pictures

CLASSES = ("background", "cat", "dog")


def decoded(address: str) -> NDArray[Any]:
    head, _, data = address.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def example(image: NDArray[Any], truth: NDArray[Any], prediction: NDArray[Any]) -> Example:
    return Example(image, truth, prediction, 0.5)


def test_pictures_are_the_arrays() -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (1, 6, 5), dtype=np.uint8)
    colour = rng.integers(0, 256, (3, 6, 5), dtype=np.uint8)
    truth, prediction = rng.integers(0, 3, (2, 12, 10))
    rows = pictures.example_rows([example(grey, truth, prediction), example(colour, truth, truth)], CLASSES)
    assert np.array_equal(decoded(rows[0].image), grey[0])
    assert np.array_equal(decoded(rows[1].image), np.moveaxis(colour, 0, 2))
    shades = [tuple(bytes.fromhex(shade[1:])) for _, shade in pictures.colours(CLASSES)]
    for address, map_of_classes in ((rows[0].truth, truth), (rows[0].prediction, prediction)):
        found = decoded(address)
        assert found.shape == (12, 10, 3)
        assert all(tuple(found[at]) == shades[map_of_classes[at]] for at in np.ndindex(12, 10))


def test_other_numbers_are_stretched_to_black_and_white() -> None:
    image = np.linspace(-3.0, 5.0, 12, dtype=np.float32).reshape(1, 3, 4)
    flat = np.full((2, 3, 4), 7.0, dtype=np.float32)
    labels = np.zeros((3, 4), dtype=np.uint8)
    rows = pictures.example_rows([example(one, labels, labels) for one in (image, flat)], CLASSES)
    found = decoded(rows[0].image)
    assert (found.min(), found.max()) == (0, 255)
    assert decoded(rows[1].image).tolist() == np.zeros((3, 4)).tolist()


def test_classes_in_words() -> None:
    truth = np.zeros((10, 10), dtype=np.uint8)
    truth[:4] = 2
    truth[4, :3] = 1
    truth[9, 9] = 1
    traces = np.zeros((10, 10), dtype=np.uint8)
    traces[0, 0] = 1
    [row] = pictures.example_rows([example(np.zeros((1, 10, 10), np.uint8), truth, traces)], CLASSES)
    assert (row.true_classes, row.predicted_classes) == ("dog, cat", "nothing")
    assert row.score == "50.0\u00a0%"


@pytest.mark.parametrize("count", [2, 11, 21, 60])
def test_colours_differ(count: int) -> None:
    names = ["Background", *(f"class {number}" for number in range(count))]
    found = pictures.colours(names)
    assert [name for name, _ in found] == names
    assert len({shade for _, shade in found}) == count + 1
    assert all(re.fullmatch("#[0-9a-f]{6}", shade) for _, shade in found)
