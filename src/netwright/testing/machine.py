"""A machine with memory that is allocated and freed: the judge of peak memory.

It shares nothing with ``netwright.ir.memory`` but the rules that it plays by: what is folded, what shares
memory, and that a convolution with one filter a channel may overwrite its input.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod

from netwright.ir.graph import Graph, Node
from netwright.ir.ops import Activation, BatchNorm, Conv, Flatten, Identity, Linear

_CALLER = "the caller"


@dataclass
class Buffer:
    """A piece of memory.

    Attributes:
        size: in bytes.
        readers: how many steps, and whether the caller, have yet to read it.
    """

    size: int
    readers: int


@dataclass
class Machine:
    """Runs a graph step by step.

    Attributes:
        buffers: what is in memory, by the step that computed it.
        taken: ``(step, bytes)``: how much memory was taken while each step ran.
    """

    buffers: dict[str, Buffer] = field(default_factory=dict)
    taken: list[tuple[str, int]] = field(default_factory=list)

    @property
    def peak(self) -> int:
        """The largest number of bytes that was taken at once."""
        return max(size for _, size in self.taken)

    def total(self) -> int:
        """Bytes that are taken now."""
        return sum(buffer.size for buffer in self.buffers.values())


def holders(graph: Graph) -> dict[str, str]:
    """For every node the one whose buffer holds its result: itself, or the one that it is folded into.

    Follows each convolution and linear op forwards for as long as a single reader can be folded: one batch
    norm, then one activation. Identities and flattening are views.
    """
    readers: dict[str, list[str]] = {node.name: [] for node in graph.nodes}
    for node in graph.nodes:
        for name in node.inputs:
            readers[name].append(node.name)
    for name in graph.outputs:
        readers[name].append(_CALLER)
    holder = {node.name: node.name for node in graph.nodes}
    for node in graph.nodes:
        if not isinstance(node.op, Conv | Linear):
            continue
        here, wanted = node.name, [BatchNorm, Activation]
        while len(readers[here]) == 1 and readers[here] != [_CALLER]:
            follower = graph[readers[here][0]]
            if type(follower.op) in wanted:
                del wanted[: wanted.index(type(follower.op)) + 1]
            elif not isinstance(follower.op, Identity):
                break
            here = follower.name
            holder[here] = node.name
    for node in graph.nodes:
        if isinstance(node.op, Identity | Flatten):
            holder[node.name] = holder[node.inputs[0]]
        elif holder[node.name] != node.name:
            holder[node.name] = holder[holder[node.name]]
    return holder


def simulate(graph: Graph, bytes_per_element: int = 1, *, in_place: bool = False) -> Machine:
    """Allocate, compute and release, in the order of definition.

    Args:
        graph: the network.
        bytes_per_element: bytes of one activation.
        in_place: whether a depthwise convolution may overwrite an input that nobody else needs, through a
            buffer of one channel.

    Returns:
        The machine as it stopped; the outputs are still in its memory.
    """
    holder = holders(graph)
    executed = [node for node in graph.nodes if holder[node.name] == node.name]
    reads = {node.name: {holder[name] for name in node.inputs} for node in executed}
    future: Counter[str] = Counter(name for names in reads.values() for name in names)
    future.update({holder[name] for name in graph.outputs})
    machine = Machine()
    for node in executed:
        size = prod(node.shape) * bytes_per_element
        machine.buffers[node.name] = Buffer(size, future[node.name])
        total = machine.total()
        if in_place and _overwrites(graph, node, holder, machine):
            total += prod(node.shape[1:]) * bytes_per_element - size
        machine.taken.append((node.name, total))
        for name in reads[node.name]:
            machine.buffers[name].readers -= 1
        machine.buffers = {name: buffer for name, buffer in machine.buffers.items() if buffer.readers}
    return machine


def _overwrites(graph: Graph, node: Node, holder: dict[str, str], machine: Machine) -> bool:
    """Whether a step writes over its input: one filter a channel, and nobody else wants the input."""
    if not isinstance(node.op, Conv):
        return False
    source = holder[node.inputs[0]]
    channels = graph[source].shape[0]
    one_filter_a_channel = channels > 1 and node.op.groups == channels == node.shape[0]
    room = machine.buffers[source].size >= machine.buffers[node.name].size
    return one_filter_a_channel and room and machine.buffers[source].readers == 1
