"""The seeded bugs: what is edited wrongly, and which tests must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A small wrong edit.

    Attributes:
        wrong: what is wrong with it, in words.
        file: path within ``src/netwright``.
        old: text that is in the file exactly once.
        new: what takes its place.
        tests: files, classes and functions for pytest, one after the other.
    """

    wrong: str
    file: str
    old: str
    new: str
    tests: str


OPS = "tests/testing/test_registered.py::TestOps"
OPS_BY_TORCH = "tests/ir/test_ops.py"
COST = "tests/ir/test_cost.py"
MEMORY = "tests/ir/test_memory.py"
PRUNE = "tests/ir/test_prune.py"
PROGRAM = "tests/space/test_program.py"
COMPILE = "tests/space/test_compile.py"
DIAGRAM = "tests/space/test_diagram.py"
FITTING = "tests/space/test_fitting.py"
FRONTIER = "tests/space/test_frontier.py"
COUNTING = "tests/space/test_counting.py"
VARIATION = "tests/space/test_variation.py"
BRUTE_FORCE = "tests/space/test_brute_force.py"
COMPOSED = "tests/space/test_composed.py"
DISTRIBUTION = "tests/space/test_distributions.py"
EVOLUTION = "tests/strategies/test_evolution.py"
PERMUTATION = "tests/space/test_permutation.py"
LAWS_OF_EVOLUTION = "tests/testing/test_registered.py::TestSmallEvolution"
LAWS_OF_RANDOM = "tests/testing/test_registered.py::TestRandomSearch"
BUDGET = "tests/devices/test_budget.py"
DRIVER = "tests/study/test_driver.py"
HISTORY = "tests/study/test_history.py"

_OPS = (
    Mutant(
        "MACs ignore the stride",
        "ir/ops.py",
        "return prod(output) * (inputs[0][0] // self.groups) * prod(self.kernel)",
        "return output[0] * prod(inputs[0]) // self.groups * prod(self.kernel)",
        OPS,
    ),
    Mutant(
        "MACs ignore the groups",
        "ir/ops.py",
        "return prod(output) * (inputs[0][0] // self.groups) * prod(self.kernel)",
        "return prod(output) * inputs[0][0] * prod(self.kernel)",
        OPS,
    ),
    Mutant(
        "a grouped kernel sees all input channels",
        "ir/ops.py",
        'Weight("weight", (self.out_channels, inputs[0][0] // self.groups, *self.kernel))',
        'Weight("weight", (self.out_channels, inputs[0][0], *self.kernel))',
        OPS,
    ),
    Mutant(
        "symmetric padding forgets the dilation",
        "ir/ops.py",
        "        reach = d * (k - 1)\n        if padding",
        '        reach = (k - 1) if padding == "symmetric" else d * (k - 1)\n        if padding',
        f"{COST}::test_symmetric_padding_is_that_of_pytorch_models",
    ),
    Mutant(
        "the odd pixel of same padding stands at the start",
        "ir/ops.py",
        "sides += [total // 2, total - total // 2]",
        "sides += [total - total // 2, total // 2]",
        f"{OPS_BY_TORCH}::test_same_puts_the_odd_pixel_at_the_end",
    ),
)

_COST = (
    Mutant("FLOPs are MACs", "ir/cost.py", "return 2 * self.macs", "return self.macs", COST),
    Mutant(
        "params without batch norm have it",
        "ir/cost.py",
        "params_without_bn=params - norms",
        "params_without_bn=params",
        COST,
    ),
    Mutant(
        "stored weights have no scale",
        "ir/cost.py",
        "return weight * dtype.weight + node.shape[0] * (dtype.bias + dtype.scale)",
        "return weight * dtype.weight + node.shape[0] * dtype.bias",
        COST,
    ),
    Mutant(
        "a folded batch norm is stored",
        "ir/cost.py",
        "if isinstance(node.op, BatchNorm) and not folded:",
        "if isinstance(node.op, BatchNorm):",
        COST,
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
        COST,
    ),
)

