"""Read clips of sound with their labels and speakers: numpy archives, and folders of wav files."""

from __future__ import annotations

import wave
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.errors import DataError
from netwright.nn.audio import SECONDS, front_end_for, log_mel
from netwright.nn.kind import CLIPS
from netwright.nn.npz import find_group, group_notes, listed, open_npz
from netwright.nn.readers import Raw, as_labels

Array = npt.NDArray[Any]

RATE = 8000
"""Sampling rate of an archive that does not tell it, in Hz; the notes say so."""

_MARK = "_nohash_"
"""What follows the speaker in names of files of Speech Commands [Warden 2018, arXiv:1804.03209]."""


def read_audio(path: Path) -> Raw:
    """Read clips and turn them into pictures by ``netwright.nn.audio``.

    An archive has ``pcm``, all clips one after the other; ``off``, ``(N + 1,)`` places where they begin and
    the last ends; ``y``; and optionally one of ``GROUPS``, ``classes``, ``rate`` in Hz and ``seconds``, the
    length that clips are brought to. A folder has one sub-folder a class with wav files of 16 bits; files one
    level deeper are grouped by the name of their folder.

    Raises:
        DataError: if there is no such source or it makes no sense.
    """
    return _read_folder(path) if path.is_dir() else _read_archive(path)


def _read_archive(path: Path) -> Raw:
    where = f"audio:{path}"
    arrays = open_npz(path, where)
    if not {"pcm", "off", "y"} <= arrays.keys():
        raise DataError(
            f"{where}: expected pcm (all clips one after the other), off (where they begin and the last "
            f"ends) and y (labels), got {listed(arrays) or 'no arrays'}"
        )
    clips = _cut(arrays["pcm"], arrays["off"], where)
    if len(arrays["y"]) != len(clips):
        raise DataError(
            f"{where}: expected one label a clip, got {len(clips)} clips and {len(arrays['y'])} labels"
        )
    rate = round(_number(arrays, "rate", RATE, where))
    seconds = _number(arrays, "seconds", SECONDS, where)
    classes = tuple(str(name) for name in arrays["classes"].ravel()) if "classes" in arrays else None
    (labels,), classes = as_labels([arrays["y"]], [f"{where}: y"], classes)
    group = find_group(arrays, where, "")
    unused = sorted(arrays.keys() - {"pcm", "off", "y", "rate", "seconds", "classes", group})
    notes = [
        *((f"no array `rate`: {RATE} Hz are assumed",) if "rate" not in arrays else ()),
        *group_notes(group, arrays, True),
        *((f"arrays not used: {', '.join(unused)}",) if unused else ()),
    ]
    groups = arrays[group] if group else None
    return _raw(where, clips, labels, classes, groups, rate, seconds, notes)


def _raw(
    where: str,
    clips: list[Array],
    labels: Array,
    classes: tuple[str, ...] | None,
    groups: Array | None,
    rate: int,
    seconds: float,
    notes: list[str],
) -> Raw:
    """Apply the front end."""
    try:
        settings = front_end_for(rate, seconds)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
    longer = sum(len(clip) > settings.samples for clip in clips)
    if longer:
        notes = [
            *notes,
            f"{longer} of {len(clips)} clips are longer than {settings.seconds:.3g} s; their middle is used",
        ]
    return Raw(
        name=where,
        images=log_mel(clips, settings),
        labels=labels,
        classes=classes,
        groups=groups,
        notes=tuple(notes),
        kind=CLIPS,
        front_end=settings,
    )


