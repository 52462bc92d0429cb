from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from safetensors.numpy import load_file as load_numpy
from safetensors.torch import load_file, save_file

from netwright.errors import ExportError
from netwright.export.bundle import GRAPH_FILE, WEIGHTS_FILE, load, save, staged
from netwright.ir.graph import Graph
from netwright.nn.lower import Network, build
from tests.export.conftest import Finished
from tests.export.networks import BLOCK, classifier, every_op
from tests.graph_strategies import graphs
from tests.torch_oracle import random_network


def images(graph: Graph, count: int = 3) -> torch.Tensor:
    return torch.randn(count, *graph.input_shape, generator=torch.Generator().manual_seed(5))


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Path, Network]:
    network = random_network(classifier()).float()
    save(tmp_path / "bundle", network.graph, network)
    return tmp_path / "bundle", network


# --------------------------------------------------------------------------------------- there and back


def test_a_fresh_process_without_the_space_computes_the_same_logits(
    finished: Finished, tmp_path: Path
) -> None:
    x = images(finished.graph)
    np.save(tmp_path / "x.npy", x.numpy())
    # The search, with all that could have described the network, is out of reach.
    blocked = {f"netwright.{name}" for name in ("space", "spaces", "blocks", "models", "devices", "study")}
    blocked |= {"onnx", "onnxruntime", "optuna"}
    code = BLOCK.format(blocked=blocked) + (
        "import numpy as np, torch\n"
        "torch.set_num_threads(1)\n"
        "import netwright\n"
        "network = netwright.load(sys.argv[1])\n"
        "assert not network.training\n"
        "with torch.no_grad():\n"
        "    logits = network(torch.from_numpy(np.load(sys.argv[2] + '/x.npy')))\n"
        "np.save(sys.argv[2] + '/logits.npy', logits.numpy())\n"
    )
    run = python(code, finished.folder, tmp_path)
    assert run.returncode == 0, run.stderr
    with torch.no_grad():
        expected = finished.network(x).numpy()
    found = np.load(tmp_path / "logits.npy")
    assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


@settings(max_examples=25)
@given(graph=graphs())
def test_every_graph_comes_back(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    network = random_network(graph)
    folder = tmp_path_factory.mktemp("bundle")
    save(folder, graph, network)
    twin = load(folder)
    assert twin.graph == graph
    x = images(graph).double()
    with torch.no_grad():
        torch.testing.assert_close(twin(x), network(x), rtol=1e-12, atol=1e-12)


def test_every_op_comes_back(tmp_path: Path) -> None:
    network = random_network(every_op())
    save(tmp_path, network.graph, network)
    x = images(network.graph).double()
    with torch.no_grad():
        torch.testing.assert_close(load(tmp_path)(x), network(x), rtol=1e-12, atol=1e-12)


def test_the_files_are_plain_and_complete(bundle: tuple[Path, Network]) -> None:
    folder, network = bundle
    assert sorted(path.name for path in folder.iterdir()) == [GRAPH_FILE, WEIGHTS_FILE]
    arrays = load_numpy(folder / WEIGHTS_FILE)
    state = network.state_dict()
    assert set(arrays) == set(state)
    assert "stem.bn.running_var" in arrays
    for key, array in arrays.items():
        np.testing.assert_array_equal(array, state[key].numpy())
    assert json.loads((folder / GRAPH_FILE).read_text())["format"] == 1


def test_the_same_network_gives_the_same_bytes(bundle: tuple[Path, Network], tmp_path: Path) -> None:
    folder, network = bundle
    for again in range(8):
        save(tmp_path / str(again), network.graph, network)
        for name in (GRAPH_FILE, WEIGHTS_FILE):
            assert (folder / name).read_bytes() == (tmp_path / str(again) / name).read_bytes()


def test_memory_format_and_shared_storage_do_not_matter(tmp_path: Path) -> None:
    network = random_network(classifier()).float()
    plain = network.state_dict()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    weight = network.get_submodule("head.linear").weight
    bias = network.get_submodule("head.linear").bias
    assert isinstance(weight, torch.nn.Parameter)
    assert isinstance(bias, torch.nn.Parameter)
    bias.data = weight.detach().flatten()[: bias.numel()]
    save(tmp_path, network.graph, network.train())
    assert network.training
    saved = load_file(tmp_path / WEIGHTS_FILE)
    for key in plain.keys() - {"head.linear.bias"}:
        assert torch.equal(saved[key], plain[key])
    assert torch.equal(saved["head.linear.bias"], plain["head.linear.weight"].flatten()[: bias.numel()])


def test_a_loaded_network_is_ready_and_does_not_depend_on_its_files(bundle: tuple[Path, Network]) -> None:
    folder, network = bundle
    twin = load(folder)
    weight = twin.state_dict()["stem.conv.weight"]
    assert weight.is_contiguous(memory_format=torch.channels_last)
    (folder / WEIGHTS_FILE).write_bytes(b"")
    x = images(network.graph)
    with torch.no_grad():
        torch.testing.assert_close(twin(x), network(x))
    twin.train()(x).sum().backward()
    assert all(parameter.grad is not None for parameter in twin.parameters())


# ---------------------------------------------------------------------------------------- refused bundles


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], Mapping[str, torch.Tensor]]) -> None:
    """Write other weights for the same graph."""
    state = change(load_file(folder / WEIGHTS_FILE))
    digest = hashlib.sha256(Graph.from_json((folder / GRAPH_FILE).read_text()).to_json().encode()).hexdigest()
    save_file(dict(state), folder / WEIGHTS_FILE, metadata={"netwright": json.dumps({"graph": digest})})


