"""Scores against scikit-learn's."""

from __future__ import annotations

import math
import pickle

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score

from netwright.errors import ConfigError
from netwright.nn.task import CLASSIFICATION, SEGMENTATION, TASKS, Task, find_task, tally, task_of

Pairs = list[tuple[int, int]]


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A number of classes, some of which may occur nowhere, and truth and prediction of some items."""
    classes = draw(st.integers(2, 7))
    label = st.integers(0, classes - 1)
    pairs = np.array(draw(st.lists(st.tuples(label, label), min_size=1, max_size=60)))
    return classes, pairs[:, 0], pairs[:, 1]


@given(answers())
def test_scores_are_those_of_scikit_learn(
    case: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> None:
    classes, truth, guess = case
    counts = tally(confusion_matrix(truth, guess, labels=range(classes)))
    assert CLASSIFICATION.score(counts) == pytest.approx(accuracy_score(truth, guess))
    # Its macro average is over the classes that occur in either.
    assert SEGMENTATION.score(counts) == pytest.approx(jaccard_score(truth, guess, average="macro"))
    occur = np.union1d(truth, guess)
    expected = jaccard_score(truth, guess, average=None, labels=occur)
    found = SEGMENTATION.class_scores(counts)
    assert found[occur] == pytest.approx(expected)
    assert all(math.isnan(found[label]) for label in set(range(classes)) - set(occur.tolist()))


def test_names() -> None:
    assert list(TASKS) == ["classification", "segmentation"]
    assert [task.objective.name for task in TASKS.values()] == ["validation_accuracy", "validation_mean_iou"]
    assert {task.objective.direction for task in TASKS.values()} == {"maximize"}
    with pytest.raises(ConfigError, match="task: expected one of classification, segmentation, got 'depth'"):
        find_task("depth")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_it_can_be_sent_to_another_process(task: Task) -> None:
    assert pickle.loads(pickle.dumps(task)) == task


def test_labels_tell_the_task_and_the_outputs() -> None:
    assert task_of(np.zeros(4)) == task_of(torch.zeros(4)) == CLASSIFICATION
    assert task_of(np.zeros((4, 8, 6))) == task_of(torch.zeros(4, 8, 6)) == SEGMENTATION
    assert CLASSIFICATION.outputs(10, ()) == (10,)
    assert SEGMENTATION.outputs(11, (28, 20)) == (11, 28, 20)
