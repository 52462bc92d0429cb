from __future__ import annotations

import ast
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits
from torch.utils.data import TensorDataset

from netwright import errors
from netwright.errors import ConfigError, DataError
from netwright.nn.data import Data, from_datasets, load_data, open_test_set, split
from netwright.nn.task import CLASSIFICATION, SEGMENTATION

RNG = np.random.default_rng(0)


def tensors(labels: npt.ArrayLike, shape: tuple[int, ...] = (1, 4, 4), seed: int = 0) -> TensorDataset:
    labels = torch.as_tensor(labels, dtype=torch.int64)
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (len(labels), *shape), generator=generator, dtype=torch.uint8)
    return TensorDataset(images, labels)


def save(path: Path, **arrays: Any) -> str:
    np.savez(path / "data.npz", **arrays)
    return f"npz:{path / 'data.npz'}"


# -- digits and the test set


def test_digits_are_all_there_once() -> None:
    data = load_data("digits")
    images, labels = open_test_set(data)
    assert data.images.shape == (1438, 1, 8, 8)
    assert images.shape == (359, 1, 8, 8)
    assert data.images.dtype == np.uint8
    assert data.images.max() == 255
    both = np.concatenate([data.images, images]).reshape(-1, 64)
    found = sorted(zip(both.tolist(), np.concatenate([data.labels, labels]).tolist(), strict=True))
    bunch = load_digits()
    pixels = np.rint(bunch.data * 255 / 16).astype(int)
    assert found == sorted(zip(pixels.tolist(), bunch.target.tolist(), strict=True))


def test_test_share_keeps_the_shares_of_the_classes_and_never_changes() -> None:
    data = load_data("digits")
    _, labels = open_test_set(data)
    everything = np.bincount(load_digits().target)
    assert np.abs(np.bincount(labels) - 0.2 * everything).max() < 1
    assert data.augmentation == "shift"
    assert data.classes == tuple("0123456789")
    assert load_data("digits").fingerprint == data.fingerprint


def test_opening_the_test_set_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    data = load_data("digits")
    with caplog.at_level(logging.INFO, logger="netwright.nn.data"):
        split(data, 0.2, 0)
        assert not caplog.messages
        open_test_set(data)
    assert caplog.messages == ["the test set of digits is opened (359 images)"]


def test_nothing_but_open_test_set_reaches_the_test_set() -> None:
    source = Path(errors.__file__).parent
    users = set()
    for file in source.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("_test_images", "_test_labels"):
                users.add(file.relative_to(source).as_posix())
    assert users == {"nn/data.py"}


