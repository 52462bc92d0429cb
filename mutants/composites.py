"""Seeded bugs in cells, trellises and variation."""

from __future__ import annotations

from mutants.mutant import Mutant

VARIATION_TESTS = "tests/space/test_variation.py"
COMPOSED_TESTS = "tests/space/test_composed.py"
DISTRIBUTION_TESTS = "tests/space/test_distributions.py"

COMPOSED = (
    Mutant(
        "a cell is counted at one of its places only",
        "space/cell_stack.py",
        "times[number] += 1",
        "times[number] = 1",
        COMPOSED_TESTS,
    ),
    Mutant(
        "all node outputs are concatenated",
        "space/cell_walk.py",
        "leaving = [t for t in range(inputs, count) if not state.used >> t & 1]",
        "leaving = list(range(inputs, count))",
        COMPOSED_TESTS,
    ),
    Mutant(
        "operations between nodes are strided too",
        "space/cell_walk.py",
        "if outer and self._cell.stride != 1:",
        "if self._cell.stride != 1:",
        COMPOSED_TESTS,
    ),
    Mutant(
        "a tensor that is used again is forgotten in between",
        "space/cell_memory.py",
        "Moment(total(sizes, m.pending & mask, m.total), m.pending & ~mask, m.again & ~mask, m.never)",
        "Moment(m.total, m.pending & ~mask, m.again & ~mask, m.never)",
        COMPOSED_TESTS,
    ),
    Mutant(
        "a relu is folded away although others read its input",
        "space/cell_memory.py",
        "            variants.append((term.shared, bit, 0))\n",
        "            pass\n",
        COMPOSED_TESTS,
    ),
    Mutant(
        "what waits for the sum of a node is not in memory",
        "space/cell_memory.py",
        "kept = certain | memory.held | (bit if needed or alias or again else 0)",
        "kept = certain | (bit if needed or alias or again else 0)",
        COMPOSED_TESTS,
    ),
    Mutant(
        "the last output is not held beside the next cell",
        "space/cell_stack.py",
        "held[index] = self._meter.bytes(last[0]) if follows else 0",
        "held[index] = 0",
        COMPOSED_TESTS,
    ),
    Mutant(
        "the floor of a cell ignores what is held beside it",
        "space/cell_stack.py",
        "max(move.peak - held, 0))",
        "max(move.peak, 0))",
        COMPOSED_TESTS,
    ),
    Mutant(
        "a path may jump over a level",
        "space/topology.py",
        "near = (state.path.last - 1, state.path.last, state.path.last + 1)",
        "near = (state.path.last - 1, state.path.last, state.path.last + 1, state.path.last + 2)",
        f"{COMPOSED_TESTS} tests/spaces/test_topology.py",
    ),
    Mutant(
        "visits of a level are not counted",
        "space/topology.py",
        "visits = tuple(n + (k == level) for k, n in enumerate(path.visits))",
        "visits = tuple(max(n, k == level) for k, n in enumerate(path.visits))",
        COMPOSED_TESTS,
    ),
    Mutant(
        "quantiles round down",
        "space/distributions.py",
        "return max(1, ceil(Fraction(str(share)) * total))",
        "return max(1, int(Fraction(str(share)) * total))",
        DISTRIBUTION_TESTS,
    ),
    Mutant(
        "the lower bound of a distribution rounds costs down as well",
        "space/distributions.py",
        "round_up=True, keep=False, share=1 / len(parts))[0]",
        "round_up=False, keep=False, share=1 / len(parts))[0]",
        DISTRIBUTION_TESTS,
    ),
    Mutant(
        "a threshold of the peak excludes itself",
        "space/distributions.py",
        "np.searchsorted(limits, edge.peak)",
        'np.searchsorted(limits, edge.peak, side="right")',
        DISTRIBUTION_TESTS,
    ),
)

VARIATION = (
    Mutant(
        "a mutation may change nothing",
        "space/variation.py",
        "            option = int(rng.integers(width - 1))\n            option += option >= old\n",
        "            option = int(rng.integers(width))\n",
        VARIATION_TESTS,
    ),
    Mutant(
        "what becomes active takes its first option",
        "space/variation.py",
        "kept = open_edges[int(rng.integers(len(open_edges)))].option",
        "kept = open_edges[0].option",
        VARIATION_TESTS,
    ),
    Mutant(
        "an architecture is its own neighbour",
        "space/variation.py",
        "                if edge.option == old:\n                    continue\n",
        "",
        VARIATION_TESTS,
    ),
)
