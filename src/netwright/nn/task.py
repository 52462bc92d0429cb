"""What a network does with an image: names its class, or the class of each of its pixels.

Both are classification with cross-entropy, of images or of pixels; what differs is the shape of labels and
logits, and the score by which networks are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from netwright.errors import ConfigError
from netwright.trial import Metric

Array = npt.NDArray[Any]


class _HasAxes(Protocol):
    @property
    def ndim(self) -> int:
        """Number of axes."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of prediction.

    Attributes:
        name: on the command line.
        key: the score in names of metrics, as in ``validation_accuracy``.
        noun: the score in words.
        class_noun: the score of one class, in words.
        item: what bears a label: an image or a pixel.
        head: the block that networks for it end in.
        label_axes: axes of the labels of many images: 1 for ``(N,)``, 3 for ``(N, H, W)``.
        class_scores: the score of each class from the tally of ``tally``, NaN where it has none.
        score: the score of all from the same tally, 0 to 1, more is better.
    """

    name: str
    key: str
    noun: str
    class_noun: str
    item: str
    head: str
    label_axes: int
    class_scores: Callable[[Array], Array]
    score: Callable[[Array], float]

    @property
    def objective(self) -> Metric:
        """What a search maximises."""
        return Metric(f"validation_{self.key}", "share", "maximize")

    def outputs(self, classes: int, label_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the logits of one image: those of all classes for everything that bears a label.

        Args:
            classes: number of classes.
            label_shape: of the labels of one image: ``()`` or ``(H, W)``.
        """
        return classes, *label_shape


def tally(confusion: Array) -> Array:
    """Count by class what was right, what was true and what was predicted.

    Args:
        confusion: ``(K, K)``, numbers of items by true class (rows) and predicted class (columns).

    Returns:
        ``(3, K)``.

    >>> tally(np.array([[3, 1], [0, 2]])).tolist()
    [[3, 2], [4, 2], [3, 3]]
    """
    return np.stack([confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)])


def accuracy(tallied: Array) -> float:
    """Share of items that are right, from ``(3, K)`` of ``tally``."""
    right, true, _ = tallied
    return float(right.sum() / true.sum())


def class_accuracies(tallied: Array) -> Array:
    """Share of right answers among the items of each class, NaN for a class without any."""
    right, true, _ = tallied
    return _shares(right, true)


def class_ious(tallied: Array) -> Array:
    """Intersection over union of each class: right / (true + predicted - right), NaN without either."""
    right, true, predicted = tallied
    return _shares(right, true + predicted - right)


def mean_iou(tallied: Array) -> float:
    """Mean intersection over union of the classes that are there, in truth or in prediction.

    Of all images together, not image by image [Everingham et al. 2010, doi:10.1007/s11263-009-0275-4].

    >>> round(mean_iou(tally(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]))), 4)
    0.7083
    """
    shares = class_ious(tallied)
    return float(shares[~np.isnan(shares)].mean())


def _shares(part: Array, whole: Array) -> Array:
    # Where there is nothing, 0 / 0 is NaN, which is what is meant.
    with np.errstate(invalid="ignore"):
        return part.astype(np.float64) / whole


CLASSIFICATION = Task(
    "classification",
    key="accuracy",
    noun="accuracy",
    class_noun="accuracy",
    item="image",
    head="classifier",
    label_axes=1,
    class_scores=class_accuracies,
    score=accuracy,
)
"""One label an image."""
SEGMENTATION = Task(
    "segmentation",
    key="mean_iou",
    noun="mean IoU",
    class_noun="IoU",
    item="pixel",
    head="segmentation_head",
    label_axes=3,
    class_scores=class_ious,
    score=mean_iou,
)
"""One label a pixel."""

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in (CLASSIFICATION, SEGMENTATION)})
"""The tasks by name."""


def find_task(name: str) -> Task:
    """Look up a task.

    Raises:
        ConfigError: if there is none of this name.

    >>> find_task("segmentation").objective.name
    'validation_mean_iou'
    """
    if name not in TASKS:
        raise ConfigError(f"task: expected one of {', '.join(TASKS)}, got {name!r}")
    return TASKS[name]


def task_of(labels: _HasAxes) -> Task:
    """Tell by their axes what labels are for: ``(N,)`` or ``(N, H, W)``, arrays or tensors.

    >>> task_of(np.zeros((4, 8, 8))).name
    'segmentation'
    """
    return SEGMENTATION if labels.ndim == SEGMENTATION.label_axes else CLASSIFICATION
