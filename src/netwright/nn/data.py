"""Data sets: loaded, checked, split, and with the test set behind one door.

A ``Data`` is a training set that everybody may look at and a test set that only ``open_test_set`` gives
out; a search for it in a program is the audit that the test set is touched once. Everything is in memory
as numpy arrays, since the data of small networks is small.
"""

from __future__ import annotations

import hashlib
import logging
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedGroupKFold, StratifiedShuffleSplit
from torch.utils.data import Dataset

from netwright.errors import DataError
from netwright.nn.audio import LogMel
from netwright.nn.augment import find_augmentation
from netwright.nn.clips import read_audio
from netwright.nn.folder import read_folder
from netwright.nn.kind import IMAGES, WINDOWS, Kind, kind_of
from netwright.nn.npz import read_npz
from netwright.nn.readers import Raw, read_dataset, read_fashion_mnist, read_fashion_mnist_pixels
from netwright.nn.task import CLASSIFICATION, Task, task_of

Array = npt.NDArray[Any]

TEST_SHARE = 0.2
"""Share of the rows that becomes the test set where a source has none."""
TEST_SEED = 0
"""Seed of that test set: a property of the data, never the seed of a study."""

SPECS = ("digits", "fashion-mnist", "fashion-mnist-pixels", "npz:PATH", "audio:PATH", "folder:PATH")
DEFAULT_AUGMENTATION = "shift"
"""For images that we know nothing of: a mirrored digit, letter or sign may be another class."""
WINDOW_AUGMENTATION = "none"
"""For windows of sensors."""
AUDIO_AUGMENTATION = "spectrogram"
"""For pictures of sound."""

