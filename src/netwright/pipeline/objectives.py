"""What a search optimises, by the names that users type, and what its hypervolume is measured from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from netwright import blocks as B
from netwright.errors import ConfigError
from netwright.ir.latency import LATENCY
from netwright.nn.task import Task
from netwright.space import Extremes, choice, compile_space, sequential
from netwright.study import History
from netwright.trial import Metric, Objectives, Strategy, value_of

ACCURACY = "accuracy"
"""The score of the task, whatever the task calls it."""

_MACS = Metric("macs", "", "minimize")
_PARAMS = Metric("params", "", "minimize")
_WEIGHTS = Metric("weight_bytes", "bytes", "minimize")
_LATENCY = Metric(LATENCY, "ns", "minimize")
_PEAK = Metric("peak_activation_bytes", "bytes", "minimize")

COST_OBJECTIVES: Mapping[str, Metric] = MappingProxyType(
    {
        "macs": _MACS,
        "params": _PARAMS,
        "flash": _WEIGHTS,
        "weight_bytes": _WEIGHTS,
        "sram": _PEAK,
        "peak_activation_bytes": _PEAK,
        "latency": _LATENCY,
        LATENCY: _LATENCY,
    }
)
"""The costs that can be objectives, all of them to be minimised, by the names that users type."""


def read_objectives(text: str, task: Task) -> Objectives:
    """Read what is optimised; the score of the task comes first, wherever it stands.

    Args:
        text: names with commas between them: ``accuracy`` and some of ``COST_OBJECTIVES``.
        task: names the score.

    Raises:
        ConfigError: if a name is unknown or comes twice, or the score is not among them.

    >>> from netwright.nn.task import CLASSIFICATION
    >>> [one.name for one in read_objectives("sram,accuracy", CLASSIFICATION)]
    ['validation_accuracy', 'peak_activation_bytes']
    """
    score = task.objective
    known = {ACCURACY: score, task.key: score, score.name: score, **COST_OBJECTIVES}
    found: dict[Metric, str] = {}
    for name in (part.strip() for part in text.split(",")):
        if name not in known:
            expected = ", ".join([ACCURACY, *COST_OBJECTIVES])
            raise ConfigError(f"objectives: expected some of {expected}, got {name!r}")
        if known[name] in found:
            same = found[known[name]]
            raise ConfigError(
                f"objectives: expected each once, got {same} twice"
                if same == name
                else f"objectives: expected each once, got {same} and {name}, which are the same"
            )
        found[known[name]] = name
    if score not in found:
        raise ConfigError(
            f"objectives: expected {ACCURACY} among them, got {text}; without it the smallest network is the "
            "best, which `netwright space show` names without a search"
        )
    return (score, *(metric for metric in found if metric != score))


def check_objectives(strategy: Strategy, objectives: Objectives) -> None:
    """Check that a strategy takes so many objectives, before data are read and anything is written.

    The strategy says so itself when it begins, and a space of two networks will do to ask it.

    Raises:
        ConfigError: if it does not.
    """
    if len(objectives) > 1:
        body = sequential(B.conv_bn_act(out=choice(1, 2)), B.classifier(classes=2), input=(1, 2, 2))
        strategy.init(compile_space(body, "two-networks"), {}, objectives, 0)


@dataclass(frozen=True, slots=True)
class Box:
    """Between which values of each objective a hypervolume is measured.

    Attributes:
        reference: the worst value of each objective that still counts, by name.
        ideal: a value of each that no network exceeds: a score of 1, and no cost at all.
        basis: what each reference is.
    """

    reference: Mapping[str, float]
    ideal: Mapping[str, float]
    basis: Mapping[str, str]


def box_of(history: History, budget: Mapping[str, int], ranges: Mapping[str, Extremes | None]) -> Box:
    """The box that the hypervolume of a history is a share of.

    It is the same for every search of a space within a budget, so that searches can be compared: the
    reference of a score is 0, that of a cost its limit, or the largest cost in the space if that is less.
    Only where neither is known (no limit, and a space too large for an exact answer) it is the largest cost
    among the trials, which other searches do not share.

    Args:
        history: the trials.
        budget: limits by cost.
        ranges: extremes of the costs in the whole space; None where they cannot be known.
    """
    reference: dict[str, float] = {}
    basis: dict[str, str] = {}
    for objective in history.objectives:
        name = objective.name
        if objective.direction == "maximize":
            reference[name], basis[name] = 0.0, "zero"
            continue
        bounds: dict[float, str] = {budget[name]: "the limit"} if name in budget else {}
        if (known := ranges.get(name)) is not None:
            bounds.setdefault(known.largest.value, "the largest in the space")
        if not bounds:
            largest = max(value_of(trial, objective) for trial in history.completed)
            bounds = {largest: "the largest among the trials"}
        least = min(bounds)
        # Where nothing costs anything the box has any width but none.
        reference[name], basis[name] = float(least) or 1.0, bounds[least]
    ideal = {one.name: 1.0 if one.direction == "maximize" else 0.0 for one in history.objectives}
    return Box(reference, ideal, basis)


def pareto_result(history: History, box: Box) -> dict[str, Any]:
    """The Pareto front of a history as plain JSON values."""
    return {
        "objectives": [
            {
                "name": objective.name,
                "direction": objective.direction,
                "reference": box.reference[objective.name],
                "reference_is": box.basis[objective.name],
                "ideal": box.ideal[objective.name],
            }
            for objective in history.objectives
        ],
        "hypervolume": history.hypervolume(box.reference, box.ideal),
        "front": [
            {
                "trial": trial.number,
                "architecture": trial.proposal.architecture.key,
                "choices": dict(trial.proposal.architecture.choices),
                "values": {one.name: value_of(trial, one) for one in history.objectives},
            }
            for trial in history.pareto
        ],
    }
