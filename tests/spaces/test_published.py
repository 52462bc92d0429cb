"""Published networks are members of the spaces, with their published costs."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.devices import load_latency
from netwright.space import Architecture, ExpressionSpace, costs, costs_of, rank, size, unrank
from netwright.space.drawing import draw_rows
from netwright.space.encoding import encode
from netwright.spaces import (
    fbnet,
    fbnet_architecture,
    make_space,
    mobilenet_v2,
    nats_size,
    ofa_architecture,
    ofa_mobilenet_v3,
    proxylessnas,
    resnet,
    shufflenet,
    shufflenet_v1,
)

IMAGENET = ((3, 224, 224), 1000)


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("ofa-mobilenet-v3", {"resolution": 224}, 21_758_655_492_572_485_851),
        ("ofa-mobilenet-v3", {}, 543_966_387_314_312_146_275),
        ("nats-size", {}, 8**5),
        ("nasbench-macro", {}, 3**8),
        ("shufflenet", {}, 4**20),
        ("fbnet", {}, 9**22),
        ("nasbench201", {}, 5**6),
        ("darts", {"reduction": 0}, 1_037_664_180),
        ("darts", {}, 1_076_746_950_455_072_400),
        (
            "nasnet",
            {"operations": "notes", "candidates": "inputs", "reduction": 0},
            4**5 * 5**10 * 2**5,
        ),
    ],
)
def test_sizes(name: str, parameters: dict[str, Any], expected: int) -> None:
    assert size(make_space(name, parameters=parameters)) == expected


def check(space: ExpressionSpace, choices: dict[str, Any], params: int, macs: int) -> None:
    architecture = space.architecture(choices)
    found = costs_of(space, architecture)
    assert (found["params"], found["macs"]) == (params, macs)
    assert unrank(space, rank(space, architecture)) == architecture


@pytest.mark.parametrize(
    ("width", "resolution", "params", "macs"),
    [(1.0, 224, 3_504_872, 300_774_272), (0.35, 144, 750_280, 23_499_152)],
)
def test_mobilenet_v2(width: float, resolution: int, params: int, macs: int) -> None:
    stages = {f"stage{stage}.width": width for stage in range(1, 8)}
    own = {"resolution": resolution, "stem.width": width, **stages, "head.width": width}
    check(mobilenet_v2(*IMAGENET), own, params, macs)


@pytest.mark.parametrize(
    ("depths", "expansion", "groups", "params", "macs"),
    [
        ((3, 4, 6, 3), 4, 1, 25_557_032, 4_089_184_256),
        ((3, 4, 23, 3), 4, 1, 44_549_160, 7_801_405_440),
        ((3, 4, 6, 3), 2, 32, 25_028_904, 4_230_479_872),
    ],
    ids=["ResNet-50", "ResNet-101", "ResNeXt-50"],
)
def test_resnet(depths: tuple[int, ...], expansion: int, groups: int, params: int, macs: int) -> None:
    choices: dict[str, Any] = {"stem.width": 64}
    for stage, depth in enumerate(depths, 1):
        choices |= {f"stage{stage}.depth": depth, f"stage{stage}.width": 128 * 2**stage}
        for layer in range(depth):
            place = f"stage{stage}.{layer}"
            choices |= {f"{place}.expansion": expansion, f"{place}.groups": groups}
    check(resnet(*IMAGENET), choices, params, macs)


def test_shufflenet_v1() -> None:
    layers = {"stage2.rest": 3, "stage3": 8, "stage4": 4}
    choices: dict[str, Any] = {"groups": 3, "width": 1.0, "stage2.first.kernel": 3}
    for stage, depth in layers.items():
        choices |= {f"{stage}.depth": depth, **{f"{stage}.{layer}.kernel": 3 for layer in range(depth)}}
    check(shufflenet_v1(*IMAGENET), choices, 1_865_728, 137_460_672)


def test_proxylessnas_mobile() -> None:
    """320 M MACs, 4.08 M params [Cai et al. 2019, arXiv:1812.00332]; (kernel, expansion), 0 skips."""
    stages: tuple[tuple[Any, ...], ...] = (
        ((5, 3), (3, 3), 0, 0),
        ((7, 3), (3, 3), (5, 3), (5, 3)),
        ((7, 6), (5, 3), (5, 3), (5, 3)),
        ((5, 6), (5, 3), (5, 3), (5, 3)),
        ((7, 6), (7, 6), (7, 3), (7, 3)),
        ((7, 6),),
    )
    choices: dict[str, Any] = {}
    for stage, layers in enumerate(stages, 1):
        for number, layer in enumerate(layers):
            place = f"stage{stage}.{number}"
            if number:
                choices[f"{place}.op"] = "block" if layer else "skip"
                place += ".op.block"
            if layer:
                choices |= {f"{place}.kernel": layer[0], f"{place}.expand": layer[1]}
    check(proxylessnas(*IMAGENET, first_width=32), choices, 4_080_512, 320_427_584)


def test_fbnet_a() -> None:
    """249 M MACs and 4.3 M params [Wu et al. 2019, arXiv:1812.03443, Tab. 3]."""
    space = fbnet(*IMAGENET)
    published = [8, 2, 0, 8, 8, 7, 2, 4, 2, 7, 6, 5, 7, 3, 5, 6, 1, 7, 7, 6, 7, 7]
    found = costs_of(space, fbnet_architecture(space, published))
    assert round(found["macs"] / 1e6) in (249, 250)
    assert round(found["params"] / 1e6, 1) == 4.3


def test_single_path_one_shot() -> None:
    """The searched network has 3.35 M params and about 0.32 G MACs [Guo et al. 2019, arXiv:1904.00420]."""
    published = [2, 0, 2, 0, 3, 1, 1, 0, 0, 1, 0, 1, 0, 3, 1, 2, 2, 0, 1, 3]
    blocks = iter(published)
    choices: dict[str, Any] = {}
    for stage, depth in enumerate((4, 4, 8, 4), 1):
        for layer in range(depth):
            kind = next(blocks)
            choices[f"stage{stage}.{layer}.op"] = "xception" if kind == 3 else "shuffle"
            if kind < 3:
                choices[f"stage{stage}.{layer}.op.shuffle.kernel"] = (3, 5, 7)[kind]
    space = shufflenet(*IMAGENET)
    found = costs_of(space, space.architecture(choices))
    assert round(found["params"] / 1e6, 2) == 3.35
    assert 0.31e9 < found["macs"] < 0.33e9


def specialised(shared_data: Path) -> Iterator[tuple[str, ExpressionSpace, Architecture]]:
    """The published configurations of Once-for-All's MobileNetV3: name, space, member."""
    for entry in json.loads((shared_data / "luts" / "ofa_specialized_nets.json").read_text()):
        net = entry["net"]
        if net["name"] != "MobileNetV3":
            continue
        width = 1.0 if net["first_conv"]["out_channels"] == 16 else 1.2
        space = ofa_mobilenet_v3(*IMAGENET, width=width, resolution=entry["image_size"])
        kernels, expands, depths = [3] * 20, [3] * 20, [0] * 5
        stage, before = -1, None
        for block in net["blocks"][1:]:
            conv = block["mobile_inverted_conv"]
            stage += conv["out_channels"] != before
            before = conv["out_channels"]
            position = 4 * stage + depths[stage]
            kernels[position], expands[position] = conv["kernel_size"], conv["expand_ratio"]
            depths[stage] += 1
        yield entry["name"], space, ofa_architecture(space, kernels, expands, depths)


