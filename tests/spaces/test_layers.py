"""Layer by layer: published configurations, tables and definitions against the graphs of the spaces."""

from __future__ import annotations

import csv
import gzip
import json
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest

from netwright.blocks import make_divisible
from netwright.errors import SpaceError
from netwright.ir.graph import Graph
from netwright.ir.ops import Activation, Conv
from netwright.space import costs_of, iterate, size
from netwright.spaces import (
    fbnet,
    fbnet_architecture,
    mcunet,
    nasbench_macro,
    ofa_architecture,
    ofa_mobilenet_v3,
)

IMAGENET = ((3, 224, 224), 1000)
FUNCTIONS = {"relu": "relu", "relu6": "relu6", "h_swish": "hardswish"}


def published(shared_data: Path, family: str) -> list[dict[str, Any]]:
    entries = json.loads((shared_data / "luts" / "ofa_specialized_nets.json").read_text())
    return [entry for entry in entries if entry["net"]["name"] == family]


def by_stage(layers: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """A stage begins where the number of channels changes."""
    stages: list[list[dict[str, Any]]] = []
    for layer in layers:
        if not stages or stages[-1][-1]["out_channels"] != layer["out_channels"]:
            stages.append([])
        stages[-1].append(layer)
    return stages


def same_layer(graph: Graph, place: str, layer: dict[str, Any], shortcut: bool) -> None:
    """Channels, window, stride, activation, squeeze-and-excite and shortcut of an inverted residual."""
    names = {node.name for node in graph.nodes}
    depthwise, project = graph[f"{place}.depthwise.conv"], graph[f"{place}.project.conv"]
    assert isinstance(depthwise.op, Conv)
    hidden = layer["mid_channels"] or layer["in_channels"]
    assert graph.input_shapes(depthwise)[0][0] == depthwise.shape[0] == hidden
    assert depthwise.op.kernel == (layer["kernel_size"],) * 2
    assert depthwise.op.stride == (layer["stride"],) * 2
    assert project.shape[0] == layer["out_channels"]
    assert graph[f"{place}.depthwise.act"].op == Activation(FUNCTIONS[layer["act_func"]])  # type: ignore[arg-type]
    assert (f"{place}.expand.conv" in names) == (layer["expand_ratio"] > 1)
    assert (f"{place}.add" in names) == shortcut
    assert (f"{place}.se.scale" in names) == layer["use_se"]
    if layer["use_se"]:
        assert graph[f"{place}.se.reduce"].shape[0] == make_divisible(hidden // 4)


def test_networks_of_once_for_all(shared_data: Path) -> None:
    """All 34 published MobileNetV3 configurations, whole networks."""
    entries = published(shared_data, "MobileNetV3")
    for entry in entries:
        net = entry["net"]
        width = {16: 1.0, 24: 1.2}[net["first_conv"]["out_channels"]]
        space = ofa_mobilenet_v3(*IMAGENET, width=width, resolution=entry["image_size"])
        first, *blocks = net["blocks"]
        stages = by_stage([block["mobile_inverted_conv"] for block in blocks])
        choices: dict[str, Any] = {}
        for stage, layers in enumerate(stages, 1):
            choices[f"stage{stage}.depth"] = len(layers)
            for number, layer in enumerate(layers):
                choices[f"stage{stage}.{number}.kernel"] = layer["kernel_size"]
                choices[f"stage{stage}.{number}.expand"] = layer["expand_ratio"]
        graph = space.to_graph(space.architecture(choices))
        assert graph["stem.conv"].shape[0] == net["first_conv"]["out_channels"]
        same_layer(graph, "first", first["mobile_inverted_conv"], shortcut=True)
        places = [f"stage{stage}.{i}" for stage, layers in enumerate(stages, 1) for i in range(len(layers))]
        for place, block in zip(places, blocks, strict=True):
            same_layer(graph, place, block["mobile_inverted_conv"], block["shortcut"] is not None)
        assert graph["head.conv"].shape[0] == net["final_expand_layer"]["out_channels"]
        features = graph["classifier.features.conv"]
        assert features.shape[0] == net["feature_mix_layer"]["out_channels"]
        assert not getattr(features.op, "bias")  # noqa: B009
        assert graph["classifier.linear"].shape[0] == net["classifier"]["out_features"]
    assert len(entries) == 34


def test_backbone_of_mcunet(shared_data: Path) -> None:
    """The published ProxylessNAS configurations, 1.3 times as wide, have the backbone of TinyNAS."""
    entries = published(shared_data, "ProxylessNASNets")
    for entry in entries:
        net = entry["net"]
        space = mcunet(*IMAGENET, width=1.3, resolution=entry["image_size"])
        first, *blocks = net["blocks"]
        stages = by_stage([block["mobile_inverted_conv"] for block in blocks])
        choices: dict[str, Any] = {}
        places = []
        for stage, layers in enumerate(stages, 1):
            if stage < 6:
                choices[f"stage{stage}.depth"] = len(layers)
            for number, layer in enumerate(layers):
                places.append(f"stage{stage}.{number}" if stage < 6 else "stage6")
                choices[f"{places[-1]}.kernel"] = layer["kernel_size"]
                choices[f"{places[-1]}.expand"] = layer["expand_ratio"]
        graph = space.to_graph(space.architecture(choices))
        assert graph["stem.conv"].shape[0] == net["first_conv"]["out_channels"]
        same_layer(graph, "first", first["mobile_inverted_conv"], shortcut=False)
        for place, block in zip(places, blocks, strict=True):
            same_layer(graph, place, block["mobile_inverted_conv"], block["shortcut"] is not None)
    assert len(entries) == 16


def test_rows_of_the_latency_tables_are_members(shared_data: Path) -> None:
    """Published encodings: 22 blocks of FBNet; kernels, expansions, depths, resolution of Once-for-All."""
    space = fbnet((3, 32, 32), 100)
    with gzip.open(shared_data / "fbnet_latency.csv.gz", "rt") as file:
        for row in islice(csv.DictReader(file), 200):
            blocks = [int(number) for number in row["arch"].split()]
            architecture = fbnet_architecture(space, blocks)
            kinds = [value for name, value in architecture if name.endswith(".op")]
            assert [kind == "skip" for kind in kinds] == [number == 8 for number in blocks]
            assert [kind == "grouped" for kind in kinds] == [number in (1, 5) for number in blocks]
    space = ofa_mobilenet_v3(*IMAGENET)
    with gzip.open(shared_data / "ofa_mbv3_latency.csv.gz", "rt") as file:
        for row in islice(csv.DictReader(file), 200):
            kernel, expand, depth = ([int(n) for n in row[name].split()] for name in ("ks", "e", "d"))
            architecture = ofa_architecture(space, kernel, expand, depth, int(row["r"]))
            assert architecture["resolution"] == int(row["r"])
            assert architecture["stage5.1.kernel"] == kernel[17]
            assert ("stage1.3.expand" in architecture) == (depth[0] == 4)


@pytest.mark.parametrize("blocks", [[0] * 21, [0] * 21 + [9], [0] * 21 + [-1]])
def test_fbnet_has_22_blocks_of_nine_kinds(blocks: list[int]) -> None:
    with pytest.raises(SpaceError, match="fbnet: expected 22 numbers from 0 to 8, got"):
        fbnet_architecture(fbnet((3, 32, 32), 10), blocks)


def test_ofa_lists_have_their_lengths_and_options() -> None:
    space = ofa_mobilenet_v3((3, 32, 32), 10, resolution=32)
    with pytest.raises(SpaceError, match=r"ofa-mobilenet-v3\.depth: expected 5 values, got 4"):
        ofa_architecture(space, [3] * 20, [3] * 20, [2] * 4)
    with pytest.raises(SpaceError, match=r"stage1\.0\.kernel: expected one of \(3, 5, 7\), got 9"):
        ofa_architecture(space, [9] * 20, [3] * 20, [2] * 5)
    with pytest.raises(SpaceError, match=r"stage1\.depth: expected one of \(2, 3, 4\), got 5"):
        ofa_architecture(space, [3] * 20, [3] * 20, [5] * 5)


def macro_layer(op: int, c: int, out: int, stride: int, pixels: int) -> tuple[int, int]:
    """(params, MACs) of a layer as Su et al. define it: identity, or an inverted residual."""
    after = pixels // stride
    if op == 0:
        return (0, 0) if stride == 1 else (c * out + 2 * out, c * out * after**2)
    hidden, window = (3 * c, 9) if op == 1 else (6 * c, 25)
    weights = c * hidden + window * hidden + hidden * out
    macs = c * hidden * pixels**2 + (window + out) * hidden * after**2
    return weights + 4 * hidden + 2 * out, macs


def test_every_network_of_nasbench_macro() -> None:
    """All 6,561, in the order of the benchmark's strings, by the definition of the benchmark."""
    space = nasbench_macro((3, 32, 32), 10)
    layers = []
    c, pixels = 32, 32
    for depth in (2, 3, 3):
        for layer in range(depth):
            stride = 2 if layer == 0 else 1
            layers.append([macro_layer(op, c, c * stride, stride, pixels) for op in range(3)])
            c, pixels = c * stride, pixels // stride
    fixed_params = 27 * 32 + 2 * 32 + 256 * 1280 + 2 * 1280 + 1280 * 10 + 10
    fixed_macs = 27 * 32 * 32**2 + 256 * 1280 * 4**2 + 1280 * 10
    expected = [
        (fixed_params + sum(layer[0] for layer in network), fixed_macs + sum(layer[1] for layer in network))
        for network in product(*layers)
    ]
    found = [costs_of(space, architecture) for architecture in iterate(space)]
    assert size(space) == len(expected) == 6561
    assert [(one["params"], one["macs"]) for one in found] == expected
