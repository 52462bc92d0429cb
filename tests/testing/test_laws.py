"""The laws bite: an object that breaks one is found out by it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from netwright.errors import ConfigError, SpaceError
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Activation, Add, BatchNorm, Conv, Shape
from netwright.seeding import rng_for
from netwright.space import Architecture, Decision, ExpressionSpace, costs_of, size, unrank
from netwright.space.composite import Tracked
from netwright.space.diagram import Diagram
from netwright.strategies import Evolution, RandomSearch
from netwright.study import SerialExecutor, StudySettings, open_study, run_search
from netwright.testing import (
    EstimatorLaws,
    ExpressionSpaceLaws,
    GraphLaws,
    OpCase,
    OpLaws,
    SpaceLaws,
    StrategyLaws,
    example_space,
)
from netwright.testing.strategies import accuracy, search
from netwright.trial import Context, Estimator, Metric, Objectives, Proposal, Strategy, Trial

BROKEN = (AssertionError, pytest.fail.Exception)
ACCURACY = Metric("accuracy", "share", "maximize")


def test_fixtures_that_are_missing_are_named() -> None:
    for laws, name in (
        (OpLaws(), "case"),
        (GraphLaws(), "graph"),
        (SpaceLaws(), "space"),
        (StrategyLaws(), "strategy"),
        (EstimatorLaws(), "estimator"),
        (EstimatorLaws(), "proposal"),
    ):
        fixture = getattr(type(laws), name)
        with pytest.raises(
            ConfigError, match=f"{type(laws).__name__}: expected a fixture `{name}` in the subclass"
        ):
            fixture.__wrapped__(laws)


# ----------------------------------------------------------------------------------------------------- ops


@dataclass(frozen=True)
class StridelessConv(Conv):
    """Forgets its stride when it counts."""

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        channels, height, width = inputs[0]
        return self.out_channels * channels * self.kernel[0] * self.kernel[1] * height * width


def test_ops() -> None:
    laws = OpLaws()
    conv = OpCase(StridelessConv(4, (3, 3), (2, 2)), ((2, 8, 8),))
    with pytest.raises(BROKEN):
        laws.test_it_is_registered_under_its_kind(conv)
    laws.test_it_is_an_immutable_value(OpCase(Conv(4), ((2, 8, 8),)))
    laws.test_its_macs_are_torchs(OpCase(Conv(4, (3, 3), (2, 2)), ((2, 8, 8),)))


# -------------------------------------------------------------------------------------------------- graphs


def residual() -> Graph:
    build = GraphBuilder()
    x = build.input((2, 4, 4))
    y = build.apply("a.conv", Conv(2, (3, 3)), x)
    y = build.apply("a.bn", BatchNorm(), y)
    y = build.apply("a.act", Activation("relu"), y)
    return build.finish(build.apply("add", Add(), x, y))


def test_graphs() -> None:
    laws, good = GraphLaws(), residual()
    laws.test_nodes_come_after_what_they_read(good)
    with pytest.raises(BROKEN):
        laws.test_nodes_come_after_what_they_read(
            replace(good, nodes=(good.nodes[0], *reversed(good.nodes[1:])))
        )
    with pytest.raises(BROKEN):
        laws.test_places_have_names_of_their_own(
            replace(good, nodes=(*good.nodes, replace(good.nodes[-1], name="a")))
        )
    with pytest.raises(BROKEN):
        laws.test_places_have_names_of_their_own(replace(good, nodes=(*good.nodes, good.nodes[-1])))
    wrong = replace(good, nodes=(*good.nodes[:-1], replace(good.nodes[-1], shape=(2, 4, 5))))
    with pytest.raises(BROKEN):
        laws.test_shapes_params_and_macs_are_torchs(wrong)


# -------------------------------------------------------------------------------------------------- spaces


def tampered(change: Callable[[Diagram], Diagram]) -> ExpressionSpace:
    """The example space with a diagram that was tampered with."""
    space = example_space()
    space.__dict__["_diagrams"] = {Tracked(): change(example_space().diagram)}
    return space


def dearer(diagram: Diagram) -> Diagram:
    """Counts a parameter that is not there."""
    first, _, *others = diagram.base_sums
    return replace(diagram, base_sums=(first, 1, *others))


def flat(diagram: Diagram) -> Diagram:
    """Every option of the last decision costs nothing."""
    last = diagram.nodes[1].decision
    nodes = tuple(
        replace(node, edges=tuple(edge._replace(sums=(0,) * len(edge.sums)) for edge in node.edges))
        if node.decision == last
        else node
        for node in diagram.nodes
    )
    return replace(diagram, nodes=nodes)


def shorter(diagram: Diagram) -> Diagram:
    """One option of the first decision is forgotten."""
    *others, root = diagram.nodes
    return replace(diagram, nodes=(*others, replace(root, edges=root.edges[:-1])))


def architectures_of(space: ExpressionSpace) -> list[Architecture]:
    total = size(space)
    return [unrank(space, total * k // 40) for k in range(40)]


def test_spaces() -> None:
    laws, good = ExpressionSpaceLaws(), example_space()
    laws.test_costs_are_those_of_the_network(good, architectures_of(good))
    for change in (dearer, flat):
        space = tampered(change)
        with pytest.raises(BROKEN):
            laws.test_costs_are_those_of_the_network(space, architectures_of(space))
    space = tampered(shorter)
    with pytest.raises(BROKEN):
        laws.test_small_spaces_are_what_one_sees(space, [{}])
    laws.test_small_spaces_are_what_one_sees(good, [{}])


@dataclass(frozen=True)
class Opaque:
    """A space of a user's own, without an expression; the flags break one law each."""

    careless: bool = False
    fickle: bool = False
    id: str = "opaque-1"
    decisions: tuple[Decision, ...] = (Decision("width", (4, 8, 12)), Decision("kernel", (1, 3)))
    built: list[int] = field(default_factory=list)

    def to_graph(self, architecture: Architecture) -> Graph:
        if architecture.space != self.id and not self.careless:
            raise SpaceError(f"expected one of {self.id}, got one of {architecture.space}")
        self.built.append(1)
        build = GraphBuilder()
        x = build.input((3, 8, 8))
        out = int(architecture["width"]) + (len(self.built) if self.fickle else 0)
        kernel = int(architecture["kernel"])
        return build.finish(build.apply("conv", Conv(out, (kernel, kernel)), x))


