"""Read numpy archives of images or of windows of sensors, with their labels and groups."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.errors import DataError
from netwright.nn.kind import WINDOWS, kind_of
from netwright.nn.layout import LAYOUTS, channels_first
from netwright.nn.readers import Raw, as_labels, as_pixels

Array = npt.NDArray[Any]

GROUPS = ("group", "groups", "subject", "subjects", "speaker", "speakers")
"""Names of the array that says what must not be torn apart by a split; the first one goes before others."""


def read_npz(path: Path) -> Raw:
    """Read a numpy archive of images or windows and labels.

    Arrays: ``x`` and ``y``, or ``x_train``, ``y_train`` and optionally ``x_test``, ``y_test``. Optional: one
    of ``GROUPS`` (or two of the same name with ``_train`` and ``_test``), ``classes`` (names), ``layout``
    (one of ``LAYOUTS``). ``channels_first`` says how the layout is found when the archive does not tell it,
    and ``as_pixels`` which dtypes are taken. Labels of shape (N, H, W) are those of pixels.

    Raises:
        DataError: if the file is no such archive, an array is missing or has an impossible shape.
    """
    arrays = open_npz(path)
    where = f"npz:{path}"
    listing = listed(arrays)
    plain, parted = {"x", "y"} <= arrays.keys(), {"x_train", "y_train"} <= arrays.keys()
    if plain == parted:
        found = "got both" if plain else f"got {listing or 'no arrays'}"
        hint = "; for clips of sound use audio:PATH" if {"pcm", "off"} <= arrays.keys() else ""
        raise DataError(f"{where}: expected either x and y or x_train and y_train, {found}{hint}")
    suffix = "" if plain else "_train"
    group = find_group(arrays, where, suffix)
    used = {f"x{suffix}", f"y{suffix}", "classes", "layout"} | ({group} if group else set())
    has_test = parted and bool({"x_test", "y_test"} & arrays.keys())
    if has_test:
        used |= {"x_test", "y_test"}
        if not {"x_test", "y_test"} <= arrays.keys():
            raise DataError(f"{where}: expected x_test and y_test together, got {listing}")
        if (arrays["x_train"].dtype.kind == "f") != (arrays["x_test"].dtype.kind == "f"):
            raise DataError(
                f"{where}: x_train is {arrays['x_train'].dtype}, but x_test is {arrays['x_test'].dtype}; "
                "bring both to one scale and dtype"
            )
    test_group = find_group(arrays, where, "_test", bare=False) if has_test else None
    used |= {test_group} if test_group else set()
    layout = _word(arrays["layout"], f"{where}: layout") if "layout" in arrays else None
    classes = tuple(str(name) for name in arrays["classes"].ravel()) if "classes" in arrays else None

    def rows(name: str) -> Array:
        place = f"{where}: {name}"
        return as_pixels(channels_first(arrays[name], place, layout), place)

    named = [arrays[f"y{suffix}"]] + ([arrays["y_test"]] if has_test else [])
    wheres = [f"{where}: y{suffix}", f"{where}: y_test"][: len(named)]
    labels, classes = as_labels(named, wheres, classes)
    images = rows(f"x{suffix}")
    unused = sorted(arrays.keys() - used)
    return Raw(
        name=where,
        images=images,
        labels=labels[0],
        test_images=rows("x_test") if has_test else None,
        test_labels=labels[1] if has_test else None,
        classes=classes,
        groups=arrays[group] if group else None,
        test_groups=arrays[test_group] if test_group else None,
        notes=(
            *_window_notes(arrays[f"x{suffix}"], images, layout),
            *group_notes(group, arrays, kind_of(images.shape) is WINDOWS),
            *((f"arrays not used: {', '.join(unused)}",) if unused else ()),
        ),
    )


def open_npz(path: Path, where: str | None = None) -> dict[str, Array]:
    """Read all arrays of an archive.

    Args:
        path: the file.
        where: what errors call it.

    Raises:
        DataError: if it is not there or no archive of plain arrays.
    """
    where = f"npz:{path}" if where is None else where
    if not path.is_file():
        raise DataError(f"{where}: the file does not exist")
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{where}: cannot read it as a numpy archive of plain arrays ({error})") from error
    raise DataError(f"{where}: expected an .npz archive of named arrays, got a single array")


def listed(arrays: Mapping[str, Array]) -> str:
    """Name, dtype and shape of each array, for messages."""
    return ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in sorted(arrays.items()))


def find_group(arrays: Mapping[str, Array], where: str, suffix: str, *, bare: bool = True) -> str | None:
    """Find the array of groups; None if there is none.

    Args:
        arrays: of an archive.
        where: what errors call it.
        suffix: ``_train``, ``_test`` or nothing.
        bare: whether a name without the suffix will do.

    Raises:
        DataError: if there are several, none of them called ``group``.
    """
    found = [f"{name}{suffix}" for name in GROUPS if f"{name}{suffix}" in arrays]
    if not found and bare:
        found = [name for name in GROUPS if name in arrays]
    if len(found) > 1 and not found[0].removesuffix(suffix) == GROUPS[0]:
        raise DataError(
            f"{where}: expected one array of groups to split by, got {' and '.join(found)}; call the "
            f"one that counts {GROUPS[0]}{suffix}"
        )
    return found[0] if found else None


def group_notes(group: str | None, arrays: Mapping[str, Array], alike: bool) -> tuple[str, ...]:
    """Say what the rows are split by.

    Args:
        group: name of the array of groups, or None.
        arrays: of the archive.
        alike: whether rows next to each other are alike, as windows of one recording are.
    """
    if group is not None:
        return (f"split by {group}: {len(np.unique(arrays[group]))} in all, none on both sides of a split",)
    if alike:
        return (
            "no array of groups: what is of one person or recording may be on both sides of a split, which "
            f"flatters; add one of {', '.join(GROUPS)}",
        )
    return ()


def _window_notes(stored: Array, images: Array, layout: str | None) -> tuple[str, ...]:
    """Say how windows were recognised where the archive has no layout."""
    if layout is not None or stored.ndim != 3 or kind_of(images.shape) is not WINDOWS:
        return ()
    _, channels, _, samples = images.shape
    told = "NTC" if stored.shape[1] == samples else "NCT"
    return (
        f"windows of {samples} samples of {channels} channels, told by the shape ({told}); an array `layout` "
        "says otherwise",
    )


def _word(array: Array, where: str) -> str:
    if array.size != 1 or array.dtype.kind not in "US":
        raise DataError(f"{where}: expected one word ({', '.join(LAYOUTS)}), got {array.dtype}{array.shape}")
    return str(array.reshape(-1)[0])
