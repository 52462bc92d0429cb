from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from netwright import blocks as B
from netwright.export import tflite
from netwright.export.tflite.fake_quantization import (
    FakeQuantized,
    folded_network,
    int8_nodes,
    round_activations,
    round_weights,
)
from netwright.export.tflite.folding import fold
from netwright.ir.graph import Graph, GraphBuilder
from tests.export.tflite.conftest import Convert
from tests.export.tflite.small import GRAPHS, images, random_weights

VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40)


@given(VALUES)
def test_activations_lie_on_a_grid_of_256_values_with_zero(values: list[float]) -> None:
    x = np.array([*values, 0.0], np.float32)
    found = round_activations(torch.from_numpy(x)).numpy().astype(np.float64)
    step = (float(x.max()) - float(x.min())) / 255  # zero is among the values
    if step < 1e-30:
        assert np.abs(found - x).max() <= 1e-30
        return
    places = found / step
    assert np.abs(places - np.round(places)).max() < 1e-2
    assert found[-1] == 0
    assert np.abs(found - x).max() <= 1.01 * step  # half a step, and half a step of the zero point


@given(st.lists(VALUES.map(lambda row: (row * 8)[:8]), min_size=1, max_size=4))
def test_weights_have_a_symmetric_grid_for_each_channel(rows: list[list[float]]) -> None:
    weight = np.array(rows, np.float32).reshape(len(rows), 8, 1, 1)
    found = round_weights(torch.from_numpy(weight)).numpy()
    for before, after in zip(weight.astype(np.float64), found.astype(np.float64), strict=True):
        step = np.abs(before).max() / 127
        assert np.abs(after - before).max() <= 0.501 * step + 1e-30
        if step > 1e-30:
            assert np.abs(after / step - np.round(after / step)).max() < 1e-2
            assert np.abs(after).max() == pytest.approx(np.abs(before).max(), rel=1e-5)


def test_rounding_is_transparent_to_gradients() -> None:
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    (round_activations(x) * torch.arange(8.0)).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.arange(8.0).expand(4, 8))


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_folded_network_computes_the_same_without_batch_norm(name: str) -> None:
    network = random_weights(GRAPHS[name]())
    folded = folded_network(network)
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    batch = images(network.graph, 4)
    with torch.no_grad():
        expected, found = network(batch), folded(batch)
    assert torch.allclose(expected, found, rtol=1e-3, atol=1e-3 * expected.abs().max().item())


def residual() -> Graph:
    build = GraphBuilder()
    x = build.input((1, 12, 12))
    with build.scope("stem"):
        x = B.conv_bn_act(out=8, activation="relu6")(build, x)
    with build.scope("block"):
        x = B.basic(out=8, activation="relu6")(build, x)
    with build.scope("gate"):
        x = B.inverted_residual(out=8, expand=2, activation="hardswish")(build, x)
    with build.scope("head"):
        return build.finish(B.classifier(classes=10)(build, x))


def test_rounded_are_outputs_of_layers_after_what_they_take_up() -> None:
    network = random_weights(residual())
    graph = fold(network).graph
    # A layer with its relu6 is one tensor, a sum with its relu6 too; hardswish is an operator of its own.
    kinds = [graph[name].op.kind for name in int8_nodes(graph)]
    assert kinds == [
        *("activation", "activation", "conv", "activation"),
        *("conv", "activation", "conv", "activation", "conv", "add"),
        *("global_pool", "linear"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["inverted_residuals", "shuffled", "branches", "signals"])
def test_it_errs_as_much_as_the_file_does(converted: Convert, name: str) -> None:
    made = converted(name)
    with torch.no_grad():
        # One batch of the images of the calibration: the extremes are the same.
        outputs = FakeQuantized(made.network).eval()(made.images), made.network(made.images)
    simulated, exact = (y.permute(0, 2, 3, 1) if y.ndim == 4 else y for y in outputs)
    facts = tflite.describe(made.file)
    output = facts.tensors[facts.outputs[0]]
    steps = tflite.run_litert(made.file, made.images, "reference").astype(np.float32)
    real = (torch.from_numpy(steps) - output.zero_points[0]) * output.scales[0]
    ratio = (simulated - exact).pow(2).mean().sqrt() / (real - exact).pow(2).mean().sqrt()
    assert 0.7 < ratio < 1.3  # one tensor that is not rounded, or rounded twice, tells


def test_training_moves_it_and_finishing_leaves_a_plain_network_with_rounded_weights() -> None:
    network = random_weights(residual())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rounded = FakeQuantized(network).train()
    optimizer = torch.optim.SGD(rounded.parameters(), lr=0.01)
    batch = images(network.graph, 8)
    loss = nn.functional.cross_entropy(rounded(batch), torch.arange(8))
    loss.backward()
    assert all(
        parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        for parameter in rounded.parameters()
    )
    optimizer.step()
    done = rounded.finish()
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())
    assert set(done.state_dict()) == set(fold(network).weights)
    for name, value in done.state_dict().items():
        if name.endswith(".weight"):
            assert torch.allclose(round_weights(value), value, rtol=1e-5, atol=1e-7)
            assert not torch.allclose(value, fold(network).weights[name], rtol=1e-5, atol=1e-7)
    again = done(batch)
    assert torch.equal(again, done(batch))
    assert not torch.equal(again, rounded(batch))  # what it reads is still rounded