_CHUNK = 1024  # label maps that are counted at a time

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """A checked data set of images or pixels with labels; two are the same if their fingerprints are.

    Made by ``load_data`` and ``from_datasets``. The test set is behind ``open_test_set``.

    Attributes:
        name: how it was asked for, e.g. ``digits`` or ``npz:gestures.npz``.
        images: training images, ``(N, C, H, W)``, uint8 or float32, read-only.
        labels: each in ``[0, len(classes))``, read-only: ``(N,)`` int64 for images, or ``(N, H, W)``, uint8
            or int32, for their pixels.
        classes: class names in the order of their labels.
        augmentation: name of the augmentation that suits it, a key of ``nn.augment.AUGMENTATIONS``.
        groups: ``(N,)`` int64 or None: rows of one group stay on one side of every split.
        notes: what the reader decided and the user should know.
        test_size: number of test images.
        fingerprint: sha256 (hex) of all arrays and class names; name, augmentation and notes do not count.
        kind: what a row is, in words; a window is an image of height 1.
        front_end: what made the pictures of clips of sound, or None.
    """

    name: str
    images: Array
    labels: Array
    classes: tuple[str, ...]
    augmentation: str
    groups: Array | None
    notes: tuple[str, ...]
    test_size: int
    fingerprint: str
    _test_images: Array
    _test_labels: Array
    kind: Kind = IMAGES
    front_end: LogMel | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of one image, ``(C, H, W)``."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    @property
    def task(self) -> Task:
        """What the labels are for."""
        return task_of(self.labels)

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of the labels of one image: ``()``, or ``(H, W)`` for its pixels."""
        return self.labels.shape[1:]

    def __repr__(self) -> str:
        channels, height, width = self.shape
        return (
            f"Data({self.name}: {len(self.labels)} + {self.test_size} test {self.kind.items} of "
            f"{channels}x{height}x{width} {self.images.dtype}, {len(self.classes)} classes, "
            f"{self.fingerprint[:12]})"
        )


@dataclass(frozen=True, eq=False)
class Split:
    """Which training rows train and which validate; the two never overlap.

    Attributes:
        train_indices: ``(n,)`` int64, sorted.
        validation_indices: ``(m,)`` int64, sorted.
    """

    train_indices: Array
    validation_indices: Array


def open_test_set(data: Data) -> tuple[Array, Array]:
    """Give out the test set; the only way to it. Every opening is logged.

    Returns:
        Images ``(N, C, H, W)`` and labels ``(N,)`` or ``(N, H, W)``, read-only.
    """
    _log.info("the test set of %s is opened (%d %s)", data.name, data.test_size, data.kind.items)
    return data._test_images, data._test_labels


def load_data(spec: str | Data | Dataset[Any] | tuple[Dataset[Any], Dataset[Any]]) -> Data:
    """Load a data set by its specification.

    ``digits`` is scikit-learn's (1,797 images of 8 x 8, scaled to 0..255), ``fashion-mnist`` the files of
    the Debian package (see ``read_fashion_mnist``), ``fashion-mnist-pixels`` the same with a label for each
    pixel (``read_fashion_mnist_pixels``), ``npz:PATH`` an archive of images or windows (``read_npz``),
    ``audio:PATH`` clips of sound (``read_audio``), ``folder:PATH`` pictures in one sub-folder a class
    (``read_folder``). Where a source has no test set, a fixed 20 % of its rows become
    one: stratified by class, whole groups where there are groups, ``TEST_SEED`` as seed.

    Args:
        spec: one of ``SPECS``; or a torch data set, or a (training, test) pair of them (``from_datasets``);
            a ``Data`` is returned as it is.

    Raises:
        DataError: if the specification is unknown or the source cannot be read or makes no sense.

    >>> digits = load_data("digits")
    >>> len(digits.labels), digits.test_size, digits.shape
    (1438, 359, (1, 8, 8))
    """
    if isinstance(spec, Data):
        return spec
    if isinstance(spec, Dataset):
        return from_datasets(spec)
    if isinstance(spec, tuple) and len(spec) == 2:
        return from_datasets(*spec)
    if not isinstance(spec, str):
        raise DataError(
            f"data: expected a specification or one or two torch data sets, got {type(spec).__name__}"
        )
    kind, _, rest = spec.partition(":")
    if spec == "digits":
        return _checked(_read_digits(), "shift")
    if spec == "fashion-mnist":
        # Garments are centred: shifts and cutout cost accuracy in trainings of about ten epochs.
        return _checked(read_fashion_mnist(), "flip")
    if spec == "fashion-mnist-pixels":
        return _checked(read_fashion_mnist_pixels(), "flip")
    if kind == "npz" and rest:
        raw = read_npz(Path(rest).expanduser())
        windows = kind_of(raw.images.shape) is WINDOWS
        return _checked(raw, WINDOW_AUGMENTATION if windows else DEFAULT_AUGMENTATION)
    if kind == "audio" and rest:
        return _checked(read_audio(Path(rest).expanduser()), AUDIO_AUGMENTATION)
    if kind == "folder" and rest:
        return _checked(read_folder(Path(rest).expanduser()), DEFAULT_AUGMENTATION)
    raise DataError(f"data: expected one of {', '.join(SPECS)}, got {spec!r}")


def from_datasets(
    train: Dataset[Any],
    test: Dataset[Any] | None = None,
    classes: Sequence[str] | None = None,
    groups: npt.ArrayLike | None = None,
    *,
    name: str = "dataset",
    augmentation: str = DEFAULT_AUGMENTATION,
) -> Data:
    """Take torch data sets of (image, label) pairs; every row is read once (``nn.readers.read_dataset``).

    A label is an integer, or integers (H, W) for the pixels.

    Args:
        train: training rows.
        test: test rows; None takes the fixed test share from ``train``.
        classes: class names in the order of their labels; None calls them 0, 1, 2 ...
        groups: ``(N,)``, the group of each training row (a person, a recording).
        name: what reports call it.
        augmentation: the augmentation that suits it, a key of ``nn.augment.AUGMENTATIONS``.

    Raises:
        DataError: if a row is not such a pair or the whole makes no sense.
    """
    images, labels = read_dataset(train, f"{name}: train")
    test_images, test_labels = (None, None) if test is None else read_dataset(test, f"{name}: test")
    if test_images is not None and test_images.dtype != images.dtype:
        raise DataError(
            f"{name}: training images are {images.dtype}, test images {test_images.dtype}; use one dtype"
        )
    raw = Raw(
        name=name,
        images=images,
        labels=labels,
        test_images=test_images,
        test_labels=test_labels,
        classes=None if classes is None else tuple(classes),
        groups=None if groups is None else np.asarray(groups),
    )
    return _checked(raw, augmentation)


def split(data: Data, fraction: float, seed: int) -> Split:
    """Split the training rows into a training and a validation part, the same for the same arguments.

    The shares of the classes are kept, for labelled pixels those of the images' main classes (the most
    frequent one of all aside). With groups, whole groups are taken and the share is as near to ``fraction``
    as they allow (scikit-learn's ``StratifiedShuffleSplit`` and ``StratifiedGroupKFold``).

    Args:
        data: a data set.
        fraction: share of the rows that validate, in (0, 1).
        seed: of the shuffling.

    Raises:
        DataError: if the fraction is out of range, or a class would be missing on one side.

    >>> parts = split(load_data("digits"), 0.2, seed=0)
    >>> len(parts.train_indices), len(parts.validation_indices)
    (1150, 288)
    """
    where = f"{data.name}: validation share {fraction}"
    return Split(*_split_rows(data.labels, data.groups, data.classes, fraction, seed, where))


# -------------------------------------------------------------------------------------------- splitting


def _split_rows(
    labels: Array, groups: Array | None, classes: tuple[str, ...], fraction: float, seed: int, where: str
) -> tuple[Array, Array]:
    """Give sorted row numbers: the larger rest, and the share of ``fraction``."""
    if not 0 < fraction < 1:
        raise DataError(f"{where}: expected a share between 0 and 1 (exclusive), got {fraction}")
    need = math.ceil(1 / min(fraction, 1 - fraction) - 1e-9)
    of_images = task_of(labels) == CLASSIFICATION
    strata = labels if of_images else _strata(labels, len(classes), need)
    if groups is None:
        counts = np.bincount(strata, minlength=len(classes) if of_images else 0)
        scarce = int(counts.argmin())
        if counts[scarce] < need:
            what = (
                f"class {classes[scarce]!r} has {counts[scarce]}" if of_images else f"there are {len(strata)}"
            )
            raise DataError(
                f"{where}: {what} rows, expected at least {need}, so "
                "that both sides see it; add rows, merge the class, or choose a share nearer to one half"
            )
        size = round(len(labels) * fraction)
        shuffle = StratifiedShuffleSplit(n_splits=1, test_size=size, random_state=seed % 2**32)
        rest, share = next(shuffle.split(strata, strata))
    else:
        rest, share = _split_groups(strata, groups, fraction, seed, where)
        for label, class_name in enumerate(classes if of_images else ()):
            if not (labels[rest] == label).any() or not (labels[share] == label).any():
                raise DataError(
                    f"{where}: class {class_name!r} would be on one side only, since groups stay together; "
                    "it needs rows in more groups, or another share or seed"
                )
    return np.sort(rest).astype(np.int64), np.sort(share).astype(np.int64)


def _strata(labels: Array, classes: int, need: int) -> Array:
    """Number images by the class that most of their pixels are of, the most frequent class of all aside.

    Those of classes that are the main one of less than ``need`` images are numbered as one, together with
    the largest of the others if they are still too few.

    Args:
        labels: ``(N, H, W)``.
        classes: number of classes.
        need: images that a stratum needs.

    Returns:
        ``(N,)``, numbers from 0 without a gap.
    """
    counts = _pixels_by_class(labels, classes)
    counts[:, counts.sum(axis=0).argmax()] = 0
    main = counts.argmax(axis=1)
    images = np.bincount(main, minlength=classes)
    few = images < need
    if 0 < images[few].sum() < need:
        few[images.argmax()] = True
    return np.unique(np.where(few[main], -1, main), return_inverse=True)[1]


def _pixels_by_class(labels: Array, classes: int) -> Array:
    """Count for each image the pixels of each class, ``(N, classes)``."""
    counts = np.empty((len(labels), classes), dtype=np.int64)
    for start in range(0, len(labels), _CHUNK):
        part = labels[start : start + _CHUNK].reshape(-1, labels[0].size).astype(np.int64)
        numbered = part + classes * np.arange(len(part))[:, np.newaxis]
        pixels = np.bincount(numbered.ravel(), minlength=classes * len(part))
        counts[start : start + _CHUNK] = pixels.reshape(len(part), classes)
    return counts


def _split_groups(
    labels: Array, groups: Array, fraction: float, seed: int, where: str
) -> tuple[Array, Array]:
    """Cut whole groups into folds and take the fold nearest to the fraction as the share."""
    distinct = len(np.unique(groups))
    if distinct < 2:
        raise DataError(
            f"{where}: all rows are of one group, expected at least 2 groups to split by; add rows "
            "of others, or leave the groups out if the rows are independent"
        )
    smaller = min(fraction, 1 - fraction)
    folds = min(distinct, max(2, round(1 / smaller)))
    cut = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is no concern here: that both sides see it is checked after.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        try:
            pairs = [
                (rest, share) for rest, share in cut.split(labels, labels, groups) if len(rest) and len(share)
            ]
        except ValueError as error:
            raise DataError(f"{where}: cannot be cut into {folds} folds of whole groups ({error})") from error
    rest, share = min(pairs, key=lambda pair: abs(len(pair[1]) / len(labels) - smaller))
    return (rest, share) if fraction <= 0.5 else (share, rest)


# --------------------------------------------------------------------------------------------- checking


def _read_digits() -> Raw:
    """Read scikit-learn's digits [Alpaydin & Kaynak 1998]; its pixels 0..16 become 0..255."""
    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, np.newaxis]
    return Raw("digits", images, bunch.target.astype(np.int64), classes=tuple("0123456789"))


