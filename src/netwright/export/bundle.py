"""The bundle: a trained network as two files, ``graph.json`` and ``weights.safetensors``.

The graph is the whole network as data, so a bundle is rebuilt without the code of the search space that
it came from. No pickle: loading a bundle runs no code of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from netwright.errors import ExportError, GraphError
from netwright.ir.graph import Graph
from netwright.nn.lower import Network, build

GRAPH_FILE = "graph.json"
WEIGHTS_FILE = "weights.safetensors"


@contextmanager
def staged(folder: str | Path) -> Iterator[Path]:
    """Give a draft folder whose files appear in ``folder`` when the block ends without an error.

    A new ``folder`` appears at once, by one rename. In one that exists, each file of the draft replaces
    its namesake by one rename, and other files stay. No file is ever half written.

    Args:
        folder: where the files are wanted; parents are made.

    Yields:
        The draft; put files into it, no folders.

    Raises:
        ExportError: if the folder cannot be written.
    """
    target = Path(folder)
    new = not target.exists()
    # On the file system of the target, since a rename cannot leave it.
    home = target.absolute().parent if new else target
    draft = home / f".{target.name}.{secrets.token_hex(4)}.partial"
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise ExportError(f"{target}: expected a folder that can be written ({error})") from error
    try:
        yield draft
        try:
            _publish(draft, target, new)
        except OSError as error:
            raise ExportError(f"{target}: expected a folder that can be written ({error})") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, target: Path, new: bool) -> None:
    files = sorted(draft.iterdir())
    for path in files:
        _flush(path)
    if new:
        draft.rename(target)
    else:
        for path in files:
            path.replace(target / path.name)
        _flush(target)
    _flush(target.absolute().parent)


def _flush(path: Path) -> None:
    """Have the system write a file or folder to the disk: a rename must not overtake its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save(folder: str | Path, graph: Graph, module: nn.Module) -> None:
    """Write a bundle: the graph, and the weights and running statistics of the network.

    Args:
        folder: where the two files are put, see ``staged``.
        graph: what the network computes.
        module: a network whose state dict has the keys and shapes of ``netwright.nn.build(graph)``.

    Raises:
        ExportError: if the module is not a network of this graph or the folder cannot be written.
    """
    # Copied: weights may be views of one storage, on any device, in any memory format.
    state = {
        key: value.detach().to("cpu", copy=True).contiguous() for key, value in module.state_dict().items()
    }
    _check_state(state, _skeleton(graph).state_dict(), "module")
    with staged(folder) as draft:
        (draft / GRAPH_FILE).write_text(graph.to_json() + "\n", encoding="utf-8")
        # One entry: safetensors writes several in an order that differs from run to run.
        origin = json.dumps({"version": version("netwright"), "graph": _digest(graph)})
        save_file(state, draft / WEIGHTS_FILE, metadata={"netwright": origin})


def load(path: str | Path) -> Network:
    """Rebuild the network of a bundle; needs nothing but the two files.

    Args:
        path: the folder that ``save`` wrote.

    Returns:
        The network in eval mode on the CPU, weights in channels_last as they were trained.

    Raises:
        ExportError: if a file is missing, damaged or belongs to another bundle; names file and key.
    """
    folder = Path(path)
    graph = _read_graph(folder)
    state = _read_weights(folder / WEIGHTS_FILE, graph)
    network = _skeleton(graph)
    _check_state(state, network.state_dict(), str(folder / WEIGHTS_FILE))
    network.load_state_dict(state, assign=True)
    # In another memory format convolutions round differently and are slower.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def _skeleton(graph: Graph) -> Network:
    """The network with shapes but without memory for its weights."""
    with torch.device("meta"):
        return build(graph)


def _digest(graph: Graph) -> str:
    return hashlib.sha256(graph.to_json().encode()).hexdigest()


def _read_graph(folder: Path) -> Graph:
    file = folder / GRAPH_FILE
    try:
        return Graph.from_json(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = "give the folder that netwright.export.save wrote"
        inner = [path.parent for path in sorted(folder.glob(f"*/{GRAPH_FILE}"))]
        if inner:
            remedy = f"did you mean {inner[0]}?"
        raise ExportError(f"{file}: no such file; {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ExportError(f"{file}: cannot be read ({error})") from error
    except GraphError as error:
        raise ExportError(f"{file}: {error}; save the network again") from error


def _read_weights(file: Path, graph: Graph) -> dict[str, Tensor]:
    if not file.is_file():
        raise ExportError(f"{file}: no such file; a bundle is {GRAPH_FILE} and {WEIGHTS_FILE} in one folder")
    try:
        with safe_open(file, framework="pt", device="cpu") as weights:
            origin = json.loads((weights.metadata() or {}).get("netwright", "{}"))
            # Cloned: what safe_open gives is the file itself, and would change or vanish with it.
            state = {key: weights.get_tensor(key).clone() for key in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ExportError(f"{file}: damaged or not a safetensors file ({error}); save again") from error
    expected = _digest(graph)
    found = origin.get("graph")
    if found != expected:
        raise ExportError(
            f"{file}: expected weights of the graph in {GRAPH_FILE} (sha256 {expected[:12]}), "
            f"got those of {str(found)[:12]}; the files are of two bundles, save again"
        )
    return state


def _check_state(state: Mapping[str, Tensor], expected: Mapping[str, Tensor], where: str) -> None:
    """Compare keys, shapes and kinds of number with what the graph asks for."""
    for key, wanted in expected.items():
        if key not in state:
            raise ExportError(f"{where}: {key}: missing; expected a tensor of shape {tuple(wanted.shape)}")
        value = state[key]
        if value.shape != wanted.shape:
            raise ExportError(
                f"{where}: {key}: expected shape {tuple(wanted.shape)}, got {tuple(value.shape)}"
            )
        if value.is_floating_point() != wanted.is_floating_point():
            raise ExportError(f"{where}: {key}: expected {wanted.dtype}, got {value.dtype}")
    for key in state:
        if key not in expected:
            raise ExportError(f"{where}: {key}: no place of the graph has this weight")
