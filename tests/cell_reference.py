"""What the published code of cells computes, written down in torch.nn.functional."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


def norm(x: Tensor, state: State, place: str = "bn") -> Tensor:
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (state.get(f"{place}.{name}") for name in names)
    return F.batch_norm(x, mean, var, weight, bias)


def separable(x: Tensor, state: State, prefix: str, stride: int, dilation: int) -> Tensor:
    depthwise = state[f"{prefix}depthwise.conv.weight"]
    reach = dilation * (depthwise.shape[-1] - 1) // 2
    x = F.conv2d(F.relu(x), depthwise, None, stride, reach, dilation, groups=x.shape[1])
    x = F.conv2d(x, state[f"{prefix}pointwise.conv.weight"])
    return norm(x, state, f"{prefix}pointwise.bn")


def published(name: str, x: Tensor, state: State, stride: int) -> Tensor:
    """What the code of DARTS computes, and that of NASNet for operations that only it has."""
    kind, _, kernel = name.rpartition("_")
    if name == "none":
        return torch.zeros_like(x[:, :, ::stride, ::stride])
    if name == "skip_connect":
        return x if stride == 1 else reduced(x, state)
    if kind == "max_pool":
        return F.max_pool2d(x, int(kernel[0]), stride, int(kernel[0]) // 2)
    if kind == "avg_pool":
        return F.avg_pool2d(x, 3, stride, 1, count_include_pad=False)
    if kind == "sep_conv":
        return separable(separable(x, state, "first.", stride, 1), state, "second.", 1, 1)
    if kind == "dil_conv":
        return separable(x, state, "", stride, 2)
    if name in ("conv_7x1_1x7", "conv_3x1_1x3"):
        row, column = state["row.conv.weight"], state["column.conv.weight"]
        x = F.conv2d(F.relu(x), row, None, (1, stride), (0, row.shape[-1] // 2))
        return norm(F.conv2d(x, column, None, (stride, 1), (row.shape[-1] // 2, 0)), state, "column.bn")
    dilation = 2 if kernel == "d2" else 1
    weight = state["conv.weight"]
    return norm(
        F.conv2d(F.relu(x), weight, None, stride, dilation * (weight.shape[-1] // 2), dilation), state
    )


def reduced(x: Tensor, state: State) -> Tensor:
    """``FactorizedReduce``; a row and a column of zeros are added to odd sizes, where DARTS' code fails."""
    x = F.relu(x)
    odd = F.pad(x[:, :, 1:, 1:], (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    halves = (
        F.conv2d(x, state["even.weight"], stride=2),
        F.conv2d(odd, state["odd.weight"], stride=2),
    )
    return norm(torch.cat(halves, 1), state)


def scoped(state: State, place: str) -> State:
    """The weights below a place."""
    return {name[len(place) + 1 :]: value for name, value in state.items() if name.startswith(f"{place}.")}


def network(
    x: Tensor,
    state: State,
    cells: tuple[tuple[tuple[tuple[str, int], ...], tuple[int, ...], bool], ...],
) -> Tensor:
    """The network of DARTS for small images: for each cell its terms, what it concatenates, if it reduces."""
    x = norm(F.conv2d(x, state["stem.conv.weight"], padding=1), state, "stem.bn")
    before = last = x
    reduced_before = False
    for index, (terms, concat, reduces) in enumerate(cells):
        own = scoped(state, f"cells.{index}")
        first = scoped(own, "input0")
        states = [
            reduced(before, first) if reduced_before else pointwise(before, first),
            pointwise(last, scoped(own, "input1")),
        ]
        for node in range(len(terms) // 2):
            results = []
            for number in (0, 1):
                operation, source = terms[2 * node + number]
                weights = scoped(own, f"node{node + 1}.{number}")
                stride = 2 if reduces and source < 2 else 1
                results.append(published(operation, states[source], weights, stride))
            states.append(results[0] + results[1])
        before, last, reduced_before = last, torch.cat([states[i] for i in concat], 1), reduces
    return F.linear(last.mean((2, 3)), state["classifier.linear.weight"], state["classifier.linear.bias"])


def pointwise(x: Tensor, state: State) -> Tensor:
    """``ReLUConvBN`` of one pixel."""
    return norm(F.conv2d(F.relu(x), state["conv.weight"]), state)
