"""Shape rule, weights and multiply-accumulates of every op, against torch and the published formulas."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from netwright.errors import GraphError
from netwright.ir.ops import (
    OPS,
    Activation,
    Add,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Flatten,
    GlobalPool,
    Identity,
    Input,
    Linear,
    Multiply,
    Op,
    Pool,
    Resize,
    Shape,
    Sides,
    Slice,
    Zero,
    macs,
    pad_sides,
    weights,
)

MAP: Shape = (8, 16, 16)

# ---------------------------------------------------------------------------------- the five primitives

PRIMITIVES: dict[str, tuple[Op, Shape, Shape, int]] = {
    "linear": (Linear(16), (8,), (16, 8), 128),
    "normal": (Conv(16, (3, 3)), MAP, (16, 8, 3, 3), 294_912),
    "grouped": (Conv(16, (3, 3), groups=4), MAP, (16, 2, 3, 3), 73_728),
    "depthwise": (Conv(8, (3, 3), groups=8), MAP, (8, 1, 3, 3), 18_432),
    "pointwise": (Conv(16), MAP, (16, 8, 1, 1), 32_768),
}


@pytest.mark.parametrize("name", PRIMITIVES)
def test_published_primitive(name: str) -> None:
    op, shape, weight, expected = PRIMITIVES[name]
    assert weights(op, (shape,))[0].shape == weight
    assert macs(op, (shape,)) == expected


def test_grouped_convolution_is_as_many_convolutions_as_groups() -> None:
    parts = 4 * macs(Conv(4, (3, 3)), ((2, 16, 16),))
    assert macs(Conv(16, (3, 3), groups=4), (MAP,)) == parts
    assert 4 * prod(weights(Conv(4, (3, 3)), ((2, 16, 16),))[0].shape) == 16 * 2 * 9


def test_grouped_with_as_many_groups_as_channels_is_depthwise() -> None:
    assert Conv(8, (3, 3), groups=8).depthwise(8)
    assert not Conv(16, (3, 3), groups=8).depthwise(8)
    assert not Conv(8, (3, 3), groups=4).depthwise(8)
    assert not Conv(1, (3, 3)).depthwise(1)


# ------------------------------------------------------------------------------------------ against torch


@dataclass(frozen=True)
class TorchCase:
    """An op, its input shapes, and the same computation in torch."""

    op: Op
    shapes: tuple[Shape, ...]
    function: Any


CASES: dict[str, TorchCase] = {
    "activation-relu": TorchCase(Activation("relu"), (MAP,), torch.nn.ReLU()),
    "activation-relu6": TorchCase(Activation("relu6"), (MAP,), torch.nn.ReLU6()),
    "activation-hardswish": TorchCase(Activation("hardswish"), (MAP,), torch.nn.Hardswish()),
    "activation-silu": TorchCase(Activation("silu"), (MAP,), torch.nn.SiLU()),
    "activation-sigmoid": TorchCase(Activation("sigmoid"), ((5,),), torch.nn.Sigmoid()),
    "activation-hardsigmoid": TorchCase(Activation("hardsigmoid"), (MAP,), torch.nn.Hardsigmoid()),
    "batch-norm-map": TorchCase(BatchNorm(), (MAP,), torch.nn.BatchNorm2d(8).eval()),
    "batch-norm-vector": TorchCase(BatchNorm(), ((8,),), torch.nn.BatchNorm1d(8).eval()),
    "batch-norm-plain": TorchCase(
        BatchNorm(affine=False), (MAP,), torch.nn.BatchNorm2d(8, affine=False).eval()
    ),
    "linear": TorchCase(Linear(16), ((8,),), torch.nn.Linear(8, 16)),
    "linear-no-bias": TorchCase(Linear(3, bias=False), ((8,),), torch.nn.Linear(8, 3, bias=False)),
    "conv-bias": TorchCase(
        Conv(6, (5, 3), (2, 1), bias=True, padding="symmetric"),
        ((3, 17, 16),),
        torch.nn.Conv2d(3, 6, (5, 3), (2, 1), padding=(2, 1)),
    ),
    "conv-grouped-dilated": TorchCase(
        Conv(16, (3, 3), (2, 2), dilation=(2, 3), groups=4, padding="symmetric"),
        ((8, 19, 22),),
        torch.nn.Conv2d(8, 16, 3, 2, padding=(2, 3), dilation=(2, 3), groups=4, bias=False),
    ),
    "max-pool": TorchCase(
        Pool("max", (3, 3), (2, 2), "symmetric"), ((4, 15, 16),), torch.nn.MaxPool2d(3, 2, 1)
    ),
    "average-pool": TorchCase(
        Pool("average", (2, 2), (2, 2), "symmetric"), ((4, 15, 16),), torch.nn.AvgPool2d(2, 2)
    ),
    "global-average": TorchCase(GlobalPool(), (MAP,), torch.nn.AdaptiveAvgPool2d(1)),
    "global-max": TorchCase(GlobalPool("max"), (MAP,), torch.nn.AdaptiveMaxPool2d(1)),
    "add": TorchCase(Add(), (MAP, MAP, MAP), lambda a, b, c: a + b + c),
    "multiply": TorchCase(Multiply(), (MAP, (8, 1, 1)), torch.mul),
    "multiply-equal": TorchCase(Multiply(), ((8,), (8,)), torch.mul),
    "concat": TorchCase(Concat(), ((2, 4, 5), (3, 4, 5)), lambda a, b: torch.cat((a, b), 1)),
    "concat-vectors": TorchCase(Concat(), ((2,), (3,)), lambda a, b: torch.cat((a, b), 1)),
    "shuffle": TorchCase(ChannelShuffle(4), (MAP,), torch.nn.ChannelShuffle(4)),
    "slice": TorchCase(Slice(2, 5), (MAP,), lambda x: x[:, 2:5]),
    "slice-vector": TorchCase(Slice(0, 5), ((8,),), lambda x: x[:, :5]),
    "resize": TorchCase(Resize((7, 40)), (MAP,), torch.nn.Upsample((7, 40), mode="bilinear")),
    "flatten": TorchCase(Flatten(), (MAP,), torch.nn.Flatten()),
    "identity": TorchCase(Identity(), (MAP,), torch.nn.Identity()),
    "zero": TorchCase(Zero((2, 2)), ((4, 15, 16),), lambda x: torch.zeros_like(x[:, :, ::2, ::2])),
    "zero-vector": TorchCase(Zero(), ((8,),), torch.zeros_like),
}


@pytest.mark.parametrize("name", CASES)
def test_shape_weights_and_macs_are_those_of_torch(name: str) -> None:
    case = CASES[name]
    inputs = [torch.randn(1, *shape) for shape in case.shapes]
    counter = FlopCounterMode(display=False)
    with counter:
        output = case.function(*inputs)
    assert case.op.output_shape(case.shapes) == tuple(output.shape[1:])
    assert macs(case.op, case.shapes) == counter.get_total_flops() // 2
    module = case.function if isinstance(case.function, torch.nn.Module) else torch.nn.Identity()
    expected = {name: tuple(parameter.shape) for name, parameter in module.named_parameters()}
    assert {weight.name: weight.shape for weight in weights(case.op, case.shapes)} == expected


def test_every_op_is_compared_with_torch() -> None:
    assert {type(case.op) for case in CASES.values()} | {Input} == set(OPS)


def test_input_has_its_declared_shape() -> None:
    op = Input((3, 5, 7))
    assert (op.output_shape(()), weights(op, ()), macs(op, ())) == ((3, 5, 7), (), 0)


sizes = st.tuples(st.integers(1, 24), st.integers(1, 24))
kernels = st.tuples(st.integers(1, 7), st.integers(1, 7))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.one_of(st.sampled_from(("same", "symmetric")), st.tuples(*[st.integers(-2, 3)] * 4))


def nothing_left(size: tuple[int, int], sides: Sides) -> bool:
    """Whether cropping leaves no row or no column."""
    rows, columns = ([-side for side in pair if side < 0] for pair in (sides[:2], sides[2:]))
    return sum(rows) >= size[0] or sum(columns) >= size[1]


@given(
    size=sizes,
    kernel=kernels,
    stride=strides,
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    groups=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=paddings,
)
def test_any_convolution_is_as_torch_has_it(
    size: Any, kernel: Any, stride: Any, dilation: Any, groups: int, channels: Any, padding: Any
) -> None:
    """Padding is done apart, so this judges window, stride, dilation, groups and counting."""
    source, target = channels[0] * groups, channels[1] * groups
    op = Conv(target, kernel, stride, dilation, groups, padding=padding)
    top, bottom, left, right = pad_sides(padding, size, kernel, stride, dilation)
    module = torch.nn.Conv2d(
        source, target, kernel, stride, dilation=dilation, groups=groups, bias=False, device="meta"
    )
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    shapes = ((source, *size),)
    if nothing_left(size, (top, bottom, left, right)):
        with pytest.raises(GraphError, match=r"conv\.padding: .* crops everything away"):
            op.output_shape(shapes)
        return
    padded = F.pad(torch.empty(1, source, *size, device="meta"), (left, right, top, bottom))
    if padded.shape[2] < reach[0] or padded.shape[3] < reach[1]:
        with pytest.raises(GraphError, match="does not fit"):
            op.output_shape(shapes)
        return
    counter = FlopCounterMode(display=False)
    with counter:
        output = module(padded)
    assert op.output_shape(shapes) == tuple(output.shape[1:])
    assert macs(op, shapes) == counter.get_total_flops() // 2
    assert weights(op, shapes)[0].shape == tuple(module.weight.shape)


@given(size=sizes, kernel=kernels, stride=strides, padding=paddings)
def test_any_pool_has_the_shape_that_torch_gives(size: Any, kernel: Any, stride: Any, padding: Any) -> None:
    top, bottom, left, right = pad_sides(padding, size, kernel, stride)
    assume(not nothing_left(size, (top, bottom, left, right)))
    padded = F.pad(torch.empty(1, 2, *size, device="meta"), (left, right, top, bottom))
    assume(padded.shape[2] >= kernel[0] and padded.shape[3] >= kernel[1])
    if isinstance(padding, tuple) and (max(padding[:2]) >= kernel[0] or max(padding[2:]) >= kernel[1]):
        with pytest.raises(GraphError, match=r"pool\.padding: expected less than the kernel"):
            Pool("max", kernel, stride, padding)
        return
    expected = tuple(F.max_pool2d(padded, kernel, stride).shape[1:])
    assert Pool("max", kernel, stride, padding).output_shape(((2, *size),)) == expected


# ------------------------------------------------------------------------------------------------ padding


@given(size=sizes, kernel=kernels, stride=strides)
def test_same_gives_ceil_of_size_over_stride(size: Any, kernel: Any, stride: Any) -> None:
    """TFLite's definition of SAME."""
    shape = Conv(1, kernel, stride, padding="same").output_shape(((1, *size),))
    assert shape[1:] == tuple(ceil(n / s) for n, s in zip(size, stride, strict=True))