_MEMORY = (
    Mutant(
        "peak memory without liveness: nothing is freed",
        "ir/memory.py",
        "alive = [name for name in alive if last_use[name] >= index]",
        "alive = list(alive)",
        MEMORY,
    ),
    Mutant(
        "inputs are freed before the step that reads them",
        "ir/memory.py",
        "alive = [name for name in alive if last_use[name] >= index]",
        "alive = [name for name in alive if last_use[name] > index]",
        MEMORY,
    ),
    Mutant(
        "outputs are freed",
        "ir/memory.py",
        "last_use[step.node.name] = len(steps) if wanted.intersection(step.members) else index",
        "last_use[step.node.name] = index",
        MEMORY,
    ),
    Mutant(
        "a norm is folded though its convolution has another reader",
        "ir/memory.py",
        'before: Fusion = stage[source] if source and uses[source] == 1 else "closed"',
        'before: Fusion = stage[source] if source else "closed"',
        MEMORY,
    ),
    Mutant(
        "two norms fold into one convolution",
        "ir/memory.py",
        'if isinstance(node.op, BatchNorm) and before == "conv":',
        'if isinstance(node.op, BatchNorm) and before != "closed":',
        MEMORY,
    ),
    Mutant(
        "a depthwise convolution overwrites what is still needed",
        "ir/memory.py",
        "len(step.reads) != 1 or last_use[step.reads[0]] != index:",
        "len(step.reads) != 1:",
        MEMORY,
    ),
    Mutant(
        "overwriting in place needs no buffer",
        "ir/memory.py",
        "return (step.elements - prod(size)) * bytes_per_element",
        "return step.elements * bytes_per_element",
        MEMORY,
    ),
)

_PRUNE = (
    Mutant(
        "sigmoid of zero is taken for zero",
        "ir/prune.py",
        '_FUNCTIONS_OF_ZERO = ("relu",',
        '_FUNCTIONS_OF_ZERO = ("sigmoid", "relu",',
        PRUNE,
    ),
    Mutant(
        "a convolution with bias keeps zero",
        "ir/prune.py",
        "or (isinstance(op, Conv) and not op.bias)",
        "or isinstance(op, Conv)",
        PRUNE,
    ),
    Mutant(
        "a concatenation with a zero is zero",
        "ir/prune.py",
        "product = isinstance(op, Multiply) and",
        "product = isinstance(op, Multiply | Concat) and",
        PRUNE,
    ),
)

_SPACE = (
    Mutant(
        "a stage has a layer too many",
        "space/program.py",
        "self.depths[settled[self.decision]] > self.layer else",
        "self.depths[settled[self.decision]] >= self.layer else",
        PROGRAM,
    ),
    Mutant(
        "every layer of a stage has the stride",
        "space/program.py",
        "first=first and layer == 0",
        "first=first",
        PROGRAM,
    ),
    Mutant(
        "a shared choice is forgotten before it is asked again",
        "space/program.py",
        "live.append(later | {instruction.decision})",
        "live.append(later)",
        BRUTE_FORCE,
    ),
    Mutant(
        "the same name may have other options",
        "space/program.py",
        "if describe(known) != describe(option):",
        "if known.name != option.name:",
        PROGRAM,
    ),
    Mutant(
        "inactive decisions are kept",
        "space/compile.py",
        "            if name not in met:",
        "            if name not in known:",
        COMPILE,
    ),
    Mutant(
        "nothing is folded across blocks",
        "space/composite.py",
        "(output.shape, totals.fusable),",
        '(output.shape, "closed"),',
        BRUTE_FORCE,
    ),
    Mutant(
        "the peak is that of the last block",
        "space/explorer.py",
        "sums, peak = plus(sums, added), max(peak, high)",
        "sums, peak = plus(sums, added), high",
        BRUTE_FORCE,
    ),
    Mutant(
        "a block is remembered without its arguments",
        "space/explorer.py",
        "key = (run.block.function, arguments, signature)",
        "key = (run.block.function, signature)",
        BRUTE_FORCE,
    ),
    Mutant(
        "the id does not depend on the options",
        "space/expression.py",
        'return ["choice", value.name, list(value.labels), [describe(option) for option in value.options]]',
        'return ["choice", value.name, list(value.labels)]',
        "tests/space/test_expression.py",
    ),
    Mutant(
        "True is taken for 1",
        "space/program.py",
        "if option == value and isinstance(option, bool) == isinstance(value, bool):",
        "if option == value:",
        f"{PROGRAM} {COMPILE}",
    ),
)

