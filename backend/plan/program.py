"""Steps made ready to be keyed and run; unchanged steps are taken over from the last time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from backend.graph.flat import FROM_ZONE, Flat, Step, Wire
from backend.graph.spec import Lane, NodeSpec, Param, Socket
from backend.plan.keys import static_key
from backend.plan.params import coerce
from backend.values import digest_parts

EXTERNAL = ("file", "folder", "model", "name")
"""Parameter kinds whose value names something outside: files, models, what a name template says."""


class Types(Protocol):
    """The node types at hand, with their hooks."""

    @property
    def specs(self) -> Mapping[str, NodeSpec]:
        """Every node type by its id."""

    def hook(self, type_name: str, name: str) -> Callable[..., Any] | None:
        """A hook of a node type."""


@dataclass(frozen=True, slots=True)
class Link:
    """One wire into a step. ``label`` is ``name``, or ``name.part`` in a row or by name.

    ``maps``: a list that comes by it maps the step, one call per item.
    """

    label: str
    name: str
    part: str
    wire: Wire
    param: Param | None = None
    socket: Socket | None = None
    maps: bool = True


@dataclass(slots=True, eq=False)
class Unit:
    """A step with what planning and running ask of it again and again.

    ``eager`` are the steps that must be done before it, ``later`` those that a lazy node may ask
    for. ``outside`` are (kind, value) of unlinked parameters that name files, its body's included.
    ``looks``: its key depends on something outside, through a parameter or a fingerprint.
    ``volatile``: its key cannot be told from digests, since something in its body looks outside.
    ``base`` are the unlinked parameters as the function gets them. ``memo`` is the last key, with
    the tokens it was made of.
    """

    step: Step
    spec: NodeSpec
    static: str
    links: tuple[Link, ...]
    eager: tuple[int, ...]
    later: tuple[int, ...]
    outside: tuple[tuple[str, str], ...]
    effect: bool
    lazy: bool
    fingerprint: bool
    looks: bool
    volatile: bool
    base: Mapping[str, Any]
    body: Program | None = None
    memo: tuple[tuple[str, ...] | None, str] = (None, "")

    @property
    def sources(self) -> tuple[int, ...]:
        return self.eager + self.later


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A flat graph made ready. ``effects`` are the steps that run for their own sake."""

    flat: Flat
    units: tuple[Unit, ...]
    users: tuple[tuple[int, ...], ...]
    effects: tuple[int, ...]
    boundary: frozenset[str]
    digest: str = ""

    @property
    def roots(self) -> tuple[int, ...]:
        """What a run of the whole graph is for: its effects, or where there are none its ends."""
        if self.effects:
            return self.effects
        return tuple(i for i, users in enumerate(self.users) if not users)

    @property
    def body_roots(self) -> tuple[int, ...]:
        """What one turn of this body is for: its outputs and its effects."""
        wires = (wire.step for wire in self.flat.outputs.values() if wire.step != FROM_ZONE)
        return tuple(dict.fromkeys((*wires, *self.effects)))

    @property
    def computes(self) -> bool:
        """Whether any step, inner ones too, is for the device."""
        todo = [self]
        while todo:
            for unit in todo.pop().units:
                if unit.spec.lane == "device":
                    return True
                if unit.body is not None:
                    todo.append(unit.body)
        return False