def _checked(raw: Raw, augmentation: str) -> Data:
    """Check a source and make it a ``Data``, with a test share where it has none."""
    find_augmentation(augmentation)
    if len(raw.labels) == 0:
        raise DataError(f"{raw.name}: there are no training rows")
    classes = raw.classes or tuple(str(label) for label in range(max(int(raw.labels.max()), 0) + 1))
    _check_classes(raw.name, classes)
    kind = raw.kind or kind_of(raw.images.shape)
    _check_rows(f"{raw.name}: train", raw.images, raw.labels, classes, kind)
    groups = None if raw.groups is None else _numbered(raw.groups, len(raw.labels), f"{raw.name}: groups")
    _check_present(f"{raw.name}: train", raw.labels, classes)
    images, labels = raw.images, raw.labels
    if raw.test_images is None or raw.test_labels is None:
        where = f"{raw.name}: test share {TEST_SHARE}"
        rest, share = _split_rows(labels, groups, classes, TEST_SHARE, TEST_SEED, where)
        test_images, test_labels = images[share], labels[share]
        images, labels = images[rest], labels[rest]
        groups = None if groups is None else groups[rest]
    else:
        test_images, test_labels = raw.test_images, raw.test_labels
        if test_labels.ndim != labels.ndim:
            raise DataError(
                f"{raw.name}: training labels have the shape {labels.shape}, test labels "
                f"{test_labels.shape}; expected labels of images in both, or of pixels"
            )
        _check_rows(f"{raw.name}: test", test_images, test_labels, classes, kind)
        _check_disjoint(raw)
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{raw.name}: training images have the shape (C, H, W) = {images.shape[1:]}, "
            f"test images {test_images.shape[1:]}; expected the same"
        )
    dtype = np.result_type(images, test_images)
    labels, test_labels = (_compact(one, len(classes)) for one in (labels, test_labels))
    arrays = [images.astype(dtype, copy=False), labels, test_images.astype(dtype, copy=False), test_labels]
    if groups is not None:
        arrays.append(groups)
    arrays = [_frozen(array) for array in arrays]
    return Data(
        name=raw.name,
        images=arrays[0],
        labels=arrays[1],
        classes=classes,
        augmentation=augmentation,
        groups=None if groups is None else arrays[4],
        notes=raw.notes,
        test_size=len(test_labels),
        fingerprint=_fingerprint(arrays, classes),
        _test_images=arrays[2],
        _test_labels=arrays[3],
        kind=kind,
        front_end=raw.front_end,
    )


