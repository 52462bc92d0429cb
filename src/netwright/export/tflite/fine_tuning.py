"""Fine-tuning with int8's rounding, where rounding after the training loses too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from netwright.export.tflite.comparison import float_labels
from netwright.export.tflite.fake_quantization import FakeQuantized
from netwright.export.tflite.litert import run_litert
from netwright.nn.lower import Network
from netwright.nn.recipe import Recipe
from netwright.nn.train import train

LOSS = 0.005
"""Share of validation rows by which int8 may be worse than float before it is fine-tuned: 0.5 points."""

_SHARE_OF_EPOCHS, _SHARE_OF_RATE = 0.2, 0.05

Array = np.ndarray[Any, Any]
Convert = Callable[[Network], bytes]
Rows = tuple[torch.Tensor, Array]


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What came of a fine-tuning. Accuracies are shares, 0 to 1, of the rows that validate.

    Attributes:
        float_accuracy: of the network as it was trained.
        before: of its int8 file.
        after: of the int8 file of the fine-tuned network; None if it was not fine-tuned.
        kept: whether the file is that of the fine-tuned network: it is where that is better.
        epochs: passes over the rows that train; 0 without.
        learning_rate: its peak; 0 without.
    """

    float_accuracy: float
    before: float
    after: float | None = None
    kept: bool = False
    epochs: int = 0
    learning_rate: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def fine_tuned(
    network: Network,
    file: bytes,
    convert: Convert,
    train_rows: Callable[[], Rows],
    validation_rows: Rows,
    recipe: Recipe,
    seed: int,
    *,
    always: bool,
    on_step: Callable[[str], None],
) -> tuple[bytes, FineTuned]:
    """Train on with int8's rounding, see ``FakeQuantized``, if the file loses too much.

    A fifth of the training's epochs at a twentieth of its learning rate, with the same augmentation. What is
    compared is measured on the rows that validate: the test set has no say in what is kept.

    Args:
        network: as it was trained; stays as it is.
        file: what ``convert`` gave for it.
        convert: makes the int8 file of a network.
        train_rows: gives inputs as the network reads them, and labels; called if they are needed.
        validation_rows: the same of the rows that validate.
        recipe: of the training.
        seed: of the fine-tuning.
        always: whatever it loses.
        on_step: called with a few words before what takes long.

    Returns:
        The better file, and what was measured.
    """
    inputs, labels = validation_rows
    exact = _share(float_labels(network, inputs.numpy()), labels)
    before = _share(run_litert(file, inputs).argmax(-1), labels)
    if not always and exact - before <= LOSS:
        return file, FineTuned(exact, before)
    shorter = replace(
        recipe,
        epochs=max(1, round(_SHARE_OF_EPOCHS * recipe.epochs)),
        learning_rate=_SHARE_OF_RATE * recipe.learning_rate,
        precision="float32",  # bfloat16 is coarser than what is to be learnt
    )
    on_step(
        f"int8 gives {before:.2%} of the validation rows, float {exact:.2%}: fine-tune with int8's rounding "
        f"({shorter.epochs} epochs)"
    )
    rounded = FakeQuantized(network)
    inputs_to_train, labels_to_train = train_rows()
    train(rounded, inputs_to_train, torch.tensor(labels_to_train), recipe=shorter, seed=seed)
    other = convert(rounded.finish())
    after = _share(run_litert(other, inputs).argmax(-1), labels)
    kept = after > before
    found = FineTuned(exact, before, after, kept, shorter.epochs, shorter.learning_rate)
    return (other if kept else file), found


def _share(found: Array, labels: Array) -> float:
    return float((found == labels).mean())
