from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, jaccard_score, log_loss, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.errors import DataError, TrainingError
from netwright.nn.data import Data, load_data, open_test_set, split
from netwright.nn.prepare import prepare, statistics
from netwright.nn.recipe import Recipe, recipe_for
from netwright.nn.task import tally
from netwright.nn.train import evaluate, train

RECIPE = Recipe(epochs=2, batch_size=32, learning_rate=0.1)
Part = tuple[Tensor, Tensor]


def separable(channels: int, out: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, out, 1, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    ]


def network(seed: int = 0, width: int = 8, dropout: float = 0.0, stride: int = 1) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *separable(width, 2 * width, 2),
        *separable(2 * width, 4 * width, 2),
        *separable(4 * width, 4 * width),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, 10),
    )


def parts(data: Data, resolution: int, rows: int | None = None) -> tuple[Part, Part]:
    """The training and validation part as tensors; only the first rows on request."""
    indices = split(data, 0.2, seed=0)
    chosen = indices.train_indices[:rows], indices.validation_indices[:rows]
    measured = statistics(data.images[chosen[0]])
    train_part, validation_part = (
        (
            prepare(data.images[part], resolution, measured.mean, measured.std),
            torch.tensor(data.labels[part]),
        )
        for part in chosen
    )
    return train_part, validation_part


@pytest.fixture(scope="module")
def digits() -> tuple[Part, Part]:
    return parts(load_data("digits"), 8)


def constant(count: int = 64, classes: int = 2) -> Part:
    return torch.zeros(count, 1, 2, 2), torch.arange(count) % classes


def linear(outputs: int = 2) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, outputs))


# -- learning


def test_two_epochs_learn_digits(digits: tuple[Part, Part]) -> None:
    result = train(network(), *digits[0], recipe=RECIPE, seed=0, validation=digits[1])
    assert result.validation is not None
    assert result.validation.accuracy > 0.6  # 0.1 is chance
    assert (result.steps, result.planned, result.stopped) == (70, 70, False)


def test_mixed_precision_learns_too_and_leaves_float32_weights(digits: tuple[Part, Part]) -> None:
    mixed = replace(RECIPE, epochs=6, precision="bfloat16")
    modules = [network(), network(), network()]
    results = [
        train(module, *digits[0], recipe=recipe, seed=0, validation=digits[1])
        for module, recipe in zip(modules, (mixed, mixed, replace(mixed, precision="float32")), strict=True)
    ]
    first, again, exact = (torch.cat([part.flatten() for part in one.parameters()]) for one in modules)
    assert torch.equal(first, again)
    assert not torch.equal(first, exact)
    assert first.dtype == torch.float32
    scores = [result.validation.score for result in results if result.validation is not None]
    assert min(scores) > 0.85
    assert abs(scores[0] - scores[2]) < 0.05


def test_adamw_learns_too(digits: tuple[Part, Part]) -> None:
    recipe = replace(RECIPE, optimizer="adamw", learning_rate=0.01, weight_decay=0.05)
    result = train(network(), *digits[0], recipe=recipe, seed=0, validation=digits[1])
    assert result.validation is not None
    assert result.validation.accuracy > 0.6


@pytest.mark.slow
def test_digits_reach_97_percent() -> None:
    data = load_data("digits")
    (inputs, labels), validation = parts(data, 8)
    module = network(width=16)
    train(module, inputs, labels, recipe=recipe_for(data), seed=0, validation=validation)
    images, test_labels = open_test_set(data)
    measured = statistics(data.images[split(data, 0.2, seed=0).train_indices])
    test = evaluate(module, prepare(images, 8, measured.mean, measured.std), torch.tensor(test_labels))
    assert test.accuracy >= 0.97


@pytest.mark.slow
@pytest.mark.usefixtures("fashion_mnist")
def test_part_of_fashion_mnist_is_learned() -> None:
    data = load_data("fashion-mnist")
    (inputs, labels), validation = parts(data, 28, rows=4000)
    recipe = replace(recipe_for(data), epochs=4, batch_size=64)
    result = train(network(stride=2, width=16), inputs, labels, recipe=recipe, seed=0, validation=validation)
    assert result.validation is not None
    assert result.validation.accuracy > 0.7


# -- determinism