OPAQUE = [Architecture("opaque-1", (("width", w), ("kernel", k))) for w in (4, 8, 12) for k in (1, 3)]


class TestOpaque(SpaceLaws):
    @pytest.fixture
    def space(self) -> Opaque:
        return Opaque()

    @pytest.fixture
    def architectures(self, space: Any) -> list[Architecture]:
        return OPAQUE


def test_opaque_spaces() -> None:
    laws = SpaceLaws()
    with pytest.raises(BROKEN):
        laws.test_strangers_are_refused(Opaque(careless=True), OPAQUE)
    with pytest.raises(BROKEN):
        laws.test_graphs_depend_on_the_architecture_alone(Opaque(fickle=True), OPAQUE)
    with pytest.raises(BROKEN):
        laws.test_decisions_have_names_and_options_of_their_own(Opaque(decisions=(Decision("a", (1, 1)),)))
    unordered = [Architecture("opaque-1", (("kernel", 1), ("width", 4)))]
    with pytest.raises(BROKEN):
        laws.test_architectures_are_values_in_the_order_of_the_space(Opaque(), unordered)
    foreign = [Architecture("opaque-1", (("width", 5), ("kernel", 1)))]
    with pytest.raises(BROKEN):
        laws.test_architectures_are_values_in_the_order_of_the_space(Opaque(), foreign)


# ---------------------------------------------------------------------------------------------- strategies


@dataclass(frozen=True)
class Careless(RandomSearch):
    """Ignores the budget."""

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        return super().init(space, {}, objectives, seed)


@dataclass(frozen=True)
class Global(Evolution):
    """Draws from the global generator."""

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        return super().propose(state, rng_for(random.randrange(10**6), number), number)


@dataclass(frozen=True)
class Downwards(Evolution):
    """Takes every objective for one that is to be maximised."""

    def init(self, space: Any, budget: Mapping[str, int], objectives: Objectives, seed: int) -> Any:
        return super().init(
            space, budget, tuple(replace(one, direction="maximize") for one in objectives), seed
        )


