"""Train a network on tensors in memory, and evaluate it.

Deterministic: the same module, inputs, recipe and seed in the same process settings (threads, device) give
bit-identical weights on the CPU. On GPUs the last bits may differ from run to run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netwright.errors import DataError, TrainingError
from netwright.nn.augment import augment_labelled, find_augmentation
from netwright.nn.intervals import Z, bootstrap_interval, wilson_interval
from netwright.nn.prepare import Statistics, pick_device, prepare, statistics
from netwright.nn.recipe import Recipe, recipe_for
from netwright.nn.task import CLASSIFICATION, Task, tally, task_of
from netwright.seeding import seed_for

__all__ = [
    "Evaluation",
    "Recipe",
    "Report",
    "Statistics",
    "TrainResult",
    "evaluate",
    "pick_device",
    "prepare",
    "recipe_for",
    "statistics",
    "train",
]

Array = npt.NDArray[Any]

Report = Callable[[int, Mapping[str, float]], bool]
"""Called with the steps done and metrics; True asks to stop."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a network does on labelled images; an item is what bears a label, an image or a pixel.

    Attributes:
        accuracy: share of items that are right, 0 to 1.
        loss: mean cross-entropy of an item in nats, without smoothing and class weights.
        count: number of images.
        class_accuracy: share of right answers among the items of each class; NaN for a class without any.
        confusion: numbers of items by true class (rows) and predicted class (columns).
        task: images or pixels.
        image_tallies: of labelled pixels ``(N, 3, K)``, the ``netwright.nn.task.tally`` of each image.
    """

    accuracy: float
    loss: float
    count: int
    class_accuracy: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]
    task: Task = CLASSIFICATION
    image_tallies: Array | None = field(default=None, compare=False, repr=False)

    @property
    def score(self) -> float:
        """What networks are compared by: accuracy, or mean IoU over the pixels of all images; 0 to 1."""
        return self.task.score(tally(np.array(self.confusion)))

    @property
    def class_scores(self) -> tuple[float, ...]:
        """The score of each class, NaN where it has none: accuracy, or IoU."""
        return tuple(self.task.class_scores(tally(np.array(self.confusion))).tolist())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the score: Wilson's, or where pixels bear the labels a bootstrap of images."""
        if self.image_tallies is None:
            return wilson_interval(self.accuracy, self.count)
        return bootstrap_interval(self.image_tallies, self.task.score)

    @property
    def standard_error(self) -> float:
        """Half the width of the interval in standard deviations of a normal distribution."""
        low, high = self.interval
        return (high - low) / (2 * Z)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of ``class_accuracy`` over the classes that have images."""
        present = [share for share in self.class_accuracy if not math.isnan(share)]
        return sum(present) / len(present)


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a training did; the weights are in the module.

    Attributes:
        steps: optimizer steps taken.
        planned: steps that the recipe and the fidelity ask for.
        stopped: whether ``report`` ended it before the planned steps.
        train_loss: mean training loss of the last epoch's steps (with smoothing and class weights).
        validation: of the final weights; None without validation data.
    """

    steps: int
    planned: int
    stopped: bool
    train_loss: float
    validation: Evaluation | None


def train(
    module: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    recipe: Recipe,
    seed: int,
    fidelity: float = 1.0,
    device: torch.device | str = "cpu",
    validation: tuple[Tensor, Tensor] | None = None,
    report: Report | None = None,
) -> TrainResult:
    """Train a classifier in place.

    Args:
        module: takes ``(B, C, H, W)``, gives logits ``(B, K)`` or, for pixels, ``(B, K, H', W')``; is moved
            to ``device`` in channels_last and left in evaluation mode.
        inputs: ``(N, C, H, W)`` float32, normalised, as ``prepare`` gives them.
        labels: in ``[0, K)``: ``(N,)`` int64, or ``(N, H', W')`` of any integers.
        recipe: how.
        seed: of the order of images, the augmentation and the module's own random layers.
        fidelity: share of the full training; its schedule ends at a learning rate of 0 all the same.
        device: where to compute.
        validation: inputs and labels like the above, evaluated before each report and at the end.
        report: called after each epoch and at the end with ``train_loss``, ``learning_rate`` and, given
            validation data, ``validation_loss`` and ``validation_accuracy`` or ``validation_mean_iou``.

    Raises:
        DataError: if images and labels do not fit together or to the network.
        TrainingError: if a loss is NaN or infinite.
    """
    device = torch.device(device)
    inputs, labels = _checked(inputs, labels, "train", device)
    if len(inputs) < 2:
        raise DataError(f"train: expected at least 2 images, got {len(inputs)}")
    if validation is not None:
        validation = _checked(*validation, "validation", device)
    module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    total, per_epoch = recipe.steps(len(inputs), fidelity), recipe.steps_per_epoch(len(inputs))
    losses: list[float] = []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed_for(seed, "train", "layers"))
        for rate, loss in _steps(module.train(), inputs, labels, recipe, seed, total):
            losses.append(loss)
            done = len(losses)
            if done < total and (report is None or done % per_epoch):
                continue
            evaluation = None if validation is None else evaluate(module, *validation)
            if evaluation is not None:
                _finite(evaluation.loss, "the validation loss", done, total, recipe)
            recent = losses[-per_epoch:]
            train_loss = math.fsum(recent) / len(recent)
            if report is not None and report(done, _metrics(train_loss, rate, evaluation)):
                break
    module.eval()
    return TrainResult(done, total, done < total, train_loss, evaluation)


