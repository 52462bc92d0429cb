"""The job of ``netwright deploy``: convert the network of a search, and measure what it became."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from netwright.devices import DEVICES, Budget, Device, NpuTarget, budget_for, find_device
from netwright.errors import ConfigError, ExportError
from netwright.export import staged, tflite
from netwright.export.tflite.extra import require
from netwright.export.tflite.fine_tuning import Rows, fine_tuned
from netwright.files import write_whole
from netwright.ir.graph import Graph
from netwright.ir.prune import prune_dead
from netwright.ir.runtime import RUNTIME
from netwright.ir.tflm import best_order, reconcile, reordered, tflm_cost
from netwright.nn.data import Data, Split, open_test_set
from netwright.nn.lower import Network, build
from netwright.nn.prepare import prepare
from netwright.pipeline.deployment.finished import FinishedRun, load_again, read_run
from netwright.pipeline.deployment.page import page
from netwright.pipeline.deployment.summary import (
    Calibration,
    Deployment,
    Measurement,
    counted_costs,
    summarise,
)
from netwright.seeding import rng_for

CALIBRATION = 500
"""Training images whose extremes become the ranges of int8, unless it is said."""

FINE_TUNE = ("auto", "always", "never")
"""When to fine-tune: where int8 loses too much, whatever it loses, or not at all."""

FOLDER = "deploy"
"""Where the files are put, in the run directory, unless it is said."""

FACTS, PAGE = "deploy.json", "deploy.md"
_PACKAGES = {
    "litert-torch": "litert_torch",
    "ai-edge-quantizer": "ai_edge_quantizer",
    "ai-edge-litert": "ai_edge_litert",
    "tflite-micro": "tflite_micro",
}

OnStep = Callable[[str], None]


def deploy(
    run: str | Path,
    *,
    device: Device | str | None = None,
    budget: Budget | None = None,
    data: Any = None,
    out: str | Path | None = None,
    calibration: int = CALIBRATION,
    npu: NpuTarget | None = None,
    fine_tune: str = "auto",
    on_step: OnStep | None = None,
) -> Deployment:
    """Make the int8 file of a finished search, and measure it with the interpreters that will run it.

    The network loses its dead ops and gets the order of execution with the smallest head. Its memory is
    predicted, it is converted, and the file's operators are compared with the prediction. Then the whole test
    set runs through TensorFlow Lite Micro, LiteRT and torch. Files are written whether it fits or not: the
    TFLite file, a script that runs it, C sources, ``deploy.md`` and, last, ``deploy.json``.

    Args:
        run: run directory of ``search``.
        device: a device or its name, whose limits are the budget.
        budget: the limits themselves; None without a device takes those of the run.
        data: the data, where they cannot be loaded again by name; what ``search`` was given.
        out: folder of the files; ``deploy`` in the run directory unless it is said.
        calibration: number of training images that the ranges of int8 are taken from.
        npu: an Ethos-U whose estimates are wanted too; None takes that of the device, if it has one.
        fine_tune: whether the network is trained on with int8's rounding: ``auto`` where int8 is more than
            0.5 points worse than float on the rows that validate, ``always`` or ``never``. What is better
            there is kept.
        on_step: called with a few words before every step that takes seconds.

    Returns:
        What was measured; ``fits`` says whether all limits hold.

    Raises:
        MissingDependencyError: if the extra ``edge`` is not installed.
        ConfigError: if there is no such run, it labels pixels, or an argument is wrong.
        StudyError: if the search is not finished.
        DataError: if the data cannot be loaded, or are others.
        BudgetError: if a limit is on a cost that is not known.
        ExportError: if the conversion or an interpreter fails, or the file's operators are not the predicted
            ones.
    """
    tell = on_step or _ignore
    _check(calibration, device, budget, fine_tune)
    found = read_run(Path(run))
    target = _folder(found, out)
    graph = prune_dead(found.network.graph)
    limits = _limits(found, graph, device, budget)
    target_npu = npu or _npu_of(device, limits)
    _require(target_npu)
    ordered = reordered(graph, best_order(graph))
    predicted = tflm_cost(ordered)
    network = _rebuilt(found.network, ordered)
    tell("load data")
    loaded, rows = load_again(found, data)
    chosen = calibration_rows(found, rows, calibration)
    tell(f"convert, calibrated on {len(chosen)} images")
    examples = _prepared(found, loaded.images[chosen])

    def convert(trained: Network) -> bytes:
        made = tflite.convert(trained, examples)
        reconcile(predicted.program, tflite.kinds(made))
        return made

    file = convert(network)
    tuned = None
    if fine_tune != "never":
        tell(f"run {len(rows.validation_indices)} validation images through LiteRT and torch")

        def labelled(indices: npt.NDArray[np.int64]) -> Rows:
            return _prepared(found, loaded.images[indices]), loaded.labels[indices]

        file, tuned = fine_tuned(
            network,
            file,
            convert,
            partial(labelled, rows.train_indices),
            labelled(rows.validation_indices),
            found.recipe,
            found.seed,
            always=fine_tune == "always",
            on_step=tell,
        )
    measured = _measure(found, loaded, network, file, target_npu, tell)
    calibrated = Calibration(tuple(map(int, chosen)), len(rows.train_indices))
    as_defined = tflm_cost(graph).head_bytes
    facts = summarise(found, ordered, predicted, as_defined, measured, limits, calibrated, tuned)
    _write(target, file, facts, measured, found, loaded, chosen)
    return Deployment(target, facts)


def calibration_rows(run: FinishedRun, rows: Split, number: int) -> npt.NDArray[np.int64]:
    """Rows for calibration: drawn without replacement from those that train, by the seed of the run.

    Args:
        run: the run.
        rows: its split.
        number: how many; all that train, if they are fewer.

    Returns:
        Sorted row numbers of the training set.
    """
    train = rows.train_indices
    drawn = rng_for(run.seed, "calibration").permutation(len(train))[:number]
    chosen: npt.NDArray[np.int64] = np.sort(train[drawn])
    return chosen


def _ignore(step: str) -> None:
    pass


def _check(calibration: int, device: Device | str | None, budget: Budget | None, fine_tune: str) -> None:
    """Check what can be checked before anything is read."""
    if calibration < 1:
        raise ConfigError(f"deploy: calibration: expected at least 1 image, got {calibration}")
    if device is not None and budget is not None:
        raise ConfigError(
            "deploy: expected a device or a budget, got both; budget_for(device, ...) joins them"
        )
    if fine_tune not in FINE_TUNE:
        raise ConfigError(f"deploy: fine_tune: expected one of {', '.join(FINE_TUNE)}, got {fine_tune!r}")


def _npu_of(device: Device | str | None, limits: Budget) -> NpuTarget | None:
    """The NPU of the device that was given, or else of the one that was searched for."""
    if isinstance(device, Device):
        return device.npu
    if device is not None:
        return find_device(device).npu
    # A device of the user's own is not in the catalogue.
    known = None if limits.device is None else DEVICES.get(limits.device)
    return None if known is None else known.npu


def _require(npu: NpuTarget | None) -> None:
    """Check that the extra is there, before anything takes time."""
    for package, module in _PACKAGES.items():
        require(package, module)
    if npu is not None:
        require("ethos-u-vela", "ethosu")


def _folder(run: FinishedRun, out: str | Path | None) -> Path:
    target = run.folder / FOLDER if out is None else Path(out).expanduser()
    if target.exists() and not target.is_dir():
        raise ConfigError(
            f"deploy: {target}: expected a folder for the files, found a file; give another one"
        )
    return target


def _limits(run: FinishedRun, graph: Graph, device: Device | str | None, budget: Budget | None) -> Budget:
    """The budget; a limit that nothing can be held against is said before anything takes time."""
    limits = run.budget if budget is None else budget
    if device is not None:
        limits = budget_for(device)
    limits.check({**counted_costs(run, graph), **dict.fromkeys(RUNTIME, 0)})
    return limits


def _rebuilt(network: Network, graph: Graph) -> Network:
    """The network of a graph of the same places, with the weights of these."""
    new = build(graph, seed=0)
    state = network.state_dict()
    new.load_state_dict({key: state[key] for key in new.state_dict()})
    return new.eval()


def _prepared(run: FinishedRun, images: Any) -> Any:
    """Images as the network reads them, (N, C, H, W)."""
    _, height, width = run.network.graph.input_shape
    return prepare(images, (height, width), run.facts["mean"], run.facts["std"])


def _measure(
    run: FinishedRun,
    data: Data,
    network: Network,
    file: bytes,
    npu: NpuTarget | None,
    tell: OnStep,
) -> Measurement:
    images, labels = open_test_set(data)
    tell(f"run {len(labels)} test images through TensorFlow Lite Micro, LiteRT and torch")
    comparison = tflite.compare_interpreters(file, _prepared(run, images), labels, network)
    tell("look for the smallest arena")
    smallest = tflite.smallest_arena(file)
    estimate = None
    if npu is not None:
        tell(f"estimate {npu.accelerator}")
        estimate = tflite.estimate_npu(file, npu)
    return Measurement(comparison, smallest, tflite.describe(file), estimate)


def _write(
    target: Path,
    file: bytes,
    facts: dict[str, Any],
    measured: Measurement,
    run: FinishedRun,
    data: Data,
    chosen: npt.NDArray[np.int64],
) -> None:
    """Write all files; ``deploy.json`` comes last, and an old one goes first."""
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    example = _prepared(run, data.images[chosen[:1]]).numpy()[0]
    try:
        (target / FACTS).unlink(missing_ok=True)
        with staged(target) as draft:
            tflite.write_tflite(file, draft)
            tflite.write_c_sources(file, draft, arena_bytes=measured.smallest_arena_bytes, example=example)
            (draft / PAGE).write_text(page(facts), encoding="utf-8")
        write_whole(target / FACTS, text)
    except OSError as error:
        raise ExportError(f"{target}: the files cannot be written ({error}); give another folder") from error
