from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from netwright.devices import budget_for
from netwright.errors import ExportError
from netwright.export.bundle import save
from netwright.export.card import Accuracy, Card, DataFacts, SearchFacts, model_card, write_card
from netwright.export.onnx import export_onnx
from netwright.ir.cost import cost
from netwright.ir.runtime import runtime_costs
from netwright.nn.task import SEGMENTATION
from netwright.space.architecture import Architecture
from tests.export.conftest import Finished
from tests.export.networks import BLOCK, classifier, pixel_labeller
from tests.torch_oracle import random_network

CLASSES = ("T-shirt", 'it\'s | a "bag"', "boot", "größer")


def costs() -> dict[str, int]:
    found = cost(classifier())
    return {
        "macs": found.macs,
        "params": found.params,
        "weight_bytes": found.weight_bytes,
        "peak_activation_bytes": found.peak_activation_bytes,
        **runtime_costs(classifier()),
    }


@pytest.fixture
def card() -> Card:
    return Card(
        name="fashion-mnist under nrf52840",
        data=DataFacts(
            name="npz:gestures.npz",
            fingerprint="ab" * 32,
            classes=CLASSES,
            input_shape=(3, 12, 12),
            channel_order="RGB",
            mean=(120.5, 130.0, 99.25),
            std=(60.0, 61.5, 1e-3),
            train=1000,
            validation=200,
            test=360,
            notes=("a quarter was held back as the test set",),
        ),
        costs=costs(),
        accuracy=Accuracy(
            0.981, 0.975, {"validation, top 3 trained in full": (0.981, 0.979, 0.976), "one": (0.5,)}
        ),
        seed=7,
        budget=budget_for("nrf52840", max_macs="2M"),
        architecture=Architecture("tiny-1a2b3c", (("width", 8), ("stage1.kernel", 5))),
        search=SearchFacts(
            space="tiny-1a2b3c",
            strategy="evolution",
            trials=40,
            failed=1,
            size=22 * 10**18,
            fitting=10**18 + 1,
            seconds=599.6,
            settings={"fidelity": 0.1},
        ),
    )


