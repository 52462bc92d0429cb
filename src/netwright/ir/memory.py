"""Activation memory: which tensors are alive at which step, and where the peak is.

The schedule is the order of definition, which is also the order of export. Before execution, batch norm
and activation are fused into the convolution or linear op before them, and ``identity`` and ``flatten``
share the memory of their input; so a *step* is one op with all that is fused into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

from netwright.errors import GraphError
from netwright.ir.graph import Graph, Node
from netwright.ir.ops import Activation, BatchNorm, Conv, Flatten, Identity, Input, Linear

MemoryModel = Literal["standard", "inplace-depthwise"]
"""``standard``: every step has its inputs and its output in memory at once. ``inplace-depthwise``: a
depthwise convolution overwrites its input channel by channel through a buffer of one output channel, as
TinyEngine does [Lin et al. 2020, arXiv:2007.10319, Sec. 3.2]; TensorFlow Lite Micro does not."""

Fusion = Literal["closed", "conv", "norm"]
"""What may still be fused into a tensor's producer: nothing; batch norm or activation; activation."""


def check_memory_model(model: str) -> None:
    """Check that there is a memory model of this name.

    Raises:
        GraphError: if there is none.
    """
    if model not in get_args(MemoryModel):
        raise GraphError(f"memory model: expected one of {get_args(MemoryModel)}, got {model!r}")


@dataclass(frozen=True, slots=True)
class Step:
    """One executed op.

    Attributes:
        node: the op that computes; its name is that of the step.
        members: names of the node and of what is fused into it or shares its memory, in order.
        reads: names of the steps whose tensors it reads.
        elements: number of elements of its tensor.
    """

    node: Node
    members: tuple[str, ...]
    reads: tuple[str, ...]
    elements: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Memory while one step runs.

    Attributes:
        step: name of the step.
        alive: ``(tensor, bytes)`` of what is in memory, in order of creation.
        bytes: total, by the memory model.
    """

    step: str
    alive: tuple[tuple[str, int], ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class MemoryProfile:
    """Memory over the schedule.

    Attributes:
        moments: one for the input and one for each step.
        peak_bytes: the largest total.
        peak_step: name of the first step that reaches it.
    """

    moments: tuple[Moment, ...]
    peak_bytes: int
    peak_step: str


def fuse(graph: Graph, entry: Fusion = "closed") -> tuple[tuple[Step, ...], Fusion]:
    """Group the nodes into the steps that are executed.

    Args:
        graph: the network, or one block of it.
        entry: what may still be fused into the producer of the graph's input; matters when the graph is a
            block that follows another one.

    Returns:
        The steps, the first of which is the input, and what may be fused into the first output's producer.
    """
    uses = dict.fromkeys((node.name for node in graph.nodes), 0)
    for node in graph.nodes:
        for name in node.inputs:
            uses[name] += 1
    for name in graph.outputs:
        uses[name] += 1
    home: dict[str, str] = {}
    stage: dict[str, Fusion] = {}
    members: dict[str, list[str]] = {}
    for node in graph.nodes:
        source = node.inputs[0] if node.inputs else ""
        before: Fusion = stage[source] if source and uses[source] == 1 else "closed"
        after = _fused_stage(node, before)
        if after is None:
            home[node.name] = node.name
            members[node.name] = [node.name]
            stage[node.name] = entry if isinstance(node.op, Input) else _opened(node)
        else:
            home[node.name] = home[source]
            members[home[source]].append(node.name)
            stage[node.name] = after
    steps = tuple(
        Step(
            node,
            tuple(members[node.name]),
            tuple(dict.fromkeys(home[n] for n in node.inputs)),
            prod(node.shape),
        )
        for node in graph.nodes
        if node.name in members
    )
    last = graph.outputs[0]
    return steps, stage[last] if uses[last] == 1 else "closed"


def _opened(node: Node) -> Fusion:
    return "conv" if isinstance(node.op, Conv | Linear) else "closed"


def _fused_stage(node: Node, before: Fusion) -> Fusion | None:
    """What may be fused after this node, or None if the node is a step of its own."""
    if isinstance(node.op, Identity):
        return before
    if isinstance(node.op, Flatten):
        return "closed"
    if isinstance(node.op, BatchNorm) and before == "conv":
        return "norm"
    if isinstance(node.op, Activation) and before != "closed":
        return "closed"
    return None


def profile(
    graph: Graph,
    bytes_per_element: int = 1,
    model: MemoryModel = "standard",
    entry: Fusion = "closed",
) -> MemoryProfile:
    """Follow the memory through the schedule.

    A tensor is alive from the step that computes it to the last step that reads it, outputs to the end;
    a step's total is the sum over all tensors alive while it runs.

    Args:
        graph: the network.
        bytes_per_element: bytes of one activation, 1 for int8.
        model: the memory model.
        entry: see ``fuse``.

    Raises:
        GraphError: if the memory model is unknown.

    >>> from netwright.ir.ops import Add
    >>> from netwright.ir.graph import GraphBuilder
    >>> build = GraphBuilder()
    >>> x = build.input((8, 4, 4))
    >>> y = build.apply("expand", Conv(48), x)
    >>> z = build.apply("project", Conv(8), y)
    >>> found = profile(build.finish(build.apply("add", Add(), x, z)))
    >>> found.peak_bytes, found.peak_step
    (1024, 'project')
    """
    steps, _ = fuse(graph, entry)
    return profile_steps(steps, graph.outputs, bytes_per_element, model)


def profile_steps(
    steps: Sequence[Step], outputs: Sequence[str], bytes_per_element: int, model: MemoryModel
) -> MemoryProfile:
    """Follow the memory through steps that ``fuse`` gave; see ``profile``."""
    check_memory_model(model)
    last_use: dict[str, int] = {}
    wanted = set(outputs)
    for index, step in enumerate(steps):
        last_use[step.node.name] = len(steps) if wanted.intersection(step.members) else index
        for name in step.reads:
            last_use[name] = max(last_use[name], index)
    sizes = {step.node.name: step.elements * bytes_per_element for step in steps}
    moments: list[Moment] = []
    alive: list[str] = []
    for index, step in enumerate(steps):
        alive = [name for name in alive if last_use[name] >= index]
        alive.append(step.node.name)
        total = sum(sizes[name] for name in alive)
        if model == "inplace-depthwise":
            total -= _saved_in_place(step, steps, last_use, index, bytes_per_element)
        moments.append(Moment(step.node.name, tuple((name, sizes[name]) for name in alive), total))
    peak = max(moments, key=lambda moment: moment.bytes)
    return MemoryProfile(tuple(moments), peak.bytes, peak.step)


def _saved_in_place(
    step: Step, steps: Sequence[Step], last_use: dict[str, int], index: int, bytes_per_element: int
) -> int:
    """Bytes that a depthwise convolution saves by overwriting an input that nobody needs any more."""
    op = step.node.op
    if not isinstance(op, Conv) or len(step.reads) != 1 or last_use[step.reads[0]] != index:
        return 0
    source = next(other for other in steps if other.node.name == step.reads[0])
    size = step.node.shape[1:]
    if not op.depthwise(source.node.shape[0]) or step.elements > source.elements:
        return 0
    return (step.elements - prod(size)) * bytes_per_element
