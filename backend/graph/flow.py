"""Facts along the opened graph: types, conversions, list lengths, and the steps that come of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from backend.graph.arrival import Arrival, facts_at, keep_step, said_source, wire_of
from backend.graph.caps import Caps
from backend.graph.conversions import convert_facts, find_conversion
from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Each
from backend.graph.errors import UserError
from backend.graph.facts import Facts
from backend.graph.flat import Step, Wire
from backend.graph.links import with_article
from backend.graph.opened import Opened, Source, Table
from backend.graph.params import Unfit, canonical
from backend.graph.registry import Registry
from backend.graph.types import TYPES, is_generic
from backend.graph.zones import settle_zone

MAX_ROW = 10_000
"""The longest row of facts that a hook is given; of a longer one nothing is known."""


class Flow:
    """Lets facts flow through nodes, one after the other."""

    def __init__(self, registry: Registry, lookup: Any, caps: Caps) -> None:
        self.registry = registry
        self.lookup = lookup
        self.caps = caps

    def settle(self, node: Opened) -> None:
        """Set ``facts``, ``step`` and ``flow_problems`` of a node whose sources are settled."""
        table = node.table
        if table is None:
            node.facts, node.flow_problems = {}, ()
            node.step = Step(node.id, node.node.type, node.node.version, node.params)
            return
        if node.body is not None:
            settle_zone(self, node, table, self.arrive(node, table))
            return
        arrival = self.arrive(node, table)
        params = self.known_params(node, table, arrival)
        if arrival.lists and "needs" in table.spec.hooks:
            self.choose_lists(table, params, arrival)
        length = self.length(node, arrival)
        facts = self.outputs(node, table, params, arrival)
        if arrival.lists:
            facts = {name: _listed(known, length) for name, known in facts.items()}
        node.facts = facts
        node.flow_problems = tuple(arrival.problems)
        keep_step(node, arrival.feeds)

    def arrive(self, node: Opened, table: Table) -> Arrival:
        """The facts at every linked input, converted; wires with their conversions."""
        arrival = Arrival()
        for name, linked in node.links.items():
            socket = table.inputs.get(name)
            wanted = socket.type if socket is not None else table.params[name].link_type or "Text"
            if isinstance(linked, Source):
                facts, wire = self.fit(node, name, wanted, linked, arrival)
                arrival.feeds[name] = wire
                if socket is not None and socket.arity == "list":
                    arrival.inputs[name] = facts if facts.is_list else facts.listed(1)
                    continue
                facts = _one(arrival, name, facts)
                (arrival.params if socket is None else arrival.inputs)[name] = facts
            elif isinstance(linked, dict):
                row = {
                    k: self.fit(node, f"{name}.{k}", wanted, s, arrival) for k, s in linked.items()
                }
                arrival.feeds[name] = MappingProxyType({k: wire for k, (_, wire) in row.items()})
                facts_by_name = {k: facts for k, (facts, _) in row.items()}
                if not table.spec.zone:  # a zone takes its lists apart by itself
                    facts_by_name = {
                        k: _one(arrival, f"{name}.{k}", f) for k, f in facts_by_name.items()
                    }
                arrival.inputs[name] = facts_by_name
            else:
                many = [
                    self.fit(node, f"{name}.{i}", wanted, s, arrival) for i, s in enumerate(linked)
                ]
                arrival.feeds[name] = tuple(wire for _, wire in many)
                row_facts = [facts for facts, _ in many]
                if socket is not None and table.spec.maps(socket):
                    arrival.inputs[name] = tuple(
                        _one(arrival, f"{name}.{i}", f) for i, f in enumerate(row_facts)
                    )
                else:
                    arrival.inputs[name] = _spread(arrival, row_facts)
        return arrival

    def fit(
        self, node: Opened, name: str, wanted: str, source: Source, arrival: Arrival
    ) -> tuple[Facts, Wire]:
        """Facts and wire of one link, converted where the table has a row, else said."""
        facts = facts_at(source)
        wire = wire_of(source)
        if is_generic(wanted):
            if node.table is not None and node.table.spec.zone:
                return facts, wire  # every item and carried value has a type of its own
            if facts.type in TYPES:
                arrival.bound.setdefault(wanted, facts.type)
            wanted = arrival.bound.get(wanted, wanted)
        if facts.type == wanted or facts.type not in TYPES or wanted not in TYPES:
            return facts, wire
        way = find_conversion(facts.type, wanted)
        if way is not None:
            return convert_facts(way, facts), Wire(wire.step, wire.output, way)
        arrival.problems.append(self.mismatch(node, name, wanted, facts, source))
        return Facts(wanted, is_list=facts.is_list, length=facts.length), wire

    def mismatch(
        self, node: Opened, name: str, wanted: str, facts: Facts, source: Source
    ) -> Diagnostic:
        """What to say where no conversion leads from a source to an input."""
        sentence = (
            f"{name} of {node.id} takes {with_article(wanted)}, and "
            f"{said_source(source)} gives {with_article(facts.type)}."
        )
        between = bridges(self.registry, facts.type, wanted)
        fix = f"Put {' or '.join(between)} between them." if between else ""
        return diagnose("W305", f"{node.place}.inputs.{name}", sentence, fix)

    def choose_lists(self, table: Table, params: Mapping[str, Any], arrival: Arrival) -> None:
        """Of the lists into a lazy node only those that it asks for map it, where that is known."""
        try:
            open_params = [n for n in arrival.params if n in arrival.lists or n not in params]
            asked = None if open_params else self.registry.needs(table.spec.type, params)
        except Exception:  # it fails again when it runs, and is told then
            asked = None
        if asked is None:
            arrival.unsure = True
            return
        for name in [n for n in arrival.lists if n not in arrival.params]:
            if name not in asked and name.partition(".")[0] not in asked:
                del arrival.lists[name]

    def length(self, node: Opened, arrival: Arrival) -> int | None:
        """How many times a mapped node runs, or ``None`` where that is not known."""
        if not arrival.lists:
            return None
        known = {name: n for name, n in arrival.lists.items() if n is not None}
        if arrival.unsure:
            certain = {n for name, n in known.items() if name in arrival.params}
            return certain.pop() if len(certain) == 1 and node.node.each == "zip" else None
        each: Each = node.node.each
        if each == "product":
            total = math.prod(known.values())
            if total > self.caps.list_items:
                self.too_many(node, total, arrival)
            return total if len(known) == len(arrival.lists) else None
        if each == "repeat":
            if len(known) < len(arrival.lists):
                return None
            return max(known.values()) if all(known.values()) else 0
        if len(set(known.values())) > 1:
            lengths = ", ".join(f"{name} has {n}" for name, n in known.items())
            sentence = f"The lists that {node.id} takes item by item differ in length: {lengths}."
            fix = 'Make them equal, or set "each" to "repeat" or "product".'
            arrival.problems.append(diagnose("W311", node.place, sentence, fix))
        return next(iter(known.values()), None)

    def too_many(self, node: Opened, total: int, arrival: Arrival) -> None:
        """Say that a node would run too often."""
        sentence = f"{node.id} would run {total} times; {self.caps.list_items} are allowed."
        said = diagnose("W312", node.place, sentence, "Make the lists shorter.")
        arrival.problems.append(said)

    def outputs(
        self, node: Opened, table: Table, params: Mapping[str, Any], arrival: Arrival
    ) -> dict[str, Facts]:
        """The facts of the outputs of one run, as the node type says, else by its types alone."""
        facts = plain_facts(table, arrival)
        troubled = any(
            p.level == "error" for p in (*node.problems, *node.param_problems, *arrival.problems)
        )
        if "facts" not in table.spec.hooks or troubled or arrival.vague:
            return facts
        spec = table.spec
        try:
            told = self.registry.facts(spec.type, params, arrival.inputs, self.lookup)
            checked = {name: _checked(told[name], name, facts) for name in facts if name in told}
        except UserError as error:
            arrival.problems.append(diagnose("W601", node.place, f"{node.id}: {error}"))
            return facts
        except Exception as error:  # a hook is a node author's code; the run may still go well
            cause = f"{type(error).__name__}: {error}"
            sentence = f"{spec.title} could not say what {node.id} will give ({cause[:200]})."
            fix = "Tell the author of the node; the run goes on without it."
            arrival.problems.append(diagnose("W602", node.place, sentence, fix))
            return facts
        return {**facts, **checked}

    def known_params(self, node: Opened, table: Table, arrival: Arrival) -> Mapping[str, Any]:
        """The parameters with known values: those of the document, and of links where known."""
        if not arrival.params:
            return node.params
        params = dict(node.params)
        for name, facts in arrival.params.items():
            params.pop(name, None)
            if facts.value is None:
                continue
            try:
                params[name] = canonical(table.params[name], facts.value)
            except Unfit as unfit:
                sentence = f"{name} of {node.id} {unfit.said}."
                place = f"{node.place}.inputs.{name}"
                arrival.problems.append(diagnose(unfit.code, place, sentence))
        return params


def plain_facts(table: Table, arrival: Arrival) -> dict[str, Facts]:
    """What the types alone say: a generic output is of the type that is bound."""
    facts = dict(table.plain_facts)
    for name, known in table.plain_facts.items():
        if known.type in arrival.bound:
            facts[name] = Facts(arrival.bound[known.type], is_list=known.is_list)
    return facts


def _checked(told: Any, name: str, plain: Mapping[str, Facts]) -> Facts:
    """Facts from a hook, where they are of the declared type."""
    wanted = plain[name]
    if not isinstance(told, Facts):
        raise TypeError(f"{name} is {type(told).__name__}, not Facts")
    if wanted.type in TYPES and told.type in TYPES and told.type != wanted.type:
        raise TypeError(f"{name} is declared {wanted.type}, not {told.type}")
    if told.type not in TYPES:
        return wanted
    return told if told.is_list == wanted.is_list else told.listed() if wanted.is_list else told


def bridges(registry: Registry, source: str, target: str) -> list[str]:
    """The titles of node types that make ``target`` out of ``source``; the plainest two."""

    def found() -> Iterator[tuple[int, str]]:
        for spec in registry.specs.values():
            takes = any(s.type == source for s in spec.inputs)
            if takes and any(s.type == target for s in spec.outputs):
                yield len([s for s in spec.inputs if not s.optional]), spec.title

    return [name for _, name in sorted(found())[:2]]


def _one(arrival: Arrival, name: str, facts: Facts) -> Facts:
    if not facts.is_list:
        return facts
    arrival.lists[name] = facts.length
    return facts.single()


def _spread(arrival: Arrival, row: list[Facts]) -> tuple[Facts, ...]:
    """What links give to a growing row: lists are spread over it."""
    lengths = [facts.length if facts.is_list else 1 for facts in row]
    known = [length for length in lengths if length is not None]
    if len(known) < len(row) or sum(known) > max(MAX_ROW, len(row)):
        arrival.vague = True
        return tuple(facts.single() for facts in row)
    return tuple(f.single() for f, n in zip(row, known, strict=True) for _ in range(n))


def _listed(facts: Facts, length: int | None) -> Facts:
    return facts.listed(None if facts.is_list else length)
