from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from netwright.errors import DataError
from netwright.nn.audio import LogMel, log_mel
from netwright.nn.clips import read_audio, read_wav
from netwright.nn.data import load_data, open_test_set, split
from netwright.nn.kind import CLIPS

LENGTHS = [900, 8000, 3000, 12000] * 15


def tones(speakers: int = 5) -> dict[str, Any]:
    """60 clips: a low and a high tone in turns, by 5 speakers."""
    clips = [
        np.rint(9000 * np.sin(2 * np.pi * (300, 1500)[k % 2] * np.arange(length) / 8000)).astype(np.int16)
        for k, length in enumerate(LENGTHS)
    ]
    return {
        "pcm": np.concatenate(clips),
        "off": np.cumsum([0, *LENGTHS]),
        "y": np.arange(len(clips)) % 2,
        "speaker": np.array([f"s{k % speakers}" for k in range(len(clips))]),
    }


def save(path: Path, **arrays: npt.ArrayLike) -> Path:
    file = path / "clips.npz"
    np.savez(file, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
    return file


def write_wav(
    path: Path, samples: npt.NDArray[Any], rate: int = 8000, channels: int = 1, width: int = 2
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())


def test_clips_become_pictures(tmp_path: Path) -> None:
    arrays = tones()
    raw = read_audio(save(tmp_path, **arrays))
    assert raw.images.shape == (60, 1, 40, 49)
    for row in (0, 3):
        clip = arrays["pcm"][arrays["off"][row] : arrays["off"][row + 1]]
        np.testing.assert_allclose(raw.images[row], log_mel([clip], LogMel())[0], atol=1e-5)
    assert raw.kind is CLIPS
    assert raw.front_end == LogMel()
    assert raw.notes == (
        "no array `rate`: 8000 Hz are assumed",
        "split by speaker: 5 in all, none on both sides of a split",
        "30 of 60 clips are longer than 0.992 s; their middle is used",
    )


def test_an_archive_tells_rate_length_and_names(tmp_path: Path) -> None:
    arrays = {**tones(), "rate": 16000, "seconds": 0.5, "classes": ["low", "high"], "take": [1]}
    raw = read_audio(save(tmp_path, **arrays))
    assert raw.front_end is not None
    assert (raw.front_end.rate, raw.front_end.window) == (16000, 512)
    assert raw.front_end.seconds == pytest.approx(0.5, abs=0.02)
    assert raw.classes == ("low", "high")
    assert raw.notes[1] == "arrays not used: take"


def test_no_speaker_is_in_two_parts(tmp_path: Path) -> None:
    data = load_data(f"audio:{save(tmp_path, **tones())}")
    rows = split(data, 0.25, 0)
    assert data.augmentation == "spectrogram"
    assert data.groups is not None
    assert len(set(data.groups.tolist())) == 4
    assert not set(data.groups[rows.train_indices]) & set(data.groups[rows.validation_indices])
    assert data.test_size == 12


def test_the_rows_of_the_test_set_are_of_one_unseen_speaker(shared_data: Path) -> None:
    """FSDD: 3,000 digits, 500 a speaker, 50 of each digit."""
    file = shared_data / "datasets" / "fsdd_8khz.npz"
    data = load_data(f"audio:{file}")
    _, labels = open_test_set(data)
    assert data.shape == (1, 40, 49)
    assert (len(data.labels), data.test_size) == (2500, 500)
    assert np.bincount(labels).tolist() == [50] * 10
    assert data.groups is not None
    assert np.bincount(data.groups)[np.unique(data.groups)].tolist() == [500] * 5
    assert "arrays not used: take" in data.notes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"off": None}, r"expected pcm .*, off .* and y .*, got pcm int16"),
        ({"pcm": np.zeros((4, 9))}, r"pcm: expected signed integers .* got float64\(4, 9\)"),
        ({"pcm": np.zeros(9, np.uint8)}, r"pcm: expected signed integers"),
        ({"off": np.array([0.0, 9.0])}, "off: expected integers"),
        ({"off": np.array([0, 9, 9])}, "off: expected places that rise, got 9 and then 9 at clip 1"),
        ({"off": np.array([0, 10**9])}, "off: expected places from 0 to 358500"),
        ({"y": np.zeros(59, int)}, "one label a clip, got 60 clips and 59 labels"),
        ({"rate": "8 kHz"}, "rate: expected one positive number"),
        ({"rate": 0}, "rate: expected one positive number"),
        ({"rate": 100}, "rate: expected at least 1,000 Hz, got 100"),
        ({"seconds": 0.01}, "expected clips of more than"),
        ({"pcm": np.full(358_500, np.nan)}, "358500 samples are NaN or infinite, the first in clip 0"),
        ({"subject": np.arange(60)}, "one array of groups to split by, got subject and speaker"),
    ],
)
def test_wrong_archives_are_explained(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    arrays = {name: value for name, value in {**tones(), **changes}.items() if value is not None}
    file = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as raised:
        read_audio(file)
    assert str(file) in str(raised.value)


def test_missing_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"audio:.*none\.npz: the file does not exist"):
        read_audio(tmp_path / "none.npz")
    with pytest.raises(DataError, match="one sub-folder a class with wav files, got no sub-folders"):
        read_audio(tmp_path)


