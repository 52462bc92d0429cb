"""What a network computes once its dead ops are gone: live operations, their costs, depth and paths.

Two architectures that look alike may be different networks: one ``none`` on an edge can make all the work of
two other edges useless. A surrogate model that sees only the decisions has to learn that from trials; read
off the graph it costs a millisecond. Nothing here knows any space: the graph is enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import log2, prod

from netwright.ir.graph import Graph, Node
from netwright.ir.ops import Conv, Identity, Linear, Multiply, Pool, Resize, Zero, macs, weights

WINDOW = 4
"""Longest run of ops that is one path; longer ways through a segment are read in windows of this length."""

WAYS = 64
"""Ways into a node that are told apart; in cells that never narrow to one tensor there are very many."""

Labels = tuple[str, ...]
"""Labels of the ops on a way, in order; see ``label_of``."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The live part of a network.

    An op is live if an output depends on it and what it reads is not zero whatever the weights are. Zero goes
    through every op but a sum or a concatenation with something else, batch norm too: its shift is ignored,
    as by ``netwright.ir.canonical``.

    Attributes:
        places: the label of every labelled or identity op that is live, by the name of its place.
        widths: log2 of the output channels of those ops.
        paths: in how many segments a path occurs. A segment lies between two tensors that everything has to
            pass; a path is the labels of the ops on a way through it, without identities, sums,
            activations and norms. The empty path is counted where there is another one: it is a skip.
        macs: of live ops.
        params: of live ops.
        deepest: labelled ops on the longest way from input to output.
        shallowest: on the shortest way.
        ops: number of labelled live ops.
        drawn_macs: of all ops, dead ones too.
        drawn_params: likewise.
    """

    places: Mapping[str, str]
    widths: Mapping[str, float]
    paths: Mapping[Labels, int]
    macs: int
    params: int
    deepest: int
    shallowest: int
    ops: int
    drawn_macs: int
    drawn_params: int


def structure_of(graph: Graph) -> Structure:
    """Read the structure of a network off its graph.

    >>> from netwright.models import nasbench201
    >>> cell = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_1x1~2|"
    >>> structure = structure_of(nasbench201(cell, cells=1))
    >>> sorted(path for path, segments in structure.paths.items() if segments == 3)  # once in each cell
    [(), ('conv1x1',), ('conv3x3', 'conv3x3')]
    >>> structure.places["stage1.0.edge23.conv"]
    'conv1x1'
    """
    live = live_nodes(graph)
    names = {node.name for node in live}
    places: dict[str, str] = {}
    widths: dict[str, float] = {}
    longest: dict[str, int] = {}
    shortest: dict[str, int] = {}
    labelled = 0
    for node in live:
        label = label_of(node.op)  # type: ignore[arg-type]  # ops are frozen
        if label or isinstance(node.op, Identity):
            places[node.name] = label or Identity.kind
            widths[node.name] = log2(node.shape[0])
        step = 1 if label else 0
        labelled += step
        before = [name for name in node.inputs if name in names]
        longest[node.name] = max((longest[name] for name in before), default=0) + step
        shortest[node.name] = min((shortest[name] for name in before), default=0) + step
    ends = [name for name in graph.outputs if name in names]
    costs = {node.name: _costs(graph, node) for node in graph.nodes if isinstance(node.op, _COSTLY)}
    return Structure(
        places=places,
        widths=widths,
        paths=_paths(live, names),
        macs=sum(macs for name, (macs, _) in costs.items() if name in names),
        params=sum(params for name, (_, params) in costs.items() if name in names),
        deepest=max((longest[name] for name in ends), default=0),
        shallowest=min((shortest[name] for name in ends), default=0),
        ops=labelled,
        drawn_macs=sum(macs for macs, _ in costs.values()),
        drawn_params=sum(params for _, params in costs.values()),
    )


def live_nodes(graph: Graph) -> list[Node]:
    """The nodes that outputs depend on and that are not always zero, in execution order.

    They may still read nodes that are always zero, which are not among them. Empty if the outputs are zero.
    """
    zero: set[str] = set()
    for node in graph.nodes:
        op = node.op
        if isinstance(op, Zero):
            zero.add(node.name)
        elif node.inputs:
            zeros = [name in zero for name in node.inputs]
            if any(zeros) if isinstance(op, Multiply) else all(zeros):
                zero.add(node.name)
    needed = {name for name in graph.outputs if name not in zero}
    live = []
    for node in reversed(graph.nodes):
        if node.name in needed:
            live.append(node)
            needed.update(name for name in node.inputs if name not in zero)
    return live[::-1]


_COSTLY = (Conv, Linear)  # batch norms have a few parameters too; they follow the widths


def _costs(graph: Graph, node: Node) -> tuple[int, int]:
    inputs = graph.input_shapes(node)
    return macs(node.op, inputs, node.shape), sum(prod(one.shape) for one in weights(node.op, inputs))


def _paths(live: list[Node], names: set[str]) -> dict[Labels, int]:
    """Count the segments that each path occurs in."""
    position = {node.name: index for index, node in enumerate(live)}
    last_use = list(range(len(live)))
    for index, node in enumerate(live):
        for name in node.inputs:
            if name in names:
                last_use[position[name]] = index
    found: Counter[Labels] = Counter()
    windows: set[Labels] = set()
    ways: dict[str, set[Labels]] = {}
    reach = 0
    for index, node in enumerate(live):
        into: set[Labels] = set()
        for name in node.inputs:
            into |= ways.get(name, set())
        ways[node.name] = _through(into or {()}, label_of(node.op), windows)  # type: ignore[arg-type]
        if reach <= index:
            # Nothing made before this node is read after it: the segment ends here.
            here = windows | ways[node.name]
            if here != {()}:
                found.update(here)
            windows, ways = set(), {node.name: {()}}
        reach = max(reach, last_use[index])
    return dict(found)


def _through(into: set[Labels], label: str, windows: set[Labels]) -> set[Labels]:
    """The ways behind an op; a window that is full slides on, and is kept in ``windows``."""
    if len(into) > WAYS:
        into = set(sorted(into)[:WAYS])
    if not label:
        return into
    windows |= {way for way in into if len(way) == WINDOW}
    return {(*(way[1:] if len(way) == WINDOW else way), label) for way in into}


@lru_cache(maxsize=4096)
def label_of(op: Hashable) -> str:
    """What an op is on a path, "" for what only passes on; widths are left to other features.

    Args:
        op: one of ``netwright.ir.ops.OPS``.

    >>> label_of(Conv(16, (3, 3), (2, 2))), label_of(Identity())
    ('conv3x3s2', '')
    """
    if isinstance(op, Conv):
        kind = "conv" if op.groups == 1 else "grouped"
        stride = f"s{op.stride[0]}" if max(op.stride) > 1 else ""
        dilation = f"d{op.dilation[0]}" if max(op.dilation) > 1 else ""
        return f"{kind}{op.kernel[0]}x{op.kernel[1]}{stride}{dilation}"
    if isinstance(op, Pool):
        stride = f"s{op.stride[0]}" if max(op.stride) > 1 else ""
        return f"{op.mode}pool{op.kernel[0]}x{op.kernel[1]}{stride}"
    if isinstance(op, Linear | Multiply | Resize):
        return op.kind
    return ""