@given(size=sizes, kernel=kernels, dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)))
def test_same_at_stride_1_is_torchs_own_same(size: Any, kernel: Any, dilation: Any) -> None:
    """Number for number, so even kernels have their odd pixel on the right side too."""
    top, bottom, left, right = pad_sides("same", size, kernel, (1, 1), dilation)
    image, weight = torch.randn(1, 1, *size), torch.randn(1, 1, *kernel)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using padding='same' with even kernel lengths")
        expected = F.conv2d(image, weight, padding="same", dilation=dilation)
    padded = F.pad(image, (left, right, top, bottom))
    torch.testing.assert_close(F.conv2d(padded, weight, dilation=dilation), expected)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "sides"),
    [
        ((224, 224), (3, 3), (2, 2), (0, 1, 0, 1)),
        ((225, 225), (3, 3), (2, 2), (1, 1, 1, 1)),
        ((7, 8), (5, 5), (2, 2), (2, 2, 1, 2)),
        ((8, 8), (2, 2), (1, 1), (0, 1, 0, 1)),
        ((8, 8), (1, 1), (2, 2), (0, 0, 0, 0)),
    ],
)
def test_same_puts_the_odd_pixel_at_the_end(size: Any, kernel: Any, stride: Any, sides: Any) -> None:
    """Worked by hand from total = (ceil(n / s) - 1) * s + k - n, of which half, rounded down, comes first."""
    assert pad_sides("same", size, kernel, stride) == sides


