from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from netwright.errors import ExportError
from netwright.export import tflite
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Concat, Conv, Pool, Zero
from netwright.nn.lower import build
from tests.export.networks import BLOCK
from tests.export.tflite.conftest import Convert
from tests.export.tflite.small import GRAPHS, float_outputs, images, random_weights

NAMES = sorted(GRAPHS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_int8_throughout_and_pads_within_its_windows(converted: Convert, name: str) -> None:
    facts = tflite.describe(converted(name).file)
    shape = GRAPHS[name]().input_shape
    source, target = facts.tensors[facts.inputs[0]], facts.tensors[facts.outputs[0]]
    assert (source.type, source.shape) == ("int8", (1, shape[1], shape[2], shape[0]))
    assert target.type == "int8"
    assert {tensor.type for tensor in facts.activations} == {"int8"}
    found = {operator.kind for operator in facts.operators}
    assert not found & {"PAD", "PADV2", "QUANTIZE", "DEQUANTIZE", "GATHER", "SPLIT", "PACK"}
    # Every weight has a scale for each channel that it computes.
    for operator in facts.operators:
        if operator.kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weight = facts.tensors[operator.inputs[1]]
            assert len(weight.scales) == facts.tensors[operator.outputs[0]].shape[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_file_computes_what_the_network_computes(converted: Convert, name: str) -> None:
    made = converted(name)
    fresh = images(made.network.graph, 200, seed=7)
    target = tflite.describe(made.file)
    output = target.tensors[target.outputs[0]]
    found = (tflite.run_micro(made.file, fresh).outputs.astype(np.float32) - output.zero_points[0]) * (
        output.scales[0]
    )
    expected = float_outputs(made.network, fresh)
    # int8 noise against the spread of the outputs: these random networks blow it up more than trained ones
    # do. A wrong order of channels or pixels would be above 1.
    assert float(np.abs(found - expected).mean() / np.abs(expected - expected.mean(0)).mean()) < 0.3


@pytest.mark.slow
def test_blocks_become_the_operators_that_are_expected(converted: Convert) -> None:
    kinds = tflite.kinds(converted("inverted_residuals").file)
    gated = ["CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "CONV_2D", "CONV_2D", "MUL", "MUL", "CONV_2D", "ADD"]
    swish = ["CONV_2D", "HARD_SWISH", "DEPTHWISE_CONV_2D", "HARD_SWISH", "CONV_2D", "ADD"]
    # A convolution of one input channel is a depthwise one.
    start = ["DEPTHWISE_CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D"]
    assert kinds == [*start, *gated, *swish, "MEAN", "FULLY_CONNECTED"]
    shuffled = tflite.kinds(converted("shuffled").file)
    assert shuffled[1:6] == ["CONV_2D", "RESHAPE", "TRANSPOSE", "RESHAPE", "DEPTHWISE_CONV_2D"]
    assert shuffled.count("CONCATENATION") == 3


@pytest.mark.slow
def test_a_file_bears_no_names(converted: Convert) -> None:
    made = converted("shuffled")
    for word in (b"serving_default", b"arith", b"min_runtime_version", b"main", b"stem", b"conv"):
        assert word not in made.file


@pytest.mark.slow
def test_equal_constants_are_shared(converted: Convert) -> None:
    facts = tflite.describe(converted("shuffled").file)
    shuffles = [operator for operator in facts.operators if operator.kind == "TRANSPOSE"]
    assert len(shuffles) == 4
    assert len({operator.inputs[1] for operator in shuffles}) == 1


def _two_branches() -> Graph:
    build_graph = GraphBuilder()
    x = build_graph.input((3, 8, 8))
    a = build_graph.apply("a", Conv(4, (3, 3), bias=True), x)
    a = build_graph.apply("a2", Conv(5, bias=True), a)
    b = build_graph.apply("b", Conv(6, (3, 3), bias=True), x)
    return build_graph.finish(build_graph.apply("concat", Concat(), a, b))


@pytest.mark.slow
@pytest.mark.usefixtures("converted")
def test_operators_come_in_the_order_of_the_schedule() -> None:
    network = build(_two_branches(), seed=0).eval()
    batch = images(network.graph, 8)

    def widths(order: list[str] | None) -> list[int]:
        facts = tflite.describe(tflite.convert(network, batch, order=order))
        return [facts.tensors[operator.outputs[0]].shape[-1] for operator in facts.operators]

    assert widths(None) == [4, 5, 6, 11]
    assert widths(["input", "b", "a", "a2", "concat"]) == [6, 4, 5, 11]
    assert widths(["input", "a", "b", "a2", "concat"]) == [4, 6, 5, 11]


@pytest.mark.slow
@pytest.mark.usefixtures("converted")
def test_relu6_behind_a_concatenation_ends_at_6() -> None:
    build_graph = GraphBuilder()
    x = build_graph.input((3, 8, 8))
    y = build_graph.apply("conv", Conv(4, (3, 3), bias=True), x)
    y = build_graph.apply("concat", Concat(), x, y)
    y = build_graph.apply("act", Activation("relu6"), y)
    # One scale with what is not cut off, as the next unit of a ShuffleNet has it.
    graph = build_graph.finish(build_graph.apply("again", Concat(), y, x))
    network = build(graph, seed=0).eval()
    batch = 5 * images(graph, 16)
    file = tflite.convert(network, batch)
    assert tflite.kinds(file) == ["CONV_2D", "CONCATENATION", "MUL", "CONCATENATION"]
    facts = tflite.describe(file)
    output = facts.tensors[facts.outputs[0]]
    found = (
        tflite.run_micro(file, batch).outputs.astype(np.float32) - output.zero_points[0]
    ) * output.scales[0]
    with torch.no_grad():
        expected = network(batch).permute(0, 2, 3, 1).numpy()
    assert expected.max() > 8
    assert expected[..., :7].max() == 6
    assert np.abs(found - expected).max() < 3 * output.scales[0]


@pytest.mark.slow
@pytest.mark.usefixtures("converted")
def test_the_process_that_converts_gives_back_its_errors() -> None:
    build_graph = GraphBuilder()
    x = build_graph.input((3, 8, 8))
    x = build_graph.apply("conv", Conv(4, bias=True), x)
    zero = build_graph.finish(build_graph.apply("zero", Zero(), x))
    with pytest.raises(ExportError, match="zero: zero cannot be exported to TFLite"):
        tflite.convert(build(zero, seed=0), images(zero, 2))
    build_graph = GraphBuilder()
    x = build_graph.input((3, 8, 8))
    pool = build_graph.finish(build_graph.apply("pool", Pool("max", (3, 3), (2, 2), "symmetric"), x))
    with pytest.raises(ExportError, match=r"MAX_POOL_2D.*expected padding 'same'"):
        tflite.convert(build(pool, seed=0), images(pool, 2))


def test_images_of_another_shape_or_none_are_an_error() -> None:
    network = random_weights(GRAPHS["signals"]())
    good = images(network.graph, 2)
    for bad in (good[:0], good[:, :, :, :-1], good.permute(0, 2, 3, 1), torch.full_like(good, torch.nan)):
        with pytest.raises(ExportError, match="calibration: expected"):
            tflite.convert(network, bad)


def test_without_the_extra_the_command_that_installs_it_is_named() -> None:
    code = BLOCK.format(blocked={"litert_torch", "ai_edge_litert", "ai_edge_quantizer", "tflite_micro"}) + (
        "import numpy as np\n"
        "from netwright.errors import MissingDependencyError\n"
        "from netwright.export import tflite\n"
        "for name in ('describe', 'run_micro', 'smallest_arena', 'write_c_sources', 'estimate_npu'):\n"
        "    try:\n"
        "        getattr(tflite, name)\n"
        "    except MissingDependencyError as error:\n"
        "        print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.splitlines()
    assert len(lines) == 5
    assert all('pip install -c constraints.txt "netwright[edge]"' in line for line in lines)
