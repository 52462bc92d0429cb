"""The front end for sound: from samples to the logarithm of the power in mel bands, in torch alone.

Its settings are a value that is exported with a network, so that a device can do the same: everything is in
``LogMel`` and in the formulas of the functions here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from netwright.errors import DataError

Array = npt.NDArray[Any]

SECONDS = 1.0
"""Length of a clip where it is not said."""

_QUIET = 1e-4
"""Peak below which a clip is silence, which is not made louder without end."""
_CHUNK = 256  # clips at a time, so that the peak memory is the result's


@dataclass(frozen=True, slots=True)
class LogMel:
    """Settings of the front end; the defaults are for 8 kHz.

    Attributes:
        rate: samples a second, Hz.
        window: samples of the periodic Hann window.
        hop: samples from one frame to the next.
        n_fft: samples of the Fourier transform; the window is padded with zeros up to it.
        bands: triangular mel bands.
        low: lower end of the lowest band, Hz.
        high: upper end of the highest band, Hz.
        floor: least power of a band, where a sine of the largest amplitude has 1: noise below it is not seen.
        frames: frames of a clip.

    Raises:
        DataError: if a setting is out of range, or a band is so narrow that no bin of the transform is in it.
    """

    rate: int = 8000
    window: int = 256
    hop: int = 160
    n_fft: int = 256
    bands: int = 40
    low: float = 20.0
    high: float = 4000.0
    floor: float = 1e-4
    frames: int = 49

    def __post_init__(self) -> None:
        checks = (
            ("rate", self.rate >= 1000, "at least 1,000 Hz"),
            ("window", self.window >= 2, "at least 2 samples"),
            ("hop", self.hop >= 1, "at least 1 sample"),
            ("n_fft", self.n_fft >= self.window, f"at least the window, {self.window}"),
            ("bands", self.bands >= 1, "at least 1"),
            ("low", 0 <= self.low < self.high, f"from 0 to below high, {self.high:g} Hz"),
            ("high", self.high <= self.rate / 2, f"at most half the rate, {self.rate / 2:g} Hz"),
            ("floor", 0 < self.floor < 1, "a number between 0 and 1"),
            ("frames", self.frames >= 1, "at least 1"),
        )
        for name, fine, expected in checks:
            if not fine:
                raise DataError(f"log-mel: {name}: expected {expected}, got {getattr(self, name):g}")
        empty = np.flatnonzero((mel_bank(self) == 0).all(axis=1))
        if len(empty):
            raise DataError(
                f"log-mel: band {empty[0]} of {self.bands} has no bin of a transform of {self.n_fft} samples "
                "in it; use fewer bands or a larger n_fft"
            )

    @property
    def samples(self) -> int:
        """Samples that a clip is brought to: those that its frames look at."""
        return (self.frames - 1) * self.hop + self.window

    @property
    def seconds(self) -> float:
        """Length of a clip in seconds."""
        return self.samples / self.rate

    def to_dict(self) -> dict[str, int | float]:
        """The settings by name."""
        return asdict(self)


def front_end_for(rate: int, seconds: float = SECONDS) -> LogMel:
    """Choose a front end for a sampling rate: windows of 32 ms every 20 ms, 40 bands up to 8 kHz.

    Args:
        rate: samples a second, Hz.
        seconds: length of a clip.

    Raises:
        DataError: if the rate or the length is too small.

    >>> front_end_for(8000) == LogMel()
    True
    """
    window, hop = round(0.032 * rate), round(0.02 * rate)
    frames = int((seconds * rate - window) // hop) + 1 if hop else 0
    if frames < 1:
        raise DataError(f"log-mel: expected clips of more than 0.032 seconds, got {seconds:g} at {rate} Hz")
    n_fft = 1 << max(0, window - 1).bit_length()
    return LogMel(rate=rate, window=window, hop=hop, n_fft=n_fft, high=min(rate / 2, 8000.0), frames=frames)


def mel(hertz: float) -> float:
    """The mel of a frequency: 2595 log10(1 + f / 700) [O'Shaughnessy 1987].

    >>> round(mel(1000))
    1000
    """
    return 2595 * math.log10(1 + hertz / 700)


def mel_bank(settings: LogMel) -> Array:
    """Weights of the bins of the transform in each band.

    With bands + 2 points at equal distances in mel from ``low`` to ``high``, band m rises linearly in Hz from
    0 at point m to 1 at point m + 1 and falls to 0 at point m + 2.

    Returns:
        ``(bands, n_fft // 2 + 1)`` float64.
    """
    steps = np.linspace(mel(settings.low), mel(settings.high), settings.bands + 2)
    points = 700 * (10 ** (steps / 2595) - 1)
    left, centre, right = (points[k : k + settings.bands, np.newaxis] for k in range(3))
    bins = np.arange(settings.n_fft // 2 + 1) * (settings.rate / settings.n_fft)
    bank: Array = np.clip(
        np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)), 0, None
    )
    return bank


def power_spectrum(samples: Tensor, settings: LogMel) -> Tensor:
    """Power of each bin and frame, scaled so that a sine of amplitude 1 at a bin has the power 1.

    P = (2 |X| / sum of the window)², where X is the transform of ``window`` samples times the periodic Hann
    window; frame t begins at sample t * hop, without padding.

    Args:
        samples: ``(N, settings.samples)`` float.
        settings: window, hop and size of the transform.

    Returns:
        ``(N, n_fft // 2 + 1, frames)``.
    """
    window = torch.hann_window(settings.window, periodic=True, dtype=samples.dtype)
    frames = samples.unfold(-1, settings.window, settings.hop) * window
    spectrum: Tensor = torch.fft.rfft(frames, n=settings.n_fft)
    return (spectrum.abs() * (2 / window.sum())).square().transpose(1, 2)


def fitted(clip: Array, settings: LogMel) -> Array:
    """Bring a clip to its length and its peak to 1: the middle of a longer one, zeros around a shorter one.

    Args:
        clip: ``(samples,)`` integers or floating-point numbers of any scale.
        settings: whose length is wanted.

    Returns:
        ``(settings.samples,)`` float32; all below a peak of 1e-4 of the scale is left as quiet as it is.
    """
    scale = float(np.iinfo(clip.dtype).max) if clip.dtype.kind in "iu" else 1.0
    length = settings.samples
    skip = max(0, len(clip) - length) // 2
    part = clip[skip : skip + length].astype(np.float32) / scale
    peak = max(float(np.abs(part).max(initial=0.0)), _QUIET)
    result = np.zeros(length, dtype=np.float32)
    start = (length - len(part)) // 2
    result[start : start + len(part)] = part / peak
    return result


def log_mel(clips: Sequence[Array], settings: LogMel) -> Array:
    """Turn clips into pictures: ln(max(bank @ power, floor)).

    Args:
        clips: each ``(samples,)`` at the rate of the settings, of any length, integers or floating-point
            numbers.
        settings: what to do.

    Returns:
        ``(N, 1, bands, frames)`` float32, the lowest band first.

    >>> log_mel([np.zeros(8000, dtype=np.int16)], LogMel()).shape
    (1, 1, 40, 49)
    """
    bank = torch.from_numpy(mel_bank(settings)).float()
    result = np.empty((len(clips), 1, settings.bands, settings.frames), dtype=np.float32)
    for start in range(0, len(clips), _CHUNK):
        part = np.stack([fitted(clip, settings) for clip in clips[start : start + _CHUNK]])
        power = bank @ power_spectrum(torch.from_numpy(part), settings)
        result[start : start + _CHUNK, 0] = power.clamp_min(settings.floor).log().numpy()
    return result
