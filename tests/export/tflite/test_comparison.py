from __future__ import annotations

import pytest
import torch

from netwright.export import tflite
from tests.export.tflite.conftest import Convert
from tests.export.tflite.small import images

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["branches", "signals"])
def test_three_ways_to_run_a_network(converted: Convert, name: str) -> None:
    made = converted(name)
    batch = images(made.network.graph, 300, seed=11)
    with torch.no_grad():
        truth = made.network(batch).argmax(1).numpy()
    found = tflite.compare_interpreters(made.file, batch, truth, made.network)
    assert found.images == 300
    assert found.float_accuracy == 1.0
    # The truth is what the network says, so its accuracy is its agreement with the interpreter.
    assert found.micro_accuracy == found.float_agreement > 0.9
    assert found.litert_accuracy > 0.9
    # Random weights leave many images between two labels; trained networks agree on 99 % and more.
    assert found.agreement >= 0.95
    assert found.largest_step <= 12
    wrong = tflite.compare_interpreters(made.file, batch, (truth + 1) % 3, made.network)
    assert wrong.micro_accuracy < 0.7