@dataclass(frozen=True)
class Remembering(Evolution):
    """Keeps what it has seen in itself rather than in the state."""

    seen: list[Trial] = field(default_factory=list)

    def update(self, state: Any, trial: Trial) -> Any:
        self.seen.append(trial)
        return super().update(state, trial)

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        return super().propose(state, rng_for(len(self.seen), number), number)


@dataclass(frozen=True)
class Numberless(Evolution):
    """Calls every proposal the first."""

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        return super().propose(state, rng, 0)


@dataclass(frozen=True)
class Stubborn(RandomSearch):
    """Always proposes what it proposed first."""

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        first = super().propose(state, rng, 0)
        return None if first is None else replace(first, number=number)


@dataclass(frozen=True)
class Prophetic(Evolution):
    """Names a parent that it cannot know yet."""

    def propose(self, state: Any, rng: np.random.Generator, number: int) -> Proposal | None:
        proposal = super().propose(state, rng, number)
        return proposal and replace(proposal, parent=number)


@dataclass(frozen=True)
class LastOne(Evolution):
    """Learns from the trial that came last: the order matters."""

    population: int = 5

    def update(self, state: Any, trial: Trial) -> Any:
        later = super().update(state, trial)
        return replace(
            later,
            members=tuple(replace(m, scores=(-float(m.number == trial.number),)) for m in later.members),
        )


SPACE = example_space()
BUDGET = {"macs": sorted(costs_of(SPACE, unrank(SPACE, k))["macs"] for k in range(size(SPACE)))[200]}

Law = Callable[[StrategyLaws, Strategy], None]


def law(name: str) -> Law:
    def call(laws: StrategyLaws, strategy: Strategy) -> None:
        getattr(laws, name)(strategy, SPACE, BUDGET, ACCURACY)

    return call


@pytest.mark.parametrize(
    ("strategy", "name"),
    [
        (Careless(), "test_proposals_fit_and_are_numbered"),
        (Prophetic(), "test_proposals_fit_and_are_numbered"),
        (Numberless(), "test_same_seed_same_search"),
        (Global(), "test_same_seed_same_search"),
        (Global(), "test_states_are_not_shared"),
        (Remembering(), "test_the_state_is_a_function_of_the_trials"),
        (Remembering(), "test_a_resumed_search_goes_on_as_if_unbroken"),
        (Careless(), "test_failures_are_survived"),
    ],
)
def test_strategies(strategy: Strategy, name: str) -> None:
    law(name)(StrategyLaws(), Evolution(population=5))
    with pytest.raises(BROKEN):
        law(name)(StrategyLaws(), strategy)


def test_strategies_that_go_the_wrong_way() -> None:
    StrategyLaws().test_to_minimise_is_to_maximise_the_opposite(Evolution(population=5), SPACE, BUDGET)
    with pytest.raises(BROKEN):
        StrategyLaws().test_to_minimise_is_to_maximise_the_opposite(Downwards(population=5), SPACE, BUDGET)


def test_promises_of_strategies() -> None:
    laws = StrategyLaws()
    laws.without_replacement = laws.any_order = True
    law("test_nothing_comes_twice")(laws, RandomSearch())
    with pytest.raises(BROKEN):
        law("test_nothing_comes_twice")(laws, Stubborn())
    with pytest.raises(BROKEN):
        laws.test_it_ends_or_goes_on_when_all_is_known(Stubborn(), SPACE, ACCURACY)
    law("test_the_order_of_results_does_not_matter")(laws, Evolution(population=5))
    with pytest.raises(BROKEN):
        law("test_the_order_of_results_does_not_matter")(laws, LastOne())


def test_infeasible_budgets_must_raise() -> None:
    with pytest.raises(BROKEN):
        StrategyLaws().test_an_infeasible_budget_is_refused(Careless(), SPACE, ACCURACY)


