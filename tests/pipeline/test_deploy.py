from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netwright
from netwright import blocks as B
from netwright.errors import (
    BudgetError,
    ConfigError,
    DataError,
    ExportError,
    MissingDependencyError,
    StudyError,
)
from netwright.export import tflite
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Add, Conv, Zero
from netwright.ir.tflm import TflmCost, tflm_cost
from netwright.nn.data import load_data, open_test_set, split
from netwright.nn.lower import Network, build
from netwright.nn.prepare import prepare, statistics
from netwright.nn.recipe import recipe_for
from netwright.nn.train import train
from netwright.pipeline import Deployment
from netwright.pipeline.deployment import job
from netwright.pipeline.deployment.finished import load_again, read_run
from netwright.space import unrank
from tests.export.tflite.clean import clean_labels
from tests.pipeline.deployable import SHARE, SPACE, need_edge, search_deployable, write_run
from tests.pipeline.test_signals import SETTINGS as SIGNALS
from tests.pipeline.test_signals import write_tones, write_windows

FILES = ["deploy.json", "deploy.md", "main.cc", "model.c", "model.h", "model.tflite", "run.py"]
SMALL = SPACE.to_graph(unrank(SPACE, 0))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search."""
    need_edge()
    return search_deployable(tmp_path_factory.mktemp("search") / "run")


@pytest.fixture(scope="module")
def deployed(run: Path) -> Deployment:
    """What came of it."""
    return netwright.deploy(run, calibration=64)


def prepared_test_images(run: Path, size: tuple[int, int]) -> tuple[torch.Tensor, Any]:
    """The test set, by means and deviations that are measured here."""
    data = load_data("digits")
    settings = json.loads((run / "result.json").read_text())["settings"]["estimator"]
    rows = split(data, settings["validation_share"], settings["split_seed"])
    pixels = data.images[rows.train_indices].astype(np.float64)
    images, labels = open_test_set(data)
    return prepare(images, size, [pixels.mean()], [pixels.std()]), labels


# --------------------------------------------------------------------------------------- the real thing


@pytest.mark.slow
def test_what_was_predicted_is_what_the_interpreter_takes(deployed: Deployment) -> None:
    facts = deployed.facts
    names = ("head_bytes", "tail_bytes", "arena_bytes", "flash_bytes")
    assert [facts["predicted"][name] for name in names] == [facts["measured"][name] for name in names]
    assert facts["differences"] == dict.fromkeys(names, 0)
    file = (deployed.out / "model.tflite").read_bytes()
    again = tflite.run_micro(file, np.zeros((1, *SMALL.input_shape[:1], *facts["input"]["shape"][1:3])))
    assert facts["measured"]["head_bytes"] == again.head_bytes
    assert facts["measured"]["tail_bytes"] == again.tail_bytes
    assert facts["measured"]["arena_bytes"] == again.head_bytes + again.tail_bytes
    assert facts["measured"]["flash_bytes"] == len(file)
    assert facts["predicted"]["tail"] == facts["measured"]["tail"] == "host64"
    assert facts["predicted"]["tail_bytes_mcu32"] < facts["predicted"]["tail_bytes"]


@pytest.mark.slow
def test_it_fits_as_the_search_said(run: Path, deployed: Deployment) -> None:
    result = json.loads((run / "result.json").read_text())
    assert deployed.fits
    assert deployed.verdict.fits
    assert {row.metric: row.limit for row in deployed.verdict.rows} == result["budget"]["limits"]
    # The search counts the order of definition, which is the best one in a chain.
    for name in ("head_bytes", "arena_bytes", "flash_bytes"):
        assert deployed.facts["measured"][name] == result["costs"][name]
    assert deployed.facts["accuracy"]["float"] == pytest.approx(result["test_accuracy"], abs=1e-9)


@pytest.mark.slow
def test_a_clean_process_gives_the_same_labels(run: Path, deployed: Deployment, tmp_path: Path) -> None:
    height, width = deployed.facts["input"]["shape"][1:3]
    inputs, truth = prepared_test_images(run, (height, width))
    labels = clean_labels(deployed.out, inputs.permute(0, 2, 3, 1).numpy(), tmp_path)
    assert len(labels) == deployed.facts["test_images"]
    assert float((np.array(labels) == truth).mean()) == deployed.facts["accuracy"]["int8_tflm"]
    file = (deployed.out / "model.tflite").read_bytes()
    assert labels == tflite.run_micro(file, inputs).labels.tolist()


@pytest.mark.slow
def test_int8_says_nearly_what_float_says(deployed: Deployment) -> None:
    facts = deployed.facts
    assert facts["agreement"] > 0.97
    assert facts["float_agreement"] > 0.95
    assert facts["accuracy"]["int8_tflm"] > 0.2  # ten classes, one epoch


@pytest.mark.slow
def test_files_and_their_facts(deployed: Deployment) -> None:
    assert sorted(path.name for path in deployed.out.iterdir()) == FILES
    facts = json.loads((deployed.out / "deploy.json").read_text())
    assert facts == deployed.facts
    header = (deployed.out / "model.h").read_text()
    assert f"#define MODEL_BYTES {facts['measured']['flash_bytes']}\n" in header
    assert f"#define MODEL_ARENA_BYTES {facts['measured']['smallest_arena_bytes']}\n" in header
    arenas = [facts[kind]["smallest_arena_bytes"] for kind in ("measured", "predicted")]
    assert arenas[0] <= arenas[1] <= arenas[0] + 32
    assert f"#define MODEL_INPUT_ZERO_POINT ({facts['input']['zero_point']})\n" in header
    text = (deployed.out / "deploy.md").read_text()
    for words in (
        f"| {facts['measured']['arena_bytes']:,} | {facts['measured']['arena_bytes']:,} | +0 |",
        f"{facts['predicted']['tail_bytes_mcu32']:,} bytes",
        "modelled, not measured",
        f"{facts['input']['scale']!r}, {facts['input']['zero_point']}",
        "over 64 images, drawn with seed 3",
        f"{100 * facts['accuracy']['int8_tflm']:.2f} %",
        facts["interpreter"]["version"],
    ):
        assert words in text


@pytest.mark.slow
def test_what_int8_loses_is_told_from_the_rows_that_validate(run: Path, deployed: Deployment) -> None:
    found = deployed.facts["fine_tuning"]
    settings = json.loads((run / "result.json").read_text())
    assert found["float_accuracy"] == pytest.approx(settings["validation_accuracy"], abs=1e-9)
    assert abs(found["before"] - found["float_accuracy"]) < 0.05
    assert (found["after"] is None) == (found["float_accuracy"] - found["before"] <= 0.005)
    assert "## Fine-tuning" in (deployed.out / "deploy.md").read_text()


@pytest.mark.slow
def test_fine_tuning_may_be_ruled_out(run: Path, tmp_path: Path) -> None:
    done = netwright.deploy(run, calibration=16, fine_tune="never", out=tmp_path / "files")
    assert done.facts["fine_tuning"] is None
    assert "Fine-tuning" not in (done.out / "deploy.md").read_text()


def unbalanced(factor: float) -> Network:
    """A trained network of digits, one channel of which is ``factor`` times as large as it need be.

    The layer that reads it divides by the factor, so that float computes the same; int8 has one scale for all
    channels, and rounds the others away.
    """
    build_graph = GraphBuilder()
    x = build_graph.input((1, 8, 8))
    for number, (out, stride) in enumerate(((8, 1), (16, 2), (16, 1))):
        with build_graph.scope(f"layer{number}"):
            x = B.conv_bn_act(out=out, stride=stride, activation="relu")(build_graph, x)
    with build_graph.scope("classifier"):
        network = build(build_graph.finish(B.classifier(classes=10)(build_graph, x)), seed=0)
    inputs, labels = digits("train")
    recipe = replace(recipe_for(load_data("digits")), epochs=20)
    train(network, inputs, torch.tensor(labels), recipe=recipe, seed=0)
    with torch.no_grad():
        state = network.state_dict()
        for name in ("layer1.bn.weight", "layer1.bn.bias"):
            state[name][0] *= factor
        state["layer2.conv.weight"][:, 0] /= factor
    return network


def digits(part: str) -> tuple[torch.Tensor, Any]:
    """Inputs and labels of the rows that train or validate."""
    data = load_data("digits")
    rows = split(data, SHARE, 0)
    scale = statistics(data.images[rows.train_indices])
    indices = rows.train_indices if part == "train" else rows.validation_indices
    return prepare(data.images[indices], (8, 8), scale.mean, scale.std), data.labels[indices]


@pytest.mark.slow
def test_fine_tuning_wins_back_what_int8_lost(tmp_path: Path) -> None:
    need_edge()
    network = unbalanced(200)
    run = write_run(tmp_path / "run", network.graph, network)
    lost = netwright.deploy(run, fine_tune="never", out=tmp_path / "lost").facts["accuracy"]
    assert lost["float"] - lost["int8_tflm"] > 0.1
    done = netwright.deploy(run)
    found, shares = done.facts["fine_tuning"], done.facts["accuracy"]
    assert found["kept"]
    recipe = recipe_for(load_data("digits"))
    assert found["epochs"] == round(0.2 * recipe.epochs)
    assert found["learning_rate"] == pytest.approx(0.05 * recipe.learning_rate)
    assert found["after"] - found["before"] > 0.1
    assert shares["float"] == lost["float"]  # that of the network as it was trained
    assert shares["int8_tflm"] - lost["int8_tflm"] > 0.1
    assert done.facts["differences"] == dict.fromkeys(done.facts["differences"], 0)
    text = (done.out / "deploy.md").read_text()
    assert f"int8 gives {100 * found['after']:.2f} %. This file is the fine-tuned one." in text


@pytest.mark.slow
def test_the_better_file_is_kept(tmp_path: Path) -> None:
    need_edge()
    network = unbalanced(1)
    run = write_run(tmp_path / "run", network.graph, network)
    done = netwright.deploy(run, calibration=64, fine_tune="always")
    found = done.facts["fine_tuning"]
    inputs, labels = digits("validation")
    file = (done.out / "model.tflite").read_bytes()
    accuracy = float((tflite.run_litert(file, inputs).argmax(-1) == labels).mean())
    assert accuracy == max(found["before"], found["after"])
    assert found["kept"] == (found["after"] > found["before"])


@pytest.mark.slow
def test_calibration_is_on_rows_that_trained(run: Path, deployed: Deployment) -> None:
    found = deployed.facts["calibration"]
    settings = json.loads((run / "result.json").read_text())["settings"]["estimator"]
    rows = split(load_data("digits"), settings["validation_share"], settings["split_seed"])
    assert found["images"] == len(found["rows"]) == len(set(found["rows"])) == 64
    assert found["of_training_images"] == len(rows.train_indices)
    assert set(found["rows"]) <= set(rows.train_indices.tolist())


@pytest.mark.slow
def test_a_budget_that_is_too_small_is_a_failed_verdict_with_files(run: Path, tmp_path: Path) -> None:
    budget = netwright.budget_for(max_arena="1KB", max_file="1MB")
    done = netwright.deploy(run, budget=budget, out=tmp_path / "files", calibration=8)
    assert not done.fits
    assert [(row.metric, row.fits) for row in done.verdict.rows] == [
        ("arena_bytes", False),
        ("flash_bytes", True),
    ]
    assert done.verdict.rows[0].value == done.facts["measured"]["arena_bytes"] > 1024
    assert sorted(path.name for path in done.out.iterdir()) == FILES
    assert "**It does not fit the limits given by hand**" in (done.out / "deploy.md").read_text()


@pytest.mark.slow
def test_a_prediction_of_other_operators_is_an_error_and_nothing_is_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampered(graph: Graph) -> TflmCost:
        found = tflm_cost(graph)
        first, *rest = found.program.operators
        operators = (first._replace(kind="CONV_3D"), *rest)
        return replace(found, program=found.program._replace(operators=operators))

    monkeypatch.setattr(job, "tflm_cost", tampered)
    message = r"operator 0 \(from stem.*\): expected CONV_3D, got DEPTHWISE_CONV_2D"
    with pytest.raises(ExportError, match=message):
        netwright.deploy(run, out=tmp_path / "files", calibration=8)
    assert not (tmp_path / "files").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("write", "kind"), [(write_windows, "windows"), (write_tones, "audio")])
def test_signals_are_deployed_too(tmp_path: Path, write: Callable[[Path], str], kind: str) -> None:
    need_edge()
    run = tmp_path / "run"
    netwright.search(write(tmp_path / "data.npz"), run, **SIGNALS)
    done = netwright.deploy(run, calibration=50)
    assert done.fits
    assert set(done.facts["differences"].values()) == {0}
    assert done.facts["agreement"] > 0.95
    assert done.facts["input"]["kind"] == kind
    text = (done.out / "deploy.md").read_text()
    assert ("front end" in text) is (kind == "audio")
    assert f"over 50 {'clips' if kind == 'audio' else kind}, drawn" in text


@pytest.mark.slow
def test_dead_ops_leave_and_the_best_order_is_written(tmp_path: Path) -> None:
    need_edge()
    graph = branches()
    done = netwright.deploy(write_run(tmp_path, graph), calibration=8)
    facts = done.facts
    assert facts["differences"] == {
        "head_bytes": 0,
        "tail_bytes": 0,
        "arena_bytes": 0,
        "flash_bytes": 0,
    }
    assert facts["measured"]["head_bytes"] < facts["order"]["head_bytes_as_defined"]
    assert "dead" not in facts["order"]["nodes"]
    assert "nothing" not in facts["order"]["nodes"]
    # What torch computes is still the whole network: dead ops and order change nothing.
    network = netwright.load(tmp_path / "export")
    images, labels = open_test_set(load_data("digits"))
    run = read_run(tmp_path)
    with torch.no_grad():
        guess = network(prepare(images, (8, 8), run.facts["mean"], run.facts["std"])).argmax(1).numpy()
    assert facts["accuracy"]["float"] == pytest.approx(float((guess == labels).mean()), abs=1e-9)


def branches() -> Graph:
    """Two wide branches, which the definition widens one after the other before either is narrowed."""
    build = GraphBuilder()
    x = build.input((1, 8, 8))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8)(build, x)
    wide, narrow = [], []
    for side in range(2):
        with build.scope(f"wide{side}"):
            wide.append(B.conv_bn_act(out=64, kernel=1)(build, x))
    for side in range(2):
        with build.scope(f"narrow{side}"):
            narrow.append(B.conv_bn_act(out=8)(build, wide[side]))
    build.apply("dead", Conv(64, (1, 1)), x)
    nothing = build.apply("nothing", Zero(), x)
    x = build.apply("sum", Add(), *narrow, nothing)
    with build.scope("head"):
        return build.finish(B.classifier(classes=10)(build, x))


# ------------------------------------------------------------------------------------------- bad input


def test_no_such_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing: expected the run directory of a search"):
        netwright.deploy(tmp_path / "missing")


def test_an_unfinished_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"expected a finished search, found no result\.json"):
        netwright.deploy(tmp_path)


def test_labels_of_pixels_are_not_supported(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL, task="segmentation")
    with pytest.raises(ConfigError, match="expected a search for classification, got one for segmentation"):
        netwright.deploy(run)


@pytest.mark.parametrize("name", ["export/card.json", "export/weights.safetensors"])
def test_a_run_without_its_export(tmp_path: Path, name: str) -> None:
    run = write_run(tmp_path, SMALL)
    (run / name).unlink()
    with pytest.raises((StudyError, ExportError), match=name.split("/")[-1].split(".")[0]):
        netwright.deploy(run)


def test_a_result_that_lacks_what_is_needed(tmp_path: Path) -> None:
    run = write_run(tmp_path, SMALL, settings={})
    with pytest.raises(StudyError, match=r"estimator.*run the `netwright search` command"):
        netwright.deploy(run)


def test_without_the_extra_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path, SMALL)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(MissingDependencyError) as caught:
        netwright.deploy(run)
    assert 'pip install -c constraints.txt "netwright[edge]"' in str(caught.value)


def test_a_device_and_a_budget(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a device or a budget, got both"):
        netwright.deploy(tmp_path, device="stm32f746", budget=netwright.budget_for(max_arena=1024))


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", SMALL)
    (tmp_path / "files").write_text("mine")
    with pytest.raises(ConfigError, match="expected a folder for the files, found a file"):
        netwright.deploy(run, out=tmp_path / "files")


def test_no_images_for_calibration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="calibration: expected at least 1 image, got 0"):
        netwright.deploy(tmp_path, calibration=0)
    with pytest.raises(ConfigError, match="fine_tune: expected one of auto, always, never, got 'yes'"):
        netwright.deploy(tmp_path, fine_tune="yes")


def test_an_unknown_device_is_said_before_anything_takes_time(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected the name of a device, got 'stm33'"):
        netwright.deploy(write_run(tmp_path, SMALL), device="stm33")


def test_a_limit_on_a_cost_that_is_not_known(tmp_path: Path) -> None:
    budget = netwright.budget_for(max_latency="1ms")
    with pytest.raises(BudgetError, match="add latency_ns"):
        netwright.deploy(write_run(tmp_path, SMALL), budget=budget)


def test_data_that_were_an_object_are_asked_for(tmp_path: Path) -> None:
    data = load_data("digits")
    run = read_run(write_run(tmp_path, SMALL, data={"name": "mine", "fingerprint": data.fingerprint}))
    with pytest.raises(
        DataError, match=r"'mine'.*cannot be loaded again by name.*netwright\.deploy\(.*data="
    ):
        load_again(run)
    found, rows = load_again(run, data)
    assert found is data
    assert (rows.train_indices == split(data, SHARE, 0).train_indices).all()


def test_other_data_are_an_error(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, SMALL, data={"name": "digits", "fingerprint": "0" * 64}))
    with pytest.raises(
        DataError, match=r"expected the data that were searched on \(fingerprint 000000000000\)"
    ):
        load_again(run)


def test_calibration_rows_depend_on_the_seed_alone(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, SMALL))
    rows = split(load_data("digits"), SHARE, 0)
    some, same, all_of_them = (job.calibration_rows(run, rows, number) for number in (50, 50, 10**6))
    assert some.tolist() == same.tolist() == sorted(set(some.tolist()))
    assert len(some) == 50
    assert all_of_them.tolist() == rows.train_indices.tolist()
