from __future__ import annotations

import json

import pytest

from netwright.devices import DEVICES, Device, find_device
from netwright.errors import BudgetError, ConfigError

KB = 1024

# Data sheets, and MCUNet (arXiv:2007.10319) for the F746 and H743: SRAM for one arena, flash, clock in MHz.
FIGURES = {
    "stm32f412": (256, 1024, 100),
    "stm32f446": (128, 512, 180),
    "stm32f746": (320, 1024, 216),
    "stm32f767": (512, 2048, 216),
    "stm32h743": (512, 2048, 480),
    "nrf52840": (256, 1024, 64),
    "samd21g18": (32, 256, 48),
    "rp2040": (264, 2048, 133),
    "esp32-s3": (333.75, 8192, 240),
    "alif-e7": (4096, 5632, 400),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_the_data_sheets(name: str) -> None:
    sram, flash, clock = FIGURES[name]
    device = DEVICES[name]
    assert device.sram_bytes == sram * KB
    assert device.flash_bytes == flash * KB
    assert device.clock_hz == clock * 1_000_000
    assert device.source


def test_catalogue_is_complete() -> None:
    assert list(DEVICES) == [*FIGURES, "host-cpu"]


def test_host_has_no_limits() -> None:
    host = DEVICES["host-cpu"]
    assert (host.sram_bytes, host.flash_bytes) == (None, None)


def test_esp32_s3_region_is_that_of_the_linker_script() -> None:
    # ESP-IDF memory.ld.in: SRAM_IRAM_END - SRAM_DIRAM_I_START
    assert DEVICES["esp32-s3"].sram_bytes == 0x403CB700 - 0x40378000


@pytest.mark.parametrize("name", ["stm32h743", "esp32-s3"])
def test_where_only_a_part_serves_the_note_and_the_total_say_so(name: str) -> None:
    device = DEVICES[name]
    assert device.sram_total_bytes is not None
    assert device.sram_bytes is not None
    assert device.sram_bytes < device.sram_total_bytes
    assert device.note


@pytest.mark.parametrize("text", ["stm32f746", "STM32F746", "STM32-F746", "stm32_f746", " stm32 f746 "])
def test_case_and_dashes_do_not_matter(text: str) -> None:
    assert find_device(text) is DEVICES["stm32f746"]


@pytest.mark.parametrize("text", ["esp32s3", "ESP32-S3"])
def test_dashes_of_the_name_itself_do_not_matter(text: str) -> None:
    assert find_device(text) is DEVICES["esp32-s3"]


def test_every_name_finds_its_device() -> None:
    for name, device in DEVICES.items():
        assert find_device(name) is device
        assert device.name == name


def test_unknown_name_lists_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        find_device("stm32f764")
    message = str(caught.value)
    assert message.startswith("device: expected the name of a device, got 'stm32f764'; did you mean ")
    assert "stm32f746" in message
    assert "`netwright devices`" in message


def test_unknown_name_without_neighbours_lists_all() -> None:
    with pytest.raises(ConfigError, match=r"known are stm32f412, .*host-cpu\. `netwright devices`"):
        find_device("???")


def test_a_device_is_plain_json() -> None:
    for device in DEVICES.values():
        assert Device(**json.loads(json.dumps(device.to_dict()))) == device


def test_an_npu_is_named_with_its_system_and_memory_mode() -> None:
    npu = DEVICES["alif-e7"].npu
    assert npu is not None
    assert (npu.accelerator, npu.system_config) == ("ethos-u55-256", "Ethos_U55_High_End_Embedded")
    assert (npu.memory_mode, npu.config) == ("Shared_Sram", "Arm/vela.ini")
    assert [name for name, device in DEVICES.items() if device.npu] == ["alif-e7"]


def test_devices_of_ones_own_are_checked() -> None:
    with pytest.raises(BudgetError, match=r"mine\.flash_bytes: expected a positive number, got 0; use None"):
        Device("mine", "Mine", "core", None, 1024, 0, "me")
    with pytest.raises(BudgetError, match="expected a name with letters or digits, got '-'"):
        Device("-", "Mine", "core", None, 1024, 1024, "me")
    with pytest.raises(BudgetError, match=r"mine\.sram_total_bytes: expected at least sram_bytes = 1024"):
        Device("mine", "Mine", "core", None, 1024, 1024, "me", sram_total_bytes=1000)