def evaluate(module: nn.Module, inputs: Tensor, labels: Tensor, batch: int = 512) -> Evaluation:
    """Evaluate a network in evaluation mode; its mode is put back afterwards.

    Args:
        module: takes ``(B, C, H, W)``, gives logits ``(B, K)`` or ``(B, K, H', W')``; on the device of
            ``inputs``.
        inputs: ``(N, C, H, W)``, as ``prepare`` gives them.
        labels: in ``[0, K)``: ``(N,)`` int64, or ``(N, H', W')`` of any integers.
        batch: images at a time; changes the memory needed and nothing else.

    Raises:
        DataError: if images and labels do not fit together or to the network.
    """
    inputs, labels = _checked(inputs, labels, "evaluate", inputs.device)
    task, outputs = task_of(labels), _outputs(module, inputs, labels)
    confusion = torch.zeros(outputs * outputs, dtype=torch.int64)
    tallies: list[Tensor] = []
    loss = 0.0
    mode = module.training
    module.eval()
    with torch.inference_mode():
        for start in range(0, len(inputs), batch):
            target = labels[start : start + batch].long()
            logits = module(inputs[start : start + batch])
            loss += F.cross_entropy(logits, target, reduction="sum").item()
            guess = logits.argmax(1)
            pairs = target * outputs + guess
            confusion += torch.bincount(pairs.flatten().cpu(), minlength=outputs * outputs)
            if task != CLASSIFICATION:
                tallies.append(_image_tallies(target, guess, outputs))
    module.train(mode)
    confusion = confusion.reshape(outputs, outputs)
    right, count = confusion.diagonal(), confusion.sum(1)
    return Evaluation(
        accuracy=int(right.sum()) / labels.numel(),
        loss=loss / labels.numel(),
        count=len(inputs),
        class_accuracy=tuple((right.double() / count.double()).tolist()),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        task=task,
        image_tallies=torch.cat(tallies).numpy() if tallies else None,
    )


def _image_tallies(target: Tensor, guess: Tensor, outputs: int) -> Tensor:
    """What is right, true and predicted of each class in each image, ``(B, 3, K)``; see ``task.tally``."""
    images = len(target)
    first = outputs * torch.arange(images, device=target.device)[:, None]
    true, predicted = first + target.flatten(1), first + guess.flatten(1)
    counts = [
        torch.bincount(items, minlength=images * outputs).reshape(images, outputs).cpu()
        for items in (true[true == predicted], true.flatten(), predicted.flatten())
    ]
    return torch.stack(counts, dim=1)