_TABLES = (
    Mutant(
        "peaks add up",
        "space/diagram.py",
        "values.append(pick(max(edge.peak, values[edge.child]) for edge in node.edges))",
        "values.append(pick(edge.peak + values[edge.child] for edge in node.edges))",
        DIAGRAM,
    ),
    Mutant(
        "the dearest way to a node is taken for the cheapest",
        "space/diagram.py",
        "value if there is None else min(there, value)",
        "value if there is None else max(there, value)",
        DIAGRAM,
    ),
    Mutant(
        "nodes of a class differ in their costs",
        "space/diagram.py",
        "sorted((classes[edge.child], *(edge.sums[term] for term in terms)) for edge in node.edges)",
        "sorted((classes[edge.child], *(edge.sums[term] for term in terms[:1])) for edge in node.edges)",
        f"{DIAGRAM} {FITTING}",
    ),
    Mutant(
        "edges to nowhere stay",
        "space/diagram.py",
        "edge for edge in node.edges if alive[edge.child] is not None and keep(index, edge)",
        "edge for edge in node.edges if keep(index, edge)",
        f"{DIAGRAM} {FITTING}",
    ),
    Mutant(
        "the lower bound is rounded down",
        "space/tables.py",
        "return -(-extra // self.unit) if self.round_up else extra // self.unit",
        "return extra // self.unit",
        FITTING,
    ),
    Mutant(
        "rounded tables pass for exact ones",
        "space/tables.py",
        "        exact = False\n",
        "        exact = True\n",
        FITTING,
    ),
    Mutant(
        "cells that leave a row come back in the next",
        "space/tables.py",
        "return (table << (offset * plan.width * 8)) & masks[shift]",
        "return table << (offset * plan.width * 8)",
        FITTING,
    ),
    Mutant(
        "a table ends where it should stay level",
        "space/tables.py",
        "tables.append(table + _stairs(steps, rows, plan.row_bytes) if rows > 0 else 0)",
        "tables.append(table if rows > 0 else 0)",
        FITTING,
    ),
    Mutant(
        "a limit on the peak is exclusive",
        "space/fitting.py",
        "return diagram.restricted(lambda _, edge: edge.peak <= limit)",
        "return diagram.restricted(lambda _, edge: edge.peak < limit)",
        FITTING,
    ),
    Mutant(
        "the peak before the first decision is forgotten",
        "space/fitting.py",
        "if diagram.base_peak > limit:",
        "if diagram.base_peak < 0:",
        FITTING,
    ),
    Mutant(
        "a limit on a sum is exclusive",
        "space/fitting.py",
        "a[parent] + edge.sums[i] + m[edge.child] <= most",
        "a[parent] + edge.sums[i] + m[edge.child] < most",
        FITTING,
    ),
    Mutant(
        "extremes look the wrong way",
        "space/frontier.py",
        "self._sign = -1 if largest else 1",
        "self._sign = 1 if largest else -1",
        FRONTIER,
    ),
    Mutant(
        "ranks of skipped options are not counted",
        "space/counting.py",
        "            total += counts[edge.child]",
        "            total += 1",
        COUNTING,
    ),
    Mutant(
        "half of what fits is never drawn",
        "space/counting.py",
        "self.at(integer_below(rng, self.upper))",
        "self.at(integer_below(rng, (self.upper + 1) // 2))",
        COUNTING,
    ),
    Mutant(
        "what does not fit after all is drawn",
        "space/counting.py",
        "        if not self.exact:",
        "        if self.exact:",
        BRUTE_FORCE,
    ),
)

