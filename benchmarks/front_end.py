"""What the front end for sound and its augmentation are worth for speakers that were never heard.

    python benchmarks/front_end.py audio.npz

The archive is one of ``audio:PATH`` with six speakers. One network of five convolutions, 12 epochs on four
speakers; the accuracy on the two others, who are tested one by one, is averaged over three splits.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from netwright import blocks as B
from netwright.ir.graph import Graph, GraphBuilder
from netwright.nn.audio import LogMel, log_mel, mel_bank, power_spectrum
from netwright.nn.lower import build
from netwright.nn.prepare import prepare, statistics
from netwright.nn.recipe import Recipe
from netwright.nn.train import evaluate, train

Array = npt.NDArray[Any]

VARIANTS = (
    # as it is recorded?, floor, augmentation
    (True, 1e-6, "none"),
    (False, 1e-6, "none"),
    (False, 1e-4, "none"),
    (False, 1e-4, "spectrogram"),
)


def network(settings: LogMel) -> Graph:
    """Five 3x3 convolutions of 16 to 64 channels."""
    builder = GraphBuilder()
    x = builder.input((1, settings.bands, settings.frames))
    for number, (out, stride) in enumerate(((16, 2), (24, 2), (32, 1), (48, 2), (64, 1))):
        with builder.scope(str(number)):
            x = B.conv_bn_act(out=out, stride=stride, activation="relu6")(builder, x)
    return builder.finish(B.classifier(classes=10)(builder, x))


def as_recorded(clips: list[Array], settings: LogMel) -> Array:
    """``log_mel`` without bringing clips to one peak, each at the beginning of its picture."""
    length = settings.samples
    rows = np.stack([np.pad(clip[:length], (0, max(0, length - len(clip)))) for clip in clips])
    power = power_spectrum(torch.from_numpy(rows.astype(np.float32) / 32767), settings)
    bands = torch.from_numpy(mel_bank(settings)).float() @ power
    return bands.clamp_min(settings.floor).log().numpy()[:, None]


def main() -> None:
    """Train every variant and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("path", type=Path)
    arrays = dict(np.load(parser.parse_args().path))
    torch.set_num_threads(1)
    clips = [arrays["pcm"][a:b] for a, b in zip(arrays["off"][:-1], arrays["off"][1:], strict=True)]
    labels = torch.from_numpy(arrays["y"].astype(np.int64))
    names = np.unique(arrays["speaker"])
    for recorded, floor, augmentation in VARIANTS:
        settings = replace(LogMel(), floor=floor)
        images = as_recorded(clips, settings) if recorded else log_mel(clips, settings)
        recipe = Recipe(epochs=12, batch_size=32, learning_rate=0.05, augmentation=augmentation)
        shares = []
        for first in (0, 2, 4):
            unheard = names[[first, first + 1]]
            rows = np.flatnonzero(~np.isin(arrays["speaker"], unheard))
            scale = statistics(images[rows])
            inputs = prepare(images, images.shape[2:], scale.mean, scale.std)
            module = build(network(settings), seed=0)
            train(module, inputs[rows], labels[rows], recipe=recipe, seed=0)
            for name in unheard:
                test = np.flatnonzero(arrays["speaker"] == name)
                shares.append(evaluate(module, inputs[test], labels[test]).accuracy)
        loudness = "as recorded" if recorded else "one peak"
        each = ", ".join(f"{name} {share:.1%}" for name, share in zip(names, shares, strict=True))
        print(
            f"{loudness}, floor {floor:g}, augmentation {augmentation}: {np.mean(shares):.1%} ({each})",
            flush=True,
        )


if __name__ == "__main__":
    main()
