"""Networks of published cells: their published sizes, and the published code in torch."""

from __future__ import annotations

import pytest
import torch

from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.models import darts
from netwright.models.darts import GENOTYPES, reductions
from tests.cell_reference import network as reference
from tests.torch_oracle import random_network


@pytest.mark.parametrize(
    ("genotype", "params", "millions"),
    [
        # The authors' code logs "param size = 3.349342MB" for DARTS-V2. Millions: [Liu et al. 2019,
        # arXiv:1806.09055, Table 1], for NASNet-A and AmoebaNet-A as trained there.
        ("darts-v2", 3_349_342, 3.3),
        ("darts-v1", 3_169_414, None),
        ("nasnet-a", 3_061_738, 3.1),
        ("amoebanet-a", 3_145_078, 3.1),
    ],
)
def test_published_parameters(genotype: str, params: int, millions: float | None) -> None:
    found = cost(darts(genotype)).params
    assert found == params
    assert millions is None or round(found / 1e6, 1) == millions


@pytest.mark.parametrize("genotype", GENOTYPES)
@pytest.mark.parametrize("resolution", [12, 9])
def test_network_computes_what_the_published_code_does(genotype: str, resolution: int) -> None:
    cells = 5
    graph = darts(genotype, channels=4, cells=cells, classes=3, resolution=resolution)
    network = random_network(graph)
    image = torch.randn(2, 3, resolution, resolution, dtype=torch.float64)
    found = GENOTYPES[genotype]
    layout = []
    for index in range(cells):
        reduces = index in (cells // 3, 2 * cells // 3)
        cell = found.reduction if reduces else found.normal
        layout.append((cell.terms, cell.concat, reduces))
    with torch.no_grad():
        expected = reference(image, network.state_dict(), tuple(layout))
        torch.testing.assert_close(network(image), expected)


@pytest.mark.parametrize("genotype", GENOTYPES)
def test_what_leaves_a_cell_is_what_no_node_takes_or_everything(genotype: str) -> None:
    """So that the cells are members of search spaces that do not choose it."""
    for cell in (GENOTYPES[genotype].normal, GENOTYPES[genotype].reduction):
        nodes = range(2, 2 + len(cell.terms) // 2)
        taken = {source for _, source in cell.terms}
        loose = tuple(node for node in nodes if node not in taken)
        assert cell.concat == (tuple(nodes) if genotype.startswith("darts") else loose)


def test_reductions_are_at_a_third_and_two_thirds() -> None:
    shapes = {node.name: node.shape for node in darts(channels=4, cells=8).nodes}
    sides = [shapes[f"cells.{index}.concat"][1:] for index in range(8)]
    assert sides == [(32, 32)] * 2 + [(16, 16)] * 3 + [(8, 8)] * 3
    assert reductions(8) == (2, 5)


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(GraphError, match=r"darts\.genotype: expected one of .*'darts-v2'.*, got 'enas'"):
        darts("enas")
    with pytest.raises(GraphError, match=r"darts\.cells: expected at least 3, .* got 2"):
        darts(cells=2)
