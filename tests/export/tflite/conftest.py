"""Files that the tests of this folder read, each converted once, by processes of their own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import pytest
import torch

from netwright.export import tflite
from netwright.nn.lower import Network
from tests.export.tflite.small import GRAPHS, images, random_weights

PACKAGES = ("litert_torch", "ai_edge_quantizer", "ai_edge_litert", "tflite_micro", "ethosu")


@dataclass(frozen=True)
class Converted:
    """A network and its file.

    Attributes:
        network: float32, in eval mode.
        images: those that the file was calibrated on.
        file: the int8 TFLite file.
    """

    network: Network
    images: torch.Tensor
    file: bytes


Convert = Callable[[str], Converted]


@cache
def _converted(name: str) -> Converted:
    graph = GRAPHS[name]()
    network, batch = random_weights(graph), images(graph)
    return Converted(network, batch, tflite.convert(network, batch))


@pytest.fixture(scope="session")
def converted() -> Convert:
    """A network of ``small.GRAPHS`` by its name; a visible skip where the extra is missing."""
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        pytest.skip(f"the extra edge is not installed ({', '.join(absent)}): pip install 'netwright[edge]'")
    return _converted
