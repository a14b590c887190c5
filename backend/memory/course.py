"""What comes next, as the planner wants it: visits of networks become a trace of their parts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backend.memory.parts import Network, Part
from backend.plan.memory import USUAL_COPY
from backend.plan.residency.model import Budget, Link, Piece, Trace, Use
from backend.plan.residency.planner import plan
from backend.plan.residency.report import Misfit

MOST = 3000
"""Turns of blocks that are planned at once. More would take seconds to plan, and a part of a run is
enough to know what is worth keeping."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A network that a step uses: how often all of it is called, and the bytes on the device that
    the step computes in."""

    network: str
    passes: int = 1
    activation: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    """Host memory beside the device's: bytes that copies of parts may take there, and the parts
    that have one."""

    budget: int
    parts: frozenset[Part]


@dataclass(frozen=True, slots=True)
class Order:
    """``read`` a part into host memory, ``load`` it to the device, ``evict`` it from there or
    ``drop`` its copy, once so many blocks have begun."""

    kind: str
    part: Part
    after: int


@dataclass(frozen=True, slots=True)
class Course:
    """What is to be done, and which blocks are expected in which order. ``streams`` says that
    parts come and go meanwhile; else all fits and is loaded once. ``copies`` are those on the host
    that are used, and ``keeps`` says that more are made."""

    orders: tuple[Order, ...]
    touches: tuple[Part, ...]
    streams: bool
    misfit: Misfit | None = None
    copies: frozenset[Part] = frozenset()
    keeps: bool = False


def lay(
    visits: Sequence[tuple[Visit, Network]],
    present: Iterable[Part],
    budget: int,
    bandwidth: float,
    host: Host | None = None,
) -> Course:
    """What to do for these visits with ``budget`` bytes, what is there being ``present``.

    ``bandwidth`` is that at which parts are read, in bytes per second. Without ``host``, or where
    it holds not even one of each part, all are read whenever they are loaded.
    """
    uses = _uses(visits, bandwidth)
    wanted: dict[Part, None] = {}
    for _, network in visits:
        wanted.update(dict.fromkeys((network.rest, *(network.parts[b] for b in network.order))))
    there = list(present)
    need = sum(part.nbytes for part in wanted) + max((v.activation for v, _ in visits), default=0)
    touches = _touches(visits, uses)
    if need <= budget:
        loads = tuple(Order("load", part, 0) for part in wanted if part.state == "absent")
        return Course(loads, touches, streams=False)
    apart = all(part.network.weights.pool is not None for part in wanted)
    if host is not None and (not apart or max(part.host for part in wanted) > host.budget):
        host = None
    parts = tuple(dict.fromkeys((*wanted, *there)))
    return _planned(uses, touches, parts, there, budget, bandwidth, host)


def _uses(visits: Sequence[tuple[Visit, Network]], bandwidth: float) -> list[Use]:
    """The visits as steps, each so often as there is room for in a plan."""
    found: list[Use] = []
    left = MOST
    for number, (visit, network) in enumerate(visits):
        rest = _id(network.rest)
        blocks = tuple((rest, _id(network.parts[b])) for b in network.order)
        needs: tuple[tuple[str, ...], ...] = blocks or ((rest,),)
        repeat = max(1, min(visit.passes, left // len(needs))) if blocks else 1
        if found and len(needs) > left:
            break
        left -= repeat * len(needs)
        seconds = network.pass_seconds
        if seconds is None:
            seconds = network.nbytes / bandwidth
        found.append(Use(str(number), needs, seconds, activation=visit.activation, repeat=repeat))
    return found


def _touches(visits: Sequence[tuple[Visit, Network]], uses: Sequence[Use]) -> tuple[Part, ...]:
    found: list[Part] = []
    for use, (_, network) in zip(uses, visits, strict=False):
        once = [network.parts[b] for b in network.order] or [network.rest]
        found += once * use.repeat
    return tuple(found)


def _planned(
    uses: Sequence[Use],
    touches: tuple[Part, ...],
    parts: Sequence[Part],
    there: Sequence[Part],
    budget: int,
    bandwidth: float,
    host: Host | None,
) -> Course:
    known = {_id(part): part for part in parts}
    if host is None:  # one link only: from the file to where it is computed with
        pieces = tuple(Piece(_id(part), part.nbytes) for part in parts)
        copies, limit = frozenset(parts), sum(part.nbytes for part in parts)
        link = Link(bandwidth, math.inf)
    else:
        pieces = tuple(Piece(_id(part), part.nbytes, part.host) for part in parts)
        copies, limit = host.parts & frozenset(parts), host.budget
        link = Link(USUAL_COPY, bandwidth)
    on_device = tuple(_id(part) for part in there)
    on_host = tuple(name for name, part in known.items() if part in copies)
    made = plan(Trace(pieces, tuple(uses), on_device, on_host), Budget(budget, limit), link)
    if made.misfit is not None:
        return Course((), touches, streams=True, misfit=made.misfit)
    kinds = {"load": "load", "stream": "load", "evict": "evict"}
    if host is not None:
        kinds |= {"read": "read", "drop": "drop"}
    orders = (
        Order(kinds[each.kind], known[each.what], each.after)
        for each in made.actions
        if each.kind in kinds
    )
    if host is None:
        return Course(tuple(orders), touches, streams=True)
    return Course(tuple(orders), touches, streams=True, copies=copies, keeps=True)


def _id(part: Part) -> str:
    return f"{part.network.key}#{part.block}"