def snippets(markdown: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", markdown, flags=re.DOTALL)


def answer(finished: Finished, card: Card) -> str:
    """The class that the network gives to the image of the snippets: zeros before normalisation."""
    mean = np.array(card.data.mean).reshape(-1, 1, 1)
    std = np.array(card.data.std).reshape(-1, 1, 1)
    x = torch.from_numpy(((np.zeros((1, 3, 12, 12)) - mean) / std).astype(np.float32))
    with torch.no_grad():
        return CLASSES[int(finished.network(x)[0].argmax())]


# ---------------------------------------------------------------------------------------------- using it


@pytest.mark.parametrize(
    ("index", "blocked"),
    [(0, {"onnx", "onnxruntime", "netwright.space"}), (1, {"netwright", "torch", "onnx"})],
    ids=["netwright", "onnxruntime alone"],
)
def test_the_code_of_the_card_runs(
    finished: Finished, card: Card, tmp_path: Path, index: int, blocked: set[str]
) -> None:
    folder = tmp_path / "moved elsewhere"
    shutil.copytree(finished.folder, folder)
    write_card(folder, card)
    code = snippets((folder / "card.md").read_text(encoding="utf-8"))[index]
    command = [sys.executable, "-I", "-W", "error", "-X", "utf8", "-c", BLOCK.format(blocked=blocked) + code]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == answer(finished, card)


def test_without_an_onnx_file_its_code_is_left_out(card: Card) -> None:
    assert len(snippets(model_card(card))) == 2
    assert len(snippets(model_card(replace(card, onnx=False)))) == 1
    assert "onnxruntime.InferenceSession" not in model_card(replace(card, onnx=False))


# ---------------------------------------------------------------------------------------------- the facts


def test_the_card_says_what_it_must(card: Card) -> None:
    text = model_card(card)
    for fact in (
        "It fits nrf52840.",
        "| channel order | RGB |",
        "| mean | 120.5, 130, 99.25 |",
        "| pixels before normalisation | 0 to 255 |",
        f" | {costs()['macs']} |",
        f" | {costs()['peak_activation_bytes']} |",
        "- fits: macs:",
        "SRAM 256 KB - 16 KB kept for the program = 240 KB for the tensor arena (nrf52840)",
        "| validation | 98.10 % |",
        "| test | 97.50 % | measured once; 95 % interval for 360 images: ",
        # statistics.stdev of the three, by hand: deviations .0023, .0003, -.0027.
        "| validation, top 3 trained in full | 97.87 ± 0.25 % | 98.10 %, 97.90 %, 97.60 % |",
        "| one | 50.00 % |",
        "| seed | 7 |",
        "| architectures in the space | 22000000000000000000 |",
        "| trials | 40, 1 of them failed |",
        "| fidelity | 0.1 |",
        "| stage1.kernel | 5 |",
        "ab" * 32,
        "a quarter was held back as the test set",
        f"| torch | {torch.__version__} |",
        "| netwright | ",
        "| python | ",
    ):
        assert fact in text, fact


def test_the_facts_are_json_and_lose_nothing(card: Card, tmp_path: Path) -> None:
    write_card(tmp_path, card)
    facts = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert facts == card.to_dict()
    assert facts["format"] == 1
    assert facts["data"]["classes"] == list(CLASSES)
    assert facts["search"]["size"] == 22 * 10**18
    assert facts["verdict"]["fits"] is True
    assert facts["costs"] == costs()
    assert facts["architecture"] == {
        "format": 1,
        "space": "tiny-1a2b3c",
        "choices": {"width": 8, "stage1.kernel": 5},
    }
    assert set(facts["versions"]) == {"netwright", "torch", "numpy", "onnx", "onnxruntime", "python"}


def test_every_table_row_has_the_cells_of_its_header(card: Card) -> None:
    width = 0
    for line in model_card(card).splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert width in (0, cells) or cells == 0, line
        width = cells


def test_a_network_over_the_budget_is_not_praised(card: Card) -> None:
    text = model_card(replace(card, budget=budget_for(max_params="100")))
    assert "**It does not fit the limits given by hand.**" in text
    assert "- DOES NOT FIT: params: " in text
    assert "fits: " not in text.replace("DOES NOT FIT: ", "")


def test_a_card_without_search_and_budget(card: Card) -> None:
    bare = Card(card.name, card.data, costs(), Accuracy(0.9), seed=0)
    text = model_card(bare)
    assert "It was made without a budget." in text
    assert "No budget was given." in text
    assert "## Search" not in text
    assert "| seed | 0 |" in text
    assert "| test |" not in text
    facts = bare.to_dict()
    assert facts["verdict"] is None
    assert facts["accuracy"] == {"validation": 0.9, "test": None, "test_interval": None, "spreads": {}}


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    right, count = counts
    data = DataFacts("d", "f", ("a",), (1, 1, 1), "grey", (0,), (1,), test=count)
    facts = Card("c", data, {}, Accuracy(1, right / count), seed=0, versions={}).to_dict()
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")
    low, high = facts["accuracy"]["test_interval"]
    assert low == pytest.approx(expected.low, abs=1e-6)
    assert high == pytest.approx(expected.high, abs=1e-6)


def test_means_must_be_those_of_the_channels(card: Card) -> None:
    with pytest.raises(ExportError, match="one mean and one std for each of the 3 channels, got 1 and 3"):
        replace(card.data, mean=(0.5,))


# --------------------------------------------------------------------------------------- labels of pixels


@pytest.fixture
def pixel_card(card: Card) -> Card:
    data = replace(card.data, input_shape=(3, 12, 10), label_shape=(24, 20))
    accuracy = Accuracy(0.7, 0.66, test_interval=(0.64, 0.68), further={"test_pixel_accuracy": 0.9})
    return replace(card, data=data, accuracy=accuracy, task=SEGMENTATION)


def test_the_card_of_a_network_that_labels_pixels(pixel_card: Card) -> None:
    text = model_card(pixel_card)
    for fact in (
        "A network that tells for each pixel which of 4 classes it is of, at 12 x 10 pixels, 3 channels",
        "## Mean IoU",
        "| images | mean IoU | note |",
        "| test | 66.00 % | measured once; 95 % interval for 360 images: 64.00 % to 68.00 % |",
        "| test pixel accuracy | 90.00 % |",
        "| output | logits of 4 classes at each of 24 x 20 pixels: ",
    ):
        assert fact in text, fact
    facts = pixel_card.to_dict()
    assert facts["task"] == "segmentation"
    assert facts["data"]["label_shape"] == [24, 20]
    assert facts["accuracy"]["test_interval"] == [0.64, 0.68]
    assert facts["accuracy"]["test_pixel_accuracy"] == 0.9


def test_pixels_have_no_interval_unless_it_is_given(pixel_card: Card) -> None:
    bare = replace(pixel_card, accuracy=Accuracy(0.7, 0.66))
    assert bare.to_dict()["accuracy"]["test_interval"] is None
    assert "| test | 66.00 % | measured once |" in model_card(bare)


def test_the_code_of_the_card_labels_pixels(pixel_card: Card, tmp_path: Path) -> None:
    graph = pixel_labeller()
    network = random_network(graph).float()
    save(tmp_path, graph, network)
    export_onnx(network, graph, tmp_path / "model.onnx")
    mean, std = (np.array(one).reshape(-1, 1, 1) for one in (pixel_card.data.mean, pixel_card.data.std))
    x = torch.from_numpy(((np.zeros((1, 3, 12, 10)) - mean) / std).astype(np.float32))
    with torch.no_grad():
        labels = network(x)[0].argmax(0).unique().tolist()
    for code in snippets(model_card(pixel_card)):
        command = [sys.executable, "-I", "-W", "error", "-X", "utf8", "-c", code]
        run = subprocess.run(
            command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=300, check=False
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip() == str([CLASSES[label] for label in labels])
