"""Which nodes turn a value of one type into another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.document.edits.kinds import fits
from backend.graph.spec import NodeSpec
from backend.graph.types import is_generic

_PER_NEED = 10
_PER_TEXT = 20
_PER_CONVERSION = 15
_PER_NODE = 20
_BY_THE_WAY = 8  # what a node gives beside its first output is seldom what it is for
_MOST = 70


class Step(NamedTuple):
    """A node type on the way: the value goes in at ``input`` and comes out at ``output``."""

    type: str
    input: str
    output: str


class _Hop(NamedTuple):
    cost: int
    step: Step
    takes: str
    gives: str


class Bridges:
    """The ways between types over the node types at hand. Made once for them."""

    def __init__(self, specs: Mapping[str, NodeSpec]) -> None:
        best: dict[tuple[str, str], _Hop] = {}
        for spec in specs.values():
            for hop in _hops(spec):
                known = best.get((hop.takes, hop.gives))
                if known is None or hop[:2] < known[:2]:
                    best[hop.takes, hop.gives] = hop
        self._hops = sorted(best.values())

    def between(self, given: str, wanted: str) -> tuple[Step, ...]:
        """The plainest chain of at most two nodes that makes ``wanted`` of ``given``.

        Plain is what needs little beside: few other links, few parameters, one node rather than
        two. Empty where there is none, or none that a person would call a bridge.
        """
        first = [hop for hop in self._hops if fits(given, hop.takes)]
        ways: list[tuple[int, tuple[Step, ...]]] = [
            (_cost(given, hop, wanted), (hop.step,)) for hop in first if fits(hop.gives, wanted)
        ]
        last = [hop for hop in self._hops if fits(hop.gives, wanted)]
        ways += [
            (_cost(given, a, b.takes) + _cost(a.gives, b, wanted) + _PER_NODE, (a.step, b.step))
            for a in first
            for b in last
            if fits(a.gives, b.takes)
        ]
        cost, way = min(ways, default=(_MOST, ()))
        return way if cost < _MOST else ()


def _cost(given: str, hop: _Hop, wanted: str) -> int:
    converted = (given != hop.takes) + (hop.gives != wanted)
    return hop.cost + _PER_CONVERSION * converted


def _hops(spec: NodeSpec) -> Iterator[_Hop]:
    """The ways through one node type: from an input, or from a prompt, to every output.

    A node that has an effect is no bridge, nor one that gives what it takes; and an input that
    may be left open is not what the output is made of.
    """
    if spec.effect or spec.zone:
        return
    needs = [s for s in spec.inputs if not s.optional]
    plain = len(spec.params)
    ends = [
        (s.name, s.type, plain + _PER_NEED * (len(needs) - 1))
        for s in needs
        if s.arity in ("one", "list")
    ]
    ends += [
        (p.name, "Text", plain + _PER_NEED * len(needs) + _PER_TEXT)
        for p in spec.params
        if p.kind == "multiline"
    ]
    for place, output in enumerate(spec.outputs):
        if is_generic(output.type):
            continue
        for name, kind, cost in ends:
            if not is_generic(kind) and kind != output.type:
                more = _BY_THE_WAY if place else 0
                yield _Hop(cost + more, Step(spec.type, name, output.name), kind, output.type)
