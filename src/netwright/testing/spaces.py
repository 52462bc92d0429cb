"""Laws of search spaces: what is said of all architectures holds for each of them."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from netwright.errors import BudgetError, ConfigError, SpaceError
from netwright.ir.cost import COSTS, cost
from netwright.seeding import integer_below, rng_for
from netwright.space import (
    Architecture,
    ExpressionSpace,
    SearchSpace,
    costs_of,
    count,
    extremes,
    fitting,
    mutate,
    neighbours,
    rank,
    sample,
    size,
    unrank,
    why_nothing_fits,
)
from netwright.testing.interpreter import members
from netwright.testing.machine import simulate
from netwright.testing.verdict import ask_torch

DRAWS = 12
"""Architectures that each law looks at."""

FEW = 3000
"""A space of at most so many architectures is gone through network by network."""


class SpaceLaws:
    """Laws of every search space, opaque ones too; give ``space`` and ``architectures``."""

    @pytest.fixture
    def space(self) -> Any:
        """The space; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError("SpaceLaws: expected a fixture `space` in the subclass, got none")

    @pytest.fixture
    def architectures(self, space: Any) -> list[Architecture]:
        """Some of its architectures, all different; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError("SpaceLaws: expected a fixture `architectures` in the subclass, got none")

    def test_decisions_have_names_and_options_of_their_own(self, space: SearchSpace) -> None:
        """At least one decision; at least one option each."""
        names = [decision.name for decision in space.decisions]
        assert names
        assert len(set(names)) == len(names)
        for decision in space.decisions:
            assert decision.options
            labels = [(type(option), option) for option in decision.options]
            assert len(set(labels)) == len(labels)

    def test_architectures_are_values_in_the_order_of_the_space(
        self, space: SearchSpace, architectures: list[Architecture]
    ) -> None:
        """They bear the id, take options that exist, and list their decisions in space order."""
        assert len(set(architectures)) == len(architectures) > 0
        order = {decision.name: index for index, decision in enumerate(space.decisions)}
        options = {decision.name: decision.options for decision in space.decisions}
        for architecture in architectures:
            assert architecture.space == space.id
            places = [order[name] for name, _ in architecture]
            assert places == sorted(set(places))
            assert all(value in options[name] for name, value in architecture)

    def test_architectures_survive_json(self, architectures: list[Architecture]) -> None:
        """Read back equal; different ones have different keys."""
        for architecture in architectures:
            again = Architecture.from_json(architecture.to_json())
            assert again == architecture
            assert again.key == architecture.key
        assert len({architecture.key for architecture in architectures}) == len(architectures)

    def test_graphs_depend_on_the_architecture_alone(
        self, space: SearchSpace, architectures: list[Architecture]
    ) -> None:
        """Built twice, in another order, they are the same."""
        first = [space.to_graph(architecture) for architecture in architectures]
        again = [space.to_graph(architecture) for architecture in reversed(architectures)]
        assert first == again[::-1]

    def test_networks_are_what_torch_runs(
        self, space: SearchSpace, architectures: list[Architecture]
    ) -> None:
        """Shapes, params and MACs are torch's, peak memory that of a machine."""
        for architecture in architectures[:DRAWS]:
            graph = space.to_graph(architecture)
            verdict, found = ask_torch(graph), cost(graph)
            assert (found.params, found.macs) == (verdict.params, verdict.macs)
            assert {name: graph[name].shape for name in verdict.shapes} == verdict.shapes
            assert found.peak_activation_bytes == simulate(graph).peak

    def test_strangers_are_refused(self, space: SearchSpace, architectures: list[Architecture]) -> None:
        """An architecture of another space is not built."""
        stranger = Architecture("stranger-00000000", architectures[0].choices)
        with pytest.raises(SpaceError, match="stranger-00000000"):
            space.to_graph(stranger)


