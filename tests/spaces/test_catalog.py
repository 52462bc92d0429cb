"""The catalogue: sizes of all network-level spaces, their settings, and spaces from files."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import pytest

from netwright.errors import ConfigError, SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.ir.ops import Conv, Pool
from netwright.models import Parameter
from netwright.seeding import rng_for
from netwright.space import ExpressionSpace, costs_of, extremes, mutate, sample, size
from netwright.spaces import mobilenet_tiny
from netwright.spaces.catalog import (
    SPACES,
    find_space,
    load_space,
    make_space,
    resolve_space,
    write_space,
)
from netwright.testing.verdict import ask_torch

RESNET = ((3, 1, 2, 3, 4), (3, 2, 3, 4, 6), (3, 2, 4, 6, 8, 23), (3, 1, 2, 3, 4))

SIZES = {
    # Published, see FACTS.
    "ofa-mobilenet-v3": 543_966_387_314_312_146_275,
    "fbnet": 984_770_902_183_611_232_881,
    "shufflenet": 1_099_511_627_776,
    "nats-size": 32_768,
    "nasbench-macro": 6_561,
    "accel-nasbench": 36**6 * 48,
    # From their definitions.
    "proxylessnas": 6**6 * 7**15,
    "mobilenet-v2": 9 * 5**9,
    "resnet": 2 * prod(widths * sum(6**depth for depth in depths) for widths, *depths in RESNET),
    "shufflenet-v1": 5 * 5 * (2**2 + 2**3 + 2**4) * (2**4 + 2**6 + 2**8) * (2**2 + 2**3 + 2**4),
    "mcunet": 12 * 9 * (9**2 + 9**3 + 9**4) ** 5 * 9,
}


@pytest.fixture(scope="module", params=SIZES)
def space(request: pytest.FixtureRequest) -> ExpressionSpace:
    """A network-level space for the data that it was published for."""
    return make_space(request.param)


def test_size(space: ExpressionSpace) -> None:
    assert size(space) == SIZES[space.name]


def test_dimensions_are_the_last_words_of_names(space: ExpressionSpace) -> None:
    words = {decision.name.rpartition(".")[2] for decision in space.decisions}
    assert words <= {"kernel", "expand", "width", "depth", "groups", "expansion", "resolution", "op", "se"}


@pytest.mark.parametrize("metric", COSTS)
def test_extremes_are_networks_of_the_space(space: ExpressionSpace, metric: str) -> None:
    found = extremes(space, metric)
    assert found.smallest.value < found.largest.value
    for extreme in (found.smallest, found.largest):
        assert cost(space.to_graph(extreme.architecture)).totals()[metric] == extreme.value


def test_draws_and_their_mutations_are_what_torch_finds(space: ExpressionSpace) -> None:
    architecture = sample(space, rng_for(0))
    for one in (architecture, mutate(space, architecture, rng_for(1))):
        graph = space.to_graph(one)
        verdict, costs = ask_torch(graph), costs_of(space, one)
        assert (costs["macs"], costs["params"]) == (verdict.macs, verdict.params)
        assert graph.nodes[-1].shape == (find_space(space.name).classes,)


def test_windows_are_padded_as_tflite_does(space: ExpressionSpace) -> None:
    graph = space.to_graph(sample(space, rng_for(2)))
    assert {node.op.padding for node in graph.nodes if isinstance(node.op, Conv | Pool)} == {"same"}


@pytest.mark.parametrize("pixels", [8, 20, 28, 32, 64])
@pytest.mark.parametrize("name", SIZES)
def test_small_images_leave_something_to_convolve(name: str, pixels: int) -> None:
    space = make_space(name, (1, pixels, pixels), 7)
    graph = space.to_graph(sample(space, rng_for(0)))
    assert graph.nodes[-1].shape == (7,)
    last = [node.shape[1] for node in graph.nodes if isinstance(node.op, Conv) and node.shape[1] > 1][-1]
    side = graph.input_shape[1]
    assert side >= min(pixels, 12)
    assert last >= (3 if pixels >= 20 and name not in ("nasbench-macro", "mcunet") else 2)


@pytest.mark.parametrize("name", SPACES)
def test_every_space_is_called_by_its_name(name: str) -> None:
    shape = (3, 1, 32) if SPACES[name].input_shape[1] == 1 else (3, 32, 32)
    space = make_space(name, shape, 10)
    assert space.name == name
    assert find_space(name.upper().replace("-", "_")) is SPACES[name]
    assert SPACES[name].description


VALUES: dict[str, object] = {"blocks": 3, "layers": 6, "stride": 1, "cells": 4, "channels": 12}
"""A value of each parameter for which 64 would be too much."""

KINDS: dict[type, object] = {int: 64, float: 0.75}


def values_of(parameter: Parameter) -> list[object]:
    return [True, False] if parameter.kind is bool else [VALUES.get(parameter.name, KINDS[parameter.kind])]


@pytest.mark.parametrize("name", SPACES)
def test_every_space_has_data_of_its_own(name: str) -> None:
    entry = SPACES[name]
    space = make_space(name)
    graph = space.to_graph(sample(space, rng_for(0)))
    assert graph.input_shape[0] == entry.input_shape[0]
    assert graph[graph.outputs[0]].shape[0] == entry.classes


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        (entry.name, parameter.name, value)
        for entry in SPACES.values()
        for parameter in entry.parameters
        for value in parameter.options or values_of(parameter)
    ],
)
def test_every_parameter_reaches_its_space(name: str, parameter: str, value: object) -> None:
    """Text and value mean the same; only the default leaves the space as it is."""
    entry = SPACES[name]
    default = {each.name: each.default for each in entry.parameters}[parameter]
    set_to = make_space(name, parameters={parameter: value})
    assert set_to.id == make_space(name, parameters={parameter: str(value)}).id
    assert (set_to.id == make_space(name).id) == (value == default)


def test_a_space_is_made_for_the_data() -> None:
    assert make_space("mobilenet-tiny", (1, 28, 28), 7).id == mobilenet_tiny((1, 28, 28), 7).id


def test_unknown_space_names_those_that_are_near() -> None:
    with pytest.raises(ConfigError, match=r"did you mean mobilenet-tiny.*\? expected one of mobilenet-tiny"):
        find_space("mobilenet-tyni")


def test_no_classes() -> None:
    with pytest.raises(ConfigError, match="classes: expected a positive number, got 0"):
        make_space("mobilenet-tiny", (1, 28, 28), 0)


@pytest.mark.parametrize("name", SIZES)
def test_other_images_are_refused(name: str) -> None:
    with pytest.raises(SpaceError, match=f"{name}: expected .*images of at least 8 pixels, got 4x4"):
        make_space(name, (3, 4, 4), 10)


@pytest.mark.parametrize("ending", ["json", "yaml", "yml", "JSON"])
def test_a_file_fixes_parameters(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"won.{ending}"
    write_space(path, "mcunet", {"resolution": "96", "width": 0.5})
    entry, settings = resolve_space(path)
    assert entry is SPACES["mcunet"]
    assert settings == {"resolution": 96, "width": 0.5}
    expected = make_space("mcunet", (3, 32, 32), 10, {"resolution": 96, "width": 0.5})
    assert load_space(path, (3, 32, 32), 10).id == expected.id
    assert load_space(str(path), (3, 32, 32), 10, {"resolution": 96}).id == expected.id
    other = make_space("mcunet", (3, 32, 32), 10, {"resolution": 128, "width": 0.5})
    assert load_space(path, (3, 32, 32), 10, {"resolution": "128"}).id == other.id
    if ending == "json":
        assert json.loads(path.read_text()) == {"space": "mcunet", "set": {"resolution": 96, "width": 0.5}}


def test_a_file_settles_decisions_beside_parameters(tmp_path: Path) -> None:
    path = tmp_path / "won.yaml"
    settings = {"layers": "ordinary", "stem.stride": 1, "stem.width": 16}
    write_space(path, "convnet-tiny", settings)
    space = load_space(path, (1, 28, 28), 10)
    whole = make_space("convnet-tiny", (1, 28, 28), 10, {"layers": "ordinary"})
    assert size(space) * 2 * 5 == size(whole)
    assert "stem.stride" not in {decision.name for decision in space.decisions}
    path.write_text("space: convnet-tiny\nset: {stem.stride: 3}")
    with pytest.raises(
        ConfigError, match=r"won\.yaml: convnet-tiny\.stem\.stride: expected one of 1, 2, got 3"
    ):
        load_space(path)
    path.write_text("space: convnet-tiny\nset: {stem.stride: [1]}")
    with pytest.raises(ConfigError, match=r"stem\.stride: expected a number or a word, got \[1\]"):
        load_space(path)


def test_a_name_is_loaded_too() -> None:
    assert load_space("nats_size").id == make_space("nats-size").id
    assert resolve_space("mcunet", {"width": "0.5"}) == (SPACES["mcunet"], {"width": 0.5})


@pytest.mark.parametrize("text", ["space: nats-size", '{"space": "nats-size"}', "space: nats-size\nset:\n"])
def test_a_file_need_not_set_anything(tmp_path: Path, text: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    assert resolve_space(path) == (SPACES["nats-size"], {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "mcunet",
            "expected the keys space, the name of a search space, and set, its parameters; got 'mcunet'",
        ),
        ("set: {}", "expected the keys space"),
        ("space: 3", "expected the keys space"),
        ("space: [", r"expected JSON or YAML with the keys space and set \("),
        ("space: mcunet\nwidth: 1", "expected the keys space and set, got 'width'"),
        ("space: mcunet\nset: 1", "set: expected values by parameter, got 1"),
        ("space: mcunat", "space: 'mcunat' is unknown; did you mean mcunet"),
        ("space: mcunet\nset: {width: wide}", r"mcunet\.width: expected a number above 0, got 'wide'"),
        (
            "space: nats-size\nset: {width: 1}",
            r"nats-size\.width: .* a decision to settle: layer1\.width, .*",
        ),
        ("space: " + "x" * 100, "space: 'xxx"),
        ("- " + "x" * 100, r"got \['xxx.*\.\.\.$"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"space\.yaml: .*{said}"):
        load_space(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: expected a file with a search space \(No such file"):
        load_space(tmp_path / "gone.json")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"space\.yaml: expected JSON or YAML"):
        load_space(path)


def test_what_is_written_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"won\.txt: expected a path that ends in \.json, \.yaml, \.yml"):
        write_space(tmp_path / "won.txt", "mcunet", {})
    with pytest.raises(ConfigError, match=r"mcunet\.width: expected a number above 0, got '0'"):
        write_space(tmp_path / "won.yaml", "mcunet", {"width": 0})
    assert not list(tmp_path.iterdir())
