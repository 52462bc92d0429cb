"""The main job on windows of sensors and on sound, split by subject and by speaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import netwright
from netwright.errors import SpaceError
from netwright.nn.audio import LogMel
from netwright.nn.data import load_data, open_test_set, split
from netwright.nn.prepare import prepare, statistics
from tests.pipeline.small import prepared

SETTINGS: dict[str, Any] = {"epochs": 2, "trials": 2, "top": 1, "workers": 2, "device": "nrf52840"}


def write_windows(path: Path) -> str:
    """Slow and fast swings in noise: 300 windows of 64 samples and 3 channels, of 6 people."""
    draws = np.random.default_rng(0)
    labels = np.arange(300) % 2
    time = np.arange(64)[None, :, None] / 64
    swing = np.sin(2 * np.pi * (2 + 5 * labels[:, None, None]) * time + draws.uniform(0, 6, (300, 1, 3)))
    x = swing + 0.3 * draws.normal(size=(300, 64, 3))
    np.savez(path, x=x.astype(np.float32), y=labels, subject=np.arange(300) // 50, classes=["slow", "fast"])
    return f"npz:{path}"


def write_tones(path: Path) -> str:
    """High and low tones in noise: 200 clips of 6 speakers."""
    draws = np.random.default_rng(0)
    lengths = draws.integers(2000, 5000, 200)
    labels = np.arange(200) % 2
    clips = [
        np.rint(
            6000 * np.sin(2 * np.pi * (400 + 1200 * label) * np.arange(length) / 8000)
            + 300 * draws.normal(size=length)
        )
        for label, length in zip(labels, lengths, strict=True)
    ]
    np.savez(
        path,
        pcm=np.concatenate(clips).astype(np.int16),
        off=np.cumsum([0, *lengths]),
        y=labels,
        speaker=np.arange(200) // 2 % 6,
        rate=8000,
        seconds=0.6,
    )
    return f"audio:{path}"


def test_each_kind_of_data_has_a_space(tmp_path: Path) -> None:
    windows = prepared(None, data=write_windows(tmp_path / "w.npz"), max_macs=None)
    assert windows.space.name == "conv1d-tiny"
    assert windows.recipe.augmentation == "none"
    clips = prepared(None, data=write_tones(tmp_path / "t.npz"), max_macs=None)
    assert clips.space.name == "spectrogram-tiny"
    assert clips.recipe.augmentation == "spectrogram"
    assert prepared(None, max_macs=None).space.name == "mobilenet-tiny"


def test_a_space_for_images_refuses_windows_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="mobilenet-tiny: expected square images"):
        prepared(None, data=write_windows(tmp_path / "w.npz"), space="mobilenet-tiny", max_macs=None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("write", "words"),
    [(write_windows, ("window", "windows", "audio")), (write_tones, ("clip", "clips", "windows"))],
    ids=["windows", "audio"],
)
def test_search_to_an_exported_network(
    tmp_path: Path, fresh_fork_server: None, write: Any, words: tuple[str, str, str]
) -> None:
    source, out = write(tmp_path / "data.npz"), tmp_path / "run"
    outcome = netwright.search(source, out, **SETTINGS)
    assert outcome.result is not None
    data = load_data(source)
    rows = split(data, 0.2, 0)
    scale = statistics(data.images[rows.train_indices])
    images, labels = open_test_set(data)
    inputs = prepare(images, data.shape[1:], scale.mean, scale.std).numpy()
    session = onnxruntime.InferenceSession(out / "export" / "model.onnx", providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"input": np.ascontiguousarray(inputs)})
    assert outcome.result["test_accuracy"] == pytest.approx(float((logits.argmax(1) == labels).mean()))
    assert outcome.result["fits"]
    assert outcome.result["data"]["kind"] == data.kind.name
    facts = json.loads((out / "export" / "card.json").read_text(encoding="utf-8"))
    assert facts["data"]["mean"] == list(scale.mean)
    assert (facts["data"]["front_end"] is None) == (words[0] == "window")
    if words[0] == "clip":
        assert LogMel(**facts["data"]["front_end"]) == data.front_end
    report = outcome.report.read_text(encoding="utf-8")
    assert f"95 % interval, {data.test_size:,} {words[1]}" in report
    assert f"{data.test_size:,} images" not in report
