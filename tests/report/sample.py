"""A search with true costs of a true space, and made-up accuracies: what the tests of the report render."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np

from netwright.devices import budget_for
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.ir.runtime import runtime_costs
from netwright.models import mobilenet_v3_large
from netwright.nn.task import CLASSIFICATION, SEGMENTATION
from netwright.report import Accuracy, Candidate, Example, Front, ReportContent, Snippet
from netwright.seeding import rng_for
from netwright.space import Architecture, ExpressionSpace, sample, size
from netwright.space.program import Decision
from netwright.spaces import mobilenet_tiny
from netwright.study import History
from netwright.trial import CurvePoint, Metric, Proposal, Trial, TrialState

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip

_FITTING = (259_985_159_567, 259_985_565_051)
"""What ``count(space, budget)`` gives after ten seconds."""


@cache
def sample_content(trials: int = 30, failed: tuple[int, ...] = (4, 17)) -> ReportContent:
    """A finished search on 28 x 28 images for an nRF52840.

    Args:
        trials: number of trials, failed ones too.
        failed: numbers of those that fail.
    """
    space = mobilenet_tiny((1, 28, 28), 10)
    memory = budget_for("nrf52840")
    budget = budget_for("nrf52840", max_macs="12M")
    evaluated = tuple(
        _trial(number, space, sample(space, rng_for(0, number), memory), number in failed)
        for number in range(trials)
    )
    ranked = sorted(
        (trial for trial in evaluated if trial.complete), key=lambda t: -t.metrics["validation_accuracy"]
    )
    finalists = tuple(_candidate(trial) for trial in ranked[:3])
    best = max(finalists, key=lambda one: one.validation)
    graph = space.to_graph(best.architecture)
    figures = cost(graph)
    needed = runtime_costs(graph)
    return ReportContent(
        title="mobilenet-tiny on fashion-mnist for nrf52840",
        command="netwright search --data fashion-mnist --device nrf52840 --space mobilenet-tiny "
        "--strategy evolution --trials 30 --seed 0 --out runs/fashion",
        data="fashion-mnist",
        data_fingerprint="sha256:9f3c1d0a7b62e85f4410cc9f6a2e47d1c35b8e90fd27a6e1b48c3d5f7092ae61",
        space="mobilenet-tiny",
        space_size=size(space),
        fitting_lower=_FITTING[0],
        fitting_upper=_FITTING[1],
        strategy="evolution",
        device="nrf52840",
        budget=tuple(budget.explain()),
        verdict=budget.check(figures.totals() | needed),
        further_costs=needed,
        trials=evaluated,
        winner=best.architecture,
        graph=graph,
        cost=figures,
        decisions=space.decisions,
        candidates=finalists,
        validation=Accuracy(best.validation, (0.951, 0.953), "range of 3 seeds"),
        test=Accuracy(0.9231, (0.9177, 0.9282), "95 % interval, 10,000 images"),
        seed=0,
        search_seconds=1284.0,
        final_seconds=431.5,
        process_seconds=3312.0,
        versions={"netwright": "0.1.0", "Python": "3.11.7", "torch": "2.13.0", "optuna": "5.0.0"},
        snippets=(
            Snippet(
                "Load it into torch", 'import netwright\n\nmodule = netwright.load("runs/fashion/export")'
            ),
            Snippet(
                "Run it with ONNX Runtime, without netwright",
                "import onnxruntime\n\n"
                'session = onnxruntime.InferenceSession("runs/fashion/export/model.onnx")\n'
                'logits = session.run(None, {"input": images})[0]  # float32, (N, 1, 28, 28)',
            ),
        ),
        finished=1_790_000_000.0,
        classes=CLASSES,
        confusion=_confusion(),
    )


def pixel_content(classes: tuple[str, ...] = ("background", *CLASSES)) -> ReportContent:
    """The same where pixels bear the labels: mean IoU, examples, counts of millions.

    Args:
        classes: eleven names.
    """
    content = sample_content()
    score = SEGMENTATION.objective.name
    counts = tuple(tuple(10_000 * n for n in row) for row in _confusion())
    confusion = ((4_000_000, *[5_000] * 10), *((20_000, *row) for row in counts))
    rng = rng_for(3, "examples")
    return replace(
        content,
        task=SEGMENTATION,
        trials=tuple(replace(trial, metrics=_renamed(trial.metrics, score)) for trial in content.trials),
        candidates=tuple(
            replace(one, curve=tuple((step, _renamed(metrics, score)) for step, metrics in one.curve))
            for one in content.candidates
        ),
        classes=classes,
        confusion=confusion,
        further={"test pixel accuracy": 0.94},
        examples=tuple(
            Example(
                rng.integers(0, 256, (1, 28, 28), dtype=np.uint8),
                np.where(rng.random((28, 28)) < 0.5, 0, 1 + number),
                np.where(rng.random((28, 28)) < 0.5, 0, 1 + number // 2),
                1 - number / 10,
            )
            for number in range(7)
        ),
    )


def _renamed(metrics: Mapping[str, float], name: str) -> dict[str, float]:
    return {name: metrics["validation_accuracy"]} if metrics else {}


def front_content(*costs: str) -> ReportContent:
    """The same with several objectives.

    Args:
        costs: what is optimised besides the accuracy; without any the MACs and the peak memory.
    """
    content = sample_content()
    objectives = (
        CLASSIFICATION.objective,
        *(Metric(name, "", "minimize") for name in costs or ("macs", "peak_activation_bytes")),
    )
    history = History.of(objectives[0], content.trials, objectives[1:])
    limits = {row.metric: row.limit for row in content.verdict.rows}
    reference = {one.name: float(limits.get(one.name, 10**9)) for one in objectives[1:]}
    growth = history.hypervolumes(
        {objectives[0].name: 0.0, **reference}, {objectives[0].name: 1.0, **dict.fromkeys(reference, 0.0)}
    )
    front = history.pareto
    candidates = tuple(_candidate(trial) for trial in (front[0], front[-1]))
    winner = max(candidates, key=lambda one: one.validation).architecture
    graph = mobilenet_tiny((1, 28, 28), 10).to_graph(winner)
    figures = cost(graph)
    return replace(
        content,
        strategy="nsga2",
        candidates=candidates,
        winner=winner,
        graph=graph,
        cost=figures,
        verdict=budget_for("nrf52840", max_macs="12M").check(figures.totals() | runtime_costs(graph)),
        front=Front(
            objectives,
            front,
            growth,
            (
                "validation accuracy: 0 to 1",
                *(f"{one}: {limit:g} (the limit) to 0" for one, limit in reference.items()),
            ),
        ),
    )


def lonely_content() -> ReportContent:
    """The same with one trial, no finalists' curves, no limits, no classes: the least there can be."""
    content = sample_content(1, ())
    return replace(
        content,
        device=None,
        budget=("no limits",),
        verdict=budget_for().check({}),
        candidates=tuple(replace(one, curve=()) for one in content.candidates),
        decisions=(),
        snippets=(),
        finished=None,
        classes=(),
        confusion=None,
        test=Accuracy(0.5),
    )


