from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from netwright.errors import DataError
from netwright.nn.folder import LONGEST_SIDE, read_folder

RNG = np.random.default_rng(0)


def picture(path: Path, height: int = 6, width: int = 8, channels: int = 3) -> npt.NDArray[Any]:
    shape = (height, width, channels) if channels > 1 else (height, width)
    pixels = RNG.integers(0, 256, shape, dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def test_one_subfolder_a_class(tmp_path: Path) -> None:
    first = picture(tmp_path / "cat" / "1.png")
    second = picture(tmp_path / "ape" / "deeper" / "1.PNG")
    picture(tmp_path / "ape" / ".hidden.png")
    (tmp_path / "ape" / "readme.txt").write_text("no picture")
    picture(tmp_path / ".hidden" / "1.png")
    raw = read_folder(tmp_path)
    assert raw.classes == ("ape", "cat")
    assert raw.labels.tolist() == [0, 1]
    assert raw.images.dtype == np.uint8
    assert (raw.images[0] == second.transpose(2, 0, 1)).all()
    assert (raw.images[1] == first.transpose(2, 0, 1)).all()
    assert raw.test_images is None
    assert raw.notes == ("1 files without a picture's suffix were skipped",)


def test_train_and_test(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "a" / "1.png", channels=1)
    picture(tmp_path / "train" / "b" / "1.png", channels=1)
    grey = picture(tmp_path / "test" / "b" / "1.png", channels=1)
    raw = read_folder(tmp_path)
    assert raw.images.shape == (2, 1, 6, 8)
    assert raw.test_images is not None
    assert raw.test_labels is not None
    assert raw.test_labels.tolist() == [1]
    assert (raw.test_images[0, 0] == grey).all()
    picture(tmp_path / "test" / "c" / "1.png", channels=1)
    with pytest.raises(DataError, match=r"c: expected one of the classes of train \('a', 'b'\)"):
        read_folder(tmp_path)


def test_one_colour_picture_makes_all_colour(tmp_path: Path) -> None:
    grey = picture(tmp_path / "a" / "1.png", channels=1)
    picture(tmp_path / "b" / "1.png", channels=3)
    raw = read_folder(tmp_path)
    assert raw.images.shape == (2, 3, 6, 8)
    assert (raw.images[0] == grey).all()


def test_sizes_follow_the_most_common(tmp_path: Path) -> None:
    for number, (height, width) in enumerate([(6, 8), (6, 8), (12, 16), (5, 5)]):
        picture(tmp_path / "ab"[number % 2] / f"{number}.png", height, width)
    raw = read_folder(tmp_path)
    assert raw.images.shape == (4, 3, 6, 8)
    assert raw.notes == ("2 of 4 pictures were resized to the most common size, 8x6 (width x height) pixels",)


def test_large_pictures_are_scaled_down(tmp_path: Path) -> None:
    picture(tmp_path / "a" / "1.png", 4 * LONGEST_SIDE, 2 * LONGEST_SIDE)
    picture(tmp_path / "b" / "1.png", 2 * LONGEST_SIDE, LONGEST_SIDE)
    raw = read_folder(tmp_path)
    assert raw.images.shape == (2, 3, LONGEST_SIDE, LONGEST_SIDE // 2)
    assert raw.notes == (f"2 of 2 pictures were scaled down to {LONGEST_SIDE} pixels",)


def test_modes_of_pillow(tmp_path: Path) -> None:
    grey = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a" / "16bit.png")
    Image.fromarray(grey).convert("LA").save(tmp_path / "b" / "alpha.png")
    raw = read_folder(tmp_path)
    assert raw.images.shape == (2, 1, 6, 8)
    assert (raw.images[:, 0] == grey).all()
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "b" / "float.tiff")
    with pytest.raises(DataError, match=r"float\.tiff: expected 8 or 16 bits a channel"):
        read_folder(tmp_path)


def test_orientation_is_applied(tmp_path: Path) -> None:
    upright = np.zeros((6, 8), np.uint8)
    upright[0, 0] = 255
    (tmp_path / "a").mkdir()
    lying = Image.fromarray(np.rot90(upright))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise when shown
    lying.save(tmp_path / "a" / "1.png", exif=exif)
    Image.fromarray(upright).save(tmp_path / "a" / "2.png")
    images = read_folder(tmp_path).images
    assert (images[0] == images[1]).all()


@pytest.mark.parametrize("content", [b"", b"no picture", None])
def test_unreadable_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    picture(tmp_path / "a" / "1.png", 40, 40)
    bad = tmp_path / "a" / "2.png"
    bad.write_bytes((tmp_path / "a" / "1.png").read_bytes()[:1500] if content is None else content)
    with pytest.raises(DataError, match=r"2\.png: cannot be read as a picture .* mend or remove"):
        read_folder(tmp_path)


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_folder(tmp_path / "none")
    with pytest.raises(DataError, match="expected one sub-folder a class, got none"):
        read_folder(tmp_path)
    picture(tmp_path / "train" / "a" / "1.png")
    picture(tmp_path / "val" / "a" / "1.png")
    with pytest.raises(DataError, match="sub-folders train, val, which do not look like classes"):
        read_folder(tmp_path)
    (tmp_path / "train" / "empty").mkdir()
    with pytest.raises(DataError, match="empty: expected pictures"):
        read_folder(tmp_path / "train")
