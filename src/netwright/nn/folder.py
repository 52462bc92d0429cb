"""Read a folder of pictures: one sub-folder a class."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from netwright.errors import DataError
from netwright.nn.readers import Raw

Array = npt.NDArray[Any]
Size = tuple[int, int]

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
LONGEST_SIDE = 256
"""Larger pictures are scaled down to this, in pixels: all of them are kept in memory."""

_PARTS = frozenset(("train", "test", "val", "valid", "validation", "dev"))
_GREY = frozenset(("1", "L", "LA", "I;16", "I;16B", "I;16L"))


def read_folder(path: Path) -> Raw:
    """Read pictures from ``PATH/<class>/*``, or from ``PATH/train/<class>/*`` and ``PATH/test/<class>/*``.

    Classes are the sorted names of the sub-folders; pictures may lie deeper. Hidden files are skipped,
    and files that do not end like a picture too (the notes count them). Pictures above ``LONGEST_SIDE``
    are scaled down to it; then all are resized to the most common size (of equally common ones the
    largest), and the notes say how many were. All grey pictures make one channel, otherwise there are
    three; transparency is dropped, 16-bit grey is reduced to 8, EXIF orientation is applied.

    Raises:
        DataError: if there is no such folder, a class is empty, or a picture cannot be read.
    """
    if not path.is_dir():
        raise DataError(f"folder:{path}: the folder does not exist")
    parted = (path / "train").is_dir() and (path / "test").is_dir()
    classes = _subfolders(path / "train" if parted else path)
    if not parted and _PARTS.issuperset(classes):
        raise DataError(
            f"folder:{path}: got the sub-folders {', '.join(classes)}, which do not look like classes; "
            "expected train and test, or one sub-folder a class"
        )
    files, skipped = _files(path / "train" if parted else path, classes, classes)
    count = len(files)
    if parted:
        tests, more = _files(path / "test", _subfolders(path / "test"), classes)
        files, skipped = files + tests, skipped + more
    pictures = []
    shrunk = 0
    for file, _ in files:
        decoded = _decode(file)
        pictures.append(_fitted(decoded))
        shrunk += pictures[-1] is not decoded
    size, notes = _common_size([picture.size for picture in pictures])
    if shrunk:
        notes.append(f"{shrunk} of {len(files)} pictures were scaled down to {LONGEST_SIDE} pixels")
    if skipped:
        notes.append(f"{skipped} files without a picture's suffix were skipped")
    images = _stack(pictures, size)
    labels = np.array([label for _, label in files], dtype=np.int64)
    return Raw(
        name=f"folder:{path}",
        images=images[:count],
        labels=labels[:count],
        test_images=images[count:] if parted else None,
        test_labels=labels[count:] if parted else None,
        classes=tuple(classes),
        notes=tuple(notes),
    )


def _subfolders(path: Path) -> list[str]:
    names = sorted(
        entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not names:
        raise DataError(f"folder:{path}: expected one sub-folder a class, got none")
    return names


def _files(path: Path, names: list[str], classes: list[str]) -> tuple[list[tuple[Path, int]], int]:
    """List (file, label) pairs of the named sub-folders, and count the files that are no pictures."""
    files: list[tuple[Path, int]] = []
    skipped = 0
    for name in names:
        if name not in classes:
            raise DataError(f"folder:{path / name}: expected one of the classes of train {tuple(classes)}")
        entries = [
            entry
            for entry in sorted((path / name).rglob("*"))
            if entry.is_file() and not entry.name.startswith(".")
        ]
        pictures = [entry for entry in entries if entry.suffix.lower() in SUFFIXES]
        if not pictures:
            raise DataError(
                f"folder:{path / name}: expected pictures ({', '.join(sorted(SUFFIXES))}), got "
                f"{len(entries)} other files; fill or remove the sub-folder"
            )
        skipped += len(entries) - len(pictures)
        files += [(picture, classes.index(name)) for picture in pictures]
    return files, skipped


def _decode(path: Path) -> Image.Image:
    """Read a picture as 8-bit grey (mode L) or colour (RGB), upright."""
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            image.load()
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read as a picture ({error}); mend or remove the file") from error
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DataError(
            f"{path}: expected 8 or 16 bits a channel, got Pillow's mode {image.mode}; convert the file"
        )
    return image.convert("L" if image.mode in _GREY else "RGB")


def _fitted(image: Image.Image) -> Image.Image:
    """Scale a picture down to ``LONGEST_SIDE``; a smaller one stays as it is."""
    longest = max(image.size)
    if longest <= LONGEST_SIDE:
        return image
    width, height = (max(1, round(side * LONGEST_SIDE / longest)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _common_size(sizes: list[Size]) -> tuple[Size, list[str]]:
    """Find the most common (width, height); of equally common ones the largest."""
    counts = Counter(sizes)
    common = max(counts, key=lambda size: (counts[size], size[0] * size[1], size))
    others = len(sizes) - counts[common]
    if not others:
        return common, []
    return common, [
        f"{others} of {len(sizes)} pictures were resized to the most common size, "
        f"{common[0]}x{common[1]} (width x height) pixels"
    ]


def _stack(pictures: list[Image.Image], size: Size) -> Array:
    """Put pictures into one array ``(N, C, H, W)`` uint8; one channel if all of them are grey."""
    mode = "L" if all(picture.mode == "L" for picture in pictures) else "RGB"
    width, height = size
    images = np.empty((len(pictures), len(mode), height, width), dtype=np.uint8)
    for row, picture in enumerate(pictures):
        image = picture.convert(mode)
        if image.size != size:
            image = image.resize(size, Image.Resampling.BILINEAR)
        array = np.asarray(image)
        images[row] = array[np.newaxis] if mode == "L" else np.moveaxis(array, 2, 0)
    return images