def test_explicit_padding_is_taken_as_it_is() -> None:
    assert pad_sides((0, 1, 2, 3), (9, 9), (3, 3), (1, 1)) == (0, 1, 2, 3)
    assert Conv(1, (3, 3), (2, 2), padding=(0, 1, 0, 1)).output_shape(((1, 8, 8),)) == (1, 4, 4)


# ------------------------------------------------------------------------------------------------- errors

WRONG_ATTRIBUTES: dict[str, tuple[Any, str]] = {
    "conv.out_channels": (lambda: Conv(0), r"conv\.out_channels: expected positive integers, got 0"),
    "conv.out_channels-float": (lambda: Conv(1.5), r"conv\.out_channels: .* got 1\.5"),  # type: ignore[arg-type]
    "conv.kernel": (lambda: Conv(8, (3, 0)), r"conv\.kernel: .* got \(3, 0\)"),
    "conv.stride": (lambda: Conv(8, (3, 3), (0, 1)), r"conv\.stride"),
    "conv.dilation": (lambda: Conv(8, (3, 3), dilation=(-1, 1)), r"conv\.dilation"),
    "conv.groups": (lambda: Conv(8, groups=3), r"conv\.groups: expected a divisor of out_channels 8, got 3"),
    "conv.padding": (lambda: Conv(8, padding="valid"), r"conv\.padding: .* got 'valid'"),  # type: ignore[arg-type]
    "conv.padding-sides": (lambda: Conv(8, padding=(0, 1, 0)), r"conv\.padding: .* got \(0, 1, 0\)"),  # type: ignore[arg-type]
    "conv.padding-float": (lambda: Conv(8, padding=(0.5, 1, 0, 0)), r"conv\.padding"),  # type: ignore[arg-type]
    "linear": (lambda: Linear(0), r"linear\.out_features"),
    "activation": (lambda: Activation("tanh"), r"activation\.function: .* got 'tanh'"),  # type: ignore[arg-type]
    "pool.mode": (lambda: Pool("min", (2, 2)), r"pool\.mode: .* got 'min'"),  # type: ignore[arg-type]
    "pool.kernel": (lambda: Pool("max", (0, 2)), r"pool\.kernel"),
    "pool.padding": (lambda: Pool("max", (2, 2), padding=(1, 1)), r"pool\.padding"),  # type: ignore[arg-type]
    "global_pool": (lambda: GlobalPool("min"), r"global_pool\.mode"),  # type: ignore[arg-type]
    "channel_shuffle": (lambda: ChannelShuffle(0), r"channel_shuffle\.groups"),
    "resize.size": (lambda: Resize((0, 1)), r"resize\.size"),
    "resize.mode": (lambda: Resize((1, 1), "cubic"), r"resize\.mode"),  # type: ignore[arg-type]
    "zero": (lambda: Zero((0, 1)), r"zero\.stride"),
    "input": (lambda: Input((3, 4)), r"input\.shape: .* got \(3, 4\)"),
    "input-zero": (lambda: Input((3, 0, 4)), r"input\.shape"),
}