SCRIPT = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from dataclasses import replace
from test_train import RECIPE, load_data, network, parts
from netwright.nn.train import train
(inputs, labels), _ = parts(load_data("digits"), 10, rows=320)
module = network(dropout=0.2)
torch.rand(int(sys.argv[2]))  # what the process drew before must not matter
train(module, inputs, labels, recipe=replace(RECIPE, augmentation="shift-flip-cutout"), seed=int(sys.argv[3]))
digest = hashlib.sha256()
for value in module.state_dict().values():
    digest.update(value.numpy().tobytes())
print(digest.hexdigest())
"""


def weights_in_a_new_process(draws: int, seed: int) -> str:
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(draws), str(seed)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_two_processes_give_the_same_bits() -> None:
    first, second, other = (weights_in_a_new_process(*case) for case in [(1, 5), (9, 5), (1, 6)])
    assert len(first) == 64
    assert first == second != other


def test_training_leaves_the_global_generator_alone() -> None:
    module = network(dropout=0.5)
    before = torch.get_rng_state()
    inputs = torch.rand(40, 1, 8, 8)
    before = torch.get_rng_state()
    train(module, inputs, torch.arange(40) % 10, recipe=RECIPE, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


class Spy(nn.Module):
    """Remembers the batches it was trained on, by the pixel that numbers an image."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 2)
        self.batches: list[list[int]] = []

    def forward(self, batch: Tensor) -> Tensor:
        assert batch.stride(1) == 1
        if self.training:
            self.batches.append(batch[:, 0, 0, 0].int().tolist())
        return self.layer(batch.mean((1, 2, 3)).unsqueeze(1) / 100)  # type: ignore[no-any-return]


def test_each_epoch_is_a_fresh_permutation() -> None:
    inputs = torch.arange(35.0).reshape(35, 1, 1, 1).expand(35, 1, 3, 3)
    spy = Spy()
    train(spy, inputs, torch.arange(35) % 2, recipe=Recipe(3, 10, 1e-6), seed=0)
    assert [len(batch) for batch in spy.batches] == [10] * 9
    epochs = [[*itertools.chain(*spy.batches[start : start + 3])] for start in (0, 3, 6)]
    assert all(len(set(epoch)) == 30 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert len({image for epoch in epochs for image in epoch}) == 35  # those left out differ


def test_fewer_images_than_a_batch() -> None:
    spy = Spy()
    result = train(spy, torch.zeros(3, 1, 1, 1), torch.tensor([0, 1, 1]), recipe=Recipe(2, 10, 0.1), seed=0)
    assert result.steps == 2
    assert [len(batch) for batch in spy.batches] == [3, 3]


# -- fidelity and reports


def test_reports_come_once_an_epoch_and_at_the_end() -> None:
    seen: list[tuple[int, dict[str, float]]] = []

    def report(step: int, metrics: Mapping[str, float]) -> bool:
        seen.append((step, dict(metrics)))
        return False

    recipe = Recipe(epochs=8, batch_size=16, learning_rate=0.1, warmup=0.0)
    inputs, labels = constant()
    result = train(
        linear(), inputs, labels, recipe=recipe, seed=0, fidelity=0.3, validation=constant(), report=report
    )
    assert [step for step, _ in seen] == [4, 8, 10]
    assert (result.steps, result.planned, result.stopped) == (10, 10, False)
    names = {"train_loss", "learning_rate", "validation_accuracy", "validation_loss"}
    assert all(set(metrics) == names for _, metrics in seen)
    # The schedule is that of ten steps: it is at its end, not at 30 %.
    assert seen[-1][1]["learning_rate"] == pytest.approx(recipe.learning_rate_at(9, 10))
    assert seen[-1][1]["learning_rate"] < 0.005


def test_reports_without_validation_have_the_training_loss() -> None:
    seen: list[Mapping[str, float]] = []

    def report(_: int, metrics: Mapping[str, float]) -> bool:
        seen.append(metrics)
        return False

    train(linear(), *constant(), recipe=RECIPE, seed=0, report=report)
    assert [set(metrics) for metrics in seen] == [{"train_loss", "learning_rate"}] * 2


@pytest.mark.parametrize(("at", "steps", "stopped"), [(2, 2, True), (4, 4, False), (99, 4, False)])
def test_a_report_can_stop_the_training(at: int, steps: int, stopped: bool) -> None:
    result = train(linear(), *constant(), recipe=RECIPE, seed=0, report=lambda step, _: step >= at)
    assert (result.steps, result.planned, result.stopped) == (steps, 4, stopped)


def test_reporting_does_not_change_the_weights(digits: tuple[Part, Part]) -> None:
    inputs, labels = digits[0][0][:200], digits[0][1][:200]
    silent, watched = network(dropout=0.3), network(dropout=0.3)
    train(silent, inputs, labels, recipe=RECIPE, seed=0)
    train(watched, inputs, labels, recipe=RECIPE, seed=0, validation=digits[1], report=lambda *_: False)
    for one, other in zip(silent.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, other)


# -- the loss and the optimizer


def test_only_weights_decay() -> None:
    def trained(decay: float) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        convolution, norm = nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2)
        module = nn.Sequential(convolution, norm, nn.Flatten(), nn.Linear(8, 2))
        recipe = Recipe(2, 8, learning_rate=0.1, weight_decay=decay, momentum=0.0, warmup=0.0)
        train(module, *constant(), recipe=recipe, seed=0)
        return convolution.weight, norm.weight

    # All inputs are 0, so that no gradient reaches these weights: decay alone moves them.
    weight, scale = trained(0.5)
    factor = math.prod(1 - 0.5 * 0.1 * 0.5 * (1 + math.cos(math.pi * step / 16)) for step in range(16))
    torch.testing.assert_close(weight, trained(0.0)[0] * factor)
    assert torch.equal(scale, torch.ones(2))


