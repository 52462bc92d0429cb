"""Named targets with their memory and clock, and where each figure comes from.

``sram_bytes`` is the largest region in which one program can hold one tensor arena, not the sum of all memory
on the chip, because an interpreter plans all activations inside a single block. Where the two differ, the
sum is in ``sram_total_bytes`` and the note says what was left out. The figures for STM32F746 (320 KB, 1 MB)
and STM32H743 (512 KB, 2 MB) are also those that the field uses [Lin et al. 2020, arXiv:2007.10319 (MCUNet)].

Flash is the part that the program and the network share. Nothing is subtracted here: what the runtime needs
is subtracted by the budget, which says how much.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from netwright.devices.npu import NpuTarget
from netwright.devices.units import KB, MB
from netwright.errors import BudgetError, ConfigError

MHZ = 1_000_000


def _normal(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@dataclass(frozen=True, slots=True)
class Device:
    """A target: what it can hold, how fast it runs, and who says so.

    Attributes:
        name: the name on the command line, lower case.
        title: the name that its maker uses.
        core: the processor core.
        clock_hz: highest rated clock in hertz, or None where there is no single one.
        sram_bytes: bytes of the largest region for one tensor arena, or None for no limit.
        flash_bytes: bytes of program flash, or None for no limit.
        source: documents that the figures are from.
        note: which figure was used where several exist, and why.
        sram_total_bytes: bytes of all general SRAM that the maker states, where that is more.
        npu: the neural processing unit, for estimates by vela; None without one.
    """

    name: str
    title: str
    core: str
    clock_hz: int | None
    sram_bytes: int | None
    flash_bytes: int | None
    source: str
    note: str = ""
    sram_total_bytes: int | None = None
    npu: NpuTarget | None = None

    def __post_init__(self) -> None:
        """Check that the figures can be figures.

        Raises:
            BudgetError: if the name is empty, a figure is not positive, or the total is less than its part.
        """
        if isinstance(self.npu, Mapping):  # as to_dict gives it
            object.__setattr__(self, "npu", NpuTarget(**self.npu))
        if not _normal(self.name):
            raise BudgetError(f"device: expected a name with letters or digits, got {self.name!r}")
        for field in ("clock_hz", "sram_bytes", "flash_bytes", "sram_total_bytes"):
            value = getattr(self, field)
            if value is not None and value <= 0:
                raise BudgetError(
                    f"{self.name}.{field}: expected a positive number, got {value}; use None for no limit"
                )
        if self.sram_total_bytes is not None and self.sram_total_bytes < (self.sram_bytes or 0):
            raise BudgetError(
                f"{self.name}.sram_total_bytes: expected at least sram_bytes = {self.sram_bytes}, "
                f"got {self.sram_total_bytes}; leave it out where the two are equal"
            )

    def to_dict(self) -> dict[str, Any]:
        """Give the device as plain JSON values."""
        return asdict(self)


_CATALOGUE = (
    Device(
        name="stm32f412",
        title="STM32F412xG",
        core="Arm Cortex-M4F",
        clock_hz=100 * MHZ,
        sram_bytes=256 * KB,
        flash_bytes=1 * MB,
        source="ST data sheet DS11139 (STM32F412xE STM32F412xG); ST RM0402 section 2.1, figure 1",
        note="One block of SRAM. The xG parts have 1 MB of flash, the xE parts 512 KB.",
    ),
    Device(
        name="stm32f446",
        title="STM32F446xE",
        core="Arm Cortex-M4F",
        clock_hz=180 * MHZ,
        sram_bytes=128 * KB,
        flash_bytes=512 * KB,
        source="ST data sheet DS10693 (STM32F446xC/E); ST RM0390 section 2.1",
        note="SRAM1 (112 KB) and SRAM2 (16 KB) follow each other in the address map and serve as one block. "
        "The 4 KB of backup SRAM are not counted. The xE parts have 512 KB of flash, the xC parts 256 KB.",
    ),
    Device(
        name="stm32f746",
        title="STM32F746xG",
        core="Arm Cortex-M7",
        clock_hz=216 * MHZ,
        sram_bytes=320 * KB,
        flash_bytes=1 * MB,
        source="ST data sheet DS10916 (STM32F745xx STM32F746xx); ST RM0385 section 2.1, figure 1; "
        "the figures of MCUNet, arXiv:2007.10319",
        note="Data TCM (64 KB), SRAM1 (240 KB) and SRAM2 (16 KB) follow each other and serve as one block. "
        "Instruction TCM (16 KB) and backup SRAM (4 KB) are not counted.",
    ),
    Device(
        name="stm32f767",
        title="STM32F767xI",
        core="Arm Cortex-M7",
        clock_hz=216 * MHZ,
        sram_bytes=512 * KB,
        flash_bytes=2 * MB,
        source="ST data sheet DS11532 (STM32F765xx to STM32F769xx); ST RM0410 section 2.1, figure 1",
        note="Data TCM (128 KB), SRAM1 (368 KB) and SRAM2 (16 KB) follow each other and serve as one block. "
        "Instruction TCM (16 KB) and backup SRAM (4 KB) are not counted.",
    ),
    Device(
        name="stm32h743",
        title="STM32H743xI",
        core="Arm Cortex-M7",
        clock_hz=480 * MHZ,
        sram_bytes=512 * KB,
        flash_bytes=2 * MB,
        source="ST data sheet DS12110 (STM32H742xI/G STM32H743xI/G); the figures of MCUNet, arXiv:2007.10319",
        note="The chip has 1 MB in banks of several domains that do not follow each other; the AXI SRAM of "
        "512 KB is the largest, and the one that MCUNet counts. 480 MHz needs silicon revision V, earlier "
        "ones reach 400 MHz.",
        sram_total_bytes=1 * MB,
    ),
    Device(
        name="nrf52840",
        title="nRF52840",
        core="Arm Cortex-M4F",
        clock_hz=64 * MHZ,
        sram_bytes=256 * KB,
        flash_bytes=1 * MB,
        source="Nordic nRF52840 Product Specification, chapters CPU and Memory",
        note="All of RAM and flash. A Bluetooth stack takes its part of both: then give --max-sram and "
        "--max-flash.",
    ),
    Device(
        name="samd21g18",
        title="ATSAMD21G18A, of the Arduino Zero",
        core="Arm Cortex-M0+",
        clock_hz=48 * MHZ,
        sram_bytes=32 * KB,
        flash_bytes=256 * KB,
        source="Microchip data sheet DS40001882 (SAM D21/DA1), Zephyr's page of the board Seeeduino XIAO",
        note="All of SRAM and flash; a boot loader takes 8 KB of flash on the Arduino Zero: then give "
        "--max-flash.",
    ),
    Device(
        name="rp2040",
        title="RP2040 on a Raspberry Pi Pico",
        core="two Arm Cortex-M0+",
        clock_hz=133 * MHZ,
        sram_bytes=264 * KB,
        flash_bytes=2 * MB,
        source="Raspberry Pi RP2040 Datasheet, section Memory; Raspberry Pi Pico Datasheet",
        note="Six banks of SRAM that the address map joins into one block. The chip has no flash of its own: "
        "2 MB is the external chip of the Pico board, other boards carry up to 16 MB.",
    ),
    Device(
        name="esp32-s3",
        title="ESP32-S3-WROOM-1-N8",
        core="two Xtensa LX7",
        clock_hz=240 * MHZ,
        sram_bytes=0x53700,
        flash_bytes=8 * MB,
        source="Espressif ESP32-S3 Series Datasheet and ESP32-S3-WROOM-1 Datasheet; ESP-IDF "
        "components/esp_system/ld/esp32s3/memory.ld.in (SRAM_DRAM_START to SRAM_DRAM_END)",
        note="Of 512 KB of SRAM, caches, the ROM and the second loader leave 341,760 bytes (0x53700) in "
        "which ESP-IDF can place static data; code kept in RAM and Wi-Fi take from the same region. Flash is "
        "that of the module: 8 MB on the N8, 4 and 16 MB on others. External PSRAM is not counted.",
        sram_total_bytes=512 * KB,
    ),
    Device(
        name="alif-e7",
        title="Alif Ensemble E7 (AE722F80F55D5), high-performance core",
        core="Arm Cortex-M55 with an Ethos-U55 of 256 MACs",
        clock_hz=400 * MHZ,
        sram_bytes=4 * MB,
        flash_bytes=0x580000,
        source="Alif SDK for Zephyr, application note Ethos U-55 NPU (cores, clocks, MACs) and device tree "
        "of the E7 (SRAM0, SRAM1); Arm learning path on the Ensemble's memory (MRAM)",
        note="SRAM0 of 4 MB; SRAM1 (2.5 MB) lies elsewhere, and the memories next to the cores are not "
        "counted. The program lies in 5.5 MB of MRAM, which all cores share. Vela's estimates are for Arm's "
        "own reference system, whose NPU runs at 500 MHz: at 400 MHz a network takes about a quarter longer.",
        npu=NpuTarget("ethos-u55-256", "Ethos_U55_High_End_Embedded", "Shared_Sram"),
    ),
    Device(
        name="host-cpu",
        title="the computer that netwright runs on",
        core="any",
        clock_hz=None,
        sram_bytes=None,
        flash_bytes=None,
        source="no document: nothing is limited",
        note="No limits; give limits by hand where they are wanted.",
    ),
)

DEVICES: Mapping[str, Device] = MappingProxyType({device.name: device for device in _CATALOGUE})
"""All known devices by name, in the order of the catalogue."""


def find_device(name: str) -> Device:
    """Look a device up by its name; case, dashes, underscores and spaces do not matter.

    Args:
        name: e.g. ``stm32f746``, ``STM32-F746`` or ``esp32_s3``.

    Raises:
        ConfigError: if there is no such device; the message lists the nearest names.

    >>> find_device("STM32-F746").title
    'STM32F746xG'
    """
    wanted = _normal(name)
    by_normal_name = {_normal(device.name): device for device in DEVICES.values()}
    if wanted in by_normal_name:
        return by_normal_name[wanted]
    near = difflib.get_close_matches(wanted, by_normal_name, n=3, cutoff=0.6)
    names = ", ".join(by_normal_name[match].name for match in near)
    hint = f"did you mean {names}?" if near else f"known are {', '.join(DEVICES)}."
    raise ConfigError(
        f"device: expected the name of a device, got {name!r}; {hint} `netwright devices` lists them all"
    )
