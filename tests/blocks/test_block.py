"""The constructor that ``@block`` makes."""

from __future__ import annotations

from typing import Any

import pytest

from netwright import blocks
from netwright.blocks import Block, conv_bn_act, inverted_residual
from netwright.errors import GraphError
from netwright.ir.graph import GraphBuilder


def test_block_is_a_value_with_all_its_arguments() -> None:
    made = inverted_residual(out=24, stride=2)
    assert made.kind == "inverted_residual"
    assert made == inverted_residual(stride=2, out=24)
    assert dict(made.arguments)["kernel"] == 3
    assert made.accepts("expand")
    assert not made.accepts("groups")
    assert made.replace(stride=1) == inverted_residual(out=24)
    assert hash(made) == hash(inverted_residual(out=24, stride=2))


def test_unknown_argument_is_named() -> None:
    with pytest.raises(
        GraphError, match=r"conv_bn_act: unknown argument 'kernal'; expected some of .*kernel"
    ):
        conv_bn_act(out=8, kernal=3)


def test_missing_argument_is_named() -> None:
    with pytest.raises(GraphError, match="conv_bn_act: missing argument 'out'"):
        conv_bn_act(kernel=3)


# Arguments without a default, for a map of 24 channels.
REQUIRED: dict[str, dict[str, Any]] = {
    "avg_pool": {},
    "basic": {"out": 24},
    "bn_relu": {},
    "bottleneck": {"out": 24},
    "classifier": {"classes": 10},
    "conv_bn_act": {"out": 24},
    "depthwise": {},
    "depthwise_separable": {"out": 24},
    "dil_conv": {},
    "factorized_reduce": {"out": 24},
    "group_bottleneck": {"out": 24},
    "grouped_inverted_residual": {"out": 24},
    "identity": {},
    "inverted_residual": {"out": 24},
    "max_pool": {},
    "mixing_classifier": {"classes": 10, "features": 32},
    "normal_conv": {},
    "pointwise": {"out": 24},
    "relu_conv_bn": {"out": 24, "kernel": 3},
    "residual_reduction": {"out": 24},
    "resize_relu_conv_bn": {"out": 24, "size": (8, 8)},
    "resnext": {"out": 24, "groups": 4, "group_width": 2},
    "row_column_conv": {},
    "sep_conv": {},
    "shuffle_choice": {"out": 24},
    "shuffle_v1": {"out": 24},
    "shuffle_v2": {"out": 24},
    "shuffle_xception": {"out": 24},
    "skip": {"out": 24},
    "skip_connect": {},
    "squeeze_excite": {},
    "zero": {},
}


def test_every_block_is_listed() -> None:
    others = {"Block", "BlockFunction", "block", "convolve", "make_divisible"}
    others |= {"CELL_OPERATIONS", "cell_operation"}
    # They have tests of their own, as their output is not a map of so many channels.
    others |= {"atrous_pyramid", "segmentation_head"}
    assert set(blocks.__all__) == set(REQUIRED) | others


@pytest.mark.parametrize("name", REQUIRED)
def test_block_builds_in_the_callers_scope(name: str) -> None:
    made = getattr(blocks, name)(**REQUIRED[name])
    assert isinstance(made, Block)
    build = GraphBuilder()
    x = build.input((24, 8, 8))
    for scope in ("stage1.0", "stage1.1"):
        with build.scope(scope):
            y = made(build, x)
    places = {
        node.name.removeprefix("stage1.0.") for node in build.finish(y).nodes if "stage1.0." in node.name
    }
    assert {f"stage1.1.{place}" for place in places} < {node.name for node in build.finish(y).nodes}


@pytest.mark.parametrize(
    "name",
    [name for name in REQUIRED if "padding" in dict(getattr(blocks, name)(**REQUIRED[name]).arguments)],
)
def test_padding_reaches_every_window_and_is_same_by_default(name: str) -> None:
    for padding in ("same", "symmetric"):
        chosen = {} if padding == "same" else {"padding": padding}
        build = GraphBuilder()
        y = getattr(blocks, name)(**REQUIRED[name], **chosen)(build, build.input((24, 8, 8)))
        windows = [node.op for node in build.finish(y).nodes if node.op.kind in ("conv", "pool")]
        found = {getattr(op, "padding") for op in windows if getattr(op, "kernel") != (1, 1)}  # noqa: B009
        assert found == {padding}
