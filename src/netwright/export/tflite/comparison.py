"""How far an int8 file strays from the network it was made of, by the interpreters that will run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from netwright.export.tflite.litert import run_litert
from netwright.export.tflite.micro import Array, MicroRun, run_micro
from netwright.nn.lower import Network


@dataclass(frozen=True, slots=True)
class Comparison:
    """Three ways to run a network, on the same images. Accuracies and agreements are shares, 0 to 1.

    Attributes:
        images: how many.
        float_accuracy: of the network in torch.
        micro_accuracy: of the file in TensorFlow Lite Micro.
        litert_accuracy: of the file in LiteRT.
        agreement: share of images that both interpreters give one label.
        float_agreement: share that torch and TensorFlow Lite Micro give one label.
        largest_step: largest difference of an int8 output between the interpreters.
        micro: the run with its arena.
    """

    images: int
    float_accuracy: float
    micro_accuracy: float
    litert_accuracy: float
    agreement: float
    float_agreement: float
    largest_step: int
    micro: MicroRun


def compare_interpreters(
    file: bytes, images: torch.Tensor | Array, labels: Any, network: Network, batch: int = 256
) -> Comparison:
    """Run a network and its int8 file on the same images.

    Args:
        file: what ``convert`` gave for the network.
        images: (N, C, H, W) or (N, F) as the network reads them; of the test set, prepared as in training.
        labels: (N,) integers, or (N, H, W) for maps of labels.
        network: float, on any device; runs as it is, in eval mode.
        batch: images that torch runs at once.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ExportError: if an interpreter fails.
    """
    array = np.asarray(images.detach().cpu() if isinstance(images, torch.Tensor) else images, np.float32)
    truth = np.asarray(labels)
    predicted = float_labels(network, array, batch)
    micro = run_micro(file, array)
    other = run_litert(file, array)
    found = micro.labels
    return Comparison(
        images=len(array),
        float_accuracy=_share(predicted, truth),
        micro_accuracy=_share(found, truth),
        litert_accuracy=_share(other.argmax(-1), truth),
        agreement=_share(found, other.argmax(-1)),
        float_agreement=_share(found, predicted),
        largest_step=int(np.abs(micro.outputs.astype(np.int32) - other).max()),
        micro=micro,
    )


def float_labels(network: Network, images: Array, batch: int = 256) -> Array:
    """What the network itself says: (N,), or (N, H, W) for maps of labels."""
    training = network.training
    device = next(iter(network.state_dict().values())).device
    network.eval()
    try:
        with torch.no_grad():
            parts = [
                _first(network(torch.from_numpy(images[start : start + batch]).to(device)))
                for start in range(0, len(images), batch)
            ]
    finally:
        network.train(training)
    return np.concatenate(parts)


def _first(outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> Array:
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    found: Array = logits.argmax(1).cpu().numpy()
    return found


def _share(first: Array, second: Array) -> float:
    return float((first == second).mean())