def _check_classes(name: str, classes: tuple[str, ...]) -> None:
    if len(classes) < 2:
        raise DataError(f"{name}: expected at least 2 classes, got {len(classes)} ({', '.join(classes)})")
    if len(set(classes)) < len(classes):
        raise DataError(f"{name}: expected distinct class names, got {classes}")


def _check_rows(where: str, images: Array, labels: Array, classes: tuple[str, ...], kind: Kind) -> None:
    """Check that images and labels belong together and that every value is one."""
    if len(images) != len(labels):
        raise DataError(
            f"{where}: expected one label {_one(kind.item)}, got {len(images)} {kind.items} and "
            f"{len(labels)} labels"
        )
    if len(labels) == 0:
        raise DataError(f"{where}: there are no rows")
    if labels.ndim > 1 and labels.shape[1:] != images.shape[2:]:
        raise DataError(
            f"{where}: expected a label for each of the {images.shape[2]} x {images.shape[3]} pixels of an "
            f"image, got labels of shape {labels.shape}"
        )
    wrong = np.argwhere((labels < 0) | (labels >= len(classes)))
    if len(wrong):
        row, *pixel = wrong[0].tolist()
        at = f", pixel {tuple(pixel)}" if pixel else ""
        raise DataError(
            f"{where}: expected labels in 0..{len(classes) - 1} for {len(classes)} classes, "
            f"got {labels[tuple(wrong[0])]} in row {row}{at}"
        )
    if images.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2, 3)))
        if len(bad):
            raise DataError(
                f"{where}: {len(bad)} {kind.items} have NaN or infinite {kind.value}s, the first in row "
                f"{bad[0]}; mend or remove these rows"
            )


