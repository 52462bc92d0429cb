"""What ``netwright search`` and ``netwright show`` say about the result of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netwright.devices import Budget, format_cost
from netwright.nn.intervals import wilson_interval
from netwright.nn.kind import IMAGES, find_kind
from netwright.nn.task import CLASSIFICATION, Task, find_task


def task_of_result(result: Mapping[str, Any]) -> Task:
    """The task of a result; one without a name is older than the choice.

    Args:
        result: the content of ``result.json``.
    """
    return find_task(result.get("task", CLASSIFICATION.name))


def score_line(result: Mapping[str, Any]) -> str:
    """Say the test score of the winner.

    >>> score_line({"test_accuracy": 0.97}), score_line({"task": "segmentation", "test_mean_iou": 0.5})
    ('test accuracy 97.00%', 'test mean IoU 50.00%')
    """
    task = task_of_result(result)
    return f"test {task.noun} {result[f'test_{task.key}']:.2%}"


def sure_line(result: Mapping[str, Any]) -> str:
    """Say the test score with its interval, and the validation score.

    A result without an interval is of a classification, and its interval is Wilson's; one without a kind of
    data is of images.
    """
    task, count = task_of_result(result), result["test_images"]
    kind = find_kind(result.get("data", {}).get("kind", IMAGES.name))
    low, high = result.get("test_interval") or wilson_interval(result[f"test_{task.key}"], count)
    return (
        f"{score_line(result)} on {count:,} {kind.items} (95 % interval {low:.2%} to {high:.2%}), "
        f"validation {result[task.objective.name]:.2%}"
    )


def fit_lines(result: Mapping[str, Any]) -> list[str]:
    """Say whether the winner fits, with a line for each limit.

    Args:
        result: the content of ``result.json``.
    """
    budget = Budget.from_dict(result["budget"])
    if not budget:
        return ["no budget was given"]
    costs = {name: value for name, value in result["costs"].items() if isinstance(value, int)}
    verdict = "fits the budget" if result["fits"] else "does not fit the budget"
    return [verdict, *(f"  {line}" for line in budget.check(costs).explain())]


def front_lines(result: Mapping[str, Any]) -> list[str]:
    """Say how large the Pareto front is, and what its points are that were trained in full, the best first.

    Args:
        result: the content of ``result.json``; nothing is said of a search with one objective.
    """
    pareto = result.get("pareto")
    if pareto is None:
        return []
    names = [objective["name"] for objective in pareto["objectives"]]
    shares = {task_of_result(result).objective.name}
    lines = [
        f"Pareto front: {len(pareto['front'])} of {trials_of(result['trials'])}, hypervolume "
        f"{pareto['hypervolume']:.4f}; trained in full:"
    ]
    for one in sorted(pareto["trained"], key=lambda one: -one["values"][names[0]]):
        values = ", ".join(
            f"{one['values'][name]:.2%}"
            if name in shares
            else f"{name} {format_cost(name, one['values'][name], exact=False)}"
            for name in names
        )
        lines.append(f"  trial {one['trial']}: {values}")
    return lines


def duration(seconds: float) -> str:
    """Write a time in seconds, minutes or hours.

    >>> duration(12.4), duration(240), duration(10_000)
    ('12 s', '4 min', '2.8 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def trials_of(count: int) -> str:
    """Write a number of trials.

    >>> trials_of(1), trials_of(16)
    ('1 trial', '16 trials')
    """
    return "1 trial" if count == 1 else f"{count} trials"
