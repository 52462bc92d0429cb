"""Operators of converted files, as the converter was seen to write them; errors where there is no rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given

from netwright import blocks as B
from netwright.errors import GraphError
from netwright.ir.graph import Graph, GraphBuilder, Tensor
from netwright.ir.ops import (
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Identity,
    Linear,
    Op,
    Pool,
    Resize,
    Slice,
    Zero,
)
from netwright.ir.tflm.lowering import lower
from tests.ir.tflm.networks import networks

CONV = Conv(8, (3, 3), bias=True)


def chain(*ops: Op, shape: tuple[int, ...] = (8, 8, 8)) -> Graph:
    build = GraphBuilder()
    x = build.input(shape)
    for number, op in enumerate(ops):
        x = build.apply(f"n{number}", op, x)
    return build.finish(x)


def of_block(make: Callable[[GraphBuilder, Tensor], Tensor], shape: tuple[int, ...] = (8, 8, 8)) -> str:
    build = GraphBuilder()
    return words(build.finish(make(build, build.input(shape))))


def words(graph: Graph) -> str:
    return " ".join(lower(graph).kinds)


@pytest.mark.parametrize(
    ("ops", "expected"),
    [
        ([CONV, BatchNorm(), Activation("relu6"), CONV], "CONV_2D CONV_2D"),
        ([CONV, Identity(), Activation("relu"), CONV], "CONV_2D CONV_2D"),
        ([Activation("relu"), CONV], "RELU CONV_2D"),
        ([BatchNorm(), CONV], "DEPTHWISE_CONV_2D CONV_2D"),
        ([CONV, Activation("hardswish"), BatchNorm()], "CONV_2D HARD_SWISH DEPTHWISE_CONV_2D"),
        ([CONV, Activation("sigmoid")], "CONV_2D LOGISTIC"),
        ([CONV, Activation("silu")], "CONV_2D LOGISTIC MUL"),
        ([CONV, Activation("hardsigmoid"), CONV], "CONV_2D CONV_2D"),
        ([CONV, Activation("relu"), Activation("hardsigmoid"), CONV], "CONV_2D ADD CONV_2D"),
        ([CONV, Pool("max", (3, 3), (2, 2)), Activation("relu")], "CONV_2D MAX_POOL_2D"),
        ([Pool("average", (2, 2), (2, 2)), CONV], "AVERAGE_POOL_2D CONV_2D"),
        ([Conv(8, groups=8), Conv(16, groups=8), Conv(16, groups=2)], "DEPTHWISE_CONV_2D " * 2 + "CONV_2D"),
        ([Conv(8, (3, 3), (2, 2), padding="symmetric")], "PAD CONV_2D"),
        ([Conv(8, (3, 3), padding="symmetric")], "CONV_2D"),
        ([Conv(8, (3, 3), padding=(0, 0, 0, 0))], "CONV_2D"),
        ([Conv(8, (3, 3), padding=(1, 0, 1, 0))], "PAD CONV_2D"),
        ([Conv(8, (1, 1), (2, 2), padding=(-1, 0, -1, 0))], "SLICE SLICE CONV_2D"),
        ([Conv(8, (1, 1), (2, 2), padding=(-1, 1, -1, 1))], "SLICE SLICE PAD CONV_2D"),
        ([Conv(8, (3, 3), padding=(0, -1, 0, 0))], "SLICE CONV_2D"),
        ([CONV, ChannelShuffle(2), CONV], "CONV_2D RESHAPE TRANSPOSE RESHAPE CONV_2D"),
        ([CONV, ChannelShuffle(1), ChannelShuffle(8), CONV], "CONV_2D CONV_2D"),
        (
            [CONV, ChannelShuffle(2), Flatten(), Linear(4)],
            "CONV_2D RESHAPE TRANSPOSE RESHAPE FULLY_CONNECTED",
        ),
        ([CONV, Slice(0, 4)], "CONV_2D SLICE"),
        ([CONV, Slice(0, 8), CONV], "CONV_2D CONV_2D"),
        ([CONV, Resize((16, 16))], "CONV_2D RESIZE_BILINEAR"),
        ([CONV, GlobalPool(), Flatten(), Linear(4)], "CONV_2D MEAN FULLY_CONNECTED"),
        ([CONV, GlobalPool(), CONV, Flatten(), Linear(4)], "CONV_2D MEAN CONV_2D FULLY_CONNECTED"),
        ([CONV, Flatten(), Linear(4), Activation("relu")], "CONV_2D RESHAPE FULLY_CONNECTED"),
        ([Conv(8, (8, 8), (8, 8)), GlobalPool(), Flatten(), Linear(4)], "CONV_2D SUM FULLY_CONNECTED"),
        ([Conv(8, (8, 8), (8, 8)), GlobalPool(), CONV], "CONV_2D CONV_2D"),
    ],
)
def test_chains(ops: list[Op], expected: str) -> None:
    assert words(chain(*ops)) == expected


def test_one_input_channel_is_depthwise() -> None:
    assert words(chain(CONV, shape=(1, 8, 8))) == "DEPTHWISE_CONV_2D"


def test_squeeze_and_excite() -> None:
    assert of_block(B.squeeze_excite()) == "MEAN CONV_2D CONV_2D MUL MUL"
    assert of_block(B.squeeze_excite(gate="sigmoid")) == "MEAN CONV_2D CONV_2D LOGISTIC MUL"


def test_shuffle_unit() -> None:
    assert of_block(B.shuffle_v2(out=8)) == (
        "SLICE SLICE CONV_2D DEPTHWISE_CONV_2D CONV_2D CONCATENATION RESHAPE TRANSPOSE RESHAPE"
    )


def test_equal_constants_are_one_tensor() -> None:
    program = lower(chain(CONV, ChannelShuffle(2), CONV, ChannelShuffle(2)))
    # Two layers of two, and of each shuffle the same three.
    assert sum(tensor.constant for tensor in program.tensors) == 2 * 2 + 3


def test_what_is_computed_twice_is_one_operator() -> None:
    build = GraphBuilder()
    x = build.apply("conv", CONV, build.input((8, 8, 8)))
    relus = [build.apply(f"relu{number}", Activation("relu"), x) for number in range(2)]
    layers = [build.apply(f"layer{number}", CONV, relu) for number, relu in enumerate(relus)]
    pools = [build.apply(f"pool{number}", Pool("max", (2, 2), (2, 2)), layers[0]) for number in range(2)]
    sums = [build.apply(f"sum{number}", Add(), pool, pools[1]) for number, pool in enumerate(pools)]
    program = lower(build.finish(build.apply("join", Concat(), *sums), layers[1]))
    # Both relus are one, which the layer takes up; layers have weights of their own.
    assert program.kinds == ("CONV_2D", "CONV_2D", "CONV_2D", "MAX_POOL_2D", "ADD", "CONCATENATION")
    assert [operator.function for operator in program.operators] == ["relu", "", "", "", "", ""]


def test_a_layer_runs_where_the_activation_stands_that_it_takes_up() -> None:
    build = GraphBuilder()
    x = build.input((8, 8, 8))
    early = build.apply("early", CONV, x)
    other = build.apply("other", CONV, x)
    program = lower(build.finish(build.apply("relu", Activation("relu"), early), other))
    assert [operator.node for operator in program.operators] == ["other", "early"]
    assert [program.tensors[index].node for index in program.outputs] == ["early", "other"]
    # Numbered by first use: the input, then weights, bias and output of each.
    assert [operator.output for operator in program.operators] == [3, 6]


def test_a_sum_of_three_is_two_sums() -> None:
    build = GraphBuilder()
    x = build.input((8, 8, 8))
    total = build.apply("sum", Add(), x, build.apply("a", CONV, x), build.apply("b", CONV, x))
    assert words(build.finish(total)) == "CONV_2D CONV_2D ADD ADD"


def test_a_concatenation_that_only_another_reads_is_written_into_it() -> None:
    build = GraphBuilder()
    x = build.input((8, 8, 8))
    a, b, c = (build.apply(name, CONV, x) for name in "abc")
    inner = build.apply("inner", Concat(), a, b)
    graph = build.finish(build.apply("outer", Concat(), inner, c))
    assert words(graph) == "CONV_2D CONV_2D CONV_2D CONCATENATION"
    assert len(lower(graph).operators[-1].inputs) == 3


def test_what_no_output_depends_on_is_left_out() -> None:
    build = GraphBuilder()
    x = build.input((8, 8, 8))
    build.apply("dead", CONV, x)
    assert words(build.finish(build.apply("alive", CONV, x))) == "CONV_2D"


def test_an_activation_that_others_bypass_is_an_operator() -> None:
    build = GraphBuilder()
    x = build.apply("conv", CONV, build.input((8, 8, 8)))
    y = build.apply("act", Activation("relu"), x)
    assert words(build.finish(build.apply("sum", Add(), x, y))) == "CONV_2D RELU ADD"


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([Zero()], "n0: zero has no rule"),
        ([Activation("relu6"), CONV], "n0: relu6 has an int8 form only"),
        ([GlobalPool("max")], "n0: a global maximum"),
        ([Resize((4, 4), "nearest")], "n0: resize by nearest"),
        ([Pool("max", (3, 3), (2, 2), "symmetric")], "n0: expected padding 'same' or none"),
        ([GlobalPool(), Flatten(), Activation("hardswish"), BatchNorm()], "n3: a batch norm on a vector"),
    ],
)
def test_an_op_without_a_rule_is_an_error(ops: list[Op], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        lower(chain(*ops))


def test_more_inputs_than_the_kernel_takes_are_an_error() -> None:
    build = GraphBuilder()
    x = build.input((1, 4, 4))
    with pytest.raises(GraphError, match="at most 10 inputs"):
        lower(build.finish(build.apply("join", Concat(), *[x] * 11)))


@given(networks())
def test_tensors_are_numbered_by_their_first_use(graph: Graph) -> None:
    program = lower(graph)
    used = [0]
    for operator in program.operators:
        used += [index for index in operator.inputs if index >= 0] + [operator.output]
    assert list(dict.fromkeys(used)) == list(range(len(program.tensors)))


@given(networks())
def test_the_input_and_the_outputs_keep_their_elements(graph: Graph) -> None:
    program = lower(graph)
    assert program.tensors[0].bytes == graph.nodes[0].elements
    (output,) = program.outputs
    assert program.tensors[output].bytes == graph[graph.outputs[0]].elements
