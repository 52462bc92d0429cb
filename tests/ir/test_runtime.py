from __future__ import annotations

import pytest

from netwright.errors import GraphError
from netwright.ir.memory import fuse
from netwright.ir.prune import prune_dead
from netwright.ir.runtime import FLASH_FIXED, RUNTIME, TAIL_FIXED, runtime_costs, step_floors
from netwright.ir.tflm import tflm_cost
from netwright.models import MODELS, build_model


def test_costs_are_those_of_the_interpreter_account() -> None:
    graph = build_model("mobilenet-v2")
    found = tflm_cost(graph)
    assert runtime_costs(graph) == {
        "head_bytes": found.head_bytes,
        "arena_bytes": found.smallest_arena_host64,
        "flash_bytes": found.flash_bytes,
    }
    assert tuple(runtime_costs(graph)) == RUNTIME


@pytest.mark.parametrize("name", sorted(MODELS))
def test_no_network_is_below_its_floors(name: str) -> None:
    graph = build_model(name)
    try:
        found = tflm_cost(prune_dead(graph))
    except GraphError:
        pytest.skip("the converter has no form for an op of it")
    tail, flash = step_floors(graph, fuse(graph)[0])
    assert tail + TAIL_FIXED <= found.tail_bytes_host64
    assert flash + FLASH_FIXED <= found.flash_bytes
    # Floors that are far below would be of no use.
    assert tail + TAIL_FIXED > 0.75 * found.tail_bytes_host64
    assert flash + FLASH_FIXED > 0.75 * found.flash_bytes
