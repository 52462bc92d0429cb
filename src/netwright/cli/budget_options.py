"""The budget options, the same for every verb that has them.

A verb takes one parameter for each option, annotated with the types below, and hands all of them to
``budget_from``; or ``budget_parameters`` are put into its signature, and it gets them by name::

    def search(..., device: Device = None, max_sram: MaxSram = None, ...) -> None:
        budget = budget_from(device, max_sram, max_flash, ...)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from inspect import Parameter
from types import MappingProxyType
from typing import Annotated, Any

import typer

from netwright.devices import Budget, Quantity, budget_for
from netwright.errors import BudgetError

_PARAMETER = re.compile(r"\b(max_(?:sram|flash|macs|params|latency|head|arena|file)|(?:sram|flash)_margin)\b")
"""Names that ``budget_for`` uses in its errors."""

Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="NAME", help="Take SRAM and flash of a device; `netwright devices` lists them."
    ),
]
MaxSram = Annotated[
    str | None,
    typer.Option(
        "--max-sram", metavar="SIZE", help="SRAM, such as 64KB (1 KB = 1024 bytes), program included."
    ),
]
MaxFlash = Annotated[
    str | None,
    typer.Option("--max-flash", metavar="SIZE", help="Flash, such as 256KB, program included."),
]
MaxMacs = Annotated[
    str | None,
    typer.Option("--max-macs", metavar="COUNT", help="Multiply-accumulates, such as 2M (1 M = 1000000)."),
]
MaxParams = Annotated[
    str | None, typer.Option("--max-params", metavar="COUNT", help="Parameters, such as 60k (1 k = 1000).")
]
MaxLatency = Annotated[
    str | None,
    typer.Option(
        "--max-latency", metavar="TIME", help="Time of one pass, such as 20ms, by the latency table."
    ),
]
LatencyFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--latency-table",
        metavar="FILE",
        help="Measured times of ops or blocks; may be repeated, for several resolutions, say.",
    ),
]
SramMargin = Annotated[
    float | None,
    typer.Option(
        "--sram-margin",
        metavar="SHARE",
        help="Share of the SRAM kept for the program, from 0 to below 1, in place of the built-in rule.",
    ),
]
MaxHead = Annotated[
    str | None,
    typer.Option("--max-head", metavar="SIZE", help="Planned activations of TensorFlow Lite Micro."),
]
MaxArena = Annotated[
    str | None,
    typer.Option("--max-arena", metavar="SIZE", help="Tensor arena itself, in place of a part of the SRAM."),
]
MaxFile = Annotated[
    str | None,
    typer.Option("--max-file", metavar="SIZE", help="Model file itself, in place of a part of the flash."),
]
FlashMargin = Annotated[
    float | None,
    typer.Option("--flash-margin", metavar="SHARE", help="The same for flash."),
]
BUDGET_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        "device": Device,
        "max_sram": MaxSram,
        "max_flash": MaxFlash,
        "max_macs": MaxMacs,
        "max_params": MaxParams,
        "sram_margin": SramMargin,
        "flash_margin": FlashMargin,
        "max_latency": MaxLatency,
        "max_head": MaxHead,
        "max_arena": MaxArena,
        "max_file": MaxFile,
    }
)
"""The type of each option by the name of its parameter."""


def budget_from(
    device: str | None = None,
    max_sram: Quantity | None = None,
    max_flash: Quantity | None = None,
    max_macs: Quantity | None = None,
    max_params: Quantity | None = None,
    sram_margin: float | None = None,
    flash_margin: float | None = None,
    max_latency: Quantity | None = None,
    max_head: Quantity | None = None,
    max_arena: Quantity | None = None,
    max_file: Quantity | None = None,
) -> Budget:
    """Make the budget that the options ask for; errors name the option as it is typed.

    Raises:
        BudgetError: if a limit cannot be read, is zero, or leaves nothing beside the margin.
        ConfigError: if the device is unknown.
    """
    try:
        return budget_for(
            device,
            max_sram=max_sram,
            max_flash=max_flash,
            max_macs=max_macs,
            max_params=max_params,
            sram_margin=sram_margin,
            flash_margin=flash_margin,
            max_latency=max_latency,
            max_head=max_head,
            max_arena=max_arena,
            max_file=max_file,
        )
    except BudgetError as error:
        raise BudgetError(_PARAMETER.sub(_as_option, str(error))) from None


def budget_parameters() -> list[Parameter]:
    """One keyword of ``budget_from`` for each option, with its type, for the signature of a verb."""
    return [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in BUDGET_OPTIONS.items()
    ]


def _as_option(parameter: re.Match[str]) -> str:
    return "--" + parameter[0].replace("_", "-")
