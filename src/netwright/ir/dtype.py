"""Number formats in which a network may be stored and run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netwright.errors import GraphError


@dataclass(frozen=True, slots=True)
class DType:
    """Bytes of one element of each kind.

    Attributes:
        name: name on the command line.
        activation: bytes of an activation.
        weight: bytes of a weight.
        bias: bytes of a bias; int8 networks add up in int32.
        scale: bytes of the scale that each output channel of an int8 weight has; 0 for floats.
    """

    name: str
    activation: int
    weight: int
    bias: int
    scale: int


DTYPES: Mapping[str, DType] = {
    dtype.name: dtype
    for dtype in (DType("int8", 1, 1, 4, 4), DType("float16", 2, 2, 2, 0), DType("float32", 4, 4, 4, 0))
}


def find_dtype(name: str) -> DType:
    """Look a number format up by name.

    Raises:
        GraphError: if there is none of that name.
    """
    try:
        return DTYPES[name]
    except KeyError:
        raise GraphError(f"dtype: expected one of {tuple(DTYPES)}, got {name!r}") from None