def test_arrays_cannot_be_changed() -> None:
    data = load_data("digits")
    for array in (data.images, data.labels, *open_test_set(data)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_representation_is_one_line() -> None:
    assert repr(load_data("digits")).startswith(
        "Data(digits: 1438 + 359 test images of 1x8x8 uint8, 10 classes, "
    )


def test_fashion_mnist(fashion_mnist: Path) -> None:
    data = load_data("fashion-mnist")
    assert (len(data.labels), data.test_size, data.shape) == (60_000, 10_000, (1, 28, 28))
    assert data.augmentation == "flip"
    assert data.classes[9] == "ankle boot"


# -- other sources


def test_npz_and_folder_and_datasets_agree(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (20, 6, 6, 3), dtype=np.uint8)
    labels = np.arange(20) // 10
    for row, image in enumerate(images):
        file = tmp_path / "pictures" / "ab"[labels[row]] / f"{row:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    folder = load_data(f"folder:{tmp_path / 'pictures'}")
    archive = load_data(save(tmp_path, x=images, y=labels, classes=["a", "b"]))
    torch_images = torch.tensor(images).permute(0, 3, 1, 2)
    dataset = from_datasets(TensorDataset(torch_images, torch.tensor(labels)), classes=["a", "b"])
    assert folder.fingerprint == archive.fingerprint == dataset.fingerprint
    assert (len(folder.labels), folder.test_size) == (16, 4)
    assert folder.augmentation == "shift"


def test_datasets_can_be_given_to_load_data() -> None:
    train, test = tensors([0, 1] * 10), tensors([0, 1], seed=1)
    data = load_data((train, test))
    assert (len(data.labels), data.test_size, data.classes) == (20, 2, ("0", "1"))
    assert load_data(train).test_size == 4
    assert load_data(data) is data


def test_fingerprint_follows_every_array() -> None:
    labels = [0, 1] * 10
    test = tensors([0, 1], seed=1)
    one = from_datasets(tensors(labels), test)
    assert (
        from_datasets(tensors(labels), test, name="other", augmentation="none").fingerprint == one.fingerprint
    )
    others = [
        from_datasets(tensors(labels, seed=2), test),
        from_datasets(tensors(labels[::-1]), test),
        from_datasets(tensors(labels), tensors([0, 1], seed=3)),
        from_datasets(tensors(labels), tensors([1, 0], seed=1)),
        from_datasets(tensors(labels), test, classes=["a", "b"]),
        from_datasets(tensors(labels), test, groups=range(20)),
    ]
    assert len({data.fingerprint for data in [one, *others]}) == 7


def test_groups_stay_out_of_the_test_share(tmp_path: Path) -> None:
    images = np.arange(60, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), np.uint8)
    speakers = np.array(["ann", "bob", "cyd", "dan", "eve", "fay"])[np.arange(60) % 6]
    data = load_data(save(tmp_path, x=images, y=np.arange(60) // 6 % 2, group=speakers))
    test_images, _ = open_test_set(data)
    trained = set(speakers[data.images[:, 0, 0, 0]])
    tested = set(speakers[test_images[:, 0, 0, 0]])
    assert trained | tested == set(speakers)
    assert not trained & tested
    assert data.groups is not None
    assert len(set(data.groups.tolist())) == len(trained)


def test_a_person_in_both_given_parts_is_refused(tmp_path: Path) -> None:
    images = np.zeros((4, 5, 5), np.uint8)
    parts = {"x_train": images, "y_train": [0, 1, 0, 1], "x_test": images, "y_test": [0, 1, 0, 1]}
    spec = save(tmp_path, **parts, group_train=["a", "a", "b", "b"], group_test=["c", "c", "b", "c"])
    with pytest.raises(DataError, match="group 'b' is in both"):
        load_data(spec)


@pytest.mark.parametrize("spec", ["mnist", "npz:", "folder", "digits:", ""])
def test_unknown_specifications(spec: str) -> None:
    with pytest.raises(
        DataError,
        match="one of digits, fashion-mnist, fashion-mnist-pixels, npz:PATH, audio:PATH, folder:PATH",
    ):
        load_data(spec)


def test_other_types_are_refused() -> None:
    with pytest.raises(DataError, match="got int"):
        load_data(3)  # type: ignore[arg-type]


# -- validation


def with_pixel(value: float) -> TensorDataset:
    images = torch.zeros(20, 1, 4, 4)
    images[7, 0, 1, 2] = value
    return TensorDataset(images, torch.tensor([0, 1] * 10))


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (with_pixel(float("nan")), None, "train: 1 images have NaN or infinite pixels, the first in row 7"),
        (with_pixel(float("inf")), None, "NaN or infinite"),
        (tensors([0, 1] * 10), with_pixel(float("nan")), "training images are uint8, test images float32"),
        (with_pixel(0), with_pixel(float("nan")), "test: 1 images have NaN"),
        (tensors([0, 0, 0, 0, 0]), None, "at least 2 classes, got 1"),
        (tensors([0, 2] * 10), None, r"class '1' \(label 1\) has no rows"),
        (tensors([-1, 1] * 10), None, "expected labels in 0..1 for 2 classes, got -1 in row 0"),
        (
            tensors([0, 1] * 10),
            tensors([0, 1, 2]),
            "test: expected labels in 0..1 for 2 classes, got 2 in row 2",
        ),
        (tensors([0, 1] * 10), tensors([0, 1], (3, 4, 4)), r"\(1, 4, 4\), test images \(3, 4, 4\)"),
        (tensors([0] * 10 + [1] * 3), None, "test share 0.2: class '1' has 3 rows, expected at least 5"),
    ],
)
def test_senseless_data_is_refused(train: TensorDataset, test: TensorDataset | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        from_datasets(train, test)


def test_other_senseless_arguments() -> None:
    train = tensors([0, 1] * 10)
    with pytest.raises(DataError, match="distinct class names"):
        from_datasets(train, classes=["a", "a"])
    with pytest.raises(DataError, match=r"class 'c' \(label 2\) has no rows"):
        from_datasets(train, classes=["a", "b", "c"])
    with pytest.raises(DataError, match="one integer or word for each of 20 training rows"):
        from_datasets(train, groups=[1, 2, 3])
    with pytest.raises(ConfigError, match=r"augmentation: expected one of none, flip, shift.* got 'twirl'"):
        from_datasets(train, augmentation="twirl")


def test_labels_must_be_as_many_as_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got 5 images and 4 labels"):
        load_data(save(tmp_path, x=np.zeros((5, 4, 4), np.uint8), y=[0, 1, 0, 1]))


# -- split


@given(
    counts=st.lists(st.integers(10, 40), min_size=2, max_size=5),
    fraction=st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.8]),
    seed=st.integers(0, 2**63 - 1),
)
def test_split_is_stratified_and_complete(counts: list[int], fraction: float, seed: int) -> None:
    labels = RNG.permutation(np.repeat(np.arange(len(counts)), counts))
    data = from_datasets(tensors(labels), tensors([0, 1]))
    parts = split(data, fraction, seed)
    both = np.concatenate([parts.train_indices, parts.validation_indices])
    assert sorted(both.tolist()) == list(range(len(labels)))
    taken = np.bincount(labels[parts.validation_indices], minlength=len(counts))
    assert np.abs(taken - fraction * np.array(counts)).max() <= 1.5
    again = split(data, fraction, seed)
    assert (again.validation_indices == parts.validation_indices).all()


