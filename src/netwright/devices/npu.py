"""Neural processing units beside a microcontroller's core."""

from __future__ import annotations

from dataclasses import dataclass

ARM_CONFIG = "Arm/vela.ini"
"""The file of systems and memory modes that vela brings."""


@dataclass(frozen=True, slots=True)
class NpuTarget:
    """An NPU in its system. All of it is explicit: vela's own defaults differ from one NPU to the next.

    Attributes:
        accelerator: such as ethos-u55-128.
        system_config: name of a section System_Config of the file, such as Ethos_U55_High_End_Embedded.
        memory_mode: name of a section Memory_Mode of the file, such as Shared_Sram.
        config: the file of both, as vela's --config takes it.
    """

    accelerator: str
    system_config: str
    memory_mode: str
    config: str = ARM_CONFIG
