"""What a block is: a function from tensor to tensor in a graph, together with its arguments."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Protocol

from netwright.errors import GraphError
from netwright.ir.graph import GraphBuilder, Tensor


class BlockFunction(Protocol):
    """A pure function that adds ops to a graph: ``(build, x, **arguments) -> output``."""

    __name__: str
    __qualname__: str
    __module__: str

    def __call__(self, build: GraphBuilder, x: Tensor, /, **arguments: Any) -> Tensor:
        """Add the block's ops behind ``x`` and return its output."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block function with its arguments; an argument may be a choice that a space has yet to settle.

    Attributes:
        function: adds the block's ops to a graph.
        arguments: ``(name, value)`` pairs, every parameter of the function included, in its order.
    """

    function: BlockFunction
    arguments: tuple[tuple[str, Any], ...]

    @property
    def kind(self) -> str:
        """Name of the block function."""
        return self.function.__name__

    def __reduce__(self) -> tuple[Any, ...]:
        # The decorator has put the constructor in the place where pickle would look for the function.
        return _restore, (self.function.__module__, self.function.__qualname__, self.arguments)

    def __call__(self, build: GraphBuilder, x: Tensor) -> Tensor:
        """Add the block to a graph in the current scope; all arguments must be settled."""
        return self.function(build, x, **dict(self.arguments))

    def accepts(self, name: str) -> bool:
        """Whether the block has an argument of this name."""
        return any(argument == name for argument, _ in self.arguments)

    def replace(self, **changes: Any) -> Block:
        """The same block with some arguments changed."""
        return Block(self.function, tuple((name, changes.get(name, value)) for name, value in self.arguments))


def _restore(module: str, name: str, arguments: tuple[tuple[str, Any], ...]) -> Block:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise GraphError(
            f"{module}.{name}: a block for other processes must be defined at the top of a module, "
            "not inside a function"
        )
    return Block(found.__wrapped__, arguments)


def block(function: Callable[..., Tensor]) -> Callable[..., Block]:
    """Turn ``def name(build, x, *, argument ...)`` into a constructor of blocks.

    The constructor takes the keyword arguments alone, so that each may be a choice of a search space;
    the graph is built when the block is called with a builder and a tensor.

    Raises:
        GraphError: by the constructor, if an argument is unknown or missing.

    >>> from netwright.ir.ops import Conv
    >>> @block
    ... def pointwise(build, x, *, out, bias=False):
    ...     return build.apply("conv", Conv(out, bias=bias), x)
    >>> pointwise(out=8).arguments
    (('out', 8), ('bias', False))
    """
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY]

    @wraps(function)
    def construct(**arguments: Any) -> Block:
        known = [parameter.name for parameter in parameters]
        for name in arguments:
            if name not in known:
                raise GraphError(f"{function.__name__}: unknown argument {name!r}; expected some of {known}")
        missing = [p.name for p in parameters if p.default is p.empty and p.name not in arguments]
        if missing:
            raise GraphError(f"{function.__name__}: missing argument {missing[0]!r}; expected all of {known}")
        return Block(function, tuple((p.name, arguments.get(p.name, p.default)) for p in parameters))

    return construct
