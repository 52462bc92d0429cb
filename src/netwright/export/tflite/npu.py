"""What a file takes on an Ethos-U, by the estimates of Arm's compiler vela.

They are the compiler's own figures, not measurements: the model of its performance is approximate, and Arm
advises a simulator or the chip for real ones.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from netwright.devices import NpuTarget
from netwright.errors import ExportError
from netwright.export.tflite.child import last_lines, run_module
from netwright.export.tflite.description import kinds
from netwright.export.tflite.extra import require


@dataclass(frozen=True, slots=True)
class NpuEstimate:
    """What vela estimates for one image.

    Attributes:
        target: for which system.
        sram_bytes: activations and whatever else the memory mode puts into SRAM.
        flash_bytes: on-chip and off-chip flash together: compressed weights and commands.
        dram_bytes: 0 unless the memory mode uses it.
        cycles: in all, at the clock of the system.
        milliseconds: by that clock.
        npu_operators: how many operators vela made of the network that run on the NPU.
        cpu_operators: names of the operators that stay on the CPU, one entry for each.
    """

    target: NpuTarget
    sram_bytes: int
    flash_bytes: int
    dram_bytes: int
    cycles: int
    milliseconds: float
    npu_operators: int
    cpu_operators: tuple[str, ...]


def estimate_npu(file: bytes, target: NpuTarget) -> NpuEstimate:
    """Compile a file for an Ethos-U with vela and read its estimates.

    Args:
        file: what ``convert`` gave.
        target: the NPU and its system.

    Raises:
        MissingDependencyError: if ethos-u-vela is not installed.
        ExportError: if vela cannot compile the file, or does not know the target.
    """
    require("ethos-u-vela", "ethosu")
    with tempfile.TemporaryDirectory(prefix="netwright-vela-") as name:
        folder = Path(name)
        (folder / "model.tflite").write_bytes(file)
        done = run_module(
            "ethosu.vela",
            *("--accelerator-config", target.accelerator),
            *("--config", target.config),
            *("--system-config", target.system_config),
            *("--memory-mode", target.memory_mode),
            *("--output-dir", name),
            str(folder / "model.tflite"),
        )
        summary = folder / f"model_summary_{target.system_config}.csv"
        compiled = folder / "model_vela.tflite"
        if done.returncode or not summary.exists() or not compiled.exists():
            raise ExportError(
                f"vela: cannot compile for {target.accelerator}, {target.system_config}, "
                f"{target.memory_mode} of {target.config} (code {done.returncode}); it last printed:\n"
                f"{last_lines(done, 1)}"
            )
        with summary.open(newline="", encoding="utf-8") as table:
            (row,) = csv.DictReader(table)
        left = Counter(kinds(compiled.read_bytes()))
    left.pop("CUSTOM", None)
    return NpuEstimate(
        target=target,
        sram_bytes=_bytes(row, "sram_memory_used"),
        flash_bytes=_bytes(row, "on_chip_flash_memory_used") + _bytes(row, "off_chip_flash_memory_used"),
        dram_bytes=_bytes(row, "dram_memory_used"),
        cycles=round(float(row["cycles_total"])),
        milliseconds=1e3 * float(row["inference_time"]),
        npu_operators=_count(done.stdout),
        cpu_operators=tuple(left.elements()),
    )


def _count(printed: str) -> int:
    found = re.search(r"NPU operators = (\d+)", printed)
    if found is None:
        raise ExportError(f"vela: expected a line 'NPU operators = ...', got:\n{printed[-500:]}")
    return int(found[1])


def _bytes(row: dict[str, str], column: str) -> int:
    """A size that the table gives in KiB."""
    return round(1024 * float(row[column]))
