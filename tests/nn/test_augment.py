from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from netwright.errors import ConfigError
from netwright.nn.augment import AUGMENTATIONS, Augmentation, augment, augment_labelled, find_augmentation


def batch(count: int, channels: int = 1, height: int = 12, width: int = 12) -> Tensor:
    """Images of distinct numbers above 0, so that a pixel tells where it came from."""
    size = count * height * width * channels
    return torch.arange(1.0, size + 1).reshape(count, height, width, channels).permute(0, 3, 1, 2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def crops(image: Tensor, most_rows: int, most_columns: int) -> list[npt.NDArray[Any]]:
    """All that padding with the border and cropping can make of ``(C, H, W)``, by numpy."""
    _, height, width = image.shape
    pads = ((0, 0), (most_rows, most_rows), (most_columns, most_columns))
    padded = np.pad(image.numpy(), pads, mode="edge")
    return [
        padded[:, row : row + height, column : column + width]
        for row in range(2 * most_rows + 1)
        for column in range(2 * most_columns + 1)
    ]


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 24, 12)])
def test_shift_is_padding_and_cropping(channels: int, height: int, width: int) -> None:
    images = batch(300, channels, height, width)
    rows, columns = (1, 1) if height == 8 else (2, 1)
    shifted = augment(images, find_augmentation("shift"), seeded())
    seen = set()
    for image, result in zip(images, shifted, strict=True):
        matches = [
            number
            for number, crop in enumerate(crops(image, rows, columns))
            if np.array_equal(crop, result.numpy())
        ]
        assert len(matches) == 1
        seen.update(matches)
    assert len(seen) == (2 * rows + 1) * (2 * columns + 1)


def test_flip_mirrors_about_half() -> None:
    images = batch(400)
    flipped = augment(images, Augmentation("flip", flip=True), seeded())
    mirrored = [bool((result == image.flip(2)).all()) for image, result in zip(images, flipped, strict=True)]
    same = [bool((result == image).all()) for image, result in zip(images, flipped, strict=True)]
    assert all(one != other for one, other in zip(mirrored, same, strict=True))
    assert 150 < sum(mirrored) < 250


def test_cutout_blots_one_square() -> None:
    images = batch(500)
    blotted = augment(images, Augmentation("cutout", cutout=1 / 4), seeded()) == 0
    areas = set()
    for hidden in blotted[:, 0]:
        rows, columns = hidden.any(1), hidden.any(0)
        assert (hidden == rows[:, None] & columns[None, :]).all()
        for line in (rows, columns):
            places = line.nonzero()
            assert int(places.max() - places.min()) + 1 == len(places) <= 3
        areas.add(int(hidden.sum()))
    assert max(areas) == 9
    assert min(areas) < 9  # the square sticks out at the borders
    assert blotted.any(0).all()  # every pixel is hidden in some image


def test_none_changes_nothing() -> None:
    images = batch(5)
    assert torch.equal(augment(images, find_augmentation("none"), seeded()), images)


@given(
    name=st.sampled_from(sorted(AUGMENTATIONS)),
    channels=st.integers(1, 3),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 100),
)
def test_every_augmentation_keeps_the_batch_and_its_layout(
    name: str, channels: int, height: int, width: int, seed: int
) -> None:
    images = batch(4, channels, height, width)
    before = images.clone()
    result = augment(images, AUGMENTATIONS[name], seeded(seed))
    assert torch.equal(images, before)
    assert result.shape == images.shape
    assert result.dtype == images.dtype
    assert result.stride() == (channels * height * width, 1, width * channels, channels)
    again = augment(images, AUGMENTATIONS[name], seeded(seed))
    assert torch.equal(result, again)
    own = [set(image.flatten().tolist()) | {0.0} for image in images]
    assert all(set(one.flatten().tolist()) <= allowed for one, allowed in zip(result, own, strict=True))


def test_channels_stay_together() -> None:
    images = batch(50, channels=3)
    images[:, 1] = images[:, 0] + 0.25
    images[:, 2] = images[:, 0] + 0.5
    result = augment(images, find_augmentation("shift-flip-cutout"), seeded())
    hidden = result[:, 0] == 0
    assert (result[:, 1][~hidden] == result[:, 0][~hidden] + 0.25).all()
    assert (result[:, 1:][hidden[:, None].expand(-1, 2, -1, -1)] == 0).all()


def test_seeds_differ() -> None:
    images = batch(20)
    shift = find_augmentation("shift")
    assert not torch.equal(augment(images, shift, seeded(0)), augment(images, shift, seeded(1)))


def test_digits_must_not_be_mirrored_by_default() -> None:
    assert not find_augmentation("shift").flip
    with pytest.raises(ConfigError, match=r"expected one of none, flip, shift, .* got 'mixup'"):
        find_augmentation("mixup")


