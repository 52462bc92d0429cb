"""The card of networks for windows of sensors and for sound."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.export.card import Accuracy, Card, DataFacts, model_card, write_card
from netwright.nn.audio import LogMel, log_mel
from netwright.nn.kind import CLIPS, WINDOWS

SETTINGS = LogMel(frames=30)


@pytest.fixture
def windows() -> Card:
    data = DataFacts(
        name="npz:steps.npz",
        fingerprint="ab" * 32,
        classes=("walk", "sit"),
        input_shape=(2, 1, 128),
        channel_order="2 channels in the order of the data",
        mean=(0.5, -1.0),
        std=(1.0, 2.0),
        pixel_range=(-3.5, 4.25),
        train=1000,
        validation=200,
        test=360,
        kind=WINDOWS,
    )
    return Card("conv1d-tiny for steps", data, {"macs": 1000}, Accuracy(0.98, 0.975), seed=1)


@pytest.fixture
def clips(windows: Card) -> Card:
    data = replace(
        windows.data,
        input_shape=(1, SETTINGS.bands, SETTINGS.frames),
        mean=(-4.0,),
        std=(3.0,),
        kind=CLIPS,
        front_end=SETTINGS.to_dict(),
    )
    return replace(windows, data=data)


def test_the_card_speaks_of_windows(windows: Card) -> None:
    text = model_card(windows)
    for line in (
        "A classifier of sensor windows for 2 classes at 128 samples, 2 channels, made by netwright.",
        "# Your windows: batch, channels, 1, samples.",
        "samples = np.zeros((1, 2, 1, 128))",
        "| samples before normalisation | -3.5 to 4.25 |",
        "| windows of another size | not taken: cut or resample them to 128 samples |",
        "| normalisation | (sample - mean) / std, channel by channel |",
        "| windows | accuracy | note |",
        "95 % interval for 360 windows",
        "| trained on | 1000 windows |",
    ):
        assert line in text
    assert "image" not in text
    assert "pixel" not in text
    assert "Front end" not in text


def test_the_card_speaks_of_clips_and_tells_the_front_end(clips: Card) -> None:
    text = model_card(clips)
    assert "A classifier of sound for 2 classes at 40 x 30 bands by frames" in text
    assert f"Take the middle {SETTINGS.samples} samples" in text
    for name, value in SETTINGS.to_dict().items():
        assert f"| {name} | {value} |" in text
    assert "image" not in text
    assert "pixel" not in text


def test_the_facts_rebuild_the_front_end(clips: Card, tmp_path: Path) -> None:
    write_card(tmp_path, clips)
    facts = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert facts["data"]["kind"] == "audio"
    assert LogMel(**facts["data"]["front_end"]) == SETTINGS


def test_the_code_of_the_front_end_runs(clips: Card) -> None:
    code = next(
        one for one in re.findall(r"```python\n(.*?)```", model_card(clips), re.DOTALL) if "log_mel" in one
    )
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["values"].shape == (1, 1, 40, 30)


def test_the_steps_of_the_card_are_what_the_front_end_does(clips: Card) -> None:
    """The words of the card, followed with numpy alone."""
    facts = dict(clips.data.front_end or {})
    window, hop, n_fft, rate = (int(facts[name]) for name in ("window", "hop", "n_fft", "rate"))
    bands, frames = int(facts["bands"]), int(facts["frames"])
    clip = np.random.default_rng(0).normal(size=9000)
    length = (frames - 1) * hop + window
    start = (len(clip) - length) // 2
    x = clip[start : start + length]
    x = x / np.abs(x).max()
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    first, last = (2595 * np.log10(1 + facts[end] / 700) for end in ("low", "high"))
    points = 700 * (10 ** (np.linspace(first, last, bands + 2) / 2595) - 1)
    bins = np.arange(n_fft // 2 + 1) * rate / n_fft
    weights = np.array([np.interp(bins, points[m : m + 3], [0, 1, 0], 0, 0) for m in range(bands)])
    values = np.empty((bands, frames))
    for t in range(frames):
        spectrum = np.fft.rfft(x[t * hop : t * hop + window] * hann, n_fft)
        values[:, t] = np.log(np.maximum(weights @ (2 * np.abs(spectrum) / hann.sum()) ** 2, facts["floor"]))
    np.testing.assert_allclose(log_mel([clip], SETTINGS)[0, 0], values, atol=2e-3)
