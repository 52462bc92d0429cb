from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from netwright.errors import DataError
from netwright.nn.data import load_data, open_test_set, split
from netwright.nn.kind import IMAGES as PICTURES
from netwright.nn.kind import WINDOWS
from netwright.nn.npz import read_npz

IMAGES = np.arange(4 * 8 * 6, dtype=np.uint8).reshape(4, 8, 6)
LABELS = np.array([0, 1, 0, 1])


def save(path: Path, **arrays: npt.ArrayLike) -> Path:
    file = path / "data.npz"
    np.savez(file, allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
    return file


def test_npz_without_parts(tmp_path: Path) -> None:
    raw = read_npz(save(tmp_path, x=IMAGES, y=LABELS, group=[5, 5, 6, 6], classes=["a", "b"], extra=[1]))
    assert raw.images.shape == (4, 1, 8, 6)
    assert (raw.images[:, 0] == IMAGES).all()
    assert raw.labels.tolist() == [0, 1, 0, 1]
    assert raw.test_images is None
    assert raw.classes == ("a", "b")
    assert raw.groups is not None
    assert raw.groups.tolist() == [5, 5, 6, 6]
    assert raw.notes == (
        "split by group: 2 in all, none on both sides of a split",
        "arrays not used: extra",
    )


def test_npz_with_parts(tmp_path: Path) -> None:
    raw = read_npz(
        save(
            tmp_path,
            x_train=IMAGES,
            y_train=LABELS,
            x_test=IMAGES[:2],
            y_test=LABELS[:2, None],
            group_train=LABELS,
            group_test=[8, 9],
        )
    )
    assert raw.test_images is not None
    assert raw.test_labels is not None
    assert raw.test_images.shape == (2, 1, 8, 6)
    assert raw.test_labels.tolist() == [0, 1]
    assert raw.test_groups is not None
    assert raw.notes == ("split by group_train: 2 in all, none on both sides of a split",)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": IMAGES}, r"expected either x and y or x_train and y_train, got a uint8\(4, 8, 6\)"),
        ({"x": IMAGES}, "expected either x and y"),
        ({"x": IMAGES, "y": LABELS, "x_train": IMAGES, "y_train": LABELS}, "got both"),
        ({"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES}, "x_test and y_test together"),
        ({"x": IMAGES, "y": np.eye(4)}, r"y: expected labels .* got float64\(4, 4\); turn one-hot"),
        ({"x": IMAGES, "y": LABELS * 0.5}, r"y: expected labels .* got float64\(4,\)"),
        ({"x": IMAGES.astype(complex), "y": LABELS}, "x: expected pixels .* complex128"),
        ({"x": IMAGES, "y": LABELS, "layout": 3}, "layout: expected one word .NHW"),
    ],
)
def test_wrong_archives_are_explained(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    file = save(tmp_path, **arrays)
    with pytest.raises(DataError, match=message) as raised:
        read_npz(file)
    assert str(file) in str(raised.value)


def test_parts_of_different_kind_are_refused(tmp_path: Path) -> None:
    file = save(tmp_path, x_train=IMAGES, y_train=LABELS, x_test=IMAGES / 255, y_test=LABELS)
    with pytest.raises(DataError, match="x_train is uint8, but x_test is float64"):
        read_npz(file)


def test_unreadable_archives(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_npz(tmp_path / "none.npz")
    text = tmp_path / "text.npz"
    text.write_text("hello")
    with pytest.raises(DataError, match="cannot read it"):
        read_npz(text)
    single = tmp_path / "single.npz"
    with single.open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(DataError, match="got a single array"):
        read_npz(single)
    whole = save(tmp_path, x=IMAGES, y=LABELS)
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(DataError, match="cannot read it"):
        read_npz(whole)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, x=IMAGES, y=np.array([{}, {}, {}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="plain arrays"):
        read_npz(pickled)


# -- windows of sensors


def windows(rows: int = 120, subjects: int = 6, samples: int = 40, channels: int = 3) -> dict[str, Any]:
    """Windows whose channel c of row r is a ramp from 100 r + 10 c on."""
    ramp = np.linspace(0, 1, samples)[None, :, None]
    start = 100.0 * np.arange(rows)[:, None, None] + 10.0 * np.arange(channels)
    return {
        "x": (start + ramp).astype(np.float32),
        "y": np.arange(rows) % 2,
        "subject": np.repeat(np.arange(subjects), rows // subjects) + 5,
    }


def test_windows_become_maps_of_height_1(tmp_path: Path) -> None:
    arrays = windows()
    raw = read_npz(save(tmp_path, **arrays))
    assert raw.images.shape == (120, 3, 1, 40)
    assert (raw.images[:, :, 0] == arrays["x"].transpose(0, 2, 1)).all()
    assert raw.groups is not None
    assert raw.groups.tolist() == arrays["subject"].tolist()
    assert raw.notes == (
        "windows of 40 samples of 3 channels, told by the shape (NTC); an array `layout` says otherwise",
        "split by subject: 6 in all, none on both sides of a split",
    )


def test_windows_with_the_channels_first_are_the_same(tmp_path: Path) -> None:
    arrays = windows()
    first = read_npz(save(tmp_path, **arrays))
    turned = arrays["x"].transpose(0, 2, 1)
    told = read_npz(save(tmp_path, **{**arrays, "x": turned}))
    said = read_npz(save(tmp_path, **{**arrays, "x": turned, "layout": "NCT"}))
    assert (told.images == first.images).all()
    assert (said.images == first.images).all()
    assert "(NCT)" in told.notes[0]
    assert said.notes == ("split by subject: 6 in all, none on both sides of a split",)


def test_more_channels_than_samples_are_read_by_the_layout(tmp_path: Path) -> None:
    raw = read_npz(save(tmp_path, x=np.zeros((4, 5, 60), np.float32), y=LABELS, layout="NTC"))
    assert raw.images.shape == (4, 60, 1, 5)


def test_no_person_is_in_two_parts(tmp_path: Path) -> None:
    arrays = windows()
    data = load_data(f"npz:{save(tmp_path, **arrays)}")
    assert data.kind is WINDOWS
    assert data.augmentation == "none"
    rows = split(data, 0.2, seed=0)
    test, _ = open_test_set(data)
    # Row r begins at 100 r in channel 0, so that each row tells whose it is.
    people = {
        name: set(arrays["subject"][np.rint(part[:, 0, 0, 0] / 100).astype(int)].tolist())
        for name, part in (
            ("train", data.images[rows.train_indices]),
            ("validation", data.images[rows.validation_indices]),
            ("test", test),
        )
    }
    assert set.union(*people.values()) == set(range(5, 11))
    assert sum(len(one) for one in people.values()) == 6


def test_windows_without_groups_say_so(tmp_path: Path) -> None:
    arrays = windows()
    del arrays["subject"]
    notes = read_npz(save(tmp_path, **arrays)).notes
    assert "no array of groups" in notes[1]
    assert "subject" in notes[1]


def test_grey_images_stay_images(tmp_path: Path) -> None:
    data = load_data(f"npz:{save(tmp_path, x=np.zeros((40, 9, 8), np.float32), y=np.arange(40) % 2)}")
    assert data.kind is PICTURES
    assert data.shape == (1, 9, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speaker": np.zeros(120)}, "one array of groups to split by, got subject and speaker"),
        ({"subject": np.zeros(120, int)}, "all rows are of one group.*add rows of others"),
        ({"subject": np.zeros(119, int)}, r"groups: expected one integer or word for each of 120 .*\(119,\)"),
        ({"y": np.arange(119) % 2}, "one label a window, got 120 windows and 119 labels"),
        ({"x": np.full((120, 40, 3), np.nan)}, "120 windows have NaN or infinite samples"),
        ({"x": np.zeros((120, 20, 8))}, r"x: cannot tell whether float64\(120, 20, 8\) are grey images"),
        ({"x": np.zeros((120, 40))}, r"x: cannot tell what rows of shape \(120, 40\) are.*word NT"),
        ({"x": np.array([["a"] * 40] * 3 * 120).reshape(120, 40, 3), "layout": "NTC"}, "expected pixels"),
    ],
)
def test_wrong_windows_are_explained(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    file = save(tmp_path, **{**windows(), **changes})
    with pytest.raises(DataError, match=message) as raised:
        load_data(f"npz:{file}")
    assert str(file) in str(raised.value)


def test_a_group_array_goes_before_others(tmp_path: Path) -> None:
    raw = read_npz(save(tmp_path, **windows(), group=np.arange(120) % 4))
    assert raw.groups is not None
    assert raw.groups.tolist() == (np.arange(120) % 4).tolist()
    assert raw.notes[-1] == "arrays not used: subject"


def test_clips_are_sent_to_their_own_reader(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="for clips of sound use audio:PATH"):
        read_npz(save(tmp_path, pcm=np.zeros(9, np.int16), off=np.array([0, 9])))


def test_hapt_is_split_by_its_30_people(shared_data: Path) -> None:
    file = shared_data / "datasets" / "hapt_windows_128x6.npz"
    data = load_data(f"npz:{file}")
    with np.load(file) as archive:
        x, y, subject = (archive[name] for name in ("x", "y", "subject"))
    assert data.shape == (6, 1, 128)
    assert len(data.labels) + data.test_size == 10_017
    assert data.groups is not None
    test, labels = open_test_set(data)
    # Each test window is one of the archive's, of a person that no training row is of.
    place = {row.tobytes(): index for index, row in enumerate(x.astype(np.float32).transpose(0, 2, 1))}
    found = [place[row[:, 0].tobytes()] for row in test]
    people = set(subject[found].tolist())
    assert (y[found] == labels).all()
    assert len(people) + len(set(data.groups.tolist())) == len(set(subject.tolist())) == 30
    rows = split(data, 0.2, seed=0)
    assert not set(data.groups[rows.train_indices]) & set(data.groups[rows.validation_indices])