@given(
    groups=st.lists(st.integers(0, 7), min_size=40, max_size=60),
    fraction=st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7]),
    seed=st.integers(0, 2**63 - 1),
)
def test_groups_never_straddle(groups: list[int], fraction: float, seed: int) -> None:
    labels = np.arange(len(groups)) % 2
    data = from_datasets(tensors(labels), tensors([0, 1]), groups=groups)
    try:
        parts = split(data, fraction, seed)
    except DataError as error:  # few groups may hold all rows of a class; then it must be said
        assert "one side only" in str(error) or "all rows are of one group" in str(error)  # noqa: PT017
        return
    column = np.array(groups)
    assert not set(column[parts.train_indices]) & set(column[parts.validation_indices])
    assert len(parts.train_indices) + len(parts.validation_indices) == len(groups)
    assert set(labels[parts.train_indices]) == set(labels[parts.validation_indices]) == {0, 1}


def test_group_split_is_near_the_fraction() -> None:
    groups = np.repeat(np.arange(30), 10)
    data = from_datasets(tensors(np.arange(300) % 3), tensors([0, 1]), groups=groups)
    for fraction in (0.1, 0.2, 0.8):
        share = len(split(data, fraction, 0).validation_indices) / 300
        assert share == pytest.approx(fraction, abs=0.02)


def test_seeds_give_different_splits() -> None:
    data = load_data("digits")
    assert (split(data, 0.2, 0).validation_indices != split(data, 0.2, 1).validation_indices).any()


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_impossible_fractions(fraction: float) -> None:
    with pytest.raises(DataError, match="expected a share between 0 and 1"):
        split(load_data("digits"), fraction, 0)


def test_too_few_rows_or_groups() -> None:
    few = from_datasets(tensors([0] * 40 + [1] * 9), tensors([0, 1]), classes=["many", "few"])
    assert isinstance(few, Data)
    with pytest.raises(
        DataError, match=r"validation share 0\.1: class 'few' has 9 rows, expected at least 10"
    ):
        split(few, 0.1, 0)
    one = from_datasets(tensors([0, 1] * 10), tensors([0, 1]), groups=[7] * 20)
    with pytest.raises(DataError, match="all rows are of one group"):
        split(one, 0.2, 0)
    torn = from_datasets(tensors([0, 1] * 10), tensors([0, 1]), groups=[0, 1] * 10)
    with pytest.raises(DataError, match="class '0' would be on one side only"):
        split(torn, 0.5, 0)


# -- labels of pixels


def maps(count: int, classes: int = 3, seed: int = 0) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images of 6 x 5 pixels and maps that are mostly 0, else of the image's own class."""
    rng = np.random.default_rng(seed)
    own = 1 + np.arange(count) % (classes - 1)
    labels = np.where(rng.random((count, 6, 5)) < 0.7, 0, own[:, None, None])
    labels[:, 0, :3] = 0
    labels[:, 0, 3] = own
    return rng.integers(0, 256, (count, 6, 5), dtype=np.uint8), labels


def test_fashion_mnist_pixels(fashion_mnist: Path) -> None:
    data, plain = load_data("fashion-mnist-pixels"), load_data("fashion-mnist")
    assert data.task == SEGMENTATION
    assert plain.task == CLASSIFICATION
    assert data.classes == ("background", *plain.classes)
    assert data.labels.dtype == np.uint8
    assert (data.labels.shape, data.label_shape) == ((60_000, 28, 28), (28, 28))
    assert np.array_equal(data.images, plain.images)
    garment = (plain.labels + 1)[:, None, None]
    assert np.array_equal(data.labels, (plain.images[:, 0] >= 16) * garment)
    assert np.array_equal(open_test_set(data)[1].max((1, 2)), open_test_set(plain)[1] + 1)
    assert "pixels below 16 of 255 are background" in data.notes[0]
    parts = split(data, 0.1, seed=0)
    assert (len(parts.train_indices), len(parts.validation_indices)) == (54_000, 6_000)
    # One garment an image, so its class is the main one, and each has its share.
    assert np.bincount(plain.labels[parts.validation_indices]).tolist() == [600] * 10