# -- folders


def fill(folder: Path, name: str = "{speaker}_nohash_{take}.wav", **settings: Any) -> None:
    for label, hertz in (("low", 300), ("high", 1500)):
        for speaker in "abcde":
            for take in range(6):
                tone = np.sin(2 * np.pi * hertz * np.arange(4000) / 8000)
                samples = np.rint(9000 * tone).astype("<i2")
                write_wav(folder / label / name.format(speaker=speaker, take=take), samples, **settings)


@pytest.mark.parametrize(
    ("name", "by"),
    [("{speaker}_nohash_{take}.wav", "speaker"), ("{speaker}/{take}.wav", "folder")],
)
def test_folders_are_split_by_speaker(tmp_path: Path, name: str, by: str) -> None:
    fill(tmp_path, name)
    raw = read_audio(tmp_path)
    assert raw.classes == ("high", "low")
    assert raw.images.shape == (60, 1, 40, 49)
    assert raw.groups is not None
    assert sorted(set(raw.groups.tolist())) == list("abcde")
    assert raw.notes == (f"split by {by}: 5 in all, none on both sides of a split",)
    data = load_data(f"audio:{tmp_path}")
    assert data.kind is CLIPS
    # The high tone is in higher bands.
    mean = [data.images[data.labels == label, 0].mean(axis=(0, 2)).argmax() for label in (0, 1)]
    assert mean[0] > mean[1]


def test_a_folder_without_speakers_says_so(tmp_path: Path) -> None:
    fill(tmp_path, "{speaker}{take}.wav")
    raw = read_audio(tmp_path)
    assert raw.groups is None
    assert "put files into a folder a speaker" in raw.notes[0]


def test_files_of_two_rates_are_refused(tmp_path: Path) -> None:
    fill(tmp_path)
    write_wav(tmp_path / "low" / "z_nohash_0.wav", np.zeros(4000, "<i2"), rate=16000)
    with pytest.raises(DataError, match=r"one sampling rate, got 8000 Hz in .* and 16000 Hz in .*z_nohash_0"):
        read_audio(tmp_path)


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "silence").mkdir()
    with pytest.raises(DataError, match=r"got .*silence without one"):
        read_audio(tmp_path)


def test_two_channels_are_averaged(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    write_wav(file, np.array([[10, 20], [-4, 0]], dtype="<i2"), channels=2, rate=11025)
    rate, samples = read_wav(file)
    assert (rate, samples.tolist()) == (11025, [15, -2])


def test_other_wav_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    write_wav(file, np.zeros(9, np.uint8), width=1)
    with pytest.raises(DataError, match=r"a\.wav: expected 16 bits a sample, got 8; convert"):
        read_wav(file)
    write_wav(file, np.zeros(0, "<i2"))
    with pytest.raises(DataError, match="got no samples"):
        read_wav(file)
    file.write_text("no sound")
    with pytest.raises(DataError, match="cannot be read as a wav file"):
        read_wav(file)
