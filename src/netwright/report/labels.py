"""How the report writes things: shares, durations, ops, architectures."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

from netwright.ir.graph import Node
from netwright.ir.ops import (
    Activation,
    BatchNorm,
    ChannelShuffle,
    Conv,
    GlobalPool,
    Linear,
    Pair,
    Pool,
    Resize,
    Shape,
    Slice,
)
from netwright.space.architecture import Architecture

SPACE = "\u00a0"
"""A space that keeps a number and its unit on one line."""

TIMES = "\u00d7"

_LONG = 10**15

COST_TITLES: Mapping[str, str] = {
    "macs": "Multiply-accumulates (MACs)",
    "params": "Parameters",
    "weight_bytes": "Weights",
    "peak_activation_bytes": "Peak activation memory",
    "latency_ns": "Latency by the table",
    "head_bytes": "Planned activations",
    "arena_bytes": "Tensor arena",
    "flash_bytes": "Model file",
}
"""What the costs are called in headings and on axes."""

COST_HEADS: Mapping[str, str] = {
    "macs": "MACs",
    "params": "Parameters",
    "weight_bytes": "Weights",
    "peak_activation_bytes": "Peak memory",
    "latency_ns": "Latency",
    "head_bytes": "Head",
    "arena_bytes": "Arena",
    "flash_bytes": "File",
}
"""The same above a column of a table."""


def percent(share: float, digits: int = 2) -> str:
    """Write a share of 0 to 1 in per cent.

    >>> percent(0.97777) == f"97.78{SPACE}%"
    True
    """
    return "unknown" if math.isnan(share) else f"{100 * share:.{digits}f}{SPACE}%"


def duration(seconds: float) -> str:
    """Write a time span in its two largest units.

    >>> duration(0.25), duration(75), duration(7260), duration(100_000)
    ('0.25 s', '1 min 15 s', '2 h 1 min', '1 d 3 h')
    """
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    whole = round(seconds)
    for (large, size), (small, part) in (
        (("d", 86_400), ("h", 3_600)),
        (("h", 3_600), ("min", 60)),
        (("min", 60), ("s", 1)),
    ):
        if whole >= size:
            return f"{whole // size} {large} {whole % size // part} {small}"
    return f"{whole} s"


def magnitude(value: int) -> str:
    """Write the size of a large integer.

    >>> magnitude(21_758_655_492_572_485_851), magnitude(9_999_999)
    ('2.18 × 10^19', '1.00 × 10^7')
    """
    exponent = len(str(value)) - 1
    power = 10**exponent
    hundredths = (200 * value + power) // (2 * power)
    if hundredths == 1000:
        hundredths, exponent = 100, exponent + 1
    return f"{hundredths // 100}.{hundredths % 100:02} {TIMES} 10^{exponent}"


def integer(value: int) -> str:
    """Write an exact integer, its digits in groups; a long one begins with its size.

    >>> integer(269_105_556_096)
    '269,105,556,096'
    >>> integer(21_758_655_492_572_485_851)
    '2.18 × 10^19 (exactly 21,758,655,492,572,485,851)'
    """
    exact = f"{value:,}"
    return exact if value < _LONG else f"{magnitude(value)} (exactly {exact})"


def shorten(text: str, length: int) -> str:
    """Cut the middle out of a long text: both ends of a name tell more than its beginning.

    >>> shorten("stage1.0.expand.conv", 12)
    'stage1….conv'
    """
    if len(text) <= length:
        return text
    front = length // 2
    return f"{text[:front]}…{text[len(text) - (length - 1 - front) :]}"


def shape(shape: Shape) -> str:
    """Write a shape without the batch, e.g. ``96 × 14 × 14``."""
    return f" {TIMES} ".join(map(str, shape))


def op(node: Node, inputs: tuple[Shape, ...]) -> str:
    """Say in a few words what a node does.

    Args:
        node: the node.
        inputs: shapes of what it reads.

    >>> op(Node("x", Conv(8, (3, 3), (2, 2), groups=8), ("input",), (8, 4, 4)), ((8, 8, 8),))
    'conv 3×3, depthwise, stride 2'
    """
    match node.op:
        case Conv() as conv:
            words = [f"conv {_pair(conv.kernel)}"]
            if conv.depthwise(inputs[0][0]):
                words.append("depthwise")
            elif conv.groups > 1:
                words.append(f"{conv.groups} groups")
            if conv.stride != (1, 1):
                words.append(f"stride {_stride(conv.stride)}")
            if conv.dilation != (1, 1):
                words.append(f"dilation {_stride(conv.dilation)}")
            return ", ".join(words)
        case Pool() as pool:
            return f"{pool.mode} pool {_pair(pool.kernel)}, stride {_stride(pool.stride)}"
        case GlobalPool() as pool:
            return f"global {pool.mode} pool"
        case Linear():
            return f"linear {inputs[0][0]} → {node.shape[0]}"
        case Activation() as activation:
            return activation.function
        case BatchNorm():
            return "batch norm"
        case ChannelShuffle() as shuffle:
            return f"channel shuffle, {shuffle.groups} groups"
        case Slice() as part:
            return f"channels {part.start} to {part.stop - 1}"
        case Resize() as resize:
            return f"resize to {_pair(resize.size)}, {resize.mode}"
        case _:
            return node.op.kind.replace("_", " ")


def _pair(pair: Pair) -> str:
    return f"{pair[0]}{TIMES}{pair[1]}"


def _stride(pair: Pair) -> str:
    return str(pair[0]) if pair[0] == pair[1] else _pair(pair)


def architecture(architecture: Architecture, width: int = 44, most: int = 14) -> list[str]:
    """Summarise an architecture in a few lines, for a hover box.

    Decisions of one stage share a line, and the same decision of its layers one entry.

    Args:
        architecture: the choices.
        width: characters in a line.
        most: number of lines; more are cut off with an ellipsis.

    >>> architecture(Architecture("s", (("size", 28), ("a.depth", 2), ("a.0.kernel", 7), ("a.1.kernel", 5))))
    ['size 28', 'a: depth 2, kernel 7/5']
    """
    groups: dict[str, dict[str, list[str]]] = {}
    for name, chosen in architecture:
        group, _, rest = name.partition(".")
        if not rest:
            group, rest = "", name
        layer, _, field = rest.partition(".")
        label = field if field and layer.isdigit() else rest
        groups.setdefault(group, {}).setdefault(shorten(label, 24), []).append(shorten(str(chosen), 24))
    lines: list[str] = []
    for group, entries in groups.items():
        text = ", ".join(f"{label} {'/'.join(values)}" for label, values in entries.items())
        head = f"{shorten(group, 24)}: " if group else ""
        lines += textwrap.wrap(head + text, width, subsequent_indent=SPACE * 4)
    return lines if len(lines) <= most else [*lines[: most - 1], "…"]
