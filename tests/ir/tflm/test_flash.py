"""The size of files against those that the flatbuffers package writes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from netwright.ir.graph import Graph
from netwright.ir.tflm.flash import flash_bytes
from netwright.ir.tflm.lowering import lower
from netwright.models import build_model
from tests.ir.tflm.networks import networks
from tests.ir.tflm.test_kernels import CASES


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_one_operator_has_the_predicted_size(name: str) -> None:
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    from tests.ir.tflm.files import write

    assert flash_bytes(CASES[name]) == len(write(CASES[name]))


@settings(max_examples=50)
@given(networks())
def test_files_of_random_networks_have_the_predicted_size(graph: Graph) -> None:
    pytest.importorskip("tflite_micro", reason='needs pip install "netwright[edge]"')
    from tests.ir.tflm.files import write

    program = lower(graph)
    assert flash_bytes(program) == len(write(program))


def test_a_file_is_little_more_than_its_constants() -> None:
    program = lower(build_model("mobilenet-v2"))
    constants = sum(tensor.bytes for tensor in program.tensors if tensor.constant)
    assert constants < flash_bytes(program) < 1.4 * constants
