"""Keys of networks under which different drawings of one network fall together.

A search pays for every network that it trains. Where operations may pass a tensor on or give zero, many
members of a space are the same network drawn differently; a key that does not see the difference saves the
second training. The form of a node is made bottom up from its op, its output's shape and the forms of what it
reads; names of places do not enter. Ops of which no output is made do not enter either.

Equal keys mean that one network's graph turns into the other's by the rule; the rules ignore that two
convolutions have weights of their own where one has them twice, and that batch norm of zero is its shift. So
this is a reason not to pay twice, and no claim that two trained networks are equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from netwright.errors import GraphError
from netwright.ir.graph import Graph, Node
from netwright.ir.ops import Activation, Add, BatchNorm, Concat, Identity, Multiply, Zero

Rule = Literal["nats", "pruned", "flat", "skips"]
"""What a key does not tell apart; in brackets the number of keys among the 15,625 cells of NAS-Bench-201.

In a whole network there may be more of them, except under ``flat``: there the input of a cell can be a sum
itself, and which sums are nested matters to the other rules.

- ``skips`` [12,751]: identities are passed through, sums do not depend on the order of the summands. ``zero``
  is an op like others. A sum within a sum brings its summands as a run, sorted into the others by its first,
  deepest one: so (a + b) + c may have the key of a + (b + c), or may not.
- ``nats`` [6,466]: the same, and zero goes through: an op of zero is zero. Zero summands are kept, and a sum
  of zeros alone is not zero. This is how NATS-Bench counts [Dong et al. 2021, arXiv:2009.00437, code:
  ``to_unique_str``]; its runs are sorted as text, so that it merges as many, but not always the same cells.
- ``pruned`` [5,819]: zero goes through and is dropped from sums; a sum of zeros is zero, a sum of one summand
  is that summand unless it is a sum itself. A sum within a sum stays one.
- ``flat`` [4,930]: zero as in ``pruned``, and a sum within a sum is merged into it.
"""


def canonical_key(graph: Graph, rule: Rule) -> str:
    """The key of a network under a rule.

    Args:
        graph: any network.
        rule: see ``Rule``.

    Returns:
        16 hexadecimal digits, the same in every process and version of Python.

    Raises:
        GraphError: if the rule is unknown.

    >>> from netwright.models import nasbench201
    >>> one = nasbench201("|skip_connect~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|", cells=1)
    >>> two = nasbench201("|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|", cells=1)
    >>> canonical_key(one, "flat") == canonical_key(two, "flat")
    True
    >>> canonical_key(one, "skips") == canonical_key(two, "skips")
    False
    """
    if rule not in get_args(Rule):
        raise GraphError(f"canonical.rule: expected one of {get_args(Rule)}, got {rule!r}")
    forms: dict[str, _Form] = {}
    for node in graph.nodes:
        forms[node.name] = _form(node, [forms[name] for name in node.inputs], rule)
    return _digest(rule, *(forms[name].digest for name in graph.outputs))[:16]


@dataclass(frozen=True, slots=True)
class _Form:
    """What a tensor is, but for where it is made.

    Attributes:
        digest: identifies it.
        depth: ops on the longest way from the input, without activations and norms.
        zero: whether it is zero under the rule.
        summands: what it is the sum of, in order; itself alone if it is no sum.
    """

    digest: str
    depth: int
    zero: bool = False
    summands: tuple[_Form, ...] = ()

    @property
    def order(self) -> tuple[bool, int, str]:
        """Zeros first, then the deepest: as in NATS-Bench's text, but for ties."""
        return not self.zero, -self.depth, self.digest


def _form(node: Node, inputs: list[_Form], rule: Rule) -> _Form:
    if isinstance(node.op, Identity):
        return inputs[0]
    if rule != "skips" and _is_zero(node, inputs):
        return _Form(_digest("zero", node.shape), 0, zero=True)
    if isinstance(node.op, Add):
        return _run(inputs) if rule in ("nats", "skips") else _sum(inputs, node, flat=rule == "flat")
    depth = max((form.depth for form in inputs), default=0)
    deeper = bool(inputs) and not isinstance(node.op, Activation | BatchNorm)
    digest = _digest(node.op, node.shape, *(form.digest for form in inputs))
    return _Form(digest, depth + deeper)


def _is_zero(node: Node, inputs: list[_Form]) -> bool:
    """Whether zero goes through; of several inputs all must be zero, of a product one. Sums see to it."""
    if isinstance(node.op, Zero):
        return True
    if isinstance(node.op, Multiply):
        return any(form.zero for form in inputs)
    if isinstance(node.op, Concat):
        return all(form.zero for form in inputs)
    return len(inputs) == 1 and inputs[0].zero


def _run(inputs: list[_Form]) -> _Form:
    """A sum whose inputs are sorted; those that are sums themselves bring their summands in their order."""
    runs = sorted((_summands(form) for form in inputs), key=lambda run: [form.order for form in run])
    return _sum_of([form for run in runs for form in run])


def _sum(inputs: list[_Form], node: Node, *, flat: bool) -> _Form:
    live = [form for form in inputs if not form.zero]
    if not live:
        return _Form(_digest("zero", node.shape), 0, zero=True)
    if flat:
        live = [summand for form in live for summand in _summands(form)]
    if len(live) == 1 and not live[0].summands:
        return live[0]
    return _sum_of(sorted(live, key=lambda form: form.order))


def _summands(form: _Form) -> tuple[_Form, ...]:
    return form.summands or (form,)


def _sum_of(summands: Sequence[_Form]) -> _Form:
    digest = _digest("sum", *(form.digest for form in summands))
    return _Form(digest, max(form.depth for form in summands), summands=tuple(summands))


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]
