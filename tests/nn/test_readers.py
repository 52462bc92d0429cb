from __future__ import annotations

import gzip
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from netwright.errors import DataError
from netwright.nn.readers import (
    as_labels,
    as_pixels,
    read_dataset,
    read_fashion_mnist,
    read_idx,
)

# -- IDX


def idx(shape: tuple[int, ...], content: bytes, kind: int = 8) -> bytes:
    header = bytes((0, 0, kind, len(shape))) + b"".join(side.to_bytes(4, "big") for side in shape)
    return gzip.compress(header + content, mtime=0)


def test_idx_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(idx((2, 3), bytes(range(6))))
    assert read_idx(file, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (idx((2, 3), bytes(6))[:-9], "cannot unpack"),
        (b"no gzip at all", "cannot unpack"),
        (idx((2, 3), bytes(5)), "expected 6 bytes after the header, got 5"),
        (idx((2, 3), bytes(7)), "expected 6 bytes after the header, got 7"),
        (idx((3, 2), bytes(6)), "expected an IDX file of unsigned bytes of shape"),
        (idx((2, 3), bytes(6), kind=9), "expected an IDX file of unsigned bytes of shape"),
        (gzip.compress(b"", mtime=0), "expected an IDX file of unsigned bytes of shape"),
    ],
    ids=["truncated", "no-gzip", "too-short", "too-long", "other-shape", "other-type", "empty"],
)
def test_damaged_idx_is_named(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(content)
    with pytest.raises(DataError, match=expected) as raised:
        read_idx(file, (2, 3))
    assert str(file) in str(raised.value)


def test_flipped_bits_are_noticed(tmp_path: Path) -> None:
    content = bytearray(idx((1000,), np.random.default_rng(0).bytes(1000)))
    content[600] ^= 0xFF
    file = tmp_path / "a.gz"
    file.write_bytes(bytes(content))
    with pytest.raises(DataError, match="cannot unpack"):
        read_idx(file, (1000,))


def test_fashion_mnist_is_as_published(fashion_mnist: Path) -> None:
    raw = read_fashion_mnist()
    assert raw.images.shape == (60_000, 1, 28, 28)
    assert raw.test_images is not None
    assert raw.test_labels is not None
    assert raw.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(raw.labels).tolist() == [6000] * 10
    assert np.bincount(raw.test_labels).tolist() == [1000] * 10
    # The mean and deviation that everybody normalises this data set with.
    assert raw.images.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert raw.images[:, 0].astype(np.float32).std() / 255 == pytest.approx(0.3530, abs=5e-5)


def test_missing_fashion_mnist_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_FASHION_MNIST", str(tmp_path))
    with pytest.raises(DataError, match=r"apt install dataset-fashion-mnist.*NETWRIGHT_FASHION_MNIST"):
        read_fashion_mnist()


def test_truncated_fashion_mnist_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fashion_mnist: Path
) -> None:
    monkeypatch.setenv("NETWRIGHT_FASHION_MNIST", str(tmp_path))
    for file in fashion_mnist.iterdir():
        shutil.copy(file, tmp_path)
    damaged = tmp_path / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz: expected .* \(60000,\)"):
        read_fashion_mnist()


# -- pixels and labels


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (np.array([0, 255], np.uint8), np.array([0, 255], np.uint8)),
        (np.array([True, False]), np.array([255, 0], np.uint8)),
        (np.array([0, 255], np.int64), np.array([0, 255], np.uint8)),
        (np.array([0, 256], np.int64), np.array([0, 256], np.float32)),
        (np.array([-1, 3], np.int16), np.array([-1, 3], np.float32)),
        (np.array([0.5, 1.0], np.float64), np.array([0.5, 1.0], np.float32)),
        (np.array([0.5, 1.0], np.float16), np.array([0.5, 1.0], np.float32)),
    ],
)
def test_pixels(images: npt.NDArray[Any], expected: npt.NDArray[Any]) -> None:
    found = as_pixels(images, "x")
    assert found.dtype == expected.dtype
    assert found.tolist() == expected.tolist()


def test_words_become_labels() -> None:
    words = [np.array(["cat", "ape", "cat"]), np.array(["ape"])]
    labels, classes = as_labels(words, ["y", "y_test"], None)
    assert classes == ("ape", "cat")
    assert [array.tolist() for array in labels] == [[1, 0, 1], [0]]
    labels, classes = as_labels(words, ["y", "y_test"], ("cat", "ape"))
    assert [array.tolist() for array in labels] == [[0, 1, 0], [1]]


def test_strange_words_are_refused() -> None:
    with pytest.raises(DataError, match=r"y_test: expected one of the classes \('ape', 'cat'\), got 'dog'"):
        as_labels([np.array(["cat", "ape"]), np.array(["dog"])], ["y", "y_test"], None)
    with pytest.raises(DataError, match="labels are"):
        as_labels([np.array(["cat", "ape"]), np.array([1])], ["y", "y_test"], None)


# -- torch data sets


class Rows(Dataset[Any]):
    """A data set of the rows given."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> Any:
        return self.rows[row]


def test_tensors_are_channels_first_and_arrays_channels_last() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (3, 5, 4, 3), dtype=np.uint8)
    images, labels = read_dataset(Rows([(image, np.int64(1)) for image in colour]), "set")
    assert (images == colour.transpose(0, 3, 1, 2)).all()
    again, labels = read_dataset(TensorDataset(torch.tensor(images), torch.tensor([0, 1, 0])), "set")
    assert (again == images).all()
    assert labels.tolist() == [0, 1, 0]
    grey, _ = read_dataset(Rows([(torch.zeros(5, 4), 0)]), "set")
    assert grey.shape == (1, 1, 5, 4)
    assert grey.dtype == np.float32


class Endless(IterableDataset[Any]):
    """A stream."""

    def __iter__(self) -> Any:
        return iter(())


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Rows([]), "empty"),
        (Endless(), "with a length, got Endless"),
        (Rows([torch.zeros(1, 4, 4)]), r"row 0 to be \(image, label\), got Tensor"),
        (Rows([(torch.zeros(1, 4, 4), 0), (torch.zeros(1, 4, 5), 0)]), "in row 1; resize"),
        (Rows([(torch.zeros(1, 4, 4), 0), (torch.zeros(1, 4, 4).byte(), 0)]), "in row 1; resize"),
        (Rows([(torch.zeros(1, 1, 4, 4), 0)]), "2 or 3 axes"),
        (Rows([(torch.zeros(1, 4, 4), 0.5)]), "integer label, got 0.5"),
        (Rows([(torch.zeros(1, 4, 4), [0, 1])]), "integer label"),
    ],
)
def test_wrong_rows_are_refused(dataset: Dataset[Any], message: str) -> None:
    with pytest.raises(DataError, match=rf"^set: .*{message}"):
        read_dataset(dataset, "set")