def test_maps_from_an_archive_and_from_data_sets_agree(tmp_path: Path) -> None:
    images, labels = maps(40)
    archive = load_data(save(tmp_path, x=images, y=labels.astype(np.int16)))
    dataset = from_datasets(TensorDataset(torch.tensor(images), torch.tensor(labels)))
    assert archive.fingerprint == dataset.fingerprint
    assert archive.classes == ("0", "1", "2")
    assert archive.task == dataset.task == SEGMENTATION
    assert (archive.labels.shape, archive.test_size) == ((32, 6, 5), 8)
    main = archive.labels.reshape(32, -1).max(axis=1)
    assert np.bincount(main).tolist() == [0, 16, 16]
    parts = split(archive, 0.25, seed=1)
    assert np.bincount(main[parts.validation_indices]).tolist() == [0, 4, 4]


def test_many_classes_of_pixels_need_more_bytes(tmp_path: Path) -> None:
    images = np.zeros((100, 6, 5), dtype=np.uint8)
    labels = np.arange(3000).reshape(100, 6, 5) % 300
    assert load_data(save(tmp_path, x=images, y=labels)).labels.dtype == np.int32


def test_rare_main_classes_are_split_as_one(tmp_path: Path) -> None:
    """Seven images with a main class that no other has: too few for a share of each."""
    images, labels = maps(60, classes=3)
    for index in range(7):
        labels[index] = np.where(labels[index] == 0, 0, 3 + index)
    data = load_data(save(tmp_path, x_train=images, y_train=labels, x_test=images, y_test=labels))
    parts = split(data, 0.2, seed=0)
    assert len(parts.validation_indices) == 12
    rare = data.labels.reshape(60, -1).max(axis=1) > 2
    assert rare[parts.validation_indices].sum() in (1, 2)


def test_maps_with_groups_stay_together(tmp_path: Path) -> None:
    images, labels = maps(60)
    data = load_data(save(tmp_path, x_train=images, y_train=labels, x_test=images, y_test=labels,
                          group_train=np.arange(60) // 6))  # fmt: skip
    parts = split(data, 0.2, seed=0)
    assert data.groups is not None
    trained, validated = (
        set(data.groups[rows].tolist()) for rows in (parts.train_indices, parts.validation_indices)
    )
    assert len(validated) == 2
    assert not trained & validated


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((8, 5, 6), int), r"a label for each of the 6 x 5 pixels of an image, got .*\(8, 5, 6\)"),
        (np.full((8, 6, 5), -1), r"expected labels in 0..1 .* got -1 in row 0, pixel \(0, 0\)"),
        (np.zeros((8, 6, 5)), r"or of shape \(N, H, W\) as integers, got float64"),
        (np.zeros((8, 6, 5, 1), int), r"got int64\(8, 6, 5, 1\)"),
        (np.zeros((8, 6, 5), int), "class 'b' .label 1. has no pixels"),
        (np.zeros((7, 6, 5), int), "got 8 images and 7 labels"),
    ],
)  # fmt: skip
def test_maps_that_do_not_fit(tmp_path: Path, labels: npt.NDArray[Any], message: str) -> None:
    spec = save(tmp_path, x=np.zeros((8, 6, 5), np.uint8), y=labels, classes=["a", "b"])
    with pytest.raises(DataError, match=message):
        load_data(spec)


def test_maps_here_and_labels_there_are_refused(tmp_path: Path) -> None:
    images, labels = maps(40)
    spec = save(tmp_path, x_train=images, y_train=labels, x_test=images, y_test=labels[:, 0, 3])
    with pytest.raises(DataError, match="expected labels of images in both, or of pixels"):
        load_data(spec)
    train, test = (
        TensorDataset(torch.tensor(images), torch.tensor(one)) for one in (labels, labels[:, 0, 3])
    )
    with pytest.raises(DataError, match="expected labels of images in both, or of pixels"):
        from_datasets(train, test)
    with pytest.raises(
        DataError, match=r"every label to have the shape \(6, 5\) as in row 0, got \(\) in row 1"
    ):
        from_datasets([(images[0], labels[0]), (images[1], 1)])  # type: ignore[arg-type]


def test_too_few_maps(tmp_path: Path) -> None:
    images, labels = maps(4)
    data = load_data(save(tmp_path, x_train=images, y_train=labels, x_test=images, y_test=labels))
    with pytest.raises(DataError, match="there are 4 rows, expected at least 10"):
        split(data, 0.1, seed=0)
