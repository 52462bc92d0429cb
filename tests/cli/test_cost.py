from __future__ import annotations

import re
from pathlib import Path

import pytest

from netwright.cli.cost import COUNTED
from netwright.ir.convention import CONVENTIONS
from netwright.ir.graph import GraphBuilder
from netwright.ir.ops import Conv
from netwright.models import MODELS, build_model
from tests.cli.runner import Netwright

KEYS = {
    *("model", "settings", "dtype", "memory_model"),
    *("params", "params_without_bn", "macs", "flops", "weight_bytes", "peak_activation_bytes", "peak_node"),
}
MCUNET_BASELINE = (
    *("mobilenet-v2", "--set", "width=0.35"),
    *("--set", "resolution=144", "--set", "last=448"),
)
NASBENCH201_ARCH = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)


@pytest.mark.parametrize(
    ("arguments", "params", "macs"),
    [
        (("mobilenet-v2",), 3_504_872, 300_774_272),
        (MCUNET_BASELINE, 750_280, 23_499_152),
        (("resnet-50",), 25_557_032, 4_089_184_256),
        (("resnet-50", "--set", "stride_in=1x1"), 25_557_032, 3_857_973_248),
        (("resnet-50-v1",), 25_557_032, 3_857_973_248),
        (("resnext-50",), 25_028_904, 4_230_479_872),
        (("mobilenet-v1",), 4_231_976, 568_740_352),
        (("mobilenet-v3-large",), 5_483_032, 216_589_760),
        (("shufflenet-v1",), 1_865_728, 137_460_672),
    ],
)
def test_published_numbers(arguments: tuple[str, ...], params: int, macs: int, netwright: Netwright) -> None:
    found = netwright("cost", *arguments, "--json").json
    assert (found["params"], found["macs"], found["flops"]) == (params, macs, 2 * macs)


def test_json_has_exactly_these_keys(netwright: Netwright) -> None:
    found = netwright("cost", *MCUNET_BASELINE, "--json").json
    assert set(found) == KEYS
    assert found["model"] == "mobilenet-v2"
    assert found["settings"] == {
        "width": 0.35,
        "resolution": 144,
        "last": 448,
        "classes": 1000,
        "in_channels": 3,
    }
    assert (found["dtype"], found["memory_model"]) == ("int8", "standard")
    assert found["params_without_bn"] == 737_864


def test_fewer_parameters_are_not_less_memory(netwright: Netwright) -> None:
    resnet = netwright("cost", "resnet-18", "--json").json
    mobilenet = netwright("cost", "mobilenet-v2", "--set", "width=0.75", "--json").json
    assert resnet["params"] == 11_689_512
    assert resnet["peak_activation_bytes"] == 1_003_520
    assert mobilenet["peak_activation_bytes"] == 1_505_280
    assert round(resnet["params"] / mobilenet["params"], 2) == 4.43


@pytest.mark.parametrize(
    ("convention", "resolution", "classes", "operations"),
    [
        ("nasbench201", 32, 10, 15_647_370),
        ("nasbench201", 32, 100, 15_653_220),
        ("nasbench201", 16, 120, 3_919_480),
        ("thop", 32, 10, 16_464_576),
        ("thop", 32, 100, 16_470_336),
        ("thop", 16, 120, 4_123_712),
        ("ptflops", 32, 10, 16_810_634),
        ("ptflops", 32, 100, 16_816_484),
        ("ptflops", 16, 120, 4_210_296),
    ],
)
def test_conventions_of_other_tools(
    convention: str, resolution: int, classes: int, operations: int, netwright: Netwright
) -> None:
    settings = (f"arch={NASBENCH201_ARCH}", f"resolution={resolution}", f"classes={classes}")
    asked = ["cost", "nasbench201", "--convention", convention]
    for setting in settings:
        asked += ["--set", setting]
    found = netwright(*asked, "--json").json
    assert set(found) == KEYS | {"convention", "operations"}
    assert (found["convention"], found["operations"]) == (convention, operations)
    # The benchmark counts the classifier's bias, which the native count leaves out.
    native = netwright(*asked[:2], *asked[4:], "--convention", "nasbench201", "--json").json
    assert native["macs"] == native["operations"] - classes == found["macs"]
    text = netwright(*asked).text
    assert f"operations, {convention}" in text
    assert f"{operations:,}" in text
    assert f"{convention} counts {COUNTED[convention]}." in text


