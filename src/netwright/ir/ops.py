"""Primitive operations: attributes, shape rule, weights and multiply-accumulates of each.

An op is an immutable value that knows nothing of torch. Shapes leave the batch out: ``(C, H, W)`` for
feature maps and ``(F,)`` for vectors. Normal, grouped, depthwise and pointwise convolution are one op,
as they differ only in ``kernel`` and ``groups``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, NamedTuple, Protocol, get_args, runtime_checkable

from netwright.errors import GraphError

Shape = tuple[int, ...]
Pair = tuple[int, int]
Sides = tuple[int, int, int, int]
Padding = Literal["same", "symmetric"] | Sides
"""``same`` as TFLite defines it, ``symmetric`` as PyTorch has it, or explicit top, bottom, left, right.

An explicit side below 0 crops: ``(-1, 0, -1, 0)`` leaves the first row and the first column out."""

Function = Literal["relu", "relu6", "hardswish", "silu", "sigmoid", "hardsigmoid"]
PoolKind = Literal["average", "max"]
ResizeMode = Literal["nearest", "bilinear"]


class Weight(NamedTuple):
    """One trainable tensor of an op."""

    name: str
    shape: Shape


@runtime_checkable
class Op(Protocol):
    """What every op answers about itself; ``weights`` and ``macs`` below answer the rest."""

    kind: ClassVar[str]

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of the output for these input shapes; raises GraphError when they do not fit."""


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise GraphError(message)


def _one(kind: str, inputs: tuple[Shape, ...]) -> Shape:
    _expect(len(inputs) == 1, f"{kind}: expected 1 input, got {len(inputs)}")
    return inputs[0]


def _one_map(kind: str, inputs: tuple[Shape, ...]) -> Shape:
    shape = _one(kind, inputs)
    _expect(len(shape) == 3, f"{kind}: expected a feature map (C, H, W), got shape {shape}")
    return shape


def _positive(kind: str, **values: int | Pair) -> None:
    for name, value in values.items():
        parts = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(part, int) and part > 0 for part in parts):
            raise GraphError(f"{kind}.{name}: expected positive integers, got {value!r}")


def _check_padding(kind: str, padding: Padding) -> None:
    if padding in ("same", "symmetric"):
        return
    valid = (
        isinstance(padding, tuple) and len(padding) == 4 and all(isinstance(side, int) for side in padding)
    )
    _expect(
        valid,
        f"{kind}.padding: expected 'same', 'symmetric' or (top, bottom, left, right), got {padding!r}",
    )


