"""MobileNets against published numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netwright.errors import GraphError
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.ir.ops import BatchNorm
from netwright.models import mobilenet_v1, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small


@pytest.mark.parametrize(
    ("model", "params", "macs"),
    [
        (mobilenet_v1, 4_231_976, 568_740_352),
        (mobilenet_v2, 3_504_872, 300_774_272),
        (mobilenet_v3_large, 5_483_032, 216_589_760),
    ],
)
def test_published_network(model: Callable[[], Graph], params: int, macs: int) -> None:
    """FACTS section 1."""
    found = cost(model())
    assert (found.params, found.macs) == (params, macs)


def test_published_mobilenet_v3_small() -> None:
    """Figures of torchvision: num_params and GFLOPS."""
    found = cost(mobilenet_v3_small())
    assert (found.params, round(found.macs / 1e9, 3)) == (2_542_856, 0.057)


def test_mcunets_baseline() -> None:
    """FACTS: MobileNetV2 0.35 at 144 pixels with a last width of 448."""
    found = cost(mobilenet_v2(width=0.35, resolution=144, last=448))
    assert (found.params, found.params_without_bn, found.macs) == (750_280, 737_864, 23_499_152)


def test_few_parameters_are_not_little_memory() -> None:
    """FACTS: 4.43 times fewer parameters than ResNet-18, and 1.50 times more memory."""
    found = cost(mobilenet_v2(width=0.75))
    assert found.peak_activation_bytes == 1_505_280
    assert round(11_689_512 / found.params, 2) == 4.43


@pytest.mark.parametrize(
    ("width", "resolution", "macs", "params"),
    [
        (1.0, 224, 569, 4.24),
        (0.75, 224, 325, 2.59),
        (0.5, 224, 149, 1.34),
        (0.25, 224, 41, 0.47),
        (1.0, 192, 418, 4.24),
        (1.0, 160, 290, 4.24),
        (1.0, 128, 186, 4.24),
    ],
)
def test_mobilenet_v1_family(width: float, resolution: int, macs: int, params: float) -> None:
    """Tables 6 and 7 of the paper and TensorFlow's list, in millions: as printed, so to their last digit."""
    found = cost(mobilenet_v1(width=width, resolution=resolution))
    assert found.macs / 1e6 == pytest.approx(macs, abs=1)
    assert found.params / 1e6 == pytest.approx(params, abs=0.01)


@pytest.mark.parametrize(
    ("width", "resolution", "macs", "params"),
    [
        (1.4, 224, 582, 6.06),
        (1.3, 224, 509, 5.34),
        (1.0, 224, 300, 3.47),
        (1.0, 160, 154, 3.47),
        (0.75, 224, 209, 2.61),
        (0.5, 224, 97, 1.95),
        (0.35, 224, 59, 1.66),
        (0.35, 96, 11, 1.66),
    ],
)
def test_mobilenet_v2_family(width: float, resolution: int, macs: int, params: float) -> None:
    """TensorFlow's list, in millions; it counts parameters without batch norm."""
    found = cost(mobilenet_v2(width=width, resolution=resolution))
    assert found.macs / 1e6 == pytest.approx(macs, abs=1)
    assert found.params_without_bn / 1e6 == pytest.approx(params, abs=0.01)


@pytest.mark.parametrize(("width", "last"), [(0.35, 1280), (1.0, 1280), (1.4, 1792)])
def test_last_width_of_mobilenet_v2(width: float, last: int) -> None:
    assert mobilenet_v2(width=width)["head.conv"].shape[0] == last
    assert mobilenet_v2(width=width, last=100)["head.conv"].shape[0] == 100


def test_stages_of_mobilenet_v3_large() -> None:
    graph = mobilenet_v3_large()
    shapes = {node.name: node.shape for node in graph.nodes}
    ends = {"stage1.0": (16, 112), "stage2.1": (24, 56), "stage3.2": (40, 28), "stage4.3": (80, 14)}
    ends |= {"stage5.1": (112, 14), "stage6.2": (160, 7)}
    for place, (channels, size) in ends.items():
        assert shapes[f"{place}.project.bn"] == (channels, size, size)
    assert shapes["head.conv"] == (960, 7, 7)
    assert shapes["classifier.hidden.act"] == (1280,)
    # Where the channels change but the map does not, a stage begins without a shortcut.
    assert "stage5.0.add" not in shapes
    assert "stage5.1.add" in shapes


@pytest.mark.parametrize("model", [mobilenet_v3_large, mobilenet_v3_small])
def test_mobilenet_v3_has_its_published_batch_norm(model: Callable[[], Graph]) -> None:
    norms = {node.op for node in model().nodes if isinstance(node.op, BatchNorm)}
    assert norms == {BatchNorm(eps=0.001, momentum=0.01)}


@pytest.mark.parametrize(
    ("model", "width", "macs", "params"),
    [
        (mobilenet_v3_large, 0.75, 155, 3.99),
        (mobilenet_v3_large, 0.35, 40, 2.2),
        (mobilenet_v3_small, 0.75, 44, 2.04),
    ],
)
def test_mobilenet_v3_family(model: Callable[..., Graph], width: float, macs: int, params: float) -> None:
    """The paper's tables and TensorFlow's list, in millions.

    For Small the paper counts more parameters than any network of its Table 2 has (2.9 million at width 1,
    2.54 in torchvision); its 0.75 is the 2.04 of timm's port of TensorFlow's weights.
    """
    found = cost(model(width=width))
    assert found.macs / 1e6 == pytest.approx(macs, abs=1)
    assert found.params / 1e6 == pytest.approx(params, abs=0.1 if params == 2.2 else 0.01)


@pytest.mark.parametrize("model", [mobilenet_v1, mobilenet_v2, mobilenet_v3_large, mobilenet_v3_small])
def test_settings(model: Callable[..., Graph]) -> None:
    graph = model(width=0.5, resolution=97, classes=7, in_channels=1)
    assert graph.input_shape == (1, 97, 97)
    assert graph["stem.conv"].shape[1:] == (49, 49)
    assert graph.nodes[-1].shape == (7,)
    with pytest.raises(GraphError, match="above 0"):
        model(width=0)