KEY = "stage1.0.expand.conv.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: {key: value for key, value in state.items() if key != KEY},
            r"weights\.safetensors: stage1\.0\.expand\.conv\.weight: missing; expected a tensor of shape",
        ),
        (
            lambda state: state | {KEY: torch.zeros(3, 8, 1, 1)},
            r"expand\.conv\.weight: expected shape \(16, 8, 1, 1\), got \(3, 8, 1, 1\)",
        ),
        (
            lambda state: state | {KEY: state[KEY].to(torch.int8)},
            r"expand\.conv\.weight: expected torch\.float32, got torch\.int8",
        ),
        (
            lambda state: state | {"stage9.weight": torch.zeros(1)},
            r"weights\.safetensors: stage9\.weight: no place of the graph has this weight",
        ),
    ],
    ids=["missing", "shape", "type", "unknown"],
)
def test_weights_that_do_not_fit_are_named(
    bundle: tuple[Path, Network],
    change: Callable[[dict[str, torch.Tensor]], Mapping[str, torch.Tensor]],
    message: str,
) -> None:
    folder, _ = bundle
    rewrite(folder, change)
    with pytest.raises(ExportError, match=message):
        load(folder)


def test_files_of_two_bundles_are_told_apart(bundle: tuple[Path, Network], tmp_path: Path) -> None:
    folder, network = bundle
    # The same shapes everywhere: only the digest can tell.
    other = Graph.from_json(network.graph.to_json().replace("hardswish", "relu"))
    save(tmp_path / "other", other, build(other))
    (tmp_path / "other" / WEIGHTS_FILE).replace(folder / WEIGHTS_FILE)
    with pytest.raises(ExportError, match="the files are of two bundles, save again"):
        load(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (GRAPH_FILE, None, r"graph\.json: no such file; give the folder that netwright\.export\.save wrote"),
        (GRAPH_FILE, b"{", r"graph\.json: graph: expected JSON"),
        (GRAPH_FILE, b"\xff\xfe", r"graph\.json: cannot be read"),
        (GRAPH_FILE, b'{"format": 99}', r"graph\.json: graph: expected format 1, got 99"),
        (WEIGHTS_FILE, None, r"weights\.safetensors: no such file"),
        (WEIGHTS_FILE, b"", r"weights\.safetensors: damaged or not a safetensors file"),
        (WEIGHTS_FILE, b"PK\x03\x04" * 100, r"weights\.safetensors: damaged or not a safetensors file"),
    ],
)
def test_damaged_files_are_named(
    bundle: tuple[Path, Network], file: str, content: bytes | None, message: str
) -> None:
    folder, _ = bundle
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content)
    with pytest.raises(ExportError, match=message):
        load(folder)


def test_a_truncated_file_is_refused_at_any_length(bundle: tuple[Path, Network]) -> None:
    folder, _ = bundle
    content = (folder / WEIGHTS_FILE).read_bytes()
    for length in range(0, len(content), len(content) // 20):
        (folder / WEIGHTS_FILE).write_bytes(content[:length])
        with pytest.raises(ExportError, match="damaged or not a safetensors file"):
            load(folder)


def test_a_folder_above_the_bundle_gets_a_hint(bundle: tuple[Path, Network], tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=rf"did you mean {bundle[0]}\?"):
        load(tmp_path)
    with pytest.raises(ExportError, match="no such file"):
        load(tmp_path / "nowhere")


def test_a_network_of_another_graph_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"module: stem\.conv\.weight: expected shape \(8, 3, 3, 3\)"):
        save(tmp_path / "bundle", classifier(width=8), build(classifier(width=6)))
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------------- writing


def test_staged_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"

    def fail() -> None:
        with staged(folder) as draft:
            (draft / "a").write_text("1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list((tmp_path / "new").iterdir()) == []
    with staged(folder) as draft:
        (draft / "a").write_text("1")
        (draft / "b").write_text("1")
        assert not folder.exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b"]
    assert folder.stat().st_mode == folder.parent.stat().st_mode


def test_staged_leaves_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / "a").write_text("old")
    with staged(tmp_path) as draft:
        (draft / "a").write_text("new")
        assert (tmp_path / "a").read_text() == "old"
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert contents == {"precious": "mine", "a": "new"}


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bundle").write_text("a file")
    network = build(classifier())
    for target in (tmp_path / "bundle", tmp_path / "bundle" / "inside"):
        with pytest.raises(ExportError, match="expected a folder that can be written"):
            save(target, network.graph, network)
    assert (tmp_path / "bundle").read_text() == "a file"


@pytest.mark.parametrize("exists", [False, True], ids=["new", "over an older bundle"])
def test_a_process_killed_while_it_saves_leaves_no_broken_bundle(
    bundle: tuple[Path, Network], tmp_path: Path, exists: bool
) -> None:
    folder, network = bundle
    target = folder if exists else tmp_path / "fresh"
    code = (
        "import os, signal, sys\n"
        "from netwright.export.bundle import staged\n"
        "with staged(sys.argv[1]) as draft:\n"
        "    (draft / 'graph.json').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert python(code, target).returncode == -signal.SIGKILL
    if not exists:
        assert not target.exists()
        save(target, network.graph, network)
    x = images(network.graph)
    with torch.no_grad():
        torch.testing.assert_close(load(target)(x), network(x))
