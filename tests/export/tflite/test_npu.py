from __future__ import annotations

import pytest

from netwright.errors import ExportError
from netwright.export import tflite
from tests.export.networks import pixel_labeller
from tests.export.tflite.conftest import Convert
from tests.export.tflite.small import images, random_weights

pytestmark = pytest.mark.slow


def test_estimates_of_a_network_that_runs_on_the_npu(converted: Convert) -> None:
    file = converted("inverted_residuals").file
    small, large = (
        tflite.estimate_npu(
            file,
            tflite.NpuTarget(f"ethos-u55-{size}", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
        )
        for size in (32, 256)
    )
    assert small.cpu_operators == large.cpu_operators == ()
    assert small.npu_operators > 10
    # The system runs at 500 MHz, and a quarter of a million cycles would be too many for so small a network.
    assert small.milliseconds == pytest.approx(small.cycles / 500e3, rel=1e-3)
    assert large.cycles < small.cycles < 250_000
    assert 1024 < small.sram_bytes < 64 * 1024
    assert small.flash_bytes > 4096


def test_operators_that_stay_on_the_cpu_are_named(converted: Convert) -> None:
    del converted
    network = random_weights(pixel_labeller())
    file = tflite.convert(network, images(network.graph, 4))
    target = tflite.NpuTarget("ethos-u55-128", "Ethos_U55_High_End_Embedded", "Shared_Sram")
    found = tflite.estimate_npu(file, target)
    # To four times the size; the other one spreads a single pixel, which the NPU can do.
    assert found.cpu_operators == ("RESIZE_BILINEAR",)
    assert found.npu_operators > 5


def test_a_system_that_vela_does_not_know_is_an_error(converted: Convert) -> None:
    file = converted("signals").file
    with pytest.raises(ExportError, match=r"vela: cannot compile.*Nowhere"):
        tflite.estimate_npu(file, tflite.NpuTarget("ethos-u55-128", "Nowhere", "Shared_Sram"))