def test_every_convention_is_explained() -> None:
    assert set(COUNTED) == set(CONVENTIONS)


def test_text_says_the_same_as_json(netwright: Netwright) -> None:
    found = netwright("cost", *MCUNET_BASELINE, "--json").json
    text = netwright("cost", *MCUNET_BASELINE).text
    assert "width=0.35, last=448, resolution=144, classes=1000" in text
    rows = dict(re.findall(r"^ *(\S.*?)  +([\d,]+)  ", text, re.MULTILINE))
    assert {name: int(value.replace(",", "")) for name, value in rows.items()} == {
        "parameters": 750_280,
        "without batch norm": 737_864,
        "MACs": 23_499_152,
        "FLOPs (2 x MACs)": 46_998_304,
        "weight bytes": found["weight_bytes"],
        "peak activation bytes": found["peak_activation_bytes"],
        # Expanded to 144 channels on 36 x 36 after stride 2: input and output of the depthwise convolution.
        "stage2.0.expand.conv": 48 * 72 * 72,
        "stage2.0.depthwise.conv": 48 * 36 * 36,
    }
    assert "The peak is at stage2.0.depthwise.conv" in text


def test_tables_in_a_pipe_are_plain_and_unbroken(
    netwright: Netwright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    text = netwright("cost", "mobilenet-v3-large", "--layers").text
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())
    names = [node.name for node in build_model("mobilenet-v3-large").nodes]
    assert [line.split()[0] for line in text.splitlines()[-len(names) :]] == names


def test_memory_model_is_named_and_what_it_saves_is_shown(tmp_path: Path, netwright: Netwright) -> None:
    build = GraphBuilder()
    x = build.apply("depthwise", Conv(8, (3, 3), groups=8), build.input((8, 16, 16)))
    file = tmp_path / "graph.json"
    file.write_text(build.finish(x).to_json())
    arguments = ("cost", "--graph", str(file), "--memory-model", "inplace-depthwise")
    found = netwright(*arguments, "--json").json
    assert found["memory_model"] == "inplace-depthwise"
    # The input, and one channel of the output as a buffer.
    assert found["peak_activation_bytes"] == 8 * 16 * 16 + 16 * 16
    text = netwright(*arguments).text
    assert "inplace-depthwise memory model" in text
    rows = [line.split("  ") for line in text.partition("in memory:\n")[2].splitlines()]
    assert [[cell.strip() for cell in row if cell][:2] for row in rows] == [
        ["input", "2,048"],
        ["depthwise", "2,048"],
        ["of which overwritten in place", "-1,792"],
    ]


def test_dtype_scales_the_memory(netwright: Netwright) -> None:
    found = {
        dtype: netwright("cost", "resnet-18", "--dtype", dtype, "--json").json
        for dtype in ("int8", "float16", "float32")
    }
    peak = found["int8"]["peak_activation_bytes"]
    assert found["float16"]["peak_activation_bytes"] == 2 * peak
    assert found["float32"]["peak_activation_bytes"] == 4 * peak
    assert found["float32"]["weight_bytes"] == 2 * found["float16"]["weight_bytes"]


def test_layers_add_up(netwright: Netwright) -> None:
    found = netwright("cost", "shufflenet-v2", "--layers", "--json").json
    assert set(found) == KEYS | {"layers"}
    for figure in ("params", "macs", "weight_bytes"):
        assert sum(layer[figure] for layer in found["layers"]) == found[figure]
    steps = [layer for layer in found["layers"] if layer["memory_bytes"] is not None]
    assert max(layer["memory_bytes"] for layer in steps) == found["peak_activation_bytes"]
    assert all(sum(layer["alive"].values()) == layer["memory_bytes"] for layer in steps)


