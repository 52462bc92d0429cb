"""The front end against scipy, numpy's loops and closed formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import stft

from netwright.errors import DataError
from netwright.nn.audio import LogMel, fitted, front_end_for, log_mel, mel, mel_bank, power_spectrum

SETTINGS = [
    LogMel(),
    LogMel(rate=16000, window=400, hop=160, n_fft=512, bands=32, low=50, high=7600, frames=30),
    LogMel(window=200, n_fft=512, bands=20, high=3000, floor=1e-6, frames=1),
]


def noise(settings: LogMel) -> torch.Tensor:
    draws = np.random.default_rng(0).normal(size=(3, settings.samples))
    return torch.from_numpy(draws)


@pytest.mark.parametrize("settings", SETTINGS)
def test_power_is_scipys(settings: LogMel) -> None:
    samples = noise(settings)
    # scipy divides by the sum of the window already; the other half of a real sine's power is at -f.
    _, _, spectrum = stft(
        samples.numpy(),
        window="hann",  # periodic, as scipy makes it for spectra
        nperseg=settings.window,
        noverlap=settings.window - settings.hop,
        nfft=settings.n_fft,
        boundary=None,
        padded=False,
    )
    power = power_spectrum(samples, settings)
    assert power.shape == (3, settings.n_fft // 2 + 1, settings.frames)
    np.testing.assert_allclose(power.numpy(), (2 * np.abs(spectrum)) ** 2, rtol=1e-9)


@pytest.mark.parametrize("bin_number", [3, 40, 100])
def test_a_full_sine_has_the_power_1(bin_number: int) -> None:
    """Hann's window has half of its amplitude in the two bins beside, a quarter of the power."""
    settings = LogMel()
    time = np.arange(settings.samples)
    sine = np.sin(2 * np.pi * bin_number * time / settings.n_fft + 0.3)
    power = power_spectrum(torch.from_numpy(sine)[None], settings)[0].numpy()
    expected = np.zeros_like(power)
    expected[bin_number - 1 : bin_number + 2] = np.array([0.25, 1, 0.25])[:, None]
    np.testing.assert_allclose(power, expected, atol=1e-9)


@pytest.mark.parametrize(("hertz", "expected"), [(0, 0), (700, 781.17), (1000, 999.99), (6300, 2595)])
def test_mel(hertz: float, expected: float) -> None:
    """At 700 Hz 2595 log10(2); at 9 * 700 Hz 2595 log10(10)."""
    assert mel(hertz) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("settings", SETTINGS)
def test_bands_are_the_triangles_of_the_formula(settings: LogMel) -> None:
    """Each weight by the definition, one at a time."""
    first, last = mel(settings.low), mel(settings.high)
    points = [
        700 * math.expm1(math.log(10) * (first + (last - first) * k / (settings.bands + 1)) / 2595)
        for k in range(settings.bands + 2)
    ]
    bank = mel_bank(settings)
    assert bank.shape == (settings.bands, settings.n_fft // 2 + 1)
    for band in range(settings.bands):
        left, centre, right = points[band : band + 3]
        for number in range(settings.n_fft // 2 + 1):
            hertz = number * settings.rate / settings.n_fft
            inside = 0.0
            if left < hertz <= centre:
                inside = (hertz - left) / (centre - left)
            elif centre < hertz < right:
                inside = (right - hertz) / (right - centre)
            assert bank[band, number] == pytest.approx(inside, abs=1e-9)


def test_neighbouring_bands_share_what_is_between_their_centres() -> None:
    settings = LogMel()
    bank = mel_bank(settings)
    hertz = np.arange(bank.shape[1]) * settings.rate / settings.n_fft
    steps = np.linspace(mel(settings.low), mel(settings.high), settings.bands + 2)
    points = 700 * (10 ** (steps / 2595) - 1)
    inside = (hertz >= points[1]) & (hertz <= points[-2])
    np.testing.assert_allclose(bank.sum(axis=0)[inside], 1)


def test_log_mel_is_the_formula_put_together() -> None:
    settings = LogMel()
    clip = np.random.default_rng(1).integers(-9000, 9000, 8000).astype(np.int16)
    ready = torch.from_numpy(fitted(clip, settings)).double()[None]
    power = mel_bank(settings) @ power_spectrum(ready, settings)[0].numpy()
    found = log_mel([clip], settings)
    assert found.shape == (1, 1, 40, 49)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0, 0], np.log(np.maximum(power, settings.floor)), atol=1e-4)
    assert found.min() >= math.log(settings.floor) - 1e-6


def test_many_clips_are_as_each_alone() -> None:
    draws = np.random.default_rng(2)
    clips = [draws.normal(size=int(draws.integers(1000, 12000))).astype(np.float32) for _ in range(300)]
    together = log_mel(clips, LogMel())
    for row in (0, 255, 256, 299):
        np.testing.assert_allclose(together[row], log_mel([clips[row]], LogMel())[0], atol=1e-5)


def test_clips_are_cut_filled_and_brought_to_one_peak() -> None:
    settings = LogMel(window=4, hop=2, n_fft=4, bands=1, frames=3)  # 8 samples
    assert fitted(np.array([0.25, -0.5]), settings).tolist() == [0, 0, 0, 0.5, -1, 0, 0, 0]
    assert fitted(np.arange(12, dtype=np.int16), settings).tolist() == pytest.approx(
        [k / 9 for k in range(2, 10)]
    )
    quiet = fitted(np.full(8, 1e-6), settings)
    assert quiet.tolist() == pytest.approx([0.01] * 8)
    assert fitted(np.zeros(3, dtype=np.int16), settings).tolist() == [0] * 8


def test_loudness_does_not_matter() -> None:
    clip = np.random.default_rng(3).integers(-900, 900, 5000).astype(np.int16)
    np.testing.assert_allclose(log_mel([clip], LogMel()), log_mel([clip * 30], LogMel()), atol=1e-3)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_the_front_end_fits_the_rate(rate: int) -> None:
    settings = front_end_for(rate)
    assert settings.window == pytest.approx(0.032 * rate, abs=0.5)
    assert settings.n_fft & (settings.n_fft - 1) == 0
    assert settings.seconds == pytest.approx(1, abs=0.021)
    assert settings.high == min(rate / 2, 8000)
    assert LogMel(**settings.to_dict()) == settings  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_fft": 128}, "n_fft: expected at least the window, 256, got 128"),
        ({"high": 5000.0}, "high: expected at most half the rate, 4000 Hz, got 5000"),
        ({"low": 4000.0}, "low: expected from 0 to below high"),
        ({"floor": 0.0}, "floor: expected a number between 0 and 1"),
        ({"bands": 150}, "has no bin of a transform of 256 samples"),
        ({"frames": 0}, "frames: expected at least 1"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=f"^log-mel: .*{message}"):
        LogMel(**changes)  # type: ignore[arg-type]


def test_too_short_clips_are_refused() -> None:
    with pytest.raises(DataError, match=r"expected clips of more than 0\.032 seconds, got 0\.01"):
        front_end_for(8000, 0.01)