def test_biases_do_not_decay() -> None:
    biases = []
    for decay in (0.0, 0.5):
        layer = nn.Linear(4, 2)
        with torch.no_grad():
            layer.bias.fill_(3.0)
        recipe = replace(RECIPE, weight_decay=decay)
        train(nn.Sequential(nn.Flatten(), layer), *constant(), recipe=recipe, seed=0)
        biases.append(layer.bias)
    assert torch.equal(*biases)


def test_class_weights_are_inverse_frequencies() -> None:
    labels = torch.tensor([0] * 48 + [1] * 12 + [2] * 4)
    weights = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    recipe = Recipe(epochs=1, batch_size=64, learning_rate=1e-9, label_smoothing=0.1, class_weights=True)
    module = linear(3)
    with torch.no_grad():
        logits = module(torch.zeros(64, 1, 2, 2))
    expected = F.cross_entropy(
        logits, labels, weight=torch.tensor(weights, dtype=torch.float32), label_smoothing=0.1
    )
    result = train(module, torch.zeros(64, 1, 2, 2), labels, recipe=recipe, seed=0)
    assert result.train_loss == pytest.approx(expected.item(), rel=1e-6)
    unweighted = train(
        linear(3), torch.zeros(64, 1, 2, 2), labels, recipe=replace(recipe, class_weights=False), seed=0
    )
    assert unweighted.train_loss != pytest.approx(expected.item(), rel=1e-3)


def test_class_weights_need_every_class() -> None:
    recipe = replace(RECIPE, class_weights=True)
    with pytest.raises(DataError, match="each of the 3 classes, got none of class 2"):
        train(linear(3), *constant(), recipe=recipe, seed=0)


def test_a_loss_that_is_no_number_ends_the_training() -> None:
    inputs, labels = constant()
    inputs[13] = float("nan")
    with pytest.raises(
        TrainingError, match=r"the loss is nan at step \d of 4 \(learning rate .*lower recipe"
    ):
        train(linear(), inputs, labels, recipe=RECIPE, seed=0)


