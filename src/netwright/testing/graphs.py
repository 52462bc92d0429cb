"""Laws of graphs: the network that is counted is the network that torch runs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netwright.errors import ConfigError
from netwright.ir.cost import cost
from netwright.ir.dtype import DTYPES
from netwright.ir.graph import Graph
from netwright.ir.ops import BatchNorm, Input
from netwright.ir.prune import prune_dead
from netwright.nn.lower import build
from netwright.testing.machine import holders, simulate
from netwright.testing.verdict import ask_torch, random_images, random_network, results


class GraphLaws:
    """Laws that every graph keeps; give ``graph``. Some run it, so let it be small."""

    @pytest.fixture
    def graph(self) -> Graph:
        """The graph; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError("GraphLaws: expected a fixture `graph` in the subclass, got none")

    def test_nodes_come_after_what_they_read(self, graph: Graph) -> None:
        """One input, first; outputs exist."""
        seen: set[str] = set()
        for index, node in enumerate(graph.nodes):
            assert isinstance(node.op, Input) == (index == 0)
            assert seen.issuperset(node.inputs)
            seen.add(node.name)
        assert seen.issuperset(graph.outputs)

    def test_places_have_names_of_their_own(self, graph: Graph) -> None:
        """No name is taken twice, and none is a scope of another."""
        names = [node.name for node in graph.nodes]
        assert len(set(names)) == len(names)
        scopes = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
        assert not scopes.intersection(names)

    def test_it_survives_json(self, graph: Graph) -> None:
        """Read back equal, hash and text included."""
        again = Graph.from_json(graph.to_json())
        assert again == graph
        assert hash(again) == hash(graph)
        assert again.to_json() == graph.to_json()

    def test_shapes_params_and_macs_are_torchs(self, graph: Graph) -> None:
        """Real output shapes, ``numel``, half of ``FlopCounterMode``."""
        verdict, found = ask_torch(graph), cost(graph)
        assert {name: graph[name].shape for name in verdict.shapes} == verdict.shapes
        assert len(verdict.shapes) == len(graph.nodes) - 1
        assert (found.params, found.macs, found.flops) == (verdict.params, verdict.macs, 2 * verdict.macs)
        norms = [node.name for node in graph.nodes if isinstance(node.op, BatchNorm)]
        inside = sum(
            torch.Size(shape).numel() for n in norms for shape in verdict.weights.get(n, {}).values()
        )
        assert found.params_without_bn == found.params - inside

    def test_weights_are_at_their_places(self, graph: Graph) -> None:
        """Keys of the state dict begin with the names of nodes."""
        with torch.device("meta"):
            keys = build(graph).state_dict()
        names = {node.name for node in graph.nodes}
        assert {key.rpartition(".")[0] for key in keys} <= names

    @pytest.mark.parametrize("in_place", [False, True], ids=["standard", "inplace-depthwise"])
    def test_memory_is_that_of_a_machine(self, graph: Graph, in_place: bool) -> None:
        """Peak and every step's share, against a machine that allocates and frees buffers."""
        for dtype in DTYPES.values():
            model = "inplace-depthwise" if in_place else "standard"
            found = cost(graph, dtype=dtype.name, memory_model=model)  # type: ignore[arg-type]
            machine = simulate(graph, dtype.activation, in_place=in_place)
            assert found.peak_activation_bytes == machine.peak
            assert dict(machine.taken)[found.peak_node] == machine.peak
            steps = [(row.name, row.memory.bytes) for row in found.nodes if row.memory is not None]
            assert steps == machine.taken

    def test_weight_bytes_are_those_of_torchs_kernels(self, graph: Graph) -> None:
        """One byte a weight, int32 bias and float32 scale a channel; nothing for a batch norm that folds."""
        with torch.device("meta"):
            modules = dict(build(graph).named_modules())
        folded = {name for name, holder in holders(graph).items() if name != holder}
        expected = 0
        for node in graph.nodes[1:]:
            module = modules[node.name]
            if isinstance(module, nn.Conv2d | nn.Linear):
                expected += module.weight.numel() + 8 * module.weight.shape[0]
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and node.name not in folded:
                expected += 9 * module.num_features
        assert cost(graph).weight_bytes == expected

    def test_pruning_keeps_the_function(self, graph: Graph) -> None:
        """What is pruned computes the same with the same weights; pruning again changes nothing."""
        pruned = prune_dead(graph)
        assert prune_dead(pruned) == pruned
        assert pruned.outputs == graph.outputs
        assert [node.name for node in graph.nodes if node.name in {n.name for n in pruned.nodes}] == [
            node.name for node in pruned.nodes
        ]
        if pruned != graph:
            network, smaller = random_network(graph), random_network(pruned)
            known = network.state_dict()
            smaller.load_state_dict({name: known[name] for name in smaller.state_dict()})
            images = random_images(graph)
            for before, after in zip(results(network, images), results(smaller, images), strict=True):
                torch.testing.assert_close(after, before)

    def test_a_network_depends_on_its_seed_alone(self, graph: Graph) -> None:
        """Equal weights for equal seeds; torch's global generator is neither used nor moved."""
        torch.manual_seed(0)
        first = build(graph, seed=7).state_dict()
        state = torch.random.get_rng_state()
        torch.manual_seed(1)
        second = build(graph, seed=7).state_dict()
        torch.manual_seed(0)
        build(graph, seed=8)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)