def _one(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _check_present(where: str, labels: Array, classes: tuple[str, ...]) -> None:
    missing = np.flatnonzero(_pixels_by_class(labels, len(classes)).sum(axis=0) == 0)
    if len(missing):
        what = "rows" if task_of(labels) == CLASSIFICATION else "pixels"
        raise DataError(
            f"{where}: class {classes[missing[0]]!r} (label {missing[0]}) has no {what}; "
            f"expected every label of 0..{len(classes) - 1}"
        )


def _check_disjoint(raw: Raw) -> None:
    if raw.groups is None or raw.test_groups is None:
        return
    both = np.intersect1d(raw.groups, raw.test_groups)
    if len(both):
        raise DataError(f"{raw.name}: group '{both[0]}' is in both the training and the test set")


def _numbered(groups: Array, rows: int, where: str) -> Array:
    if groups.shape != (rows,) or groups.dtype.kind not in "biuUS":
        raise DataError(
            f"{where}: expected one integer or word for each of {rows} training rows, "
            f"got {groups.dtype}{groups.shape}"
        )
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _compact(labels: Array, classes: int) -> Array:
    """Labels of images as int64; those of pixels, which are many, in as few bytes as torch can read."""
    if task_of(labels) == CLASSIFICATION:
        return labels
    return labels.astype(np.uint8 if classes <= 256 else np.int32, copy=False)


def _frozen(array: Array) -> Array:
    result = np.ascontiguousarray(array)
    result.setflags(write=False)
    return result


def _fingerprint(arrays: list[Array], classes: tuple[str, ...]) -> str:
    digest = hashlib.sha256(repr(classes).encode())
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.data)
    return digest.hexdigest()