_COMPOSED = (
    Mutant(
        "a cell is counted at one of its places only",
        "space/cell_stack.py",
        "times[number] += 1",
        "times[number] = 1",
        COMPOSED,
    ),
    Mutant(
        "all node outputs are concatenated",
        "space/cell_walk.py",
        "leaving = [t for t in range(inputs, count) if not state.used >> t & 1]",
        "leaving = list(range(inputs, count))",
        COMPOSED,
    ),
    Mutant(
        "operations between nodes are strided too",
        "space/cell_walk.py",
        "if outer and self._cell.stride != 1:",
        "if self._cell.stride != 1:",
        COMPOSED,
    ),
    Mutant(
        "a tensor that is used again is forgotten in between",
        "space/cell_memory.py",
        "Moment(total(sizes, m.pending & mask, m.total), m.pending & ~mask, m.again & ~mask, m.never)",
        "Moment(m.total, m.pending & ~mask, m.again & ~mask, m.never)",
        COMPOSED,
    ),
    Mutant(
        "a relu is folded away although others read its input",
        "space/cell_memory.py",
        "            variants.append((term.shared, bit, 0))\n",
        "            pass\n",
        COMPOSED,
    ),
    Mutant(
        "what waits for the sum of a node is not in memory",
        "space/cell_memory.py",
        "kept = certain | memory.held | (bit if needed or alias or again else 0)",
        "kept = certain | (bit if needed or alias or again else 0)",
        COMPOSED,
    ),
    Mutant(
        "the last output is not held beside the next cell",
        "space/cell_stack.py",
        "held[index] = self._meter.bytes(last[0]) if follows else 0",
        "held[index] = 0",
        COMPOSED,
    ),
    Mutant(
        "the floor of a cell ignores what is held beside it",
        "space/cell_stack.py",
        "max(move.peak - held, 0))",
        "max(move.peak, 0))",
        COMPOSED,
    ),
    Mutant(
        "a path may jump over a level",
        "space/topology.py",
        "near = (state.path.last - 1, state.path.last, state.path.last + 1)",
        "near = (state.path.last - 1, state.path.last, state.path.last + 1, state.path.last + 2)",
        f"{COMPOSED} tests/spaces/test_topology.py",
    ),
    Mutant(
        "visits of a level are not counted",
        "space/topology.py",
        "visits = tuple(n + (k == level) for k, n in enumerate(path.visits))",
        "visits = tuple(max(n, k == level) for k, n in enumerate(path.visits))",
        COMPOSED,
    ),
    Mutant(
        "quantiles round down",
        "space/distributions.py",
        "return max(1, ceil(Fraction(str(share)) * total))",
        "return max(1, int(Fraction(str(share)) * total))",
        DISTRIBUTION,
    ),
    Mutant(
        "the lower bound of a distribution rounds costs down as well",
        "space/distributions.py",
        "round_up=True, keep=False, share=1 / len(parts))[0]",
        "round_up=False, keep=False, share=1 / len(parts))[0]",
        DISTRIBUTION,
    ),
    Mutant(
        "a threshold of the peak excludes itself",
        "space/distributions.py",
        "np.searchsorted(limits, edge.peak)",
        'np.searchsorted(limits, edge.peak, side="right")',
        DISTRIBUTION,
    ),
)

_VARIATION = (
    Mutant(
        "a mutation may change nothing",
        "space/variation.py",
        "range(len(space.decisions[decision].options)) if o != taken[decision]]",
        "range(len(space.decisions[decision].options))]",
        VARIATION,
    ),
    Mutant(
        "what becomes active takes its first option",
        "space/variation.py",
        "option = node.edges[int(rng.integers(len(node.edges)))].option",
        "option = node.edges[0].option",
        VARIATION,
    ),
    Mutant(
        "an architecture is its own neighbour",
        "space/variation.py",
        "            if option != taken[changed]:",
        "            if option >= 0:",
        VARIATION,
    ),
)

_SEEDING = (
    Mutant(
        "generators ignore the number of the draw",
        "seeding.py",
        "(int(seed), *(str(part) for part in purpose))",
        "(int(seed), *(str(part) for part in purpose[:1]))",
        "tests/testing/test_laws.py tests/space/test_counting.py",
    ),
    Mutant(
        "generators ignore the seed",
        "seeding.py",
        "(int(seed), *(str(part) for part in purpose))",
        "tuple(str(part) for part in purpose)",
        f"{LAWS_OF_RANDOM} {COUNTING}",
    ),
    Mutant(
        "small numbers are drawn more often",
        "seeding.py",
        "        if drawn < bound:\n            return drawn",
        "        return drawn % bound",
        COUNTING,
    ),
)

