"""ShuffleNets against published numbers."""

from __future__ import annotations

import pytest

from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.ops import Conv
from netwright.models import shufflenet_v1, shufflenet_v2
from netwright.models.shufflenet import V1_CHANNELS


def test_published_shufflenet_v1() -> None:
    """FACTS: g = 3, the first 1x1 of stage 2 ungrouped; the paper's table says about 140 M."""
    found = cost(shufflenet_v1())
    assert (found.params, found.macs) == (1_865_728, 137_460_672)


@pytest.mark.parametrize(
    ("groups", "width", "macs", "params"),
    [
        (3, 2.0, 524, 5.4),
        (8, 2.0, 522, 6.5),
        (3, 1.0, 138, 1.9),
        (8, 1.0, 138, 2.4),
        (3, 0.5, 38, 0.7),
        (8, 0.5, 40, 1.0),
    ],
)
def test_shufflenet_v1_family(groups: int, width: float, macs: int, params: float) -> None:
    """The list of the authors' own repository, in millions and as printed there."""
    found = cost(shufflenet_v1(groups=groups, width=width))
    assert found.macs / 1e6 == pytest.approx(macs, rel=0.02)
    assert found.params / 1e6 == pytest.approx(params, abs=0.051)


@pytest.mark.parametrize(("groups", "macs"), [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)])
def test_shufflenet_v1_costs_what_the_paper_says(groups: int, macs: int) -> None:
    """Last row of Table 1, in millions; 1 % off for 4 and 8 groups."""
    assert cost(shufflenet_v1(groups=groups)).macs / 1e6 == pytest.approx(macs, rel=0.012)


@pytest.mark.parametrize(
    ("width", "params", "billions"),
    [(0.5, 1_366_792, 0.04), (1.0, 2_278_604, 0.145), (1.5, 3_503_624, 0.296), (2.0, 7_393_996, 0.583)],
)
def test_published_shufflenet_v2(width: float, params: int, billions: float) -> None:
    """Figures of torchvision: num_params and GFLOPS."""
    found = cost(shufflenet_v2(width=width))
    assert (found.params, round(found.macs / 1e9, 3)) == (params, billions)


def test_stages() -> None:
    shapes = {node.name: node.shape for node in shufflenet_v1(groups=8).nodes}
    assert shapes["stem.pool"] == (24, 56, 56)
    assert [shapes[f"stage{stage}.0.act"] for stage in (2, 3, 4)] == [
        *((384, 28, 28), (768, 14, 14), (1536, 7, 7))
    ]
    assert sum(name.endswith(".shuffle") for name in shapes) == 16


@pytest.mark.parametrize("groups", V1_CHANNELS)
def test_only_the_first_1x1_is_ungrouped(groups: int) -> None:
    reducing = {
        node.name: node.op for node in shufflenet_v1(groups=groups).nodes if ".reduce.conv" in node.name
    }
    found = {name: op.groups for name, op in reducing.items() if isinstance(op, Conv)}
    assert found.pop("stage2.0.reduce.conv") == 1
    assert set(found.values()) == {groups}
    assert len(found) == 15


@pytest.mark.parametrize("groups", V1_CHANNELS)
@pytest.mark.parametrize("width", [0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.1, 1.5, 2.0])
def test_every_width_divides(groups: int, width: float) -> None:
    graph = shufflenet_v1(groups=groups, width=width, resolution=65, classes=7, in_channels=1)
    assert graph.input_shape == (1, 65, 65)
    assert graph.nodes[-1].shape == (7,)


def test_wrong_settings_are_named() -> None:
    with pytest.raises(GraphError, match=r"shufflenet_v1\.groups: expected one of \(1, 2, 3, 4, 8\), got 5"):
        shufflenet_v1(groups=5)
    with pytest.raises(GraphError, match=r"shufflenet_v2\.width: expected one of .*, got 0\.35"):
        shufflenet_v2(width=0.35)
    with pytest.raises(GraphError, match="above 0"):
        shufflenet_v1(width=0)