@dataclass(slots=True)
class Compiler:
    """Makes programs, and remembers the units of the last one by the identity of their steps.

    ``effects`` is what stands beside the numerics in the keys of steps that save something.
    """

    types: Types
    numerics: Callable[[Lane], str]
    effects: str = ""
    _last: Program | None = None
    _units: dict[int, Unit] = field(default_factory=dict)

    def compile(self, flat: Flat) -> Program:
        """The program of a flat graph; linear in steps and links, bodies included."""
        if self._last is not None and self._last.flat is flat:
            return self._last
        order = [flat]
        for known in order:  # grows while it is walked: bodies inside bodies
            for step in known.steps:
                if step.body is not None and id(step) not in self._units:
                    order.append(step.body)
        done: dict[int, Program] = {}
        for inner in reversed(order):
            done[id(inner)] = self._program(inner, done, whole=inner is not flat)
        program = done[id(flat)]
        self._last = program
        self._units = {id(unit.step): unit for unit in program.units}
        return program

    def _program(self, flat: Flat, bodies: Mapping[int, Program], whole: bool) -> Program:
        old = self._units
        units = tuple(
            old.get(id(step)) or self._unit(step, bodies.get(id(step.body))) for step in flat.steps
        )
        users: list[list[int]] = [[] for _ in units]
        for i, unit in enumerate(units):
            for source in dict.fromkeys(unit.sources):
                users[source].append(i)
        effects = tuple(i for i, unit in enumerate(units) if unit.effect)
        return Program(
            flat,
            units,
            tuple(map(tuple, users)),
            effects,
            _boundary(flat, units) if whole else frozenset(),
            _digest(flat, units) if whole else "",
        )

    def _unit(self, step: Step, body: Program | None) -> Unit:
        spec = self.types.specs[step.type]
        links = tuple(_links(step, spec))
        linked = [link.name for link in links if link.param is not None]
        lazy = "needs" in spec.hooks
        later = [link.wire.step for link in links if lazy and link.param is None]
        eager = [link.wire.step for link in links if not (lazy and link.param is None)]
        inner = body.units if body else ()
        numerics = self.numerics(spec.lane) + (self.effects if spec.effect else "")
        outside: list[tuple[str, str]] = [
            (p.kind, str(step.params[p.name]))
            for p in spec.params
            if p.kind in EXTERNAL and p.name not in linked and step.params.get(p.name)
        ]
        outside += [o for unit in inner for o in unit.outside]
        return Unit(
            step=step,
            spec=spec,
            static=static_key(spec, step, linked, numerics, body.digest if body else ""),
            links=links,
            eager=tuple(dict.fromkeys(s for s in eager if s != FROM_ZONE)),
            later=tuple(dict.fromkeys(s for s in later if s != FROM_ZONE)),
            outside=tuple(dict.fromkeys(outside)),
            effect=spec.effect or any(unit.effect for unit in inner),
            lazy=lazy,
            fingerprint="fingerprint" in spec.hooks,
            looks=bool(outside) or "fingerprint" in spec.hooks or _linked_file(links),
            volatile=any(u.volatile or u.fingerprint or _linked_file(u.links) for u in inner),
            base={
                p.name: coerce(p, step.params[p.name])
                for p in spec.params
                if p.name not in linked and p.name in step.params
            },
            body=body,
        )


def _linked_file(links: Iterable[Link]) -> bool:
    """Whether a link decides which file a step reads."""
    return any(link.param is not None and link.param.kind in EXTERNAL for link in links)


def _links(step: Step, spec: NodeSpec) -> Iterable[Link]:
    for name, feed in step.inputs.items():
        param, socket = spec.param(name), spec.input(name)
        maps = socket is None or spec.maps(socket)
        if isinstance(feed, Wire):
            yield Link(name, name, "", feed, param, socket, maps)
        elif isinstance(feed, tuple):
            for n, wire in enumerate(feed):
                yield Link(f"{name}.{n}", name, str(n), wire, param, socket, maps)
        else:
            for part, wire in feed.items():
                yield Link(f"{name}.{part}", name, part, wire, param, socket, maps)


def _boundary(flat: Flat, units: Iterable[Unit]) -> frozenset[str]:
    """The names of the zone that a body reads."""
    wires = [link.wire for unit in units for link in unit.links]
    wires += flat.outputs.values()
    return frozenset(wire.output for wire in wires if wire.step == FROM_ZONE)


def _digest(flat: Flat, units: Iterable[Unit]) -> str:
    """The digest of a body: its steps' static keys and how they are wired."""
    parts = []
    for unit in units:
        wires = [[k.label, k.wire.step, k.wire.output, k.wire.convert] for k in unit.links]
        parts.append(json.dumps([unit.static, wires, unit.step.id if unit.effect else ""]))
    for name, wire in sorted(flat.outputs.items()):
        parts.append(json.dumps([name, wire.step, wire.output, wire.convert]))
    return digest_parts(parts)
