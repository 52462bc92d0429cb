"""What is known of a deployed network, as values and as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright.devices import Budget, Verdict
from netwright.export import tflite
from netwright.ir.cost import cost
from netwright.ir.graph import Graph
from netwright.ir.tflm import INTERPRETER, TflmCost
from netwright.nn.kind import IMAGES
from netwright.pipeline.deployment.finished import FinishedRun

if TYPE_CHECKING:
    from netwright.export.tflite.description import TensorFacts
    from netwright.export.tflite.fine_tuning import FineTuned

FORMAT = 1
HOST_TAIL = "host64"
"""The tail of a 64-bit computer: the one that can be measured here, and that the verdict is by."""

COMPARED = ("head_bytes", "tail_bytes", "arena_bytes", "flash_bytes")
"""The figures that are both predicted and measured."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where the ranges of int8 come from.

    Attributes:
        rows: of the training set, sorted.
        train: number of rows that they were drawn from.
    """

    rows: tuple[int, ...]
    train: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """What the interpreters said about a file.

    Attributes:
        comparison: labels and arena, on the whole test set.
        smallest_arena_bytes: the smallest arena with which it runs, see ``tflite.smallest_arena``.
        file: what it consists of.
        npu: vela's estimate, if it was asked for.
    """

    comparison: tflite.Comparison
    smallest_arena_bytes: int
    file: tflite.FileFacts
    npu: tflite.NpuEstimate | None = None

    def sizes(self) -> dict[str, int]:
        """The figures of ``COMPARED``."""
        micro = self.comparison.micro
        return {
            "head_bytes": micro.head_bytes,
            "tail_bytes": micro.tail_bytes,
            "arena_bytes": micro.arena_bytes,
            "flash_bytes": self.file.bytes,
        }


@dataclass(frozen=True)
class Deployment:
    """A deployed network.

    Attributes:
        out: the folder with its files.
        facts: the content of ``deploy.json``.
    """

    out: Path
    facts: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """The measured sizes, and the costs that are not measured, held against the budget."""
        return Verdict.from_dict(self.facts["verdict"])

    @property
    def fits(self) -> bool:
        """Whether all limits hold."""
        return bool(self.facts["fits"])


def summarise(
    run: FinishedRun,
    graph: Graph,
    predicted: TflmCost,
    head_as_defined: int,
    measured: Measurement,
    budget: Budget,
    calibration: Calibration,
    tuned: FineTuned | None,
) -> dict[str, Any]:
    """Give everything as plain JSON values.

    Args:
        run: the search.
        graph: the deployed network in its order of execution.
        predicted: what was counted of it.
        head_as_defined: predicted head in the order of definition, in bytes.
        measured: what the file does.
        budget: the limits.
        calibration: what the ranges of int8 come from.
        tuned: what came of a fine-tuning, if it was not ruled out.

    Raises:
        BudgetError: if a limit is on a cost that is not known.
    """
    expected = _predicted(predicted)
    sizes = measured.sizes()
    # The arena that must be given: planning may take more than head and tail, for a while.
    arena = {"arena_bytes": measured.smallest_arena_bytes}
    verdict = budget.check({**counted_costs(run, graph), **sizes, **arena})
    comparison = measured.comparison
    return {
        "format": FORMAT,
        "run": {"architecture": run.result["architecture"]["key"], "data": dict(run.result["data"])},
        "device": budget.device,
        "fits": verdict.fits,
        "verdict": verdict.to_dict(),
        "budget": budget.to_dict(),
        "predicted": expected,
        "measured": {
            **sizes,
            "tail": HOST_TAIL,
            "smallest_arena_bytes": measured.smallest_arena_bytes,
        },
        "differences": {name: sizes[name] - expected[name] for name in COMPARED},
        "accuracy": {
            "float": comparison.float_accuracy,
            "int8_tflm": comparison.micro_accuracy,
            "int8_litert": comparison.litert_accuracy,
        },
        "agreement": comparison.agreement,
        "float_agreement": comparison.float_agreement,
        "test_images": comparison.images,
        "interpreter": {
            "package": "tflite-micro",
            "version": version("tflite-micro"),
            "predicted_for": INTERPRETER,
        },
        "operators": [operator.kind for operator in measured.file.operators],
        "order": {
            "nodes": [node.name for node in graph.nodes],
            "head_bytes_as_defined": head_as_defined,
        },
        "calibration": {
            "images": len(calibration.rows),
            "of_training_images": calibration.train,
            "seed": run.seed,
            "method": "smallest and largest value of each activation",
            "rows": list(calibration.rows),
        },
        "fine_tuning": None if tuned is None else tuned.to_dict(),
        "input": {**_tensor(measured.file.tensors[measured.file.inputs[0]]), **_normalisation(run)},
        "output": {
            **_tensor(measured.file.tensors[measured.file.outputs[0]]),
            "classes": list(run.facts["classes"]),
        },
        "npu": None if measured.npu is None else _npu(measured.npu),
        "versions": _versions(),
    }


def _predicted(found: TflmCost) -> dict[str, Any]:
    return {
        "head_bytes": found.head_bytes,
        "tail_bytes": found.tail_bytes_host64,
        "arena_bytes": found.arena_bytes_host64,
        "flash_bytes": found.flash_bytes,
        "tail": HOST_TAIL,
        "tail_bytes_mcu32": found.tail_bytes_mcu32,
        "arena_bytes_mcu32": found.arena_bytes_mcu32,
        "smallest_arena_bytes": found.smallest_arena_host64,
        "live_bytes": found.live_bytes,
    }


def counted_costs(run: FinishedRun, graph: Graph) -> dict[str, int]:
    """The costs that no interpreter measures: counted, and the latency by the run's table if it had one.

    Args:
        run: the search.
        graph: the deployed network.
    """
    searched = run.result["costs"]
    known = {name: int(value) for name, value in searched.items() if name == "latency_ns"}
    return known | cost(graph, memory_model=searched["memory_model"]).totals()


def _tensor(tensor: TensorFacts) -> dict[str, Any]:
    return {
        "shape": list(tensor.shape),
        "type": tensor.type,
        "scale": tensor.scales[0],
        "zero_point": tensor.zero_points[0],
    }


def _normalisation(run: FinishedRun) -> dict[str, Any]:
    names = ("channel_order", "mean", "std", "pixel_range", "resize")
    # Exports of earlier versions are of images, and say neither.
    later = {"kind": run.facts.get("kind", IMAGES.name), "front_end": run.facts.get("front_end")}
    return {name: run.facts[name] for name in names} | later


def _npu(found: tflite.NpuEstimate) -> dict[str, Any]:
    return {
        **asdict(found),
        "cpu_operators": list(found.cpu_operators),
        "source": "estimated by ethos-u-vela",
    }


def _versions() -> dict[str, str]:
    packages = ("netwright", "torch", "litert-torch", "ai-edge-quantizer", "ai-edge-litert", "tflite-micro")
    return {name: version(name) for name in packages}
