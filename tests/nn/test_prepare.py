from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from netwright.errors import ConfigError, DataError
from netwright.nn.prepare import pick_device, prepare, statistics

RNG = np.random.default_rng(0)


def test_statistics_are_those_of_numpy() -> None:
    images = RNG.integers(0, 256, (2500, 3, 5, 4), dtype=np.uint8)
    measured = statistics(images)
    assert measured.mean == pytest.approx(images.mean(axis=(0, 2, 3)).tolist(), rel=1e-12)
    assert measured.std == pytest.approx(images.std(axis=(0, 2, 3)).tolist(), rel=1e-12)
    floats = (1e4 + RNG.normal(size=(10, 2, 5, 4))).astype(np.float32)
    exact = floats.astype(np.float64)
    assert statistics(floats).std == pytest.approx(exact.std(axis=(0, 2, 3)).tolist(), rel=1e-9)


def test_constant_channel_has_deviation_one() -> None:
    assert statistics(np.full((2, 1, 3, 3), 7, np.uint8)).std == (1.0,)
    with pytest.raises(DataError, match="expected images"):
        statistics(np.zeros((0, 1, 3, 3), np.uint8))


def test_prepared_images_are_normalised() -> None:
    images = RNG.integers(0, 256, (1500, 3, 5, 4), dtype=np.uint8)
    measured = statistics(images)
    tensor = prepare(images, (5, 4), measured.mean, measured.std)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (1500, 3, 5, 4)
    assert tensor.mean((0, 2, 3)).numpy() == pytest.approx(np.zeros(3), abs=1e-5)
    assert tensor.std((0, 2, 3)).numpy() == pytest.approx(np.ones(3), abs=1e-4)


@pytest.mark.parametrize("size", [(14, 14), (9, 20), (40, 32)])
def test_resizing_is_that_of_pillow(size: tuple[int, int]) -> None:
    images = RNG.normal(size=(3, 1, 28, 28)).astype(np.float32)
    found = prepare(images, size, [0.0], [1.0])
    for image, result in zip(images, found, strict=True):
        oracle = Image.fromarray(image[0]).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(result[0].numpy(), np.asarray(oracle), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("resolution", [8, 12])
def test_a_convolution_computes_in_channels_last(channels: int, resolution: int) -> None:
    images = RNG.integers(0, 256, (4, channels, 8, 8), dtype=np.uint8)
    tensor = prepare(images, resolution, [0.0] * channels, [1.0] * channels)
    assert tensor.stride() == (channels * resolution**2, 1, channels * resolution, channels)
    layer = nn.Conv2d(channels, 6, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    result = layer(tensor)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert not result.is_contiguous()


def test_shapes_that_do_not_fit() -> None:
    images = np.zeros((2, 3, 4, 4), np.uint8)
    with pytest.raises(DataError, match="1 means, 3 deviations, resolution 4"):
        prepare(images, 4, [0.0], [1.0] * 3)
    with pytest.raises(DataError, match="resolution 0"):
        prepare(images, 0, [0.0] * 3, [1.0] * 3)
    with pytest.raises(DataError, match=r"shape \(3, 4, 4\)"):
        prepare(images[0], 4, [0.0] * 3, [1.0] * 3)


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    there = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto").type == there
    with pytest.raises(ConfigError, match="expected auto, cpu, cuda or mps, got 'tpu'"):
        pick_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_missing_device_is_explained() -> None:
    with pytest.raises(ConfigError, match=r"cuda is not available to this torch .* available: .*cpu"):
        pick_device("cuda")
