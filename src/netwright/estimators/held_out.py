"""What a network does on the test set, in numbers and, where it labels pixels, in pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from netwright.nn.train import Evaluation, evaluate

Array = npt.NDArray[Any]

EXAMPLES = 12


@dataclass(frozen=True, eq=False)
class LabelledExample:
    """One image with what is true of its pixels and what the network says.

    Attributes:
        image: ``(C, H, W)``, as the data have it.
        truth: class of each pixel, ``(H, W)``.
        prediction: the same as the network has it.
        score: the task's score of this image alone.
    """

    image: Array
    truth: Array
    prediction: Array
    score: float


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The result of the one use of the test set.

    Attributes:
        evaluation: on all of it.
        examples: some of its images, from the best to the worst; empty where images bear the labels.
    """

    evaluation: Evaluation
    examples: tuple[LabelledExample, ...] = ()


def held_out(
    network: nn.Module, inputs: Tensor, images: Array, labels: Array, examples: int = EXAMPLES
) -> HeldOut:
    """Evaluate a network, and pick examples at even distances from the best image to the worst.

    Args:
        network: on the CPU.
        inputs: ``(N, C, H, W)``, as ``prepare`` gives them.
        images: ``(N, C, H', W')``, as the data have them.
        labels: ``(N,)``, or ``(N, H', W')`` for pixels.
        examples: how many to pick, at most.
    """
    evaluation = evaluate(network, inputs, torch.tensor(labels))
    if evaluation.image_tallies is None:
        return HeldOut(evaluation)
    scores = np.array([evaluation.task.score(one) for one in evaluation.image_tallies])
    # Not the outermost, which are one in thousands, but the middle of each of as many equal parts.
    middles = (np.arange(examples) + 0.5) / examples * len(scores)
    picked = np.argsort(-scores, kind="stable")[np.unique(middles.astype(np.int64))]
    mode = network.training
    network.eval()
    with torch.inference_mode():
        predictions = network(inputs[torch.tensor(picked)]).argmax(1).numpy()
    network.train(mode)
    return HeldOut(
        evaluation,
        tuple(
            LabelledExample(images[row], labels[row], prediction, float(scores[row]))
            for row, prediction in zip(picked, predictions, strict=True)
        ),
    )
