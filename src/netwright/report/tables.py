"""The tables of a report as rows of text and shares, ready for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from netwright.devices import Check, format_bytes, format_cost, format_count
from netwright.ir.cost import NodeCost
from netwright.ir.memory import Step, fuse
from netwright.nn.task import tally
from netwright.report import labels
from netwright.report.content import ReportContent
from netwright.space.architecture import Value
from netwright.trial import Trial

_REASON = 300
_SPLIT = 12
_UNITS = {"bytes": "B", "ns": "ns"}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit of the budget and how much of it is used.

    Attributes:
        title: name of the cost.
        value: what the network needs.
        limit: what it may need.
        fits: whether it does not need more.
        remark: what is left or lacking.
        fill: width of the bar, per cent of the track.
        mark: where on the track the limit is, per cent.
    """

    title: str
    value: str
    limit: str
    fits: bool
    remark: str
    fill: float
    mark: float


@dataclass(frozen=True, slots=True)
class CostRow:
    """One cost of the winner.

    Attributes:
        title: name of the cost.
        rounded: to three digits.
        exact: every digit.
    """

    title: str
    rounded: str
    exact: str


@dataclass(frozen=True, slots=True)
class TrialRow:
    """One trial.

    Attributes:
        number: of the proposal.
        architecture: short key.
        accuracy: on validation, or empty if it failed.
        costs: in the order of ``ReportContent.cost_names``.
        time: how long it took.
        winner: whether this architecture was chosen.
        reason: why it failed, or empty.
    """

    number: int
    architecture: str
    accuracy: str
    costs: tuple[str, ...]
    time: str
    winner: bool
    reason: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the schedule, with the nodes that are fused into it.

    Attributes:
        name: its place, without the name of its stage where that has a heading.
        full_name: its place.
        op: what it computes.
        fused: what is fused into it, or empty.
        shape: of its output.
        params: of all its nodes.
        macs: of all its nodes.
        share: of the network's MACs, 0 to 1.
        weights: stored bytes.
        memory: bytes in memory while it runs.
        peak: whether the peak is here.
    """

    name: str
    full_name: str
    op: str
    fused: str
    shape: str
    params: str
    macs: str
    share: float
    weights: str
    memory: str
    peak: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """The steps of one top-level place.

    Attributes:
        name: of the place; empty if its only step bears it.
        params: sum over the steps.
        macs: sum over the steps.
        share: of the network's MACs, 0 to 1.
        weights: sum over the steps.
        memory: largest over the steps.
        steps: in the order of the schedule.
    """

    name: str
    params: str
    macs: str
    share: float
    weights: str
    memory: str
    steps: tuple[StepRow, ...]


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One decision of the winner.

    Attributes:
        name: of the decision.
        options: text of each option and whether it is the chosen one; only that if no others are known.
    """

    name: str
    options: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """How well one class is told from the others.

    Attributes:
        name: of the class.
        accuracy: its score, as text.
        fill: width of the bar, per cent.
        count: number of its test items, or empty.
        mistaken: what its items are most often taken for, or empty.
    """

    name: str
    accuracy: str
    fill: float
    count: str
    mistaken: str


def limit_rows(checks: Iterable[Check]) -> list[LimitRow]:
    """Hold each cost against its limit; a cost beyond it sets the length of the track."""
    rows = []
    for check in checks:
        value, limit, gap = (
            format_cost(check.metric, n, exact=False)
            for n in (check.value, check.limit, abs(check.limit - check.value))
        )
        if value == limit and check.value != check.limit:
            value, limit = (format_cost(check.metric, n) for n in (check.value, check.limit))
        rows.append(
            LimitRow(
                title=labels.COST_TITLES[check.metric],
                value=value,
                limit=limit,
                fits=check.fits,
                remark=f"{labels.percent(check.share, 1)} of the limit, {gap} to spare"
                if check.fits
                else f"{gap} over the limit",
                fill=min(100.0, 100 * check.share),
                mark=min(100.0, 100 / check.share) if check.share else 100.0,
            )
        )
    return rows


def cost_rows(content: ReportContent) -> list[CostRow]:
    """Every cost of the network, whether limited or not."""
    cost = content.cost
    without = ("params", f"{labels.COST_TITLES['params']} without batch norm", cost.params_without_bn)
    totals = {**cost.totals(), **content.further_costs}
    rows = [(metric, labels.COST_TITLES[metric], value) for metric, value in totals.items()]
    rows.insert(2, without)
    return [
        CostRow(
            title,
            format_cost(metric, value, exact=False),
            f"{value:,} {_UNITS.get(metric.rpartition('_')[2], '')}".rstrip(),
        )
        for metric, title, value in rows
    ]


def best_trials(content: ReportContent, most: int) -> list[TrialRow]:
    """The most accurate trials, best first; of equal ones the earlier first."""
    ranked = sorted(content.complete, key=lambda trial: (-trial.metrics[content.objective], trial.number))
    return [_trial_row(trial, content) for trial in ranked[:most]]