_STRATEGIES = (
    Mutant(
        "evolution maximises what is to be minimised",
        "trial.py",
        'return float(value if objective.direction == "maximize" else -value)',
        "return float(value)",
        LAWS_OF_EVOLUTION,
    ),
    Mutant(
        "the worst dies, not the oldest",
        "strategies/evolution.py",
        "sorted(joined, key=lambda member: member.number)",
        "sorted(joined, key=lambda member: member.score)",
        EVOLUTION,
    ),
    Mutant(
        "the worst of a tournament is the parent",
        "strategies/evolution.py",
        "parent = max((state.members[index]",
        "parent = min((state.members[index]",
        EVOLUTION,
    ),
    Mutant(
        "children need not fit",
        "strategies/evolution.py",
        "if child not in alive and fits(state.space, child, budget):",
        "if child not in alive:",
        LAWS_OF_EVOLUTION,
    ),
    Mutant(
        "the living are proposed again",
        "strategies/evolution.py",
        "if child not in alive and fits(state.space, child, budget):",
        "if fits(state.space, child, budget):",
        EVOLUTION,
    ),
    Mutant(
        "failed trials become parents",
        "trial.py",
        "    if not (trial.complete and trial.fits):\n        return None",
        "    if not trial.complete:\n        return 0.0",
        EVOLUTION,
    ),
    Mutant(
        "random search goes through the space in order",
        "strategies/random_search.py",
        "state.candidates.at(state.order(position))",
        "state.candidates.at(position)",
        LAWS_OF_RANDOM,
    ),
    Mutant(
        "random search repeats itself",
        "strategies/random_search.py",
        "        found = position = number\n",
        "        found, position = number, number // 2\n",
        LAWS_OF_RANDOM,
    ),
    Mutant(
        "the inverse permutation runs forwards",
        "space/permutation.py",
        "range(ROUNDS - 1, -1, -1)",
        "range(ROUNDS)",
        PERMUTATION,
    ),
    Mutant(
        "half of the orders are never taken",
        "space/permutation.py",
        "return position ^ self._round(ROUNDS, 0, 1) if position < 2 <= self.size else position",
        "return position",
        PERMUTATION,
    ),
    Mutant(
        "a budget is exclusive",
        "strategies/candidates.py",
        "costs[metric] <= limit for",
        "costs[metric] < limit for",
        "tests/strategies/test_candidates.py",
    ),
)

_DEVICES = (
    Mutant(
        "no share of the memory is kept",
        "devices/budget.py",
        "return fixed + (memory - fixed) * self.share",
        "return fixed",
        BUDGET,
    ),
    Mutant(
        "a small memory is kept as a whole",
        "devices/budget.py",
        "fixed = min(Fraction(self.fixed), Fraction(memory, 2))",
        "fixed = Fraction(self.fixed)",
        BUDGET,
    ),
    Mutant(
        "a limit of the verdict is exclusive",
        "devices/budget.py",
        "return self.value <= self.limit",
        "return self.value < self.limit",
        BUDGET,
    ),
    Mutant(
        "limits are rounded up",
        "devices/budget.py",
        "left = math.floor(size - kept)",
        "left = math.ceil(size - kept)",
        BUDGET,
    ),
)

_STUDY = (
    Mutant(
        "the lag is ignored: proposals see all that has ended",
        "study/driver.py",
        "needed = self.next - self.study.settings.lag + 1",
        "needed = self.next",
        DRIVER + "::test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag",
    ),
    Mutant(
        "results are folded a trial late",
        "study/driver.py",
        "needed = self.next - self.study.settings.lag + 1",
        "needed = self.next - self.study.settings.lag",
        DRIVER + "::test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag",
    ),
    Mutant(
        "the first trial is folded again and again",
        "study/driver.py",
        "self.strategy.update(self.state, self.finished[self.folded])",
        "self.strategy.update(self.state, self.finished[0])",
        DRIVER + "::test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag",
    ),
    Mutant(
        "every proposal has the same generator",
        "study/driver.py",
        'rng_for(self.study.settings.seed, "propose", self.next, attempt)',
        'rng_for(self.study.settings.seed, "propose", attempt)',
        "tests/testing/test_laws.py::test_searches_of_the_laws_are_those_of_the_driver",
    ),
    Mutant(
        "the best trial is always the largest",
        "study/history.py",
        'return trial if (new > old) == (objective.direction == "maximize") else best',
        "return trial if new > old else best",
        HISTORY,
    ),
    Mutant(
        "trials are ranked upside down",
        "study/history.py",
        'sign = -1.0 if self.objective.direction == "maximize" else 1.0',
        "sign = 1.0",
        HISTORY,
    ),
)

MUTANTS: tuple[Mutant, ...] = (
    *_OPS,
    *_COST,
    *_MEMORY,
    *_PRUNE,
    *_SPACE,
    *_TABLES,
    *_COMPOSED,
    *_VARIATION,
    *_SEEDING,
    *_STRATEGIES,
    *_DEVICES,
    *_STUDY,
)
"""All of them, in the order of the layers."""
