from __future__ import annotations

from dataclasses import replace

import pytest

from netwright.nn.kind import WINDOWS
from netwright.report import ReportContent
from tests.report.sample import hostile_content, pixel_content, sample_content


@pytest.fixture(scope="module")
def content() -> ReportContent:
    return sample_content()


def test_trials_are_told_apart_in_the_order_of_their_numbers(content: ReportContent) -> None:
    backwards = replace(content, trials=content.trials[::-1])

    assert [trial.number for trial in backwards.failed] == [4, 17]
    assert [trial.number for trial in backwards.complete] == [n for n in range(30) if n not in (4, 17)]


def test_refuses_a_complete_trial_without_accuracy(content: ReportContent) -> None:
    odd = replace(content.trials[0], metrics={"loss": 1.0})

    with pytest.raises(ValueError, match=r"expected trial 0 to have .*validation_accuracy, got \['loss'\]"):
        replace(content, trials=(odd,))


def test_refuses_the_cost_of_another_graph(content: ReportContent) -> None:
    with pytest.raises(ValueError, match=r"report\.cost: expected the cost of report\.graph"):
        replace(content, cost=hostile_content().cost)


def test_refuses_a_confusion_matrix_of_other_classes(content: ReportContent) -> None:
    with pytest.raises(ValueError, match="expected 10 rows of 10 numbers"):
        replace(content, confusion=((1, 2), (3, 4)))
    with pytest.raises(ValueError, match="a share for each of 10 classes, got 1"):
        replace(content, class_accuracy=(0.5,))


def test_what_bears_a_label_is_called_what_it_is() -> None:
    content = sample_content()
    assert content.item == "image"
    assert replace(content, kind=WINDOWS).item == "window"
    assert pixel_content().item == "pixel"
