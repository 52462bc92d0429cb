"""Keys of architectures under which different drawings of one network fall together."""

from __future__ import annotations

from netwright.ir.canonical import Rule, canonical_key
from netwright.space.architecture import Architecture
from netwright.space.compile import SearchSpace

__all__ = ["Rule", "canonical"]


def canonical(space: SearchSpace, architecture: Architecture, rule: Rule = "pruned") -> str:
    """The key of an architecture's network under a rule, for not paying twice.

    Two architectures of one key have graphs that the rule turns into each other; it is no claim that two
    trained networks are equal. See ``netwright.ir.canonical``.

    Args:
        space: the space, which may be opaque.
        architecture: one of its members.
        rule: ``nats``, ``pruned``, ``flat`` or ``skips``, see ``netwright.ir.canonical.Rule``.

    Returns:
        16 hexadecimal digits, the same in every process and for equal networks of different spaces.

    Raises:
        SpaceError: if it is not an architecture of this space.
        GraphError: if the rule is unknown.

    >>> from netwright import blocks as B
    >>> from netwright.space import choice, compile_space, repeat, sequential, unrank
    >>> layer = choice({"skip": B.identity(), "conv": B.conv_bn_act(out=8)})
    >>> space = compile_space(sequential(repeat("s", layer, depth=2), input=(8, 8, 8)), "skips")
    >>> len({canonical(space, unrank(space, index)) for index in range(4)})
    3
    """
    return canonical_key(space.to_graph(architecture), rule)
