"""``netwright devices``: the catalogue of targets, and what one of them leaves for a network."""

from __future__ import annotations

from typing import Annotated

import typer

from netwright.cli.output import Column, Json, print_json, print_line, print_table
from netwright.devices import DEVICES, Device, NpuTarget, budget_for, find_device, format_bytes

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def devices(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One device, in detail.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """List the devices, or show one and what it leaves for a network."""
    if name is None:
        if json:
            print_json({"devices": [device.to_dict() for device in DEVICES.values()]})
        else:
            _print_catalogue()
        return
    device = find_device(name)
    budget = budget_for(device)
    if json:
        print_json({**device.to_dict(), "budget": budget.to_dict()})
        return
    _print_device(device)
    print_line()
    print_line("What a network may use of it (--sram-margin and --flash-margin change what is kept):")
    for line in budget.explain():
        print_line(f"  {line}")


def _memory(size: int | None) -> str:
    return "no limit" if size is None else format_bytes(size)


def _clock(device: Device) -> str:
    return "-" if device.clock_hz is None else f"{device.clock_hz / 1e6:g} MHz"


def _print_catalogue() -> None:
    columns = (
        Column("device"),
        Column("SRAM", right=True),
        Column("flash", right=True),
        Column("clock", right=True),
        Column("core"),
    )
    rows = [
        (
            device.name,
            _memory(device.sram_bytes),
            _memory(device.flash_bytes),
            _clock(device),
            device.core,
        )
        for device in DEVICES.values()
    ]
    print_table(columns, rows)
    print_line()
    # A table of its own: beside the figures, a terminal would leave it a few characters a line.
    sources = [(device.name, device.source) for device in DEVICES.values()]
    print_table((Column("device"), Column("source of the figures")), sources)
    print_line()
    print_line("SRAM is the largest block for one tensor arena. 1 KB = 1024 bytes.")
    print_line("`netwright devices NAME` shows how much of it a network may use.")


def _npu(npu: NpuTarget) -> str:
    return f"{npu.accelerator}, for vela {npu.system_config}, {npu.memory_mode} of {npu.config}"


def _print_device(device: Device) -> None:
    total = device.sram_total_bytes
    sram = _memory(device.sram_bytes) + (f" in one block, {format_bytes(total)} in all" if total else "")
    rows = [
        ("device", f"{device.name} ({device.title})"),
        ("core", device.core),
        ("clock", _clock(device)),
        ("SRAM", sram),
        ("flash", _memory(device.flash_bytes)),
        *([] if device.npu is None else [("NPU", _npu(device.npu))]),
        ("source", device.source),
        *([("note", device.note)] if device.note else []),
    ]
    print_table((Column(""), Column("")), rows)