def _cut(pcm: Array, off: Array, where: str) -> list[Array]:
    """The clips, each an array of its own samples."""
    if pcm.ndim != 1 or pcm.dtype.kind not in "if":
        raise DataError(
            f"{where}: pcm: expected signed integers or floating-point numbers (samples,), got "
            f"{pcm.dtype}{pcm.shape}"
        )
    if off.ndim != 1 or off.dtype.kind not in "iu" or len(off) < 2:
        raise DataError(f"{where}: off: expected integers (clips + 1,), got {off.dtype}{off.shape}")
    places = off.astype(np.int64)
    wrong = np.flatnonzero(np.diff(places) <= 0)
    if len(wrong):
        raise DataError(
            f"{where}: off: expected places that rise, got {places[wrong[0]]} and then "
            f"{places[wrong[0] + 1]} at clip {wrong[0]}"
        )
    if places[0] < 0 or places[-1] > len(pcm):
        raise DataError(
            f"{where}: off: expected places from 0 to {len(pcm)}, the samples of pcm, got {places[0]} to "
            f"{places[-1]}"
        )
    if pcm.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(pcm))
        if len(bad):
            clip = int(np.searchsorted(places, bad[0], side="right")) - 1
            raise DataError(f"{where}: pcm: {len(bad)} samples are NaN or infinite, the first in clip {clip}")
    return [pcm[start:stop] for start, stop in pairwise(places.tolist())]


def _number(arrays: Mapping[str, Array], name: str, default: float, where: str) -> float:
    """The one positive number of an array, or the default if there is no such array."""
    if name not in arrays:
        return default
    array = arrays[name]
    if array.size != 1 or array.dtype.kind not in "iuf" or not 0 < float(array.reshape(-1)[0]) < np.inf:
        raise DataError(f"{where}: {name}: expected one positive number, got {array.dtype}{array.shape}")
    return float(array.reshape(-1)[0])


# --------------------------------------------------------------------------------------------- wav files


def _read_folder(path: Path) -> Raw:
    where = f"audio:{path}"
    classes = sorted(one.name for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
    files = [(file, label) for label, name in enumerate(classes) for file in _wavs(path / name)]
    empty = [name for label, name in enumerate(classes) if label not in {one for _, one in files}]
    if not classes or empty:
        found = f"{path / empty[0]} without one" if empty else "no sub-folders"
        raise DataError(f"{where}: expected one sub-folder a class with wav files, got {found}")
    rates: dict[int, Path] = {}
    clips = []
    for file, _ in files:
        rate, clip = read_wav(file)
        rates.setdefault(rate, file)
        clips.append(clip)
    if len(rates) > 1:
        (first, one), (second, other) = list(rates.items())[:2]
        raise DataError(
            f"{where}: expected one sampling rate, got {first} Hz in {one} and {second} Hz in {other}; "
            "resample the files"
        )
    groups, by = _groups_of([file.relative_to(path) for file, _ in files])
    known = {} if groups is None else {by: groups}
    return _raw(
        where,
        clips,
        np.array([label for _, label in files], dtype=np.int64),
        tuple(classes),
        groups,
        next(iter(rates)),
        SECONDS,
        list(group_notes(by if known else None, known, False))
        or ["one speaker may be on both sides of a split, which flatters; put files into a folder a speaker"],
    )


def _wavs(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() == ".wav" and file.is_file() and not file.name.startswith(".")
    ]


def _groups_of(files: list[Path]) -> tuple[Array | None, str]:
    """Groups by folder below the class, or by speaker as Speech Commands names its files; and which it is."""
    if all(len(file.parts) > 2 for file in files):
        return np.array([file.parts[1] for file in files]), "folder"
    if all(_MARK in file.name for file in files):
        return np.array([file.name.partition(_MARK)[0] for file in files]), "speaker"
    return None, ""


def read_wav(path: Path) -> tuple[int, Array]:
    """Read a wav file of 16 bits; channels are averaged.

    Returns:
        The rate in Hz, and ``(samples,)`` int16.

    Raises:
        DataError: if it is no such file, or empty.
    """
    remedy = "convert it to 16-bit PCM"
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(f"{path}: cannot be read as a wav file ({error}); {remedy}") from error
    if width != 2:
        raise DataError(f"{path}: expected 16 bits a sample, got {8 * width}; {remedy}")
    samples = np.frombuffer(content[: len(content) // (2 * channels) * 2 * channels], dtype="<i2")
    if not len(samples):
        raise DataError(f"{path}: expected sound, got no samples; remove the file")
    mixed = samples.reshape(-1, channels).mean(axis=1) if channels > 1 else samples
    return rate, np.rint(mixed).astype(np.int16)