def _steps(
    module: nn.Module, inputs: Tensor, labels: Tensor, recipe: Recipe, seed: int, total: int
) -> Iterator[tuple[float, float]]:
    """Take the optimizer steps; yield the learning rate and the loss of each."""
    outputs = _outputs(module, inputs, labels)
    weights = _class_weights(labels, outputs) if recipe.class_weights else None
    optimizer = _optimizer(module, recipe, inputs.device)
    batches = _batches(inputs, labels, recipe, seed)
    for step in range(total):
        batch, target = next(batches)
        rate = recipe.learning_rate_at(step, total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            logits = module(batch)
        loss = F.cross_entropy(logits.float(), target, weight=weights, label_smoothing=recipe.label_smoothing)
        value = _finite(loss.item(), "the loss", step + 1, total, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield rate, value


def _batches(inputs: Tensor, labels: Tensor, recipe: Recipe, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield augmented batches for ever: each epoch a fresh permutation, less its incomplete last batch."""
    order_draws = torch.Generator().manual_seed(seed_for(seed, "train", "order"))
    image_draws = torch.Generator().manual_seed(seed_for(seed, "train", "augment"))
    augmentation = find_augmentation(recipe.augmentation)
    nhwc = inputs.permute(0, 2, 3, 1).contiguous()  # picking rows of this keeps the strides of channels_last
    size = min(recipe.batch_size, len(inputs))
    while True:
        order = torch.randperm(len(inputs), generator=order_draws).to(inputs.device)
        for start in range(0, len(inputs) - size + 1, size):
            rows = order[start : start + size]
            batch = nhwc.index_select(0, rows).permute(0, 3, 1, 2)
            batch, target = augment_labelled(batch, labels.index_select(0, rows), augmentation, image_draws)
            yield batch, target.long()


def _optimizer(module: nn.Module, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    """Make the optimizer; biases and batch norms, whose parameters have one axis, do not decay."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups = [
        {"params": [one for one in parameters if one.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
    ]
    fused = device.type in ("cpu", "cuda")
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=fused)
    nesterov = recipe.momentum > 0
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=fused
    )


def _class_weights(labels: Tensor, outputs: int) -> Tensor:
    """Weigh each class by the inverse of its frequency, so that the mean weight of an item is 1."""
    counts = torch.bincount(labels.flatten(), minlength=outputs).float()
    if (counts == 0).any():
        raise DataError(
            f"train: class weights need {task_of(labels).item}s of each of the {outputs} classes, got none "
            f"of class {int((counts == 0).nonzero()[0])}"
        )
    return labels.numel() / (outputs * counts)


def _checked(inputs: Tensor, labels: Tensor, where: str, device: torch.device) -> tuple[Tensor, Tensor]:
    integers = (torch.int64,) if labels.ndim == 1 else (torch.uint8, torch.int32, torch.int64)
    fine = (
        inputs.ndim == 4
        and labels.ndim in (1, 3)
        and labels.shape[:1] == inputs.shape[:1]
        and len(inputs) > 0
    )
    if not fine or not inputs.is_floating_point() or labels.dtype not in integers:
        raise DataError(
            f"{where}: expected floating-point images (N, C, H, W) and labels, int64 (N,) or integers "
            f"(N, H', W'), got {inputs.dtype} {tuple(inputs.shape)} and {labels.dtype} {tuple(labels.shape)}"
        )
    return inputs.to(device), labels.to(device)


def _outputs(module: nn.Module, inputs: Tensor, labels: Tensor) -> int:
    """Count the network's outputs by running one image, and check that the labels are among them."""
    mode = module.training
    module.eval()
    with torch.inference_mode():
        shape = tuple(module(inputs[:1]).shape)
    module.train(mode)
    low, high = int(labels.min()), int(labels.max())
    if len(shape) < 2 or shape[2:] != tuple(labels.shape[1:]) or low < 0 or high >= shape[1]:
        wanted = ", ".join(map(str, (1, "K", *labels.shape[1:])))
        raise DataError(
            f"expected a network with outputs ({wanted}) and labels in 0..K-1, got outputs {shape} and "
            f"labels in {low}..{high}"
        )
    return int(shape[1])


def _finite(value: float, what: str, step: int, total: int, recipe: Recipe) -> float:
    if not math.isfinite(value):
        rate = recipe.learning_rate_at(step - 1, total)
        raise TrainingError(
            f"train: {what} is {value} at step {step} of {total} (learning rate {rate:.4g}); "
            f"lower recipe.learning_rate (now {recipe.learning_rate:g}) or raise recipe.warmup "
            f"(now {recipe.warmup:g}), and look for extreme pixels"
        )
    return value


def _metrics(train_loss: float, rate: float, evaluation: Evaluation | None) -> dict[str, float]:
    metrics = {"train_loss": train_loss, "learning_rate": rate}
    if evaluation is not None:
        metrics |= {evaluation.task.objective.name: evaluation.score, "validation_loss": evaluation.loss}
    return metrics
