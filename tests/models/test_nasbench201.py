"""NAS-Bench-201's networks against its own tables."""

from __future__ import annotations

import csv
import gzip
import random
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from netwright.errors import GraphError
from netwright.ir.convention import count_operations
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.ir.ops import Linear, macs, weights
from netwright.models import nasbench201
from netwright.models.nasbench201 import BEST_CIFAR10, EDGES, format_architecture, parse_architecture
from tests.torch_oracle import random_network

PUBLISHED = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
ALL_3X3 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|"

DATA = {"cifar10": (10, 32), "cifar100": (100, 32), "imagenet16": (120, 16)}
"""Classes and resolution of the benchmark's data sets."""


@pytest.mark.parametrize(
    ("data", "params", "benchmark", "thop", "ptflops"),
    [
        ("cifar10", 129_306, 15_647_370, 16_464_576, 16_810_634),
        ("cifar100", 135_156, 15_653_220, 16_470_336, 16_816_484),
        ("imagenet16", 136_456, 3_919_480, 4_123_712, 4_210_296),
    ],
)
def test_published_architecture(data: str, params: int, benchmark: int, thop: int, ptflops: int) -> None:
    """FACTS section 1: three conventions on three data sets."""
    classes, resolution = DATA[data]
    graph = nasbench201(PUBLISHED, classes=classes, resolution=resolution)
    found = cost(graph)
    assert found.params == params
    assert found.macs + classes == benchmark
    assert [count_operations(graph, name) for name in ("nasbench201", "thop", "ptflops")] == [
        *(benchmark, thop, ptflops)
    ]


def test_published_cell_of_3x3_convolutions() -> None:
    """FACTS section 1."""
    graph = nasbench201(ALL_3X3)
    assert (cost(graph).params, count_operations(graph, "nasbench201")) == (1_531_546, 220_119_690)


def read_rows(shared_data: Path) -> Iterator[dict[str, str]]:
    with gzip.open(shared_data / "nb201.csv.gz", "rt") as file:
        yield from csv.DictReader(file)


def totals(graph: Graph) -> tuple[int, int]:
    """Parameters and multiply-accumulates alone; ``cost`` profiles the memory too."""
    shapes = [(node.op, graph.input_shapes(node)) for node in graph.nodes]
    params = sum(prod(weight.shape) for op, inputs in shapes for weight in weights(op, inputs))
    return params, sum(macs(op, inputs) for op, inputs in shapes)


def expect_row(row: Mapping[str, str], data: str, found: tuple[int, int]) -> None:
    expected = int(row[f"params_{data}"]), int(row[f"macs_{data}"]) - DATA[data][0]
    assert found == expected, f"{row['arch']} on {data}"


def test_a_hundred_rows_of_the_table(shared_data: Path) -> None:
    rows = list(read_rows(shared_data))
    for row in random.Random(201).sample(rows, 100):
        for data, (classes, resolution) in DATA.items():
            graph = nasbench201(row["arch"], classes=classes, resolution=resolution)
            expect_row(row, data, totals(graph))
    some = cost(nasbench201(row["arch"], classes=120, resolution=16))
    expect_row(row, "imagenet16", (some.params, some.macs))


@pytest.mark.slow
def test_all_15625_rows_of_the_table(shared_data: Path) -> None:
    """Every architecture is built for 32 and for 16 pixels; CIFAR-100 differs in the last layer alone."""
    features: tuple[tuple[int, ...], ...] = ((64,),)
    extra = [
        (prod(w100.shape) - prod(w10.shape))
        for w10, w100 in zip(weights(Linear(10), features), weights(Linear(100), features), strict=True)
    ]
    more_macs = macs(Linear(100), features) - macs(Linear(10), features)
    count = 0
    for row in read_rows(shared_data):
        params, operations = totals(nasbench201(row["arch"]))
        expect_row(row, "cifar10", (params, operations))
        expect_row(row, "cifar100", (params + sum(extra), operations + more_macs))
        expect_row(row, "imagenet16", totals(nasbench201(row["arch"], classes=120, resolution=16)))
        count += 1
    assert count == 15_625


