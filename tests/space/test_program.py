"""Which decisions an expression has, what they are called, and in which order they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from netwright import blocks as B
from netwright.errors import SpaceError
from netwright.space import Decision, choice, compile_space, derived, iterate, place, repeat, sequential, size
from netwright.space.expression import Sequential
from netwright.space.program import Decide, Deeper, Run, Start, compile_program
from tests.space.small_spaces import SmallSpace, bare_conv, small_spaces

SHAPE = (4, 8, 8)


def decisions(*parts: Any, shape: tuple[Any, ...] = SHAPE) -> dict[str, tuple[Any, ...]]:
    space = compile_space(sequential(*parts, input=shape), "test")
    return {decision.name: decision.options for decision in space.decisions}


# -------------------------------------------------------------------------------------------------- names


def test_unnamed_choices_are_called_by_their_place() -> None:
    found = decisions(
        B.conv_bn_act(out=choice(4, 8)),
        repeat("stage", B.conv_bn_act(out=8, kernel=choice(3, 5)), depth=choice(1, 2)),
        place("head", B.pointwise(out=choice(6, 8))),
    )
    assert found == {
        "conv_bn_act.out": (4, 8),
        "stage.depth": (1, 2),
        "stage.0.kernel": (3, 5),
        "stage.1.kernel": (3, 5),
        "head.out": (6, 8),
    }


def test_named_choices_are_one_decision_each() -> None:
    width = choice(4, 8, name="width")
    found = decisions(
        B.conv_bn_act(out=width),
        repeat("stage", B.inverted_residual(out=width, expand=choice(1, 2, name="stage.expand")), depth=3),
    )
    assert found == {"width": (4, 8), "stage.expand": (1, 2)}


def test_equal_choices_of_one_name_need_not_be_one_object() -> None:
    found = decisions(bare_conv(out=choice(4, 8, name="width")), bare_conv(out=choice(4, 8, name="width")))
    assert found == {"width": (4, 8)}


def test_choices_between_blocks() -> None:
    found = decisions(
        choice(bare_conv(out=choice(2, 4)), B.identity()),
        repeat("stage", choice({"a": bare_conv(out=4, kernel=choice(1, 3)), 0.5: B.identity()}), depth=2),
        choice(B.identity(), bare_conv(out=choice(6, 8)), name="last"),
    )
    assert found == {
        "choice": ("bare_conv", "identity"),
        "choice.bare_conv.out": (2, 4),
        "stage.0": ("a", 0.5),
        "stage.0.a.kernel": (1, 3),
        "stage.1": ("a", 0.5),
        "stage.1.a.kernel": (1, 3),
        "last": ("identity", "bare_conv"),
        "last.bare_conv.out": (6, 8),
    }


def test_choices_inside_tuples_and_derived_values() -> None:
    found = decisions(
        B.conv_bn_act(
            out=derived("sum", lambda a, b: a + b, choice(2, 4), choice(1, 3)),
            kernel=(choice(1, 3), choice(3, 5)),
        )
    )
    assert list(found.values()) == [(2, 4), (1, 3), (1, 3), (3, 5)]
    assert len(set(found)) == 4


def test_resolution_and_channels() -> None:
    body = B.conv_bn_act(out=4)
    assert decisions(body, shape=(choice(1, 3), choice(8, 12), choice(8, 10))) == {
        "input.channels": (1, 3),
        "input.height": (8, 12),
        "input.width": (8, 10),
    }
    assert decisions(body, shape=(3, choice(8, 12, name="resolution"), ...)) == {"resolution": (8, 12)}


def test_dots_mean_the_same_size_even_if_the_choice_has_no_name() -> None:
    space = compile_space(sequential(B.conv_bn_act(out=4), input=(3, choice(8, 12), ...)), "square")
    assert [decision.name for decision in space.decisions] == ["input.height"]
    assert [space.to_graph(one).input_shape for one in iterate(space)] == [(3, 8, 8), (3, 12, 12)]


def test_a_vector_as_input() -> None:
    space = compile_space(
        sequential(choice({"a": B.identity(), "b": B.identity()}), input=(choice(4, 8),)), "vector"
    )
    assert [decision.name for decision in space.decisions] == ["input.features", "choice"]
    assert size(space) == 4


def test_decisions_come_in_the_order_of_the_network() -> None:
    found = decisions(
        choice(
            {"a": bare_conv(out=choice(4, 8, name="late")), "b": bare_conv(out=choice(2, 6))}, name="first"
        ),
        bare_conv(out=choice(4, 8, name="late")),
        bare_conv(out=choice(6, 2)),
        shape=(4, choice(6, 8, name="resolution"), ...),
    )
    assert list(found) == ["resolution", "first", "late", "first.b.out", "bare_conv_1.out"]


def test_only_the_first_layer_has_the_stride() -> None:
    stage = repeat(
        "stage", sequential(B.depthwise(stride=2), B.depthwise(stride=choice(1, 2))), depth=choice(1, 2)
    )
    space = compile_space(sequential(stage, input=(4, 16, 16)), "strided")
    assert [decision.name for decision in space.decisions] == ["stage.depth", "stage.0.depthwise_1.stride"]
    shapes = {
        (one["stage.depth"], one["stage.0.depthwise_1.stride"]): space.to_graph(one).nodes[-1].shape
        for one in iterate(space)
    }
    assert shapes == {(1, 1): (4, 8, 8), (1, 2): (4, 4, 4), (2, 1): (4, 8, 8), (2, 2): (4, 4, 4)}


def test_a_shared_operation_whose_blocks_have_a_stride() -> None:
    """The later layers differ from the first in their stride; the choice is nevertheless one."""
    op = choice(B.depthwise(stride=2), bare_conv(out=4, stride=choice(2, 1)), name="op")
    space = compile_space(sequential(repeat("stage", op, depth=2), input=SHAPE), "shared")
    assert [decision.name for decision in space.decisions] == ["op", "stage.0.bare_conv.stride"]
    kinds = [
        [node.name for node in space.to_graph(one).nodes if node.op.kind == "conv"] for one in iterate(space)
    ]
    assert kinds[0] == ["stage.0.depthwise.conv", "stage.1.depthwise.conv"]
    assert kinds[1:] == [["stage.0.bare_conv.conv", "stage.1.bare_conv.conv"]] * 2


def test_a_stage_within_a_stage() -> None:
    inner = repeat("inner", bare_conv(out=4, kernel=choice(1, 3), stride=2), depth=choice(1, 2))
    space = compile_space(sequential(repeat("outer", inner, depth=2), input=SHAPE), "nested")
    assert [decision.name for decision in space.decisions] == [
        "outer.0.depth",
        "outer.0.0.kernel",
        "outer.0.1.kernel",
        "outer.1.depth",
        "outer.1.0.kernel",
        "outer.1.1.kernel",
    ]
    assert size(space) == (2 + 4) ** 2
    assert {space.to_graph(one).nodes[-1].shape for one in iterate(space)} == {(4, 4, 4)}


# ------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: sequential(
                bare_conv(out=choice(2, 4, name="w")), bare_conv(out=choice(2, 6, name="w")), input=SHAPE
            ),
            r"choice 'w': expected the same options wherever it appears, got \(2, 4\) and \(2, 6\)|"
            r"choice 'w': expected the same options wherever it appears, got \(2, 6\) and \(2, 4\)",
        ),
        (
            lambda: sequential(
                choice(B.identity(), bare_conv(out=4), name="op"),
                choice(B.identity(), bare_conv(out=6), name="op"),
                input=SHAPE,
            ),
            "choice 'op': expected the same options wherever it appears",
        ),
        (
            lambda: sequential(
                bare_conv(out=choice(2, 4, name="w"), kernel=choice(1, 3, name="w")), input=SHAPE
            ),
            "choice 'w': expected the same options wherever it appears",
        ),
        (
            lambda: sequential(
                bare_conv(out=choice(2, 4, name="stage.depth")),
                repeat("stage", B.identity(), depth=choice(1, 2)),
                input=SHAPE,
            ),
            r"choice 'stage\.depth': expected the same options wherever it appears",
        ),
        (
            lambda: sequential(
                place("a", B.identity()), place("a", bare_conv(out=choice(2, 4))), input=SHAPE
            ),
            r"^sequential: two parts have the same name: \('a', 'a'\)$",
        ),
        (
            lambda: sequential(
                B.identity(), sequential(place("a", B.identity()), place("a", B.identity())), input=SHAPE
            ),
            r"^sequential: two parts have the same name",
        ),
        (
            lambda: sequential(
                repeat("a", B.identity(), depth=1), repeat("a", B.identity(), depth=choice(1, 2)), input=SHAPE
            ),
            r"^sequential: two parts have the same name: \('a', 'a'\)$",
        ),
        (
            lambda: sequential(place("bare_conv", B.identity()), bare_conv(out=choice(2, 4)), input=SHAPE),
            r"^sequential: two parts have the same name: \('bare_conv', 'bare_conv'\)$",
        ),
        (
            lambda: sequential(bare_conv(out=choice(2, 4))),
            r"the outermost sequential needs input=\(channels, height, width\)",
        ),
        (
            lambda: sequential(
                place("body", sequential(bare_conv(out=choice(2, 4)), input=SHAPE)), input=SHAPE
            ),
            "body: only the outermost sequential has an input",
        ),
        (
            lambda: sequential(bare_conv(out=choice(2, 4)), input=(..., 8, 8)),
            r"'\.\.\.' repeats the size before it; there is none",
        ),
        (
            lambda: sequential(bare_conv(out=choice(B.identity(), B.max_pool())), input=SHAPE),
            r"bare_conv\.out: an argument takes a choice of values, got a choice of blocks",
        ),
        (
            lambda: sequential(bare_conv(out=B.identity()), input=SHAPE),
            r"bare_conv\.out: an argument takes a value, got a block",
        ),
        (
            lambda: sequential(B.conv_bn_act(out=4, kernel=[3, choice(3, 5)]), input=SHAPE),
            r"conv_bn_act\.kernel: expected numbers, words, tuples or choices of them, got \[3, ",
        ),
        (
            lambda: sequential(place("input", bare_conv(out=choice(2, 4))), input=SHAPE),
            r"^input: .*the name of the network's input; give the part another name",
        ),
    ],
)
def test_what_cannot_be_compiled(make: Callable[[], Sequential], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        compile_space(make(), "wrong")


@pytest.mark.parametrize(
    ("options", "value", "index"),
    [((3, 5, 7), 5, 1), (("a", "b"), "b", 1), ((True, False), False, 1), ((0, 1), 1, 1)],
)
def test_index_of_an_option(options: tuple[Any, ...], value: Any, index: int) -> None:
    assert Decision("d", options).index(value) == index


@pytest.mark.parametrize(
    ("options", "value"),
    [((3, 5, 7), 4), ((3, 5, 7), "3"), ((0, 1), True), ((True, False), 1), (("a", "b"), None)],
)
def test_value_that_is_no_option(options: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(SpaceError) as raised:
        Decision("stage2.kernel", options).index(value)
    assert str(raised.value) == f"stage2.kernel: expected one of {options}, got {value!r}"


# ----------------------------------------------------------------------------------------------- programs


@settings(suppress_health_check=list(HealthCheck), max_examples=50)
@given(small_spaces(most=50))
def test_instructions_lead_to_smaller_indices_and_know_what_is_needed(small: SmallSpace) -> None:
    program = compile_program(small.expression)
    instructions = program.instructions
    assert program.start == len(instructions) - 1
    names = {decision.name for decision in program.decisions}
    assert program.live[program.start] == names
    for index, (instruction, live) in enumerate(zip(instructions, program.live, strict=True)):
        if isinstance(instruction, Decide):
            following, asks = instruction.next, {instruction.decision}
        elif isinstance(instruction, Deeper):
            following, asks = (instruction.inside, instruction.behind), {instruction.decision}
        elif isinstance(instruction, Run | Start):
            following, asks = (instruction.next,), set(instruction.needs)
        else:
            assert index == 0
            continue
        assert all(other < index for other in following)
        assert asks <= live <= names
        assert all(program.live[other] <= live for other in following)


@settings(suppress_health_check=list(HealthCheck), max_examples=50)
@given(small_spaces(most=50))
def test_decisions_are_those_that_some_network_takes(small: SmallSpace) -> None:
    space = compile_space(small.expression, "small")
    met: dict[str, set[Any]] = {}
    for member in small.members:
        for name, value in member.choices.items():
            met.setdefault(name, set()).add(value)
    assert met == {decision.name: set(decision.options) for decision in space.decisions}
