"""Seeded bugs in the memory of a deployed network, and in what is done with it."""

from __future__ import annotations

from mutants.mutant import Mutant

PLANNER_TESTS = "tests/ir/tflm/test_planner.py"

TFLM = (
    Mutant(
        "the smallest buffer is placed first",
        "ir/tflm/planner.py",
        "key=lambda i: (-buffers[i].size, -i)",
        "key=lambda i: (buffers[i].size, -i)",
        PLANNER_TESTS,
    ),
    Mutant(
        "of equal buffers the earlier one is placed first",
        "ir/tflm/planner.py",
        "key=lambda i: (-buffers[i].size, -i)",
        "key=lambda i: (-buffers[i].size, i)",
        PLANNER_TESTS,
    ),
    Mutant(
        "a gap that is just large enough is passed over",
        "ir/tflm/planner.py",
        "if start - offset >= size:",
        "if start - offset > size:",
        PLANNER_TESTS,
    ),
    Mutant(
        "handles of scratch buffers take no memory",
        "ir/tflm/tail.py",
        "used = aligned(used + machine.pointer * scratch, machine.pointer)",
        "used = aligned(used, machine.pointer)",
        "tests/ir/tflm/test_kernels.py",
    ),
    Mutant(
        "operators without settings align what follows",
        "ir/tflm/tail.py",
        "if one.settings:  #",
        "if True:  #",
        "tests/ir/tflm/test_kernels.py",
    ),
    Mutant(
        "a file may have more operators than were predicted",
        "ir/tflm/reconciling.py",
        "zip_longest(program.operators, file_kinds)",
        "zip(program.operators, file_kinds)",
        "tests/ir/tflm/test_reconciling.py",
    ),
    Mutant(
        "planning takes nothing",
        "ir/tflm/cost.py",
        "beside = max(self.head_bytes, self.planning_bytes_host64)",
        "beside = self.head_bytes",
        "tests/ir/tflm/test_planning.py",
    ),
    Mutant(
        "dead ops are deployed",
        "ir/prune.py",
        "return any(isinstance(node.op, Zero | Identity) or node.name not in read for node in graph.nodes)",
        "return False",
        "tests/ir/test_prune.py",
    ),
)
