"""What is said about a result, and about one of before there were tasks."""

from __future__ import annotations

import pytest

from netwright.cli.result import front_lines, score_line, sure_line
from netwright.errors import ConfigError


def test_a_result_from_before_there_were_tasks() -> None:
    """All right on 360 images is not certainty: Wilson's interval."""
    result = {
        "test_accuracy": 1.0,
        "test_images": 360,
        "test_standard_error": 0.0,
        "validation_accuracy": 0.9,
    }
    assert sure_line(result) == (
        "test accuracy 100.00% on 360 images (95 % interval 98.94% to 100.00%), validation 90.00%"
    )


def test_a_result_with_its_interval() -> None:
    result = {
        "task": "segmentation",
        "test_mean_iou": 0.75,
        "test_interval": [0.7, 0.78],
        "test_images": 10_000,
        "validation_mean_iou": 0.76,
    }
    assert sure_line(result) == (
        "test mean IoU 75.00% on 10,000 images (95 % interval 70.00% to 78.00%), validation 76.00%"
    )


def test_a_result_of_a_later_version() -> None:
    with pytest.raises(
        ConfigError, match="task: expected one of classification, segmentation, got 'detection'"
    ):
        score_line({"task": "detection", "test_map": 0.5})


def test_a_result_with_several_objectives() -> None:
    result = {
        "trials": 16,
        "pareto": {
            "objectives": [
                {"name": name} for name in ("validation_accuracy", "macs", "peak_activation_bytes")
            ],
            "hypervolume": 0.61224,
            "front": [{}] * 5,
            "trained": [
                {
                    "trial": 7,
                    "values": {"validation_accuracy": 0.9, "macs": 1_200_000, "peak_activation_bytes": 5000},
                }
            ],
        },
    }
    assert front_lines(result) == [
        "Pareto front: 5 of 16 trials, hypervolume 0.6122; trained in full:",
        "  trial 7: 90.00%, macs 1.2M, peak_activation_bytes 4.88 KB",
    ]
    assert front_lines({"trials": 16}) == []


def test_rows_are_called_what_they_are() -> None:
    result = {
        "test_accuracy": 1.0,
        "test_images": 360,
        "validation_accuracy": 0.9,
        "data": {"name": "npz:x.npz", "fingerprint": "ab", "kind": "windows"},
    }
    assert "on 360 windows (95 %" in sure_line(result)
