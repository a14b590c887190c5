"""What is known of a graph before it runs: keys, remembered digests, and what must be computed.

A survey goes from the wanted steps back, each step once, with a stack of its own: sources first.
The same survey serves the forecast and the run, which fills in what it learns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backend.graph.flat import FROM_ZONE, Wire
from backend.plan.keys import LIST, input_key
from backend.plan.params import namespace
from backend.plan.program import EXTERNAL, Link, Program, Types, Unit
from backend.plan.result import Memory, Result, World
from backend.values import Data

NEW, OPEN, SEEN, WANT, DONE, FAILED, SKIPPED = range(7)
"""States of a step: not looked at; being looked at; looked at, value not wanted (yet); to be run;
value here; failed; skipped for a failure."""

Convert = Callable[[str, Data], Data]
"""Applies a row of the conversions table to a value (to each item of a list)."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every survey of one run uses."""

    types: Types
    memory: Memory
    world: World
    convert: Convert
    remembers: bool = True


@dataclass(slots=True, eq=False)
class Survey:
    """One graph, or one turn of a zone's body, and what is known of each of its steps.

    ``outer`` are the values that a zone hands in, ``outer_digests`` their digests, ``place`` says
    which turn of which zone this is (empty for the graph itself). ``names`` are the links that a
    lazy step has asked for so far; it is ``decided`` once it asks for nothing more.
    """

    program: Program
    desk: Desk
    outer: Mapping[str, Data] = field(default_factory=dict)
    outer_digests: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    state: bytearray = field(init=False)
    keys: list[str | None] = field(init=False)
    known: list[Mapping[str, str] | None] = field(init=False)
    results: list[Result | None] = field(init=False)
    rank: list[int] = field(init=False)
    names: dict[int, frozenset[str]] = field(default_factory=dict)
    decided: set[int] = field(default_factory=set)
    _count: int = 0

    def __post_init__(self) -> None:
        size = len(self.program.units)
        self.state = bytearray(size)
        self.keys = [None] * size
        self.known = [None] * size
        self.results = [None] * size
        self.rank = [0] * size

    def look(self, wanted: Iterable[int]) -> list[int]:
        """Look at some steps and all they need that was not looked at yet, sources first."""
        state, units, fresh = self.state, self.program.units, []
        stack = [i for i in wanted if state[i] == NEW][::-1]
        while stack:
            i = stack[-1]
            more: list[int] = []
            if state[i] == NEW:
                state[i] = OPEN
                more = [s for s in units[i].eager if state[s] == NEW]
            if state[i] == OPEN and units[i].lazy and not more:
                more = self._ask_early(i)
            if more:
                stack.extend(reversed(more))
                continue
            stack.pop()
            if state[i] == OPEN:
                state[i] = SEEN
                self._count += 1
                self.rank[i] = self._count
                fresh.append(i)
                if self.desk.remembers:
                    self._settle(i)
        return fresh

    def demand(self, wanted: Iterable[int]) -> list[int]:
        """Say that the values of some steps are wanted; those of them, and of their sources, that
        must run. What memory holds is taken from there, and what led to it is left alone."""
        state, fresh, stack = self.state, [], list(wanted)
        while stack:
            i = stack.pop()
            if state[i] != SEEN:
                continue
            key = self.keys[i]
            result = self.desk.memory.get(key) if key is not None else None
            if result is not None:
                self.results[i], self.known[i], state[i] = result, result.digests, DONE
                continue
            state[i] = WANT
            fresh.append(i)
            stack.extend(self.sources(i))
        return fresh

    def sources(self, i: int) -> list[int]:
        """The steps that a step needs as far as is known now."""
        unit = self.program.units[i]
        if not unit.lazy:
            return list(unit.eager)
        asked = self.names.get(i, frozenset())
        more = (k.wire.step for k in unit.links if k.label in asked and k.wire.step != FROM_ZONE)
        return list(dict.fromkeys((*unit.eager, *more)))

    def links(self, i: int) -> Iterable[Link]:
        """The links that count for a step: all, or of a lazy step those it asked for."""
        unit = self.program.units[i]
        if not unit.lazy:
            return unit.links
        asked = self.names.get(i, frozenset())
        return tuple(k for k in unit.links if k.param is not None or k.label in asked)

    def token(self, wire: Wire) -> str | None:
        """What a wire carries, as it stands in keys; ``None`` where its source is not known."""
        if wire.step == FROM_ZONE:
            found = self.outer_digests.get(wire.output)
        else:
            known = self.known[wire.step]
            found = known.get(wire.output) if known is not None else None
        if found is None or not wire.convert:
            return found
        return f"{found}>{wire.convert}"

    def is_list(self, wire: Wire) -> bool:
        """Whether a wire is known to carry a list."""
        return (self.token(wire) or "").startswith(LIST)

    def value(self, wire: Wire) -> tuple[bool, Data]:
        """Whether the value of a wire is at hand, and the value, converted."""
        if wire.step == FROM_ZONE:
            if wire.output not in self.outer:
                return False, None
            value = self.outer[wire.output]
        else:
            result = self.results[wire.step]
            key = self.keys[wire.step]
            if result is None and key is not None:
                result = self.desk.memory.get(key)
            if result is None or wire.output not in result.values:
                return False, None
            value = result.values[wire.output]
        return True, self.desk.convert(wire.convert, value) if wire.convert else value

    def key(self, i: int) -> str | None:
        """The key of a step, or ``None`` as long as one of its inputs is not known."""
        unit = self.program.units[i]
        if unit.volatile or (unit.lazy and i not in self.decided):
            return None
        parts = []
        for link in self.links(i):
            token = self.token(link.wire)
            if token is None:
                return None
            parts.append(f"{link.label}={token}")
        if unit.looks:
            more = self.outside(i)
            if more is None:
                return None
            parts += more
        if unit.effect:
            parts.append(f"at={self.place}{unit.step.id}")
        tokens = tuple(parts)
        if unit.memo[0] != tokens:
            unit.memo = (tokens, input_key(unit.static, tokens))
        return unit.memo[1]

    def outside(self, i: int, chosen: Mapping[str, Data] | None = None) -> list[str] | None:
        """What a step's key says of files, folders, models and the node's own fingerprint.

        ``chosen`` are the values of linked parameters where the caller has them (one item of a
        list). ``None`` when something cannot be told now.
        """
        unit = self.program.units[i]
        world = self.desk.world
        parts: list[str] = []
        refs = [*unit.outside]
        linked: dict[str, Data] = dict(chosen or {})
        if chosen is None:
            for link in unit.links:
                if link.param is not None and (unit.fingerprint or link.param.kind in EXTERNAL):
                    found, linked[link.name] = self.value(link.wire)
                    if not found:
                        return None
        for name, value in linked.items():
            param = unit.spec.param(name)
            if param is not None and param.kind in EXTERNAL:
                refs += [(param.kind, v) for v in (value if isinstance(value, list) else [value])]
        for kind, ref in refs:
            content = world.content(kind, ref) if isinstance(ref, str) and ref else ""
            if content is None:
                return None
            parts.append(f"{kind}={content}")
        if unit.fingerprint:
            if any(isinstance(value, list) for value in linked.values()):
                return None  # one fingerprint per item; each item has a key of its own
            parts.append(f"fingerprint={self.fingerprint(unit, linked)}")
        return parts

    def parameters(self, i: int) -> dict[str, Any] | None:
        """All parameters of a step, linked ones with their values; ``None`` if one is unknown."""
        unit = self.program.units[i]
        params: dict[str, Any] = dict(unit.step.params)
        for link in unit.links:
            if link.param is not None:
                found, params[link.name] = self.value(link.wire)
                if not found:
                    return None
        return params

    def ask(self, i: int, names: frozenset[str]) -> list[int]:
        """Add links that a lazy step asks for; the sources among them. Unknown names are ignored.

        When nothing is new the step is decided.
        """
        unit = self.program.units[i]
        asked = self.names.get(i, frozenset())
        new = [
            k
            for k in unit.links
            if k.param is None
            and k.label not in asked
            and (k.label in names or (k.part and k.name in names))
        ]
        if not new:
            self.decided.add(i)
            return []
        self.names[i] = asked | {k.label for k in new}
        return list(dict.fromkeys(k.wire.step for k in new if k.wire.step != FROM_ZONE))

    def decision_key(self, i: int) -> str | None:
        """The key of a lazy step's state: its parameters and what it knows so far."""
        unit = self.program.units[i]
        parts = []
        for link in self.links(i):
            token = self.token(link.wire)
            if token is None:
                return None
            parts.append(f"{link.label}={token}")
        return input_key(unit.static, ("asks", *parts))

    def _ask_early(self, i: int) -> list[int]:
        """What a lazy step asks for, as far as that can be told now; steps not looked at yet."""
        while i not in self.decided:
            names = self._told(i)
            if names is None:
                return []
            self.ask(i, names)
            more = [s for s in self.sources(i) if self.state[s] == NEW]
            if more:
                return more
        return []

    def _told(self, i: int) -> frozenset[str] | None:
        """The answer of a lazy step's hook, remembered or asked now; ``None`` if it must wait."""
        unit, memory = self.program.units[i], self.desk.memory
        key = self.decision_key(i) if self.desk.remembers else None
        remembered = memory.decision(key) if key is not None else None
        if remembered is not None:
            return remembered
        params = self.parameters(i)
        known: dict[str, Data] = {}
        for link in self.links(i):
            found, value = self.value(link.wire)
            if not found:
                return None
            if link.param is None:
                known[link.label] = value
        lists = [v for v in (*known.values(), *(params or {}).values()) if isinstance(v, list)]
        hook = self.desk.types.hook(unit.spec.type, "needs")
        if params is None or hook is None or lists:
            return None  # mapped: the run asks for each item
        try:
            names = frozenset(hook(namespace(unit.spec, params), known))
        except Exception:
            return None  # it fails again when it runs, and is told then
        if key is not None:
            memory.decide(key, names)
        return names

    def fingerprint(self, unit: Unit, linked: Mapping[str, Data]) -> str:
        """What a node says of the outside; a refusal is part of the key like any answer."""
        hook = self.desk.types.hook(unit.spec.type, "fingerprint")
        if hook is None:
            return ""
        params = namespace(unit.spec, {**unit.step.params, **linked})
        try:
            return str(hook(params, self.desk.world.context(unit.step.id)))
        except Exception as error:  # the node will say it in its own words when it runs
            return f"refused {type(error).__name__} {error}"

    def _settle(self, i: int) -> None:
        """Note the key of a step and what is remembered of it."""
        key = self.key(i)
        self.keys[i] = key
        if key is not None:
            found = self.desk.memory.find(key)
            self.known[i] = found.digests if found is not None else None
