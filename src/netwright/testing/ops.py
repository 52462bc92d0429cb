"""Laws of ops: what an op says about itself is what its torch part does."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from netwright.errors import ConfigError, GraphError
from netwright.ir.convention import CONVENTIONS, count_operations
from netwright.ir.cost import cost
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import OPS, Activation, Concat, GlobalPool, Input, Shape, Slice, macs, weights
from netwright.ir.prune import prune_dead
from netwright.nn.lower import lower_op
from netwright.testing.examples import OpCase
from netwright.testing.verdict import ask_torch, random_images, random_network, results


class OpLaws:
    """Laws that every op keeps; give ``case``, an op with the shapes of what it reads."""

    @pytest.fixture
    def case(self) -> OpCase:
        """The op and its input shapes; to be overridden.

        Raises:
            ConfigError: if it is not.
        """
        raise ConfigError(
            "OpLaws: expected a fixture `case` in the subclass, an OpCase(op, inputs); got none"
        )

    def test_it_is_an_immutable_value(self, case: OpCase) -> None:
        """Equal attributes, equal ops; and nothing can be set."""
        copy = dataclasses.replace(case.op)  # type: ignore[type-var]
        assert copy == case.op
        assert hash(copy) == hash(case.op)
        for field in dataclasses.fields(case.op):  # type: ignore[arg-type]
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(case.op, field.name, None)

    def test_it_is_registered_under_its_kind(self, case: OpCase) -> None:
        """``OPS`` holds it, and no other op of its kind."""
        assert [op for op in OPS if op.kind == case.op.kind] == [type(case.op)]

    def test_it_survives_json(self, case: OpCase) -> None:
        """A graph with it is read back equal."""
        graph = graph_of(case)
        assert Graph.from_json(graph.to_json()) == graph

    def test_its_shape_is_torchs(self, case: OpCase) -> None:
        """The shape rule agrees with what torch computes."""
        graph = graph_of(case)
        found = ask_torch(graph).shapes
        assert all(shape == graph[name].shape for name, shape in found.items())
        assert graph.nodes[-1].shape == case.op.output_shape(case.inputs)

    def test_its_weights_are_torchs(self, case: OpCase) -> None:
        """Names and shapes of the parameters of its torch part."""
        if isinstance(case.op, Input):
            assert weights(case.op, ()) == ()
            return
        module = lower_op(case.op, case.inputs).module
        real = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
        assert {weight.name: weight.shape for weight in weights(case.op, case.inputs)} == real

    def test_its_macs_are_torchs(self, case: OpCase) -> None:
        """Half of what ``FlopCounterMode`` counts."""
        assert macs(case.op, case.inputs) == ask_torch(graph_of(case)).macs

    def test_it_refuses_a_wrong_number_of_inputs(self, case: OpCase) -> None:
        """With a message that begins with its kind."""
        wrong = ((2, 3, 3),) if isinstance(case.op, Input) else ()
        with pytest.raises(GraphError, match=f"{case.op.kind}: expected .* input"):
            case.op.output_shape(wrong)

    def test_every_consumer_has_a_rule_or_raises(self, case: OpCase) -> None:
        """Costs, memory, conventions and pruning: a figure or a GraphError, never silence."""
        graph = graph_of(case)
        found = cost(graph)
        assert found.peak_activation_bytes >= graph.nodes[-1].elements
        assert prune_dead(graph).outputs == graph.outputs
        for convention in CONVENTIONS:
            try:
                assert count_operations(graph, convention) >= found.macs
            except GraphError as error:
                assert f"convention {convention}: no rule for op" in str(error)  # noqa: PT017

    def test_images_of_a_batch_do_not_mix(self, case: OpCase) -> None:
        """A batch gives what its images give one by one, in either memory format."""
        graph = graph_of(case)
        network, images = random_network(graph), random_images(graph, 3)
        (whole,) = results(network, images)
        single = torch.cat([results(network, image[None])[0] for image in images])
        torch.testing.assert_close(whole, single)
        if images.dim() == 4:
            last = images.to(memory_format=torch.channels_last)
            torch.testing.assert_close(results(network, last)[0], whole)


def graph_of(case: OpCase) -> Graph:
    """A graph that applies an op once; what it reads beside the input is made of the input, without MACs."""
    build = GraphBuilder()
    if isinstance(case.op, Input):
        return build.finish(build.input(case.op.shape))
    first, *others = case.inputs
    x = build.input(first)
    reads = [x, *(_reshaped(build, x, shape, f"read{index}") for index, shape in enumerate(others))]
    return build.finish(build.apply("op", case.op, *reads))


def _reshaped(build: GraphBuilder, x: Tensor, shape: Shape, place: str) -> Tensor:
    if shape == x.shape:
        return build.apply(place, Activation("silu"), x)
    if shape[1:] == (1, 1):
        return build.apply(place, GlobalPool(), x)
    copies = -(-shape[0] // x.channels)
    wide = build.apply(f"{place}.wide", Concat(), *[x] * max(2, copies))
    return build.apply(f"{place}.cut", Slice(0, shape[0]), wide)