HOSTILE = '<img src=x onerror=alert(1)></script><!--&amp; "quoted" {{ 7 * 7 }}'


def hostile_content() -> ReportContent:
    """A network of hundreds of layers that does not fit, 40 classes, and names that are HTML or very long."""
    content = sample_content()
    network = mobilenet_v3_large()
    renamed = {node.name: _hostile_name(node.name) for node in network.nodes}
    nodes = tuple(
        replace(node, name=renamed[node.name], inputs=tuple(renamed[name] for name in node.inputs))
        for node in network.nodes
    )
    graph = Graph(nodes, tuple(renamed[name] for name in network.outputs))
    figures = cost(graph)
    winner = Architecture("space", ((HOSTILE, HOSTILE), ("long." + 60 * "x", 80 * "y"), ("flag", True)))
    trials = tuple(
        replace(
            trial,
            proposal=replace(trial.proposal, architecture=winner),
            reason=None if trial.complete else HOSTILE + 500 * "z",
        )
        for trial in content.trials
    )
    classes = (HOSTILE, 70 * "long ", *(f"class {number}" for number in range(38)))
    return replace(
        content,
        title=HOSTILE,
        command=HOSTILE,
        data=HOSTILE,
        device=HOSTILE,
        budget=(HOSTILE,),
        verdict=budget_for("nrf52840", max_macs="300M").check(figures.totals() | runtime_costs(graph)),
        trials=trials,
        winner=winner,
        graph=graph,
        cost=figures,
        candidates=(Candidate(winner, 0.9, content.candidates[0].curve),),
        decisions=(Decision("flag", (1, True, False)),),
        space_size=21_758_655_492_572_485_851,
        fitting_lower=12,
        fitting_upper=13,
        versions={HOSTILE: HOSTILE},
        snippets=(Snippet(HOSTILE, HOSTILE),),
        classes=classes,
        class_accuracy=(float("nan"), *(index / 40 for index in range(39))),
        confusion=tuple(tuple(9 * (row == column) for column in range(40)) for row in range(40)),
    )


def _hostile_name(name: str) -> str:
    return f"{name}<b>&{{{{" + ("long" * 20 if name.endswith("add") else "")


def _trial(number: int, space: ExpressionSpace, architecture: Architecture, fails: bool) -> Trial:
    graph = space.to_graph(architecture)
    totals = cost(graph).totals() | runtime_costs(graph)
    noise = float(rng_for(1, number).normal())
    accuracy = 0.80 + 0.021 * math.log(totals["macs"] / 3e5) + 0.008 * noise
    return Trial(
        proposal=Proposal(number, architecture, fidelity=0.2),
        state=TrialState.FAILED if fails else TrialState.COMPLETE,
        metrics={} if fails else {"validation_accuracy": accuracy},
        costs=totals,
        fits=totals["macs"] <= 12_000_000,
        seed=number,
        reason="TrainingError: the loss is not a number at step 212 of 940" if fails else None,
        curve=_curve(accuracy, 940),
        seconds=20 + totals["macs"] / 4e5,
    )


def _candidate(trial: Trial) -> Candidate:
    accuracy = trial.metrics["validation_accuracy"] + 0.045 + 0.004 * (trial.number % 3)
    return Candidate(trial.proposal.architecture, accuracy, _curve(accuracy, 4700))


def _curve(final: float, steps: int) -> tuple[CurvePoint, ...]:
    return tuple(
        (done, {"validation_accuracy": final - 0.13 * math.exp(-4.5 * done / steps) * (1.2 - done / steps)})
        for done in range(steps // 10, steps + 1, steps // 10)
    )


def _confusion() -> tuple[tuple[int, ...], ...]:
    """1,000 images of each class; neighbouring tops are taken for each other."""
    tops = (0, 2, 3, 4, 6)
    rows = []
    for true in range(10):
        row = [0] * 10
        for other in range(10):
            if other != true and (true in tops) == (other in tops):
                row[other] = int(rng_for(2, true, other).integers(2, 60 if true in tops else 16))
        row[true] = 1000 - sum(row)
        rows.append(tuple(row))
    return tuple(rows)