class ExpressionSpaceLaws(SpaceLaws):
    """Laws of a space made from an expression; give ``space``.

    What is said about a space of at most 3,000 architectures is held against a look at each of them.
    """

    @pytest.fixture
    def architectures(self, space: ExpressionSpace) -> list[Architecture]:
        """The first, the last, and some drawn uniformly by rank."""
        last = size(space) - 1
        ranks = [0, last, *(integer_below(rng_for(0, "laws", k), last + 1) for k in range(DRAWS))]
        return [unrank(space, index) for index in dict.fromkeys(ranks)]

    @pytest.fixture
    def budgets(self, space: ExpressionSpace, architectures: list[Architecture]) -> list[dict[str, int]]:
        """A limit on each cost, on all of them, and on none; each lets something through."""
        costs = [costs_of(space, architecture) for architecture in architectures]
        costs.sort(key=lambda one: one["macs"])
        middle = costs[len(costs) // 2]
        return [{}, middle, *({metric: middle[metric]} for metric in COSTS)]

    def test_ranks_are_a_bijection(self, space: ExpressionSpace, architectures: list[Architecture]) -> None:
        """``unrank`` and ``rank`` undo each other."""
        total = size(space)
        assert total > 0
        for architecture in architectures:
            index = rank(space, architecture)
            assert 0 <= index < total
            assert unrank(space, index) == architecture
        for wrong in (-1, total):
            with pytest.raises(SpaceError, match="rank: expected an integer from 0 to"):
                unrank(space, wrong)

    def test_exactly_the_active_decisions_are_recorded(
        self, space: ExpressionSpace, architectures: list[Architecture]
    ) -> None:
        """None can be left out, none added."""
        for architecture in architectures:
            choices = dict(architecture.choices)
            assert space.architecture(dict(reversed(architecture.choices))) == architecture
            for name in choices:
                with pytest.raises(SpaceError, match="is active but the architecture does not settle it"):
                    space.architecture({other: choices[other] for other in choices if other != name})
            for decision in space.decisions:
                if decision.name not in choices:
                    with pytest.raises(SpaceError, match="this decision is not active in the architecture"):
                        space.architecture({**choices, decision.name: decision.options[0]})

    def test_costs_are_those_of_the_network(
        self, space: ExpressionSpace, architectures: list[Architecture]
    ) -> None:
        """The tables agree with the whole graph."""
        for architecture in architectures:
            graph = space.to_graph(architecture)
            whole = cost(graph, dtype=space.dtype, memory_model=space.memory_model)
            assert costs_of(space, architecture) == whole.totals()

    def test_small_spaces_are_what_one_sees(
        self, space: ExpressionSpace, budgets: list[dict[str, int]]
    ) -> None:
        """Size, members, counts and extremes, against every network of a small space."""
        if space.composed:
            pytest.skip("cells and trellises: the judge knows chains only")
        found = list(islice(members(space.expression), FEW + 1))
        if len(found) > FEW:
            pytest.skip(f"the space has more than {FEW:,} architectures")
        costs = {
            space.architecture(member.choices): member.costs(
                dtype=space.dtype, memory_model=space.memory_model
            )
            for member in found
        }
        assert size(space) == len(found) == len(costs)
        for budget in budgets:
            within = {
                one for one, c in costs.items() if all(c[metric] <= budget[metric] for metric in budget)
            }
            number, table = count(space, budget), fitting(space, budget)
            assert number.lower <= len(within) <= number.upper
            listed = [table.at(index) for index in range(table.upper)]
            assert {one for one in listed if one is not None} == within
            assert sum(one is not None for one in listed) == len(within)
            for metric in COSTS:
                values = [costs[one][metric] for one in within]
                extreme = extremes(space, metric, budget)
                assert (extreme.smallest.value, extreme.largest.value) == (min(values), max(values))

    def test_draws_fit_the_budget(self, space: ExpressionSpace, budgets: list[dict[str, int]]) -> None:
        """By the cost of their graphs; the bounds enclose a sensible number."""
        for budget in budgets:
            number, table = count(space, budget), fitting(space, budget)
            assert 0 <= number.lower <= number.upper <= size(space)
            assert number.upper > 0
            for k in range(4):
                architecture = table.sample(rng_for(k, "laws"))
                graph = space.to_graph(architecture)
                totals = cost(graph, dtype=space.dtype, memory_model=space.memory_model).totals()
                assert all(totals[metric] <= limit for metric, limit in budget.items())
                assert table.sample(rng_for(k, "laws")) == architecture
        assert sample(space, rng_for(0, "laws"), budgets[0]) == fitting(space).sample(rng_for(0, "laws"))

    def test_extremes_enclose_all_draws(
        self, space: ExpressionSpace, architectures: list[Architecture]
    ) -> None:
        """And their architectures have the values."""
        for metric in COSTS:
            found = extremes(space, metric)
            for extreme in (found.smallest, found.largest):
                assert costs_of(space, extreme.architecture)[metric] == extreme.value
            values = [costs_of(space, architecture)[metric] for architecture in architectures]
            assert found.smallest.value <= min(values) <= max(values) <= found.largest.value

    def test_an_infeasible_budget_is_answered(self, space: ExpressionSpace) -> None:
        """With what the smallest needs; nothing loops."""
        for metric in COSTS:
            least = extremes(space, metric).smallest.value
            budget = {metric: least - 1}
            assert count(space, budget).upper == 0
            with pytest.raises(BudgetError, match=f"the smallest needs {metric} {least:,}"):
                sample(space, rng_for(0), budget)
            assert f"the budget is {least - 1:,}" in why_nothing_fits(space, budget)

    def test_mutations_differ_in_one_decision(
        self, space: ExpressionSpace, architectures: list[Architecture]
    ) -> None:
        """What both have besides is equal; the same generator gives the same mutation."""
        for architecture in architectures:
            for k in range(3):
                other = mutate(space, architecture, rng_for(k, architecture.key))
                assert mutate(space, architecture, rng_for(k, architecture.key)) == other
                assert unrank(space, rank(space, other)) == other
                both = dict(architecture.choices).keys() & dict(other.choices).keys()
                assert sum(architecture[name] != other[name] for name in both) == 1

    def test_neighbours_are_different_members(
        self, space: ExpressionSpace, architectures: list[Architecture]
    ) -> None:
        """Each differs from the architecture in one decision, and none comes twice."""
        for architecture in architectures[:3]:
            found = list(islice(neighbours(space, architecture), 500))
            assert len(set(found)) == len(found)
            for other in found:
                assert unrank(space, rank(space, other)) == other
                both = dict(architecture.choices).keys() & dict(other.choices).keys()
                assert sum(architecture[name] != other[name] for name in both) == 1
