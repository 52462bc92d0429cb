"""Seeded bugs in what a network is and costs: ops, costs, memory, pruning, latency."""

from __future__ import annotations

from mutants.mutant import Mutant

OPS_TESTS = "tests/testing/test_registered.py::TestOps"
OPS_BY_TORCH_TESTS = "tests/ir/test_ops.py"
COST_TESTS = "tests/ir/test_cost.py"
MEMORY_TESTS = "tests/ir/test_memory.py"
PRUNE_TESTS = "tests/ir/test_prune.py"

OPS = (
    Mutant(
        "MACs ignore the stride",
        "ir/ops.py",
        "return prod(output) * (inputs[0][0] // self.groups) * prod(self.kernel)",
        "return output[0] * prod(inputs[0]) // self.groups * prod(self.kernel)",
        OPS_TESTS,
    ),
    Mutant(
        "MACs ignore the groups",
        "ir/ops.py",
        "return prod(output) * (inputs[0][0] // self.groups) * prod(self.kernel)",
        "return prod(output) * inputs[0][0] * prod(self.kernel)",
        OPS_TESTS,
    ),
    Mutant(
        "a grouped kernel sees all input channels",
        "ir/ops.py",
        'Weight("weight", (self.out_channels, inputs[0][0] // self.groups, *self.kernel))',
        'Weight("weight", (self.out_channels, inputs[0][0], *self.kernel))',
        OPS_TESTS,
    ),
    Mutant(
        "symmetric padding forgets the dilation",
        "ir/ops.py",
        "        reach = d * (k - 1)\n        if padding",
        '        reach = (k - 1) if padding == "symmetric" else d * (k - 1)\n        if padding',
        f"{COST_TESTS}::test_symmetric_padding_is_that_of_pytorch_models",
    ),
    Mutant(
        "the odd pixel of same padding stands at the start",
        "ir/ops.py",
        "sides += [total // 2, total - total // 2]",
        "sides += [total - total // 2, total // 2]",
        f"{OPS_BY_TORCH_TESTS}::test_same_puts_the_odd_pixel_at_the_end",
    ),
)

COST = (
    Mutant("FLOPs are MACs", "ir/cost.py", "return 2 * self.macs", "return self.macs", COST_TESTS),
    Mutant(
        "params without batch norm have it",
        "ir/cost.py",
        "params_without_bn=params - norms",
        "params_without_bn=params",
        COST_TESTS,
    ),
    Mutant(
        "stored weights have no scale",
        "ir/cost.py",
        "return weight * dtype.weight + node.shape[0] * (dtype.bias + dtype.scale)",
        "return weight * dtype.weight + node.shape[0] * dtype.bias",
        COST_TESTS,
    ),
    Mutant(
        "a folded batch norm is stored",
        "ir/cost.py",
        "if isinstance(node.op, BatchNorm) and not folded:",
        "if isinstance(node.op, BatchNorm):",
        COST_TESTS,
    ),
    Mutant(
        "thop's global pooling does not divide",
        "ir/convention.py",
        "return (prod(inputs[0][1:]) + 1) * prod(output)",
        "return prod(inputs[0][1:]) * prod(output)",
        "tests/ir/test_convention.py",
    ),
    Mutant(
        "an op without a rule counts as zero",
        "ir/ops.py",
        "    if isinstance(op, (BatchNorm, *_WEIGHTLESS)):\n        return 0",
        "    if True:\n        return 0",
        COST_TESTS,
    ),
)

MEMORY = (
    Mutant(
        "peak memory without liveness: nothing is freed",
        "ir/memory.py",
        "alive = [name for name in alive if last_use[name] >= index]",
        "alive = list(alive)",
        MEMORY_TESTS,
    ),
    Mutant(
        "inputs are freed before the step that reads them",
        "ir/memory.py",
        "alive = [name for name in alive if last_use[name] >= index]",
        "alive = [name for name in alive if last_use[name] > index]",
        MEMORY_TESTS,
    ),
    Mutant(
        "outputs are freed",
        "ir/memory.py",
        "last_use[step.node.name] = len(steps) if wanted.intersection(step.members) else index",
        "last_use[step.node.name] = index",
        MEMORY_TESTS,
    ),
    Mutant(
        "a norm is folded though its convolution has another reader",
        "ir/memory.py",
        'before: Fusion = stage[source] if source and uses[source] == 1 else "closed"',
        'before: Fusion = stage[source] if source else "closed"',
        MEMORY_TESTS,
    ),
    Mutant(
        "two norms fold into one convolution",
        "ir/memory.py",
        'if isinstance(node.op, BatchNorm) and before == "conv":',
        'if isinstance(node.op, BatchNorm) and before != "closed":',
        MEMORY_TESTS,
    ),
    Mutant(
        "a depthwise convolution overwrites what is still needed",
        "ir/memory.py",
        "len(step.reads) != 1 or last_use[step.reads[0]] != index:",
        "len(step.reads) != 1:",
        MEMORY_TESTS,
    ),
    Mutant(
        "overwriting in place needs no buffer",
        "ir/memory.py",
        "return (step.elements - prod(size)) * bytes_per_element",
        "return step.elements * bytes_per_element",
        MEMORY_TESTS,
    ),
)

PRUNE = (
    Mutant(
        "sigmoid of zero is taken for zero",
        "ir/prune.py",
        '_FUNCTIONS_OF_ZERO = ("relu",',
        '_FUNCTIONS_OF_ZERO = ("sigmoid", "relu",',
        PRUNE_TESTS,
    ),
    Mutant(
        "a convolution with bias keeps zero",
        "ir/prune.py",
        "or (isinstance(op, Conv) and not op.bias)",
        "or isinstance(op, Conv)",
        PRUNE_TESTS,
    ),
    Mutant(
        "a concatenation with a zero is zero",
        "ir/prune.py",
        "product = isinstance(op, Multiply) and",
        "product = isinstance(op, Multiply | Concat) and",
        PRUNE_TESTS,
    ),
)

LATENCY = (
    Mutant(
        "an op without an entry takes no time",
        "ir/latency.py",
        "            else:\n                raise GraphError(",
        "            else:\n                break\n                raise GraphError(",
        "tests/ir/test_latency.py",
    ),
    Mutant(
        "the shortest entry counts",
        "ir/latency.py",
        "range(min(self._longest, len(parts) - position), 0, -1)",
        "range(1, min(self._longest, len(parts) - position) + 1)",
        "tests/ir/test_latency.py",
    ),
    Mutant(
        "additions within a cell take no time",
        "space/cell_walk.py",
        "costs.append(self._meter.joined(where, Add(), (geometry.inner,) * terms))",
        "costs.append(NOTHING)",
        "tests/space/test_composed.py::test_latency_of_cells_and_trellises",
    ),
    Mutant(
        "the concatenation behind a trellis' cell takes no time",
        "space/topology.py",
        "        if leaving > 1:\n            where",
        "        if leaving > 99:\n            where",
        "tests/space/test_composed.py::test_latency_of_cells_and_trellises",
    ),
)