# -- labels of pixels


def labelled(count: int, height: int = 12, width: int = 12) -> tuple[Tensor, Tensor]:
    """Images whose pixels are their own labels."""
    images = batch(count, 1, height, width)
    return images, images[:, 0].long()


@pytest.mark.parametrize(
    "name", [name for name, one in AUGMENTATIONS.items() if not one.cutout and not any(one.mask)]
)
def test_labels_move_with_their_images(name: str) -> None:
    images, labels = labelled(200)
    moved, moved_labels = augment_labelled(images, labels, find_augmentation(name), seeded())
    assert torch.equal(moved[:, 0].long(), moved_labels)
    assert moved_labels.dtype == labels.dtype
    assert name == "none" or not torch.equal(moved_labels, labels)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_are_the_same_with_and_without_labels(name: str) -> None:
    images, labels = labelled(50)
    for one in (labels, labels[:, 0, 0]):
        found, kept = augment_labelled(images, one, find_augmentation(name), seeded())
        assert torch.equal(found, augment(images, find_augmentation(name), seeded()))
        assert one.ndim == 3 or torch.equal(kept, one)


def test_cutout_hides_pixels_and_leaves_their_labels() -> None:
    images, labels = labelled(50)
    hidden, kept = augment_labelled(images, labels, Augmentation("cutout", cutout=0.5), seeded())
    assert torch.equal(kept, labels)
    assert (hidden == 0).any()


def test_labels_of_half_the_size_move_by_half_as_many_pixels() -> None:
    """Shifts of an even number of pixels, which both can follow exactly, and flips."""
    images, _ = labelled(400, 24, 24)
    labels = images[:, 0, ::2, ::2].long()
    both = Augmentation("both", shift=1 / 12, flip=True)
    moved, moved_labels = augment_labelled(images, labels, both, seeded())
    mirrored = images.flip(3), labels.flip(2)
    seen = 0
    for index in range(len(images)):
        for image, small in ((images[index, 0], labels[index]), (mirrored[0][index, 0], mirrored[1][index])):
            for row in (-2, 0, 2):
                for column in (-2, 0, 2):
                    if np.array_equal(rolled(image, row, column), moved[index, 0].numpy()):
                        expected = rolled(small, row // 2, column // 2)
                        assert np.array_equal(expected, moved_labels[index].numpy())
                        seen += 1
    assert seen > 100


def rolled(image: Tensor, rows: int, columns: int) -> npt.NDArray[Any]:
    """An image shifted with its border repeated, by numpy."""
    height, width = image.shape
    padded = np.pad(image.numpy(), ((2, 2), (2, 2)), mode="edge")
    return padded[2 + rows : 2 + rows + height, 2 + columns : 2 + columns + width]


def test_masks_blot_out_one_stripe_of_rows_and_one_of_columns() -> None:
    images = batch(400, height=20, width=30)
    masked = augment(images, Augmentation("mask", mask=(0.2, 0.1)), seeded())
    lengths = set()
    for image, result in zip(images, masked, strict=True):
        hidden = (result[0] == 0).numpy()
        rows, columns = hidden.all(axis=1), hidden.all(axis=0)
        assert np.array_equal(hidden, rows[:, None] | columns[None, :])
        assert (result[0].numpy()[~hidden] == image[0].numpy()[~hidden]).all()
        for stripe in (rows, columns):
            assert np.abs(np.diff(stripe.astype(int), prepend=0, append=0)).sum() in (0, 2)  # in one piece
        lengths.add((int(rows.sum()), int(columns.sum())))
    assert lengths == {(rows, columns) for rows in range(5) for columns in range(4)}


def test_a_spectrogram_moves_less_in_its_bands_than_in_its_frames() -> None:
    images = batch(500, height=40, width=48)
    moved = augment(images, Augmentation("slide", shift=1 / 12, rise=1 / 20), seeded())
    seen = set()
    for image, result in zip(images, moved, strict=True):
        where = torch.nonzero(image[0] == result[0, 20, 24])[0]
        seen.add((int(where[0]) - 20, int(where[1]) - 24))
    assert {row for row, _ in seen} == set(range(-2, 3))
    assert {column for _, column in seen} == set(range(-4, 5))


def test_masks_change_no_draw_of_other_augmentations() -> None:
    """Five numbers an image without masks, as ever: results of earlier versions stay."""
    generator, again = seeded(), seeded()
    augment(batch(7), find_augmentation("shift-flip-cutout"), generator)
    torch.rand(5, 7, 1, generator=again)
    assert torch.equal(generator.get_state(), again.get_state())
