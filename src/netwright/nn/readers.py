"""Readers of stored data sets: each turns one kind of source into plain arrays.

What comes out is ``Raw``: arrays as they were found, put into one layout. Whether they make sense as a
data set (labels in range, no empty class, no NaN) is checked once, in ``netwright.nn.data``.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from netwright.errors import DataError
from netwright.nn.audio import LogMel
from netwright.nn.kind import Kind

Array = npt.NDArray[Any]

FASHION_MNIST_VARIABLE = "NETWRIGHT_FASHION_MNIST"
FASHION_MNIST_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_MNIST_CLASSES = (
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)

FASHION_MNIST_BACKGROUND = 16
"""Pixels of Fashion-MNIST below this, of 255, are background: 0, and the faint halo of the scaling."""


@dataclass(frozen=True, eq=False)
class Raw:
    """A source as arrays, before it is checked and before a test share is taken.

    Attributes:
        name: how the source was named.
        images: training images, ``(N, C, H, W)``, uint8 or float32.
        labels: integers, ``(N,)`` for images or ``(N, H, W)`` for their pixels.
        test_images: like ``images``; None where the source has no test set of its own.
        test_labels: like ``labels``.
        classes: class names in the order of their labels; None where the source has none.
        groups: ``(N,)``, what must not be torn apart by a split (a person, a recording); any dtype.
        test_groups: the same of the test rows.
        notes: what the reader decided and the user should know.
        kind: what the rows are; None tells windows from images by their height.
        front_end: what made pictures of sound, or None.
    """

    name: str
    images: Array
    labels: Array
    test_images: Array | None = None
    test_labels: Array | None = None
    classes: tuple[str, ...] | None = None
    groups: Array | None = None
    test_groups: Array | None = None
    notes: tuple[str, ...] = ()
    kind: Kind | None = None
    front_end: LogMel | None = None


# ---------------------------------------------------------------------------------- Fashion-MNIST (IDX)


def read_fashion_mnist() -> Raw:
    """Read Fashion-MNIST [Xiao et al. 2017, arXiv:1708.07747]: 60,000 + 10,000 images of 28 x 28.

    The files are those of the Debian package ``dataset-fashion-mnist``; the environment variable
    ``NETWRIGHT_FASHION_MNIST`` names another folder with the same four files.

    Raises:
        DataError: if a file is missing, cut short or not what it should be.
    """
    chosen = os.environ.get(FASHION_MNIST_VARIABLE)
    folder = Path(chosen).expanduser() if chosen else FASHION_MNIST_FOLDER
    parts = []
    for stem, rows in (("train", 60_000), ("t10k", 10_000)):
        images = read_idx(_fashion_file(folder, f"{stem}-images-idx3-ubyte.gz"), (rows, 28, 28))
        labels = read_idx(_fashion_file(folder, f"{stem}-labels-idx1-ubyte.gz"), (rows,))
        parts += [images[:, np.newaxis], labels.astype(np.int64)]
    images, labels, test_images, test_labels = parts
    return Raw("fashion-mnist", images, labels, test_images, test_labels, FASHION_MNIST_CLASSES)


def read_fashion_mnist_pixels() -> Raw:
    """Read Fashion-MNIST with a label for each pixel: 0 for background, 1 and more for garments.

    A pixel below ``FASHION_MNIST_BACKGROUND`` is background; all others bear 1 + the class of their image.

    Raises:
        DataError: as ``read_fashion_mnist``.
    """
    raw = read_fashion_mnist()
    assert raw.test_images is not None
    assert raw.test_labels is not None
    return Raw(
        "fashion-mnist-pixels",
        raw.images,
        _garment_pixels(raw.images, raw.labels),
        raw.test_images,
        _garment_pixels(raw.test_images, raw.test_labels),
        ("background", *FASHION_MNIST_CLASSES),
        notes=(
            f"pixels below {FASHION_MNIST_BACKGROUND} of 255 are background, all others are of the class of "
            "their image",
        ),
    )


def _garment_pixels(images: Array, labels: Array) -> Array:
    garment = (labels + 1).astype(np.uint8)[:, np.newaxis, np.newaxis]
    return np.where(images[:, 0] < FASHION_MNIST_BACKGROUND, np.uint8(0), garment)


def _fashion_file(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"fashion-mnist: {path} does not exist; run `apt install dataset-fashion-mnist`, or set "
            f"{FASHION_MNIST_VARIABLE} to a folder with the four idx-ubyte.gz files"
        )
    return path


def read_idx(path: Path, shape: tuple[int, ...]) -> Array:
    """Read a gzipped IDX file of unsigned bytes, the format of MNIST [LeCun et al. 1998].

    Args:
        path: the file.
        shape: the shape that it must have.

    Returns:
        uint8 array of that shape.

    Raises:
        DataError: if the file is damaged or holds something else.
    """
    try:
        with gzip.open(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a gzipped IDX file of shape {shape}, cannot unpack it ({error}); "
            "install it again"
        ) from error
    header = bytes((0, 0, 8, len(shape))) + b"".join(side.to_bytes(4, "big") for side in shape)
    size = int(np.prod(shape))
    if content[: len(header)] != header:
        raise DataError(
            f"{path}: expected an IDX file of unsigned bytes of shape {shape} (header {header.hex()}), "
            f"got header {content[: len(header)].hex()}; install it again"
        )
    if len(content) != len(header) + size:
        raise DataError(
            f"{path}: expected {size} bytes after the header, got {len(content) - len(header)}; "
            "install it again"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(shape)


# ---------------------------------------------------------------------------------------- dtypes and labels


def as_pixels(images: Array, where: str) -> Array:
    """Bring pixels to uint8 or float32 without changing what they say.

    uint8 stays; booleans become 0 and 255; other integers become uint8 where all are within 0..255 and
    float32 otherwise; floating-point numbers become float32 as they are (no scale is assumed: training
    normalises by the measured mean and deviation).

    Args:
        images: an array of any shape.
        where: what errors call it.

    Raises:
        DataError: if the dtype is none of these.
    """
    kind = images.dtype.kind
    if kind == "b":
        return np.multiply(images, 255, dtype=np.uint8)
    if kind in "iu":
        fits = images.dtype == np.uint8 or (images.size > 0 and images.min() >= 0 and images.max() <= 255)
        integers: Array = images.astype(np.uint8 if fits else np.float32)
        return integers
    if kind == "f":
        with np.errstate(over="ignore"):  # what overflows becomes inf, which is refused by name later
            return images.astype(np.float32)
    raise DataError(
        f"{where}: expected pixels as integers or floating-point numbers, got dtype {images.dtype}"
    )


def as_labels(
    labels: Sequence[Array], wheres: Sequence[str], classes: tuple[str, ...] | None
) -> tuple[list[Array], tuple[str, ...] | None]:
    """Turn labels into int64, where words become their places among the class names.

    Args:
        labels: label arrays of one data set (training, test), each ``(N,)`` or ``(N, 1)``, or integers
            ``(N, H, W)``, a label for each pixel.
        wheres: what errors call each.
        classes: class names; None takes the sorted words of the first array, if it has words.

    Returns:
        The integer arrays and the class names (None for integer labels without names).

    Raises:
        DataError: if labels are neither integers nor words, or a word is no class.
    """
    flat = []
    for array, where in zip(labels, wheres, strict=True):
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        kinds = {1: "biuUS", 3: "biu"}.get(array.ndim, "")
        if array.dtype.kind not in kinds:
            remedy = "; turn one-hot rows into labels with argmax(1)" if array.ndim == 2 else ""
            raise DataError(
                f"{where}: expected labels of shape (N,) as integers or words, or of shape (N, H, W) as "
                f"integers, got {array.dtype}{array.shape}{remedy}"
            )
        flat.append(array)
    words = [array.dtype.kind in "US" for array in flat]
    if not any(words):
        # Label maps stay as small as they are: they are many.
        return [array.astype(np.int64) if array.ndim == 1 else array for array in flat], classes
    if not all(words):
        raise DataError(f"{wheres[0]}: labels are {flat[0].dtype}, but {wheres[1]} are {flat[1].dtype}")
    names = classes if classes is not None else tuple(sorted({str(word) for word in flat[0]}))
    place = {name: index for index, name in enumerate(names)}
    integers = []
    for array, where in zip(flat, wheres, strict=True):
        strange = sorted({str(word) for word in array} - place.keys())
        if strange:
            raise DataError(f"{where}: expected one of the classes {names}, got {strange[0]!r}")
        integers.append(np.array([place[str(word)] for word in array], dtype=np.int64))
    return integers, names


# ------------------------------------------------------------------------------------- torch data sets


def read_dataset(dataset: torch.utils.data.Dataset[Any], where: str) -> tuple[Array, Array]:
    """Read a map-style torch ``Dataset`` of (image, label) pairs, in order, into two arrays.

    An image is a tensor ``(C, H, W)`` or ``(H, W)``, as torch has it, or whatever ``numpy.asarray`` takes,
    ``(H, W)`` or ``(H, W, C)``, as numpy and Pillow have it. All are of one shape. A random transform is
    drawn once here, so pass data sets without augmentation.

    Args:
        dataset: has ``__len__`` and ``__getitem__``; a label is an integer, or integers ``(H, W)``.
        where: what errors call it.

    Returns:
        Images ``(N, C, H, W)`` uint8 or float32, and labels int64, ``(N,)`` or ``(N, H, W)``.

    Raises:
        DataError: if it is empty, has no length, or a row is not such a pair.
    """
    try:
        count = len(dataset)  # type: ignore[arg-type]
    except TypeError as error:
        raise DataError(
            f"{where}: expected a torch Dataset with a length, got {type(dataset).__name__}"
        ) from error
    if count == 0:
        raise DataError(f"{where}: the data set is empty")
    images: list[Array] = []
    labels: list[Array] = []
    for row in range(count):
        pair = dataset[row]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise DataError(f"{where}: expected row {row} to be (image, label), got {type(pair).__name__}")
        image = _one_image(pair[0], f"{where}: row {row}")
        if images and (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise DataError(
                f"{where}: expected every image to be {images[0].dtype}{images[0].shape} (channels "
                f"first) as in row 0, got {image.dtype}{image.shape} in row {row}; "
                "resize in the data set's transform"
            )
        label = _one_label(pair[1], f"{where}: row {row}")
        if labels and label.shape != labels[0].shape:
            raise DataError(
                f"{where}: expected every label to have the shape {labels[0].shape} as in row 0, got "
                f"{label.shape} in row {row}"
            )
        images.append(image)
        labels.append(label)
    return as_pixels(np.stack(images), where), np.stack(labels)


def _one_image(value: Any, where: str) -> Array:
    if isinstance(value, torch.Tensor):
        array, channels = value.detach().cpu().numpy(), 0
    else:
        array, channels = np.asarray(value), 2
    if array.ndim == 2:
        return array[np.newaxis]
    if array.ndim != 3:
        raise DataError(f"{where}: expected an image of 2 or 3 axes, got shape {array.shape}")
    return np.moveaxis(array, channels, 0)


def _one_label(value: Any, where: str) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "biu" or (array.size != 1 and array.ndim != 2):
        raise DataError(
            f"{where}: expected integers (H, W) for the pixels or an integer label, got {value!r}"
        )
    return (array if array.size > 1 else array.reshape(())).astype(np.int64)
