from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings

from netwright.errors import ExportError
from netwright.export.onnx import TOLERANCE, check_onnx, export_onnx
from netwright.ir.graph import Graph
from netwright.nn.lower import build
from tests.export.conftest import Finished
from tests.export.networks import BLOCK, every_op, pixel_labeller
from tests.graph_strategies import graphs
from tests.torch_oracle import random_network

ROOT = Path(__file__).resolve().parents[2]


def test_the_file_runs_where_netwright_and_torch_are_not(finished: Finished, tmp_path: Path) -> None:
    x = torch.randn(5, *finished.graph.input_shape, generator=torch.Generator().manual_seed(1))
    np.save(tmp_path / "x.npy", x.numpy())
    code = BLOCK.format(blocked={"netwright", "torch", "onnx"}) + (
        "import numpy as np, onnxruntime\n"
        "session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
        "x = np.load(sys.argv[2] + '/x.npy')\n"
        "np.save(sys.argv[2] + '/logits.npy', session.run(['logits'], {'input': x})[0])\n"
    )
    command = [sys.executable, "-I", "-c", code, str(finished.folder / "model.onnx"), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    with torch.no_grad():
        expected = finished.network(x).numpy()
    difference = np.abs(np.load(tmp_path / "logits.npy") - expected).max()
    assert difference <= TOLERANCE * np.abs(expected).max()


def test_exporting_prints_nothing_and_warns_of_nothing(finished: Finished) -> None:
    assert finished.printed == ""


def test_the_file_is_one_and_says_what_it_is(finished: Finished) -> None:
    model = onnx.load(finished.folder / "model.onnx")
    (image,), (logits,) = model.graph.input, model.graph.output
    assert image.name == "input"
    assert [d.dim_param or d.dim_value for d in image.type.tensor_type.shape.dim] == ["batch", 3, 12, 12]
    assert logits.name == "logits"
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["batch", 4]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["netwright.graph_format"] == "1"
    assert re.fullmatch(r"\d+\.\d+.*", properties["netwright.version"])
    assert Graph.from_dict(json.loads(properties["netwright.graph"])) == finished.graph
    assert {path.suffix for path in finished.folder.iterdir()} == {".json", ".safetensors", ".onnx"}


def test_the_file_holds_the_weights_and_names_no_file_of_this_machine(finished: Finished) -> None:
    model = onnx.load(finished.folder / "model.onnx")
    # The network that was exported had its weights in channels_last: no operators that restride them.
    assert len(model.graph.node) <= len(finished.graph.nodes)
    held = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    # Batch norm is folded into convolutions; a few constants of shapes come on top.
    assert held == pytest.approx(sum(p.numel() for p in finished.network.parameters()), rel=0.2)
    content = (finished.folder / "model.onnx").read_bytes()
    for trace in (str(ROOT), sys.prefix, "site-packages", "stack_trace"):
        assert trace.encode() not in content


def test_a_network_that_labels_pixels(tmp_path: Path) -> None:
    network = random_network(pixel_labeller()).float()
    file = export_onnx(network, network.graph, tmp_path / "pixels.onnx")
    assert file.difference < TOLERANCE
    [logits] = onnx.load(file.path).graph.output
    assert [d.dim_param or d.dim_value for d in logits.type.tensor_type.shape.dim] == ["batch", 4, 24, 20]


def test_every_op_computes_the_same(tmp_path: Path) -> None:
    network = random_network(every_op()).float()
    file = export_onnx(network, network.graph, tmp_path / "all.onnx")
    assert file.difference <= TOLERANCE
    assert file.bytes == (tmp_path / "all.onnx").stat().st_size
    # Once more with numbers of our own choice, output by output.
    session = onnxruntime.InferenceSession(tmp_path / "all.onnx", providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    assert names == list(network.graph.outputs)
    x = 3 * torch.randn(4, *network.graph.input_shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = network(x)
    for name, ours, theirs in zip(names, expected, session.run(None, {"input": x.numpy()}), strict=True):
        scale = max(float(ours.abs().max()), 1e-6)
        np.testing.assert_allclose(theirs / scale, ours.numpy() / scale, atol=TOLERANCE, err_msg=name)


def test_a_file_of_other_weights_is_told_by_its_difference(finished: Finished) -> None:
    path = finished.folder / "model.onnx"
    assert check_onnx(path, finished.network, finished.graph) <= TOLERANCE
    other = random_network(finished.graph, seed=1).float()
    with pytest.raises(ExportError, match=r"differ by \S+ of the largest output, expected at most 0\.0001"):
        check_onnx(path, other, finished.graph)
    # A difference of a thousandth in one weight is found too.
    near = random_network(finished.graph).float()
    with torch.no_grad():
        near.get_submodule("head.linear").weight.mul_(1.001)  # type: ignore[operator]
    with pytest.raises(ExportError, match="differ by"):
        check_onnx(path, near, finished.graph)


def test_logits_that_are_not_numbers_are_refused(finished: Finished) -> None:
    network = random_network(finished.graph).float()
    with torch.no_grad():
        network.get_submodule("head.linear").bias.fill_(float("nan"))  # type: ignore[operator]
    with pytest.raises(ExportError, match=r"logits, batch 1: not finite"):
        check_onnx(finished.folder / "model.onnx", network, finished.graph)


def test_a_broken_file_is_named(finished: Finished, tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path / "broken.onnx"):
        if path.name == "broken.onnx":
            path.write_bytes(b"\x00" * 64)
        with pytest.raises(ExportError, match=rf"{path}: onnxruntime cannot load the file"):
            check_onnx(path, finished.network, finished.graph)


@pytest.mark.slow
def test_a_file_that_fails_its_check_does_not_appear(finished: Finished, tmp_path: Path) -> None:
    network = build(finished.graph, seed=0).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(ExportError, match="expected at most -1"):
        export_onnx(network, finished.graph, tmp_path / "model.onnx", tolerance=-1)
    assert list(tmp_path.iterdir()) == []
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.slow
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
def test_the_same_network_gives_the_same_bytes(
    finished: Finished, tmp_path: Path, memory_format: torch.memory_format
) -> None:
    network = copy.deepcopy(finished.network)
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    export_onnx(network, finished.graph, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == (finished.folder / "model.onnx").read_bytes()


def test_an_operator_set_that_torch_does_not_write_is_refused(finished: Finished, tmp_path: Path) -> None:
    for opset in (17, 99):
        with pytest.raises(ExportError, match=rf"onnx: opset: expected 18 to \d+, got {opset}"):
            export_onnx(finished.network, finished.graph, tmp_path / "model.onnx", opset=opset)


@pytest.mark.slow
@settings(max_examples=8)
@given(graph=graphs(classes=3))
def test_random_graphs_compute_the_same(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    network = random_network(graph).float()
    file = export_onnx(network, graph, tmp_path_factory.mktemp("onnx") / "model.onnx")
    assert file.difference <= TOLERANCE