def test_default_is_the_best_of_the_table(shared_data: Path) -> None:
    rows = list(read_rows(shared_data))
    for column in ("cifar10_val200", "cifar10_test200"):
        highest = max(float(row[column]) for row in rows)
        assert BEST_CIFAR10 in {row["arch"] for row in rows if float(row[column]) == highest}


# ------------------------------------------------------------------------------------- the computation


def reference(network: torch.nn.Module, operations: tuple[str, ...], x: Tensor) -> Tensor:
    """The benchmark's network, written down from its paper and its published code."""
    state = network.state_dict()

    def norm(x: Tensor, place: str) -> Tensor:
        names = ("running_mean", "running_var", "weight", "bias")
        mean, var, weight, bias = (state[f"{place}.{name}"] for name in names)
        return F.batch_norm(x, mean, var, weight, bias)

    def relu_conv_bn(x: Tensor, place: str, stride: int = 1) -> Tensor:
        weight = state[f"{place}.conv.weight"]
        return norm(F.conv2d(F.relu(x), weight, None, stride, weight.shape[-1] // 2), f"{place}.bn")

    def edge(x: Tensor, place: str, operation: str) -> Tensor:
        if operation == "none":
            return x * 0
        if operation == "skip_connect":
            return x
        if operation == "avg_pool_3x3":
            return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return relu_conv_bn(x, place)

    x = norm(F.conv2d(x, state["stem.conv.weight"], padding=1), "stem.bn")
    for stage in (1, 2, 3):
        if stage > 1:
            place = f"reduction{stage - 1}"
            y = relu_conv_bn(relu_conv_bn(x, f"{place}.first", 2), f"{place}.second")
            x = y + F.conv2d(F.avg_pool2d(x, 2, 2), state[f"{place}.shortcut.conv.weight"])
        for cell in range(2):
            nodes = [x, *[torch.zeros_like(x)] * 3]
            for (source, target), operation in zip(EDGES, operations, strict=True):
                place = f"stage{stage}.{cell}.edge{source}{target}"
                nodes[target] = nodes[target] + edge(nodes[source], place, operation)
            x = nodes[-1]
    x = F.relu(norm(x, "last.bn")).mean((2, 3))
    return F.linear(x, state["classifier.linear.weight"], state["classifier.linear.bias"])


@pytest.mark.parametrize(
    "arch",
    [
        PUBLISHED,
        ALL_3X3,
        "|none~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|",
    ],
)
def test_network_computes_what_the_benchmark_does(arch: str) -> None:
    network = random_network(nasbench201(arch, channels=4, cells=2, resolution=12, classes=5))
    image = torch.randn(2, 3, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        expected = reference(network, parse_architecture(arch), image)
        torch.testing.assert_close(network(image), expected)


def test_dead_operations_are_kept() -> None:
    graph = nasbench201("|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    assert "stage1.0.edge01.conv" in {node.name for node in graph.nodes}


# --------------------------------------------------------------------------------------------- settings


def test_string_round_trip(shared_data: Path) -> None:
    names = {"0": "none", "1": "skip_connect", "2": "nor_conv_1x1", "3": "nor_conv_3x3", "4": "avg_pool_3x3"}
    for row in list(read_rows(shared_data))[::500]:
        operations = parse_architecture(row["arch"])
        assert operations == tuple(names[digit] for digit in row["code"])
        assert format_architecture(operations) == row["arch"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "|none~0|+|none~0|none~1|",
        "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|none~0|+|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|+",
        "none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none|+|none~0|none~1|+|none~0|none~1|none~2|",
    ],
)
def test_string_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(GraphError, match=r"nasbench201\.arch: expected a string of the form"):
        nasbench201(text)


def test_unknown_operation_is_named() -> None:
    text = "|none~0|+|none~0|conv_5x5~1|+|none~0|none~1|none~2|"
    with pytest.raises(GraphError, match=r"edge 1 to 2: expected one of .*, got 'conv_5x5'"):
        nasbench201(text)


def test_other_settings_are_checked() -> None:
    with pytest.raises(GraphError, match=r"nasbench201\.cells: expected at least 1, got 0"):
        nasbench201(cells=0)
    with pytest.raises(GraphError, match=r"reduction1\.shortcut\.pool: .* does not fit in 1x1 pixels"):
        nasbench201(resolution=1)