def test_specialised_networks_of_once_for_all(shared_data: Path) -> None:
    """Published configurations are members; those named by their MACs have them within 1 %."""
    seen = named = 0
    for name, space, architecture in specialised(shared_data):
        found = costs_of(space, architecture)
        seen += 1
        if name.startswith("flops-"):
            named += 1
            published = float(name.removeprefix("flops-").split("M")[0])
            assert abs(found["macs"] / 1e6 - published) < 0.01 * published
    assert seen > 20
    assert named == 3


def test_latency_of_a_specialised_network(shared_data: Path) -> None:
    """The network that was found for a Note 10 at 30 ms takes that long by the table it was found with."""
    table = load_latency(shared_data / "luts" / "ofa_note10_r224.json")
    for name, space, architecture in specialised(shared_data):
        if name.startswith("note10_lat-30ms"):
            found = costs_of(replace(space, latency=table), architecture)["latency_ns"]
            assert abs(found / 1e6 - 30) < 0.5
            break
    else:
        pytest.fail("there is no such network")


@pytest.mark.parametrize(
    ("data", "shape", "classes"),
    [("cifar10", (3, 32, 32), 10), ("cifar100", (3, 32, 32), 100), ("imagenet16", (3, 16, 16), 120)],
)
def test_all_rows_of_the_size_space(
    shared_data: Path, data: str, shape: tuple[int, int, int], classes: int
) -> None:
    """Params, and MACs by the convention of NAS-Bench-201 (with the classes), of all 32,768 rows."""
    with gzip.open(shared_data / "nats_sss.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    space = nats_size(shape, classes)
    widths = np.array([[int(width) for width in row["arch"].split(":")] for row in rows])
    # Option k of every layer is 8 * (k + 1) channels.
    options = (widths // 8 - 1).astype(np.int8)
    assert np.array_equal(
        encode(space, [unrank(space, index) for index in (0, 9, 32_767)]), options[[0, 9, 32_767]]
    )
    found = costs(space, options)
    assert len(rows) == size(space)
    assert np.array_equal(found["params"], np.array([int(row[f"params_{data}"]) for row in rows]))
    assert np.array_equal(found["macs"] + classes, np.array([int(row[f"macs_{data}"]) for row in rows]))


def test_rows_drawn_of_a_large_space_have_the_costs_of_their_networks() -> None:
    space = make_space("ofa-mobilenet-v3", parameters={"resolution": 224})
    rows = draw_rows(space, np.random.default_rng(0), 50_000)
    found = costs(space, rows)["macs"]
    # The share of 2.2e19 networks under 300 M MACs, of which the exact count says 3.929 % to 3.942 %.
    share = float(np.mean(found <= 300_000_000))
    assert abs(share - 0.03935) < 4 * (0.03935 * 0.96065 / 50_000) ** 0.5