def test_scores_of_the_laws_differ() -> None:
    history = search(RandomSearch(), SPACE, BUDGET, ACCURACY)
    scores = {accuracy(trial.proposal) for trial in history}
    assert len(scores) == len(history) == 40
    assert all(0 <= score < 1 for score in scores)
    assert [trial.complete for trial in history[:5]] == [True, True, True, False, True]


@dataclass(frozen=True)
class Scored:
    """The scores of the laws as an estimator; every seventh trial fails as there."""

    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY,)

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        if proposal.number % 7 == 3:
            raise ValueError("it was to fail")
        return {"accuracy": accuracy(proposal)}


@pytest.mark.parametrize("lag", [1, 4])
@pytest.mark.parametrize("strategy", [RandomSearch(), Evolution(population=4, tournament=3)], ids=str)
def test_searches_of_the_laws_are_those_of_the_driver(strategy: Strategy, lag: int, tmp_path: Path) -> None:
    settings = StudySettings(SPACE.id, ACCURACY, strategy.name, seed=3, lag=lag, budget=BUDGET)
    with open_study(tmp_path, settings) as study:
        result = run_search(
            SPACE,
            strategy,
            Scored(),
            study,
            SerialExecutor(),
            costs_of=lambda architecture: costs_of(SPACE, architecture),
            trials=30,
        )
    expected = search(strategy, SPACE, BUDGET, ACCURACY, seed=3, lag=lag, trials=30)
    assert [trial.proposal for trial in result.history] == [trial.proposal for trial in expected]
    assert [trial.metrics for trial in result.history] == [trial.metrics for trial in expected]


# ---------------------------------------------------------------------------------------------- estimators


@dataclass(frozen=True)
class Table:
    """Looks a score up; reports it in three steps. ``fault`` breaks one law."""

    fault: str = ""
    metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY, Metric("loss", "nats", "minimize"))

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        noise = float(rng_for(context.seed, "noise").random())
        if self.fault == "global":
            noise = random.random()
        kept = context.workdir / "kept.txt"
        if self.fault == "leftovers" and kept.exists():
            noise += 1
        for step in range(3):
            context.report(0 if self.fault == "steps" else step, {"accuracy": noise * step})
            kept.write_text(str(step))
        if self.fault == "missing":
            return {"accuracy": noise}
        return {"accuracy": float("nan") if self.fault == "nan" else noise, "loss": 1 - noise}


PROPOSAL = Proposal(0, unrank(SPACE, 0))


class TestTable(EstimatorLaws):
    @pytest.fixture
    def estimator(self) -> Estimator:
        return Table()

    @pytest.fixture
    def proposal(self) -> Proposal:
        return PROPOSAL


@dataclass(frozen=True)
class Closed(Table):
    """Cannot be pickled."""

    secret: Any = field(default_factory=lambda: lambda: None)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("global", "test_a_result_depends_on_the_seed_alone"),
        ("missing", "test_it_returns_what_it_announces"),
        ("nan", "test_it_returns_what_it_announces"),
        ("steps", "test_reports_go_forward"),
        ("leftovers", "test_a_retry_gives_the_same_result"),
    ],
)
def test_estimators(fault: str, name: str, tmp_path: Path) -> None:
    getattr(EstimatorLaws(), name)(Table(), PROPOSAL, tmp_path / "good")
    with pytest.raises(BROKEN):
        getattr(EstimatorLaws(), name)(Table(fault), PROPOSAL, tmp_path / "bad")


def test_estimators_that_cannot_travel(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="pickle"):
        EstimatorLaws().test_it_can_be_sent_to_another_process(Closed(), PROPOSAL, tmp_path)


def test_metrics_with_one_name() -> None:
    @dataclass(frozen=True)
    class Twice(Table):
        metrics: ClassVar[tuple[Metric, ...]] = (ACCURACY, ACCURACY)

    with pytest.raises(BROKEN):
        EstimatorLaws().test_metrics_say_what_they_are(Twice())


def test_the_example_space_has_every_kind_of_decision() -> None:
    names = {decision.name for decision in SPACE.decisions}
    assert {"resolution", "width", "stage.depth", "stage.1.kernel", "tail", "tail.conv.out"} <= names
    assert size(SPACE) == 2 * 2 * (4 + 16) * (2 + 4 + 1) * 2
