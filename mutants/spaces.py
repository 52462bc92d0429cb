"""Seeded bugs in the compiler of spaces and in the tables of chains."""

from __future__ import annotations

from mutants.mutant import Mutant

PROGRAM_TESTS = "tests/space/test_program.py"
COMPILE_TESTS = "tests/space/test_compile.py"
DIAGRAM_TESTS = "tests/space/test_diagram.py"
FITTING_TESTS = "tests/space/test_fitting.py"
FRONTIER_TESTS = "tests/space/test_frontier.py"
COUNTING_TESTS = "tests/space/test_counting.py"
DEPLOYED_TESTS = "tests/space/test_deployed.py"
BRUTE_FORCE_TESTS = "tests/space/test_brute_force.py"

SPACE = (
    Mutant(
        "a stage that is left out has its first layer",
        "space/program.py",
        "if isinstance(depth, Choice) and layer >= min(depths):",
        "if isinstance(depth, Choice) and layer >= max(1, min(depths)):",
        "tests/spaces/test_tinyml.py",
    ),
    Mutant(
        "a stage has a layer too many",
        "space/program.py",
        "self.depths[settled[self.decision]] > self.layer else",
        "self.depths[settled[self.decision]] >= self.layer else",
        PROGRAM_TESTS,
    ),
    Mutant(
        "every layer of a stage has the stride",
        "space/program.py",
        "first=first and layer == 0",
        "first=first",
        PROGRAM_TESTS,
    ),
    Mutant(
        "a shared choice is forgotten before it is asked again",
        "space/program.py",
        "live.append(later | {instruction.decision})",
        "live.append(later)",
        BRUTE_FORCE_TESTS,
    ),
    Mutant(
        "the same name may have other options",
        "space/program.py",
        "if describe(known) != describe(option):",
        "if known.name != option.name:",
        PROGRAM_TESTS,
    ),
    Mutant(
        "inactive decisions are kept",
        "space/compile.py",
        "            if name not in met:",
        "            if name not in known:",
        COMPILE_TESTS,
    ),
    Mutant(
        "nothing is folded across blocks",
        "space/composite.py",
        "(output.shape, totals.fusable),",
        '(output.shape, "closed"),',
        BRUTE_FORCE_TESTS,
    ),
    Mutant(
        "the peak is that of the last block",
        "space/explorer.py",
        "sums, peak = plus(sums, added), max(peak, high)",
        "sums, peak = plus(sums, added), high",
        BRUTE_FORCE_TESTS,
    ),
    Mutant(
        "a block is remembered without its arguments",
        "space/explorer.py",
        "key = (run.block.function, arguments, signature)",
        "key = (run.block.function, signature)",
        BRUTE_FORCE_TESTS,
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
        f"{PROGRAM_TESTS} {COMPILE_TESTS}",
    ),
)

TABLES = (
    Mutant(
        "peaks add up",
        "space/diagram.py",
        "values.append(pick(max(edge.peak, values[edge.child]) for edge in node.edges))",
        "values.append(pick(edge.peak + values[edge.child] for edge in node.edges))",
        DIAGRAM_TESTS,
    ),
    Mutant(
        "the dearest way to a node is taken for the cheapest",
        "space/diagram.py",
        "value if there is None else min(there, value)",
        "value if there is None else max(there, value)",
        DIAGRAM_TESTS,
    ),
    Mutant(
        "nodes of a class differ in their costs",
        "space/diagram.py",
        "sorted((classes[edge.child], *(edge.sums[term] for term in terms)) for edge in node.edges)",
        "sorted((classes[edge.child], *(edge.sums[term] for term in terms[:1])) for edge in node.edges)",
        f"{DIAGRAM_TESTS} {FITTING_TESTS}",
    ),
    Mutant(
        "edges to nowhere stay",
        "space/diagram.py",
        "edge for edge in node.edges if alive[edge.child] is not None and keep(index, edge)",
        "edge for edge in node.edges if keep(index, edge)",
        f"{DIAGRAM_TESTS} {FITTING_TESTS}",
    ),
    Mutant(
        "the lower bound is rounded down",
        "space/tables.py",
        "return -(-extra // self.unit) if self.round_up else extra // self.unit",
        "return extra // self.unit",
        FITTING_TESTS,
    ),
    Mutant(
        "rounded tables pass for exact ones",
        "space/tables.py",
        "        exact = False\n",
        "        exact = True\n",
        FITTING_TESTS,
    ),
    Mutant(
        "cells that leave a row come back in the next",
        "space/tables.py",
        "return (table << (offset * plan.width * 8)) & masks[shift]",
        "return table << (offset * plan.width * 8)",
        FITTING_TESTS,
    ),
    Mutant(
        "a table ends where it should stay level",
        "space/tables.py",
        "tables.append(table + _stairs(steps, rows, plan.row_bytes) if rows > 0 else 0)",
        "tables.append(table if rows > 0 else 0)",
        FITTING_TESTS,
    ),
    Mutant(
        "a limit on the peak is exclusive",
        "space/fitting.py",
        "return diagram.restricted(lambda _, edge: edge.peak <= limit)",
        "return diagram.restricted(lambda _, edge: edge.peak < limit)",
        FITTING_TESTS,
    ),
    Mutant(
        "the peak before the first decision is forgotten",
        "space/fitting.py",
        "if diagram.base_peak > limit:",
        "if diagram.base_peak < 0:",
        FITTING_TESTS,
    ),
    Mutant(
        "a limit on a sum is exclusive",
        "space/fitting.py",
        "a[parent] + edge.sums[i] + m[edge.child] <= most",
        "a[parent] + edge.sums[i] + m[edge.child] < most",
        FITTING_TESTS,
    ),
    Mutant(
        "extremes look the wrong way",
        "space/frontier.py",
        "self._sign = -1 if largest else 1",
        "self._sign = 1 if largest else -1",
        FRONTIER_TESTS,
    ),
    Mutant(
        "ranks of skipped options are not counted",
        "space/members.py",
        "            total += counts[edge.child]",
        "            total += 1",
        COUNTING_TESTS,
    ),
    Mutant(
        "half of what fits is never drawn",
        "space/counting.py",
        "self.at(integer_below(rng, self.upper))",
        "self.at(integer_below(rng, (self.upper + 1) // 2))",
        COUNTING_TESTS,
    ),
    Mutant(
        "what does not fit after all is drawn",
        "space/counting.py",
        "return architecture if self.exact or fits(",
        "return architecture if not self.exact or fits(",
        BRUTE_FORCE_TESTS,
    ),
    Mutant(
        "the structures of the interpreter are not taken off the arena",
        "space/deployed.py",
        "peaks.append(max(0, limits[_ARENA] - tail))",
        "peaks.append(limits[_ARENA] // 2)",
        DEPLOYED_TESTS,
    ),
    Mutant(
        "an arena is as small as its peak",
        "space/deployed.py",
        "found = max(before, LEAST_PLANNING) + part.least_total(term) + TAIL_FIXED",
        "found = before",
        DEPLOYED_TESTS,
    ),
    Mutant(
        "what a runtime needs is not checked",
        "space/members.py",
        "    if not limits_a_runtime(budget):\n        return True\n",
        "    return True\n",
        DEPLOYED_TESTS,
    ),
)