def test_graph_in_a_file_costs_what_the_model_costs(tmp_path: Path, netwright: Netwright) -> None:
    file = tmp_path / "graph.json"
    file.write_text(build_model("resnet-18").to_json())
    found = netwright("cost", "--graph", str(file), "--json").json
    assert set(found) == KEYS | {"graph"}
    expected = netwright("cost", "resnet-18", "--json").json
    assert found == {**expected, "model": None, "graph": str(file), "settings": {}}


def test_counts_beyond_a_double_are_exact(tmp_path: Path, netwright: Netwright) -> None:
    build = GraphBuilder()
    side = 2**26 + 1
    x = build.apply("conv", Conv(3, (1, 1)), build.input((1, side, side)))
    file = tmp_path / "graph.json"
    file.write_text(build.finish(x).to_json())
    assert netwright("cost", "--graph", str(file), "--json").json["macs"] == 3 * side**2


def test_list_names_every_model_and_its_settings(netwright: Netwright) -> None:
    text = netwright("cost", "--list").text
    listed = netwright("cost", "--list", "--json").json["models"]
    assert [model["name"] for model in listed] == list(MODELS)
    for model in listed:
        line = next(line for line in text.splitlines() if line.startswith(f"{model['name']} "))
        assert line.endswith(", ".join(setting["name"] for setting in model["settings"]))
        for setting in model["settings"]:
            if setting["default"] is not None:
                value = f"{setting['name']}={setting['default']}"
                assert netwright("cost", model["name"], "--set", value, "--json").code == 0


def test_list_of_one_model_has_its_defaults(netwright: Netwright) -> None:
    text = netwright("cost", "mobilenet-v2", "--list").text
    assert re.search(r"^resolution +224 +height and width", text, re.MULTILINE)
    assert len(netwright("cost", "mobilenet-v2", "--list", "--json").json["models"]) == 1


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "expected a MODEL or --graph FILE, got neither; `netwright cost --list` lists the models"),
        (["resnet-50", "--graph", "x.json"], "expected a MODEL or --graph FILE, got both"),
        (["mobilnet-v2"], "did you mean mobilenet-v2"),
        (["mobilnet-v2", "--list"], "did you mean mobilenet-v2"),
        (
            ["resnet-50", "--set", "depth=2"],
            "resnet-50.depth: there is no such setting; expected one of width",
        ),
        (["resnet-50", "--set", "width=wide"], "resnet-50.width: expected a number above 0, got 'wide'"),
        (["resnet-50", "--set", "width"], "--set: expected KEY=VALUE, got 'width'"),
        (["resnet-50", "--set", "=2"], "--set: expected KEY=VALUE, got '=2'"),
        (
            ["resnet-50", "--set", "width=1", "--set", "width=2"],
            "--set width: expected one value, got '1' and '2'",
        ),
        (
            ["resnet-50", "--dtype", "int4"],
            "dtype: expected one of ('int8', 'float16', 'float32'), got 'int4'",
        ),
        (
            ["resnet-50", "--memory-model", "best"],
            "memory model: expected one of ('standard', 'inplace-depthwise')",
        ),
        (
            ["resnet-50", "--convention", "fvcore"],
            "convention: expected one of ('native', 'nasbench201', 'thop',",
        ),
        (["mobilenet-v3-large", "--convention", "thop"], "no rule for op 'activation'"),
        (
            ["--graph", "nowhere.json"],
            "--graph: expected a file that can be read, got nowhere.json (No such file",
        ),
        (["--graph", "x.json", "--set", "width=1"], "--set: a graph in a file has no settings"),
        (["nasbench201", "--set", "arch=conv3x3"], "expected a string of the form |op~0|+|op~0|op~1|+"),
    ],
)
def test_errors_say_what_to_do(arguments: list[str], expected: str, netwright: Netwright) -> None:
    assert expected in netwright("cost", *arguments).error


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff\xfe\x00", b'{"format": 1}'])
def test_a_file_that_is_no_graph_is_an_error(content: bytes, tmp_path: Path, netwright: Netwright) -> None:
    file = tmp_path / "graph.json"
    file.write_bytes(content)
    assert "graph" in netwright("cost", "--graph", str(file)).error