def test_weights_that_explode_in_the_last_step_are_noticed() -> None:
    inputs = torch.full((8, 1, 2, 2), 1e3)
    recipe = Recipe(epochs=1, batch_size=8, learning_rate=1e38, warmup=0.0)
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 0, 1])
    with pytest.raises(TrainingError, match=r"the validation loss is (nan|inf) at step 1 of 1"):
        train(linear(), inputs, labels, recipe=recipe, seed=0, validation=(inputs, labels))


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (torch.zeros(4, 2, 2), torch.zeros(4).long(), "train: expected floating-point images"),
        (torch.zeros(4, 1, 2, 2), torch.zeros(3).long(), r"int64 \(3,\)"),
        (torch.zeros(4, 1, 2, 2), torch.zeros(4), r"torch.float32 \(4,\)"),
        (torch.zeros(4, 1, 2, 2).byte(), torch.zeros(4).long(), "uint8"),
        (torch.zeros(0, 1, 2, 2), torch.zeros(0).long(), r"\(0, 1, 2, 2\)"),
        (torch.zeros(1, 1, 2, 2), torch.zeros(1).long(), "at least 2 images, got 1"),
        (torch.zeros(4, 1, 2, 2), torch.full((4,), 2), r"outputs \(1, 2\) and labels in 2..2"),
        (torch.zeros(4, 1, 2, 2), torch.full((4,), -1), "labels in -1..-1"),
    ],
)
def test_wrong_tensors_are_explained(inputs: Tensor, labels: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        train(linear(), inputs, labels, recipe=RECIPE, seed=0)


def test_module_ends_in_channels_last_and_evaluation_mode(digits: tuple[Part, Part]) -> None:
    module = network()
    train(module, digits[0][0][:64], digits[0][1][:64], recipe=RECIPE, seed=0)
    assert not module.training
    kernels = [parameter for parameter in module.parameters() if parameter.ndim == 4]
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


# -- evaluation


def test_evaluation_is_that_of_scikit_learn() -> None:
    inputs, labels = torch.randn(300, 1, 2, 2), torch.arange(300) ** 2 % 7
    labels[:2] = 3  # a rare class
    module = linear(7)
    with torch.no_grad():
        shares = module(inputs).softmax(1).double().numpy()
    shares /= shares.sum(1, keepdims=True)
    found = evaluate(module, inputs, labels, batch=77)
    truth, guess = labels.numpy(), shares.argmax(1)
    assert found.accuracy == pytest.approx(accuracy_score(truth, guess))
    assert found.loss == pytest.approx(log_loss(truth, shares, labels=range(7)), rel=1e-6)
    present = np.unique(truth)
    recall = recall_score(truth, guess, labels=present, average=None)
    assert [found.class_accuracy[label] for label in present] == pytest.approx(recall.tolist())
    assert found.balanced_accuracy == pytest.approx(recall.mean())
    assert math.isnan(found.class_accuracy[5])  # no square leaves 5
    assert found.count == 300
    wilson = binomtest(int((truth == guess).sum()), 300).proportion_ci(0.95, method="wilson")
    assert found.interval == pytest.approx((wilson.low, wilson.high), abs=1e-6)
    assert found.standard_error == pytest.approx(np.std(truth == guess) / math.sqrt(300), rel=0.1)
    assert found.score == found.accuracy
    assert found.class_scores == pytest.approx(found.class_accuracy, nan_ok=True)


def test_evaluation_uses_running_statistics_and_restores_the_mode() -> None:
    module = network(dropout=0.9).train()
    inputs, labels = torch.randn(20, 1, 8, 8), torch.arange(20) % 10
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first, second = evaluate(module, inputs, labels, batch=3), evaluate(module, inputs, labels, batch=20)
    assert first.accuracy == second.accuracy
    assert first.loss == pytest.approx(second.loss, rel=1e-5)
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


# -- labels of pixels


def pixel_network(classes: int = 3, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, classes, 3, 1, 1),
        nn.Upsample((8, 8), mode="bilinear"),
    )


@pytest.fixture(scope="module")
def pixels() -> tuple[Part, Part]:
    """Digits whose pixels are paper, or ink of a round or another digit."""
    data = load_data("digits")
    rows = split(data, 0.2, seed=0)
    measured = statistics(data.images[rows.train_indices])
    kind = np.where(np.isin(data.labels, (0, 6, 8, 9)), 1, 2)[:, None, None]
    labels = np.where(data.images[:, 0] < 100, 0, kind).astype(np.uint8)
    found = [
        (prepare(data.images[part], 8, measured.mean, measured.std), torch.tensor(labels[part]))
        for part in (rows.train_indices, rows.validation_indices)
    ]
    return found[0], found[1]