@pytest.mark.parametrize("name", WRONG_ATTRIBUTES)
def test_wrong_attribute_is_named(name: str) -> None:
    make, message = WRONG_ATTRIBUTES[name]
    with pytest.raises(GraphError, match=message):
        make()


WRONG_SHAPES: dict[str, tuple[Op, tuple[Shape, ...], str]] = {
    "conv-vector": (Conv(8), ((8,),), r"conv: expected a feature map"),
    "conv-two": (Conv(8), (MAP, MAP), r"conv: expected 1 input, got 2"),
    "conv-groups": (Conv(9, groups=3), (MAP,), r"conv\.groups: expected a divisor of the 8 input channels"),
    "conv-kernel": (Conv(8, (5, 5), padding=(0, 0, 0, 0)), ((8, 4, 4),), r"does not fit in 4x4 pixels"),
    "conv-crop": (
        Conv(8, padding=(-2, 0, -2, 1)),
        ((8, 2, 2),),
        r"conv\.padding: expected sides that leave a pixel of 2x2, .* crops everything away",
    ),
    "pool-crop": (
        Pool("max", (2, 2), padding=(-1, -1, 0, 0)),
        ((8, 2, 2),),
        r"pool\.padding: expected sides that leave a pixel of 2x2",
    ),
    "linear-map": (Linear(8), (MAP,), r"linear: expected a vector .* flatten or pool it first"),
    "pool-vector": (Pool("max", (2, 2)), ((8,),), r"pool: expected a feature map"),
    "global-vector": (GlobalPool(), ((8,),), r"global_pool: expected a feature map"),
    "add-one": (Add(), (MAP,), r"add: expected at least 2 inputs, got 1"),
    "add-shapes": (Add(), (MAP, (8, 8, 8)), r"add: expected inputs of one shape"),
    "multiply-one": (Multiply(), (MAP,), r"multiply: expected 2 inputs, got 1"),
    "multiply-shapes": (Multiply(), ((8, 1, 1), MAP), r"multiply: expected equal shapes or \(C, 1, 1\)"),
    "concat-one": (Concat(), (MAP,), r"concat: expected at least 2 inputs"),
    "concat-size": (Concat(), (MAP, (8, 8, 8)), r"concat: expected inputs of one height and width"),
    "shuffle": (ChannelShuffle(3), (MAP,), r"channel_shuffle\.groups: expected a divisor of the 8 channels"),
    "slice-end": (Slice(2, 9), (MAP,), r"slice: expected 0 <= start < stop <= 8 channels, got 2:9"),
    "slice-empty": (Slice(2, 2), (MAP,), r"slice: .* got 2:2"),
    "resize": (Resize((1, 1)), ((8,),), r"resize: expected a feature map"),
    "input": (Input((8,)), (MAP,), r"input: expected no inputs, got 1"),
}


@pytest.mark.parametrize("name", WRONG_SHAPES)
def test_shapes_that_do_not_fit_are_explained(name: str) -> None:
    op, shapes, message = WRONG_SHAPES[name]
    with pytest.raises(GraphError, match=message):
        op.output_shape(shapes)


def test_unknown_op_raises_instead_of_counting_zero() -> None:
    @dataclass(frozen=True)
    class Attention:
        kind: ClassVar[str] = "attention"

        def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
            return inputs[0]

    with pytest.raises(GraphError, match="Attention: no rule for its multiply-accumulates"):
        macs(Attention(), (MAP,))
    with pytest.raises(GraphError, match="Attention: no rule for its weights"):
        weights(Attention(), (MAP,))


def test_ops_are_values() -> None:
    assert Conv(8, (3, 3)) == Conv(8, (3, 3))
    assert len({Conv(8, (3, 3)), Conv(8, (3, 3)), Conv(8, (5, 5))}) == 2
    assert len({op.kind for op in OPS}) == len(OPS)
