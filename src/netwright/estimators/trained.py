"""The plainest estimator: train the network for a while and validate it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from netwright.errors import DataError
from netwright.estimators.held_out import HeldOut, held_out
from netwright.export import load, save
from netwright.nn.data import Data, Split, load_data, open_test_set, split
from netwright.nn.lower import build
from netwright.nn.prepare import Statistics, pick_device, prepare, statistics
from netwright.nn.recipe import Recipe
from netwright.nn.task import CLASSIFICATION, Task
from netwright.nn.train import train
from netwright.seeding import seed_for
from netwright.space import Architecture, SearchSpace
from netwright.trial import Context, Metric, Proposal

NETWORK = "network"
"""Folder in a trial's work directory that holds the trained network, where it is kept."""


@dataclass(frozen=True, slots=True)
class SplitData:
    """Data and how they are split: the same in every trial of a study.

    Attributes:
        source: what ``load_data`` takes, or the data themselves.
        fingerprint: of the data that the study began with.
        validation_share: share of the training rows that validates.
        seed: seed of the split.
        task: what the labels are for.
    """

    source: str | Data
    fingerprint: str
    validation_share: float
    seed: int
    task: Task = CLASSIFICATION

    def load(self) -> tuple[Data, Split]:
        """Load and split the data.

        Raises:
            DataError: if they are not those that the study began with.
        """
        data = load_data(self.source)
        if data.task != self.task:
            raise DataError(f"{data.name}: expected data for {self.task.name}, got some for {data.task.name}")
        if data.fingerprint != self.fingerprint:
            raise DataError(
                f"{data.name}: the data have changed since the search began (fingerprint "
                f"{data.fingerprint[:12]}, was {self.fingerprint[:12]}); use another run directory"
            )
        return data, split(data, self.validation_share, self.seed)


@dataclass(frozen=True, slots=True)
class TrainedAccuracy:
    """Builds, trains and validates one network; its metrics are score and loss on the validation rows.

    The score is that of the data's task: accuracy, or mean IoU where pixels bear the labels.

    Attributes:
        data: data and split.
        space: makes graphs of architectures.
        recipe: the full training; a proposal's fidelity is its share of the steps.
        accelerator: ``cpu``, ``cuda``, ``mps`` or ``auto``.
        threads: CPU threads that compute it; other numbers add in another order, which changes last bits.
        keep: whether the trained network is saved in the trial's folder.
    """

    data: SplitData
    space: SearchSpace
    recipe: Recipe
    accelerator: str = "cpu"
    threads: int = 1
    keep: bool = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The score, which is the objective, then validation and training loss."""
        return (
            self.data.task.objective,
            Metric("validation_loss", "nats", "minimize"),
            Metric("train_loss", "nats", "minimize"),
        )

    def settings(self) -> dict[str, Any]:
        """What its results depend on, as JSON values."""
        return {
            **asdict(self.recipe),
            "validation_share": self.data.validation_share,
            "split_seed": self.data.seed,
            "threads": self.threads,
        }

    def __call__(self, proposal: Proposal, context: Context) -> Mapping[str, float]:
        """Train and validate; see ``netwright.nn.train.train``.

        Raises:
            DataError: if the data have changed, or the network's outputs do not fit them.
            TrainingError: if the loss is not a number.
        """
        device = pick_device(self.accelerator)
        if device.type == "cpu":
            torch.set_num_threads(self.threads)
        data, rows = self.data.load()
        graph = self.space.to_graph(proposal.architecture)
        size = (graph.input_shape[1], graph.input_shape[2])
        scale = pixel_statistics(data, rows)
        tensors = []
        for indices in (rows.train_indices, rows.validation_indices):
            inputs = prepare(data.images[indices], size, scale.mean, scale.std, device)
            tensors.append((inputs, torch.tensor(data.labels[indices]).to(device)))
        network = build(graph, seed=seed_for(context.seed, "weights"))
        result = train(
            network,
            *tensors[0],
            recipe=self.recipe,
            seed=context.seed,
            fidelity=proposal.fidelity,
            device=device,
            validation=tensors[1],
            report=context.report,
        )
        if self.keep:
            save(context.workdir / NETWORK, graph, network)
        assert result.validation is not None, "validation rows were given"
        return {
            self.data.task.objective.name: result.validation.score,
            "validation_loss": result.validation.loss,
            "train_loss": result.train_loss,
        }


def pixel_statistics(data: Data, rows: Split) -> Statistics:
    """Mean and deviation of the pixels of the rows that train."""
    return statistics(data.images[rows.train_indices])


def evaluate_held_out(
    source: SplitData, space: SearchSpace, architecture: Architecture, workdir: Path
) -> HeldOut:
    """Open the test set and evaluate a kept network on it; to be done once in a search.

    Args:
        source: data and split.
        space: the space of the architecture.
        architecture: whose network it is.
        workdir: work directory of the trial that kept the network.
    """
    data, rows = source.load()
    network = load(workdir / NETWORK)
    shape = space.to_graph(architecture).input_shape
    scale = pixel_statistics(data, rows)
    images, labels = open_test_set(data)
    inputs = prepare(images, (shape[1], shape[2]), scale.mean, scale.std)
    return held_out(network, inputs, images, labels)