def failed_trials(content: ReportContent) -> list[TrialRow]:
    """The trials that failed, in order, with the reasons."""
    return [_trial_row(trial, content) for trial in content.failed]


def stages(content: ReportContent) -> list[Stage]:
    """The winner's schedule, its steps grouped by the first part of their names."""
    steps, _ = fuse(content.graph)
    return [
        _stage(name, list(members), content)
        for name, members in groupby(steps, key=lambda step: step.node.name.partition(".")[0])
    ]


def decision_rows(content: ReportContent) -> list[list[DecisionRow]]:
    """The active decisions with all their options, the chosen one marked; many are cut into two halves."""
    options = {decision.name: decision.options for decision in content.decisions}
    rows = [
        DecisionRow(
            name,
            tuple((str(option), _same(option, chosen)) for option in options.get(name, (chosen,))),
        )
        for name, chosen in content.winner
    ]
    half = (len(rows) + 1) // 2
    return [rows] if len(rows) < _SPLIT else [rows[:half], rows[half:]]


def _same(option: Value, chosen: Value) -> bool:
    """Equal and of one kind: True is not 1."""
    return option == chosen and isinstance(option, bool) == isinstance(chosen, bool)


def class_rows(content: ReportContent) -> list[ClassRow]:
    """The score class by class, from the given shares or else from the confusion matrix."""
    shares: Sequence[float]
    if content.class_accuracy is not None:
        shares = content.class_accuracy
    elif content.confusion is not None:
        shares = content.task.class_scores(tally(np.array(content.confusion))).tolist()
    else:
        return []
    rows = []
    for index, (name, share) in enumerate(zip(content.classes, shares, strict=True)):
        counts = content.confusion[index] if content.confusion is not None else ()
        known = share == share  # not NaN
        rows.append(
            ClassRow(
                name=name,
                accuracy=labels.percent(share, 1) if known else f"no {content.item}s",
                fill=100 * share if known else 0,
                count=f"{sum(counts):,}" if counts else "",
                mistaken=_mistaken(index, counts, content.classes),
            )
        )
    return rows


def _mistaken(index: int, counts: Sequence[int], classes: Sequence[str]) -> str:
    others = [(count, -other) for other, count in enumerate(counts) if other != index and count]
    if not others:
        return ""
    count, other = max(others)
    return f"{classes[-other]} ({count:,}{labels.TIMES})"


def _trial_row(trial: Trial, content: ReportContent) -> TrialRow:
    return TrialRow(
        number=trial.number,
        architecture=trial.proposal.architecture.key[:8],
        accuracy=labels.percent(trial.metrics[content.objective]) if trial.complete else "",
        costs=tuple(
            format_cost(metric, trial.costs[metric], exact=False) if metric in trial.costs else ""
            for metric in content.cost_names
        ),
        time=labels.duration(trial.seconds),
        winner=trial.proposal.architecture == content.winner,
        reason="" if trial.complete else labels.shorten(trial.reason or "no reason recorded", _REASON),
    )


def _stage(name: str, steps: Sequence[Step], content: ReportContent) -> Stage:
    rows = {row.name: row for row in content.cost.nodes}
    shared = [[rows[member] for member in step.members] for step in steps]
    everything = [row for members in shared for row in members]
    headed = len(steps) > 1
    macs = sum(row.macs for row in everything)
    return Stage(
        name=name if headed else "",
        params=_or_dash(sum(row.params for row in everything)),
        macs=_or_dash(macs),
        share=macs / content.cost.macs if content.cost.macs else 0,
        weights=_bytes_or_dash(sum(row.weight_bytes for row in everything)),
        memory=format_bytes(max(_memory(rows[step.node.name]) for step in steps), exact=False),
        steps=tuple(
            _step_row(step, members, name if headed else "", content)
            for step, members in zip(steps, shared, strict=True)
        ),
    )


def _step_row(step: Step, members: Sequence[NodeCost], stage: str, content: ReportContent) -> StepRow:
    graph = content.graph
    ops = [labels.op(graph[name], graph.input_shapes(graph[name])) for name in step.members]
    macs = sum(row.macs for row in members)
    return StepRow(
        name=step.node.name.removeprefix(f"{stage}.") if stage else step.node.name,
        full_name=", ".join(step.members),
        op=ops[0],
        fused=", ".join(ops[1:]),
        shape=labels.shape(graph[step.members[-1]].shape),
        params=_or_dash(sum(row.params for row in members)),
        macs=_or_dash(macs),
        share=macs / content.cost.macs if content.cost.macs else 0,
        weights=_bytes_or_dash(sum(row.weight_bytes for row in members)),
        memory=format_bytes(_memory(members[0]), exact=False),
        peak=step.node.name == content.cost.peak_node,
    )


def _memory(row: NodeCost) -> int:
    if row.memory is None:
        raise ValueError(f"{row.name}: expected the memory of a step, got none")
    return row.memory.bytes


def _or_dash(count: int) -> str:
    return format_count(count, exact=False) if count else "–"


def _bytes_or_dash(size: int) -> str:
    return format_bytes(size, exact=False) if size else "–"