def pad_sides(padding: Padding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Sides:
    """Resolve a padding attribute to pixels added at (top, bottom, left, right).

    ``same`` yields ``ceil(size / stride)`` outputs and puts an odd pixel at the end, as TFLite does;
    ``symmetric`` adds ``dilation * (kernel - 1) // 2`` on either side, as PyTorch models do.

    >>> pad_sides("same", (8, 8), (3, 3), (2, 2)), pad_sides("same", (7, 7), (3, 3), (2, 2))
    ((0, 1, 0, 1), (1, 1, 1, 1))
    """
    if isinstance(padding, tuple):
        return padding
    sides: list[int] = []
    for extent, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        reach = d * (k - 1)
        if padding == "symmetric":
            sides += [reach // 2, reach // 2]
        else:
            total = max((-(-extent // s) - 1) * s + reach + 1 - extent, 0)
            sides += [total // 2, total - total // 2]
    return sides[0], sides[1], sides[2], sides[3]


def _window_size(
    kind: str, size: Pair, padding: Padding, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)
) -> Pair:
    top, bottom, left, right = pad_sides(padding, size, kernel, stride, dilation)
    kept = (size[0] + min(top, 0) + min(bottom, 0), size[1] + min(left, 0) + min(right, 0))
    if min(kept) < 1:
        raise GraphError(
            f"{kind}.padding: expected sides that leave a pixel of {size[0]}x{size[1]}, got {padding}, which "
            "crops everything away; use a larger input or crop less"
        )
    padded = (size[0] + top + bottom, size[1] + left + right)
    reach = (dilation[0] * (kernel[0] - 1), dilation[1] * (kernel[1] - 1))
    if padded[0] <= reach[0] or padded[1] <= reach[1]:
        raise GraphError(
            f"{kind}: kernel {kernel} with dilation {dilation} does not fit in {size[0]}x{size[1]} pixels "
            f"(padded {padded[0]}x{padded[1]}); use a smaller kernel or a larger input"
        )
    return (padded[0] - reach[0] - 1) // stride[0] + 1, (padded[1] - reach[1] - 1) // stride[1] + 1


@dataclass(frozen=True, slots=True)
class Input:
    """The network's input; has no weights and costs nothing but its memory."""

    kind: ClassVar[str] = "input"
    shape: Shape

    def __post_init__(self) -> None:
        _expect(
            len(self.shape) in (1, 3) and all(isinstance(n, int) and n > 0 for n in self.shape),
            f"input.shape: expected (C, H, W) or (F,) of positive integers, got {self.shape!r}",
        )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The declared shape."""
        _expect(not inputs, f"input: expected no inputs, got {len(inputs)}")
        return self.shape


@dataclass(frozen=True, slots=True)
class Conv:
    """Two-dimensional convolution: normal, grouped, depthwise or pointwise.

    For input C x H x W and F filters of Kh x Kw in G groups: weight F x (C/G) x Kh x Kw,
    MACs F * (C/G) * Kh * Kw * H' * W'.

    Attributes:
        out_channels: F.
        kernel: (Kh, Kw).
        stride: step in pixels, (vertical, horizontal).
        dilation: distance between taps.
        groups: G; must divide C and F. Depthwise: G = C.
        bias: whether a bias of shape (F,) is added.
        padding: see ``pad_sides``.
    """

    kind: ClassVar[str] = "conv"
    out_channels: int
    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    groups: int = 1
    bias: bool = False
    padding: Padding = "same"

    def __post_init__(self) -> None:
        _positive(
            "conv",
            out_channels=self.out_channels,
            kernel=self.kernel,
            stride=self.stride,
            dilation=self.dilation,
            groups=self.groups,
        )
        _check_padding("conv", self.padding)
        _expect(
            self.out_channels % self.groups == 0,
            f"conv.groups: expected a divisor of out_channels {self.out_channels}, got {self.groups}",
        )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(F, H', W')."""
        channels, height, width = _one_map("conv", inputs)
        _expect(
            channels % self.groups == 0,
            f"conv.groups: expected a divisor of the {channels} input channels, got {self.groups}",
        )
        size = _window_size("conv", (height, width), self.padding, self.kernel, self.stride, self.dilation)
        return self.out_channels, *size

    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        """``weight`` (F, C/G, Kh, Kw) and, if asked for, ``bias`` (F,)."""
        weight = Weight("weight", (self.out_channels, inputs[0][0] // self.groups, *self.kernel))
        return (weight, Weight("bias", (self.out_channels,))) if self.bias else (weight,)

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """F * (C/G) * Kh * Kw * H' * W'."""
        return prod(output) * (inputs[0][0] // self.groups) * prod(self.kernel)

    def depthwise(self, channels: int) -> bool:
        """Whether each input channel has one filter of its own."""
        return self.groups == channels == self.out_channels and channels > 1


@dataclass(frozen=True, slots=True)
class Linear:
    """Fully connected layer on a vector: weight F x C, MACs F * C."""

    kind: ClassVar[str] = "linear"
    out_features: int
    bias: bool = True

    def __post_init__(self) -> None:
        _positive("linear", out_features=self.out_features)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(F,)."""
        shape = _one("linear", inputs)
        _expect(
            len(shape) == 1, f"linear: expected a vector (C,), got shape {shape}; flatten or pool it first"
        )
        return (self.out_features,)

    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        """``weight`` (F, C) and, if asked for, ``bias`` (F,)."""
        weight = Weight("weight", (self.out_features, inputs[0][0]))
        return (weight, Weight("bias", (self.out_features,))) if self.bias else (weight,)

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int:
        """F * C."""
        return self.out_features * inputs[0][0]


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Batch normalisation over channels [Ioffe & Szegedy 2015, arXiv:1502.03167].

    With ``affine`` it has a scale and a shift of shape (C,) each.
    """

    kind: ClassVar[str] = "batch_norm"
    affine: bool = True
    eps: float = 1e-5
    momentum: float = 0.1

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of the input."""
        return _one("batch_norm", inputs)

    def weights(self, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
        """``weight`` and ``bias`` of shape (C,), or none."""
        shape = (inputs[0][0],)
        return (Weight("weight", shape), Weight("bias", shape)) if self.affine else ()


@dataclass(frozen=True, slots=True)
class Activation:
    """Element-wise non-linearity."""

    kind: ClassVar[str] = "activation"
    function: Function = "relu"

    def __post_init__(self) -> None:
        _expect(
            self.function in get_args(Function),
            f"activation.function: expected one of {get_args(Function)}, got {self.function!r}",
        )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of the input."""
        return _one("activation", inputs)


@dataclass(frozen=True, slots=True)
class Pool:
    """Average or max pooling over a window; averages leave the padding out of the count."""

    kind: ClassVar[str] = "pool"
    mode: PoolKind
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Padding = "same"

    def __post_init__(self) -> None:
        _expect(
            self.mode in get_args(PoolKind),
            f"pool.mode: expected one of {get_args(PoolKind)}, got {self.mode!r}",
        )
        _positive("pool", kernel=self.kernel, stride=self.stride)
        _check_padding("pool", self.padding)
        if isinstance(self.padding, tuple):
            top, bottom, left, right = self.padding
            _expect(
                max(top, bottom) < self.kernel[0] and max(left, right) < self.kernel[1],
                f"pool.padding: expected less than the kernel {self.kernel}, got {self.padding}; "
                "a window of padding alone has no pixels",
            )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(C, H', W')."""
        channels, height, width = _one_map("pool", inputs)
        return channels, *_window_size("pool", (height, width), self.padding, self.kernel, self.stride)


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """Pooling of a whole feature map to one pixel: (C, H, W) to (C, 1, 1)."""

    kind: ClassVar[str] = "global_pool"
    mode: PoolKind = "average"

    def __post_init__(self) -> None:
        _expect(
            self.mode in get_args(PoolKind),
            f"global_pool.mode: expected one of {get_args(PoolKind)}, got {self.mode!r}",
        )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(C, 1, 1)."""
        return _one_map("global_pool", inputs)[0], 1, 1


@dataclass(frozen=True, slots=True)
class Add:
    """Element-wise sum of two or more tensors of one shape."""

    kind: ClassVar[str] = "add"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """The common shape."""
        _expect(len(inputs) >= 2, f"add: expected at least 2 inputs, got {len(inputs)}")
        _expect(
            len(set(inputs)) == 1, f"add: expected inputs of one shape, got {', '.join(map(str, inputs))}"
        )
        return inputs[0]


@dataclass(frozen=True, slots=True)
class Multiply:
    """Element-wise product of two tensors; the second may be (C, 1, 1) and is then spread over the map."""

    kind: ClassVar[str] = "multiply"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of the first input."""
        _expect(len(inputs) == 2, f"multiply: expected 2 inputs, got {len(inputs)}")
        first, second = inputs
        _expect(
            first == second or (len(first) == 3 and second == (first[0], 1, 1)),
            f"multiply: expected equal shapes or (C, 1, 1) as the second, got {first} and {second}",
        )
        return first


@dataclass(frozen=True, slots=True)
class Concat:
    """Concatenation along the channels."""

    kind: ClassVar[str] = "concat"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(sum of C, H, W)."""
        _expect(len(inputs) >= 2, f"concat: expected at least 2 inputs, got {len(inputs)}")
        _expect(
            len({shape[1:] for shape in inputs}) == 1,
            f"concat: expected inputs of one height and width, got {', '.join(map(str, inputs))}",
        )
        return sum(shape[0] for shape in inputs), *inputs[0][1:]


@dataclass(frozen=True, slots=True)
class ChannelShuffle:
    """Channels as a (G, C/G) table, transposed [Zhang et al. 2018, arXiv:1707.01083, Sec. 3.1]."""

    kind: ClassVar[str] = "channel_shuffle"
    groups: int

    def __post_init__(self) -> None:
        _positive("channel_shuffle", groups=self.groups)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of the input."""
        shape = _one_map("channel_shuffle", inputs)
        _expect(
            shape[0] % self.groups == 0,
            f"channel_shuffle.groups: expected a divisor of the {shape[0]} channels, got {self.groups}",
        )
        return shape


@dataclass(frozen=True, slots=True)
class Slice:
    """Channels ``start`` (included) to ``stop`` (excluded)."""

    kind: ClassVar[str] = "slice"
    start: int
    stop: int

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(stop - start, H, W)."""
        shape = _one("slice", inputs)
        _expect(
            0 <= self.start < self.stop <= shape[0],
            f"slice: expected 0 <= start < stop <= {shape[0]} channels, got {self.start}:{self.stop}",
        )
        return self.stop - self.start, *shape[1:]


@dataclass(frozen=True, slots=True)
class Resize:
    """Interpolation to a given height and width in pixels (half-pixel centres)."""

    kind: ClassVar[str] = "resize"
    size: Pair
    mode: ResizeMode = "bilinear"

    def __post_init__(self) -> None:
        _positive("resize", size=self.size)
        _expect(
            self.mode in get_args(ResizeMode),
            f"resize.mode: expected one of {get_args(ResizeMode)}, got {self.mode!r}",
        )

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(C, *size)."""
        return _one_map("resize", inputs)[0], *self.size


@dataclass(frozen=True, slots=True)
class Flatten:
    """(C, H, W) to (C * H * W,)."""

    kind: ClassVar[str] = "flatten"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(C * H * W,)."""
        return (prod(_one("flatten", inputs)),)


@dataclass(frozen=True, slots=True)
class Identity:
    """Passes its input on; takes no memory of its own."""

    kind: ClassVar[str] = "identity"

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """Shape of the input."""
        return _one("identity", inputs)


@dataclass(frozen=True, slots=True)
class Zero:
    """All zeros in the shape of the (strided) input: the op ``none`` of cell spaces."""

    kind: ClassVar[str] = "zero"
    stride: Pair = (1, 1)

    def __post_init__(self) -> None:
        _positive("zero", stride=self.stride)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        """(C, ceil(H / stride), ceil(W / stride)); vectors keep their shape."""
        shape = _one("zero", inputs)
        return (shape[0], *(-(-n // s) for n, s in zip(shape[1:], self.stride, strict=False)))


OPS: tuple[type[Op], ...] = (
    Input,
    Conv,
    Linear,
    BatchNorm,
    Activation,
    Pool,
    GlobalPool,
    Add,
    Multiply,
    Concat,
    ChannelShuffle,
    Slice,
    Resize,
    Flatten,
    Identity,
    Zero,
)
"""Every op; a part of netwright that handles ops must have a rule for each or raise."""

_WEIGHTLESS = tuple(op for op in OPS if op not in (Conv, Linear, BatchNorm))


def _no_rule(op: Op, what: str) -> GraphError:
    return GraphError(f"{type(op).__name__}: no rule for its {what}; nothing is counted as zero silently")


def weights(op: Op, inputs: tuple[Shape, ...]) -> tuple[Weight, ...]:
    """Trainable tensors of an op, named and shaped as the torch module of the op has them.

    Args:
        op: one of ``OPS``.
        inputs: shapes of its input tensors.

    Raises:
        GraphError: if there is no rule for this op.

    >>> weights(Conv(16, (3, 3), groups=4), ((8, 16, 16),))
    (Weight(name='weight', shape=(16, 2, 3, 3)),)
    """
    if isinstance(op, Conv | Linear | BatchNorm):
        return op.weights(inputs)
    if isinstance(op, _WEIGHTLESS):
        return ()
    raise _no_rule(op, "weights")


def macs(op: Op, inputs: tuple[Shape, ...], output: Shape | None = None) -> int:
    """Multiply-accumulates of convolution and linear ops, without bias; 0 by convention for all others.

    Args:
        op: one of ``OPS``.
        inputs: shapes of its input tensors.
        output: shape of its output, where it is known already.

    Raises:
        GraphError: if there is no rule for this op.

    >>> macs(Conv(16, (3, 3)), ((8, 16, 16),)), macs(Conv(8, (3, 3), groups=8), ((8, 16, 16),))
    (294912, 18432)
    """
    if isinstance(op, Conv | Linear):
        return op.macs(inputs, output or op.output_shape(inputs))
    if isinstance(op, (BatchNorm, *_WEIGHTLESS)):
        return 0
    raise _no_rule(op, "multiply-accumulates")