def test_pixels_are_learned(pixels: tuple[Part, Part]) -> None:
    reports: list[Mapping[str, float]] = []

    def report(step: int, metrics: Mapping[str, float]) -> bool:
        reports.append(metrics)
        return False

    recipe = replace(RECIPE, epochs=4, augmentation="shift-flip")
    result = train(pixel_network(), *pixels[0], recipe=recipe, seed=0, validation=pixels[1], report=report)
    assert result.validation is not None
    assert result.validation.score > 0.4  # all paper has 0.2
    assert result.validation.accuracy > 0.7
    assert reports[-1].keys() == {"train_loss", "learning_rate", "validation_loss", "validation_mean_iou"}
    assert reports[-1]["validation_mean_iou"] == result.validation.score


def test_the_same_seed_gives_the_same_weights_for_pixels(pixels: tuple[Part, Part]) -> None:
    recipe = replace(RECIPE, epochs=1, augmentation="shift-flip-cutout")
    weights = []
    for seed, dtype in ((0, torch.uint8), (0, torch.int64), (1, torch.uint8)):
        module = pixel_network()
        train(module, pixels[0][0], pixels[0][1].to(dtype), recipe=recipe, seed=seed)
        weights.append(module.state_dict()["3.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_evaluation_of_pixels_is_that_of_scikit_learn(pixels: tuple[Part, Part]) -> None:
    inputs, labels = pixels[1]
    module = pixel_network(classes=5)  # of which two are never true
    found = evaluate(module, inputs, labels, batch=77)
    module.eval()
    with torch.no_grad():
        shares = module(inputs).double().softmax(1)
    truth, guess = labels.numpy().ravel(), shares.argmax(1).numpy().ravel()
    assert found.score == pytest.approx(jaccard_score(truth, guess, average="macro"))
    assert found.accuracy == pytest.approx(accuracy_score(truth, guess))
    flat = shares.permute(0, 2, 3, 1).reshape(-1, 5).numpy()
    assert found.loss == pytest.approx(
        log_loss(truth, flat / flat.sum(1, keepdims=True), labels=range(5)), rel=1e-5
    )
    assert np.array(found.confusion).sum() == labels.numel()
    assert found.count == len(inputs)
    tallies = found.image_tallies
    assert tallies is not None
    assert tallies.shape == (len(inputs), 3, 5)
    for row in (0, 100):
        one = evaluate(module, inputs[row : row + 1], labels[row : row + 1])
        assert np.array_equal(tally(np.array(one.confusion)), tallies[row])
    low, high = found.interval
    assert low < found.score < high


def test_class_weights_of_pixels_are_those_of_scikit_learn(pixels: tuple[Part, Part]) -> None:
    inputs, labels = pixels[0][0][:64], pixels[0][1][:64]
    module = pixel_network()
    recipe = Recipe(1, 64, 1e-9, label_smoothing=0.0, warmup=0.0, class_weights=True)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy().ravel())
    module.train()
    weights = torch.tensor(expected, dtype=torch.float32)
    loss = F.cross_entropy(module(inputs), labels.long(), weight=weights).item()
    found = train(pixel_network(), inputs, labels, recipe=recipe, seed=0)
    assert found.train_loss == pytest.approx(loss, rel=1e-4)


def test_a_network_of_another_size_is_refused(pixels: tuple[Part, Part]) -> None:
    inputs, labels = pixels[0]
    message = r"outputs \(1, K, 4, 8\) and labels in 0..K-1, got outputs \(1, 3, 8, 8\)"
    with pytest.raises(DataError, match=message):
        evaluate(pixel_network(), inputs, labels[:, ::2])
    with pytest.raises(DataError, match=r"outputs \(1, K\) and labels in 0..K-1, got outputs \(1, 3, 8, 8\)"):
        train(pixel_network(), inputs, labels[:, 0, 0].long(), recipe=RECIPE, seed=0)
    with pytest.raises(DataError, match=r"outputs \(1, K, 8, 8\) .* got outputs \(1, 2\)"):
        train(linear(), torch.zeros(4, 1, 2, 2), labels[:4], recipe=RECIPE, seed=0)


def test_a_loss_of_pixels_that_is_no_number_ends_the_training(pixels: tuple[Part, Part]) -> None:
    inputs, labels = pixels[0][0][:64].clone(), pixels[0][1][:64]
    inputs[13, 0, 3, 3] = float("nan")
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d of 4"):
        train(pixel_network(), inputs, labels, recipe=RECIPE, seed=0)
