from __future__ import annotations

import pytest

from netwright.devices import DEVICES, budget_for
from tests.cli.runner import Netwright


def test_json_is_the_catalogue(netwright: Netwright) -> None:
    listed = netwright("devices", "--json").json["devices"]
    assert listed == [device.to_dict() for device in DEVICES.values()]


def test_table_has_every_device_with_its_figures_and_source(netwright: Netwright) -> None:
    lines = netwright("devices").text.splitlines()
    for device in DEVICES.values():
        figures, source = (line for line in lines if line.startswith(f"{device.name} "))
        assert figures.endswith(device.core)
        assert source.endswith(device.source)
    # MCUNet, arXiv:2007.10319: 320 KB of SRAM and 1 MB of flash; 512 KB and 2 MB.
    shown = {line.split()[0]: line.split()[1:7] for line in reversed(lines) if line}
    assert shown["stm32f746"] == ["320", "KB", "1", "MB", "216", "MHz"]
    assert shown["stm32h743"] == ["512", "KB", "2", "MB", "480", "MHz"]


def test_one_device_with_what_it_leaves(netwright: Netwright) -> None:
    found = netwright("devices", "STM32_F746", "--json").json
    budget = budget_for("stm32f746")
    assert found == {**DEVICES["stm32f746"].to_dict(), "budget": budget.to_dict()}
    text = netwright("devices", "stm32f746").text
    for line in budget.explain():
        assert line in text
    for part in ("STM32F746xG", "320 KB", "216 MHz", "DS10916", "Data TCM"):
        assert part in text


def test_block_and_total_of_sram_are_told_apart(netwright: Netwright) -> None:
    assert "512 KB in one block, 1 MB in all" in netwright("devices", "stm32h743").text


def test_a_device_without_limits(netwright: Netwright) -> None:
    assert netwright("devices", "host-cpu").text.count("no limit") == 3


@pytest.mark.parametrize("arguments", [["stm32f747"], ["stm32f747", "--json"]])
def test_unknown_device_names_those_that_are_near(arguments: list[str], netwright: Netwright) -> None:
    error = netwright("devices", *arguments).error
    assert "got 'stm32f747'; did you mean " in error
    assert "stm32f746" in error
