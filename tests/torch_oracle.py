"""The judges of the shipped kit, and what the tests of blocks need beside them."""

from __future__ import annotations

from netwright.blocks import Block
from netwright.ir.graph import Graph, GraphBuilder
from netwright.ir.ops import Shape
from netwright.testing.verdict import Verdict, ask_torch, random_network

__all__ = ["Verdict", "ask_torch", "graph_of", "random_network"]


def graph_of(block: Block, shape: Shape) -> Graph:
    """A graph that is one block."""
    builder = GraphBuilder()
    return builder.finish(block(builder, builder.input(shape)))
