"""ResNets against published numbers."""

from __future__ import annotations

import pytest

from netwright.blocks.resnet import StrideIn
from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.ops import Conv
from netwright.models import resnet, resnext50


@pytest.mark.parametrize(
    ("depth", "params", "billions"),
    [
        (18, 11_689_512, 1.814),
        (34, 21_797_672, 3.664),
        (50, 25_557_032, 4.089),
        (101, 44_549_160, 7.801),
    ],
)
def test_published_resnet(depth: int, params: int, billions: float) -> None:
    """Figures of torchvision: num_params and GFLOPS."""
    found = cost(resnet(depth))
    assert (found.params, round(found.macs / 1e9, 3)) == (params, billions)


def test_published_resnet_50() -> None:
    """FACTS section 1."""
    assert cost(resnet(50)).macs == 4_089_184_256


def test_published_resnet_with_its_stride_in_the_first_1x1() -> None:
    found = cost(resnet(50, stride_in="1x1"))
    assert (found.params, found.macs) == (25_557_032, 3_857_973_248)


def test_published_resnext() -> None:
    found = cost(resnext50())
    assert (found.params, found.macs) == (25_028_904, 4_230_479_872)


def test_resnext_32x4d_has_groups_of_4_to_32_channels() -> None:
    graph = resnext50()
    for stage, width in enumerate((4, 8, 16, 32), 1):
        op = graph[f"stage{stage}.0.spatial.conv"].op
        assert isinstance(op, Conv)
        assert (op.groups, op.out_channels) == (32, 32 * width)


def test_published_peak() -> None:
    """FACTS: ResNet-18 at 224 pixels, int8, liveness with a fused residual block."""
    assert cost(resnet(18)).peak_activation_bytes == 1_003_520


@pytest.mark.parametrize("stride_in", ["3x3", "1x1"])
def test_maps_shrink_where_they_should(stride_in: StrideIn) -> None:
    graph = resnet(50, stride_in=stride_in)
    shapes = {node.name: node.shape for node in graph.nodes}
    assert shapes["stem.conv"] == (64, 112, 112)
    assert shapes["stem.pool"] == (64, 56, 56)
    assert [shapes[f"stage{stage}.0.act"] for stage in (1, 2, 3, 4)] == [
        *((256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7))
    ]
    late = stride_in == "3x3"
    assert shapes["stage2.0.reduce.conv"] == ((128, 56, 56) if late else (128, 28, 28))


def test_settings() -> None:
    graph = resnet(18, width=0.35, resolution=97, classes=7, in_channels=1)
    assert graph.input_shape == (1, 97, 97)
    assert graph["stem.conv"].shape[0] == 24  # make_divisible(22.4)
    assert graph["stage4.0.add"].shape == (176, 4, 4)  # make_divisible(179.2), 97 -> 49 -> 25 -> 25, 13, 7, 4
    assert graph.nodes[-1].shape == (7,)


def test_unknown_depth_is_refused() -> None:
    with pytest.raises(GraphError, match=r"resnet\.depth: expected one of \(18, 34, 50, 101\), got 20"):
        resnet(20)


def test_width_must_be_positive() -> None:
    with pytest.raises(GraphError, match="expected a width above 0"):
        resnet(18, width=0)
