"""Small spaces whose every architecture can be looked at."""

from __future__ import annotations

import pytest

from netwright import blocks as B
from netwright.ir.cost import cost
from netwright.space import Architecture, ExpressionSpace, choice, compile_space, iterate, repeat, sequential
from netwright.trial import Metric

ACCURACY = Metric("accuracy", "share", "maximize")


@pytest.fixture(scope="session")
def accuracy() -> Metric:
    return ACCURACY


@pytest.fixture(scope="session")
def small() -> ExpressionSpace:
    """60 architectures: 3 stem widths, and 1 or 2 layers of 2 kernels and 2 expansions."""
    return compile_space(
        sequential(
            B.conv_bn_act(out=choice(4, 8, 12)),
            repeat(
                "stage",
                B.inverted_residual(out=8, kernel=choice(3, 5), expand=choice(2, 3)),
                depth=choice(1, 2),
            ),
            B.classifier(classes=3),
            input=(1, 8, 8),
        ),
        "small",
    )


@pytest.fixture(scope="session")
def costs(small: ExpressionSpace) -> dict[Architecture, dict[str, int]]:
    """Costs of all architectures of the small space, from their graphs."""
    found = {}
    for architecture in iterate(small):
        network = cost(small.to_graph(architecture))
        found[architecture] = {
            "macs": network.macs,
            "params": network.params,
            "weight_bytes": network.weight_bytes,
            "peak_activation_bytes": network.peak_activation_bytes,
        }
    assert len(found) == 60
    return found
