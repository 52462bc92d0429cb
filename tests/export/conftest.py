"""A finished export that the tests of this folder read, made once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from netwright.export.bundle import save
from netwright.ir.graph import Graph
from netwright.nn.lower import Network
from tests.export.networks import classifier
from tests.torch_oracle import random_network


@dataclass(frozen=True)
class Finished:
    """A bundle with an ONNX file in one folder.

    Attributes:
        folder: holds graph.json, weights.safetensors, model.onnx.
        graph: what the network computes.
        network: the network, float32, eval mode, every weight and statistic drawn at random.
        printed: all that the process that exported wrote to standard output and error.
    """

    folder: Path
    graph: Graph
    network: Network
    printed: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Saved here, exported by a process of its own in which every warning is an error."""
    folder = tmp_path_factory.mktemp("finished")
    graph = classifier()
    network = random_network(graph).float()
    save(folder, graph, network)
    code = (
        "import sys, torch\n"
        "torch.set_num_threads(1)\n"
        "from netwright.export import export_onnx, load\n"
        "network = load(sys.argv[1])\n"
        "export_onnx(network, network.graph, sys.argv[1] + '/model.onnx')\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    return Finished(folder, graph, network, run.stdout + run.stderr)
