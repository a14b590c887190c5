"""Facts through a zone: what it hands to its body, and what comes of all its turns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from backend.graph.arrival import UNKNOWN, Arrival, agree, facts_at, keep_step, wire_of
from backend.graph.conversions import convert_facts, find_conversion
from backend.graph.diagnostics import diagnose
from backend.graph.facts import Facts, facts_of
from backend.graph.flat import Flat, Wire
from backend.graph.links import ZONE_NAMES, with_article
from backend.graph.opened import Level, Opened, Source, Table
from backend.graph.types import TYPES

if TYPE_CHECKING:
    from backend.graph.flow import Flow

STOP = "stop"
"""The body output that ends a repeat early."""

_TRUSTING_DEPTH = 3
"""Bodies down to this depth may flow twice; deeper ones begin with what holds for every turn."""


def settle_zone(flow: Flow, node: Opened, table: Table, arrival: Arrival) -> None:
    """Set facts and step of a zone, and of everything in its body.

    Calls itself through ``flow`` once per zone inside a zone, which ``Caps.zone_depth`` bounds.
    """
    body = node.body
    assert body is not None
    items: Mapping[str, Facts] = arrival.inputs.get("items", {})
    carry: Mapping[str, Facts] = arrival.inputs.get("carry", {})
    check_names(node, items, carry, arrival)
    turns = count_turns(flow, node, table, items, arrival)
    body.given = {name: facts_at(source) for name, source in node.captures.items()}
    body.given |= {name: facts.single() for name, facts in items.items()}
    body.given["index"] = Facts("Integer")
    body.given["count"] = Facts("Integer") if turns is None else facts_of("Integer", value=turns)
    carried = carry if body.depth < _TRUSTING_DEPTH else {n: weak(f) for n, f in carry.items()}
    flow_body(flow, body, carried)
    after = {name: body_facts(body, name) for name in carried}
    if any(f.is_list != after[n].is_list or agree(f, after[n]) != f for n, f in carried.items()):
        # What becomes a list in a turn is one in the next, and of any length.
        flow_body(flow, body, {n: weak(f, after[n].is_list) for n, f in carry.items()})
    wires = body_wires(node, carry, arrival)
    node.facts = zone_facts(node, table, carry, turns)
    node.flow_problems = tuple(arrival.problems)
    steps = tuple(n.step for n in body.order if n.step is not None)
    index = MappingProxyType({n.id: n.number for n in body.order})
    feeds = dict(arrival.feeds)
    if node.captures:
        feeds["captures"] = MappingProxyType({n: wire_of(s) for n, s in node.captures.items()})
    keep_step(node, feeds, Flat(steps, MappingProxyType(wires), index))


def check_names(
    node: Opened, items: Mapping[str, Facts], carry: Mapping[str, Facts], arrival: Arrival
) -> None:
    """Say reserved names, and names that are both an item and a carried value."""
    for group, names in (("items", items), ("carry", carry)):
        for name in names:
            doubled = group == "carry" and name in items
            ends = group == "carry" and name == STOP and is_repeat(node)
            if name in ZONE_NAMES or doubled or ends:
                why = "stands under items too" if doubled else "is handed in by every zone"
                why = "is what ends a repeat" if ends else why
                sentence = f"{name} of {node.id} {why}."
                place = f"{node.place}.inputs.{group}.{name}"
                arrival.problems.append(diagnose("W502", place, sentence, "Take another name."))


def count_turns(
    flow: Flow, node: Opened, table: Table, items: Mapping[str, Facts], arrival: Arrival
) -> int | None:
    """How many turns a zone makes, or ``None`` where that is not known."""
    params = flow.known_params(node, table, arrival)
    if "items" in table.inputs:
        for name, facts in items.items():
            arrival.lists[f"items.{name}"] = facts.length if facts.is_list else 1
        return flow.length(node, arrival)
    for name in arrival.lists:
        sentence = f"{name} of {node.id} is one value for the whole zone, and a list comes."
        place = f"{node.place}.inputs.{name}"
        fix = "Link one item of it, with Pick, or put the zone into a for-each."
        arrival.problems.append(diagnose("W305", place, sentence, fix))
    times = params.get("times")
    return times if isinstance(times, int) else None


def is_repeat(node: Opened) -> bool:
    """Whether a zone runs a number of times rather than over items."""
    return node.table is not None and "items" not in node.table.inputs


def flow_body(flow: Flow, body: Level, carried: Mapping[str, Facts]) -> None:
    """Let facts flow once through a body."""
    body.given.update(carried)
    for node in body.order:
        flow.settle(node)


def body_facts(body: Level, name: str) -> Facts:
    """What is known of a body's output after one turn."""
    source = body.outputs.get(name)
    return facts_at(source) if isinstance(source, Source) else UNKNOWN


def body_wires(node: Opened, carry: Mapping[str, Facts], arrival: Arrival) -> dict[str, Wire]:
    """The wires of the body's outputs; carried values must come back as they went in."""
    body = node.body
    assert body is not None
    wires = {n: wire_of(s) for n, s in body.outputs.items() if isinstance(s, Source)}
    for name, first in carry.items():
        if name not in wires:
            sentence = f"The body of {node.id} never gives the carried value {name}."
            fix = f'Put "{name}" into its outputs.'
            place = f"{node.place}.body.outputs"
            if name not in (body.scope.graph.outputs if body.scope else ()):
                arrival.problems.append(diagnose("W501", place, sentence, fix))
            else:
                sentence = f"The carried value {name} of {node.id} comes from a muted node."
                arrival.problems.append(diagnose("W501", place, sentence, "Unmute it."))
            continue
        wires[name] = carried_wire(node, name, first, wires[name], arrival)
    if STOP in wires and is_repeat(node):
        kind = body_facts(body, STOP).type
        if kind in TYPES and kind != "Boolean":
            sentence = f"stop of {node.id} is yes or no, and the body gives {with_article(kind)}."
            arrival.problems.append(diagnose("W504", f"{node.place}.body.outputs.stop", sentence))
    if not wires and not has_effect(body):
        sentence = f"The body of {node.id} gives nothing and saves nothing."
        arrival.problems.append(diagnose("W505", f"{node.place}.body", sentence, "Add outputs."))
    return wires


def carried_wire(node: Opened, name: str, first: Facts, wire: Wire, arrival: Arrival) -> Wire:
    """The wire by which a carried value comes back, converted where the table allows it."""
    assert node.body is not None
    back = body_facts(node.body, name)
    if first.type == back.type or first.type not in TYPES or back.type not in TYPES:
        return wire
    way = find_conversion(back.type, first.type)
    if way is not None:
        return Wire(wire.step, wire.output, way)
    sentence = (
        f"{name} goes into {node.id} as {with_article(first.type)} and comes back as "
        f"{with_article(back.type)}."
    )
    place = f"{node.place}.body.outputs.{name}"
    arrival.problems.append(diagnose("W503", place, sentence, "Make both the same."))
    return wire


def zone_facts(
    node: Opened, table: Table, carry: Mapping[str, Facts], turns: int | None
) -> dict[str, Facts]:
    """The facts of a zone's outputs: the last carried values, and lists of all else."""
    body = node.body
    assert body is not None
    repeats = "items" not in table.inputs
    length = None if repeats and STOP in body.outputs else turns
    facts: dict[str, Facts] = {}
    for name in body.outputs:
        known = body_facts(body, name)
        if name in carry:
            back = find_conversion(known.type, carry[name].type)
            last = convert_facts(back, known) if back else known
            facts[name] = last if turns else agree(carry[name], last)
        elif not (repeats and name == STOP):
            facts[name] = known.listed(None if known.is_list else length)
    return facts


def weak(facts: Facts, becomes_list: bool = False) -> Facts:
    """Only the type, and whether it is a list."""
    return Facts(facts.type, is_list=facts.is_list or becomes_list)


def has_effect(body: Level) -> bool:
    """Whether anything in a body, or in zones inside it, changes something outside."""
    todo = [body]
    while todo:
        for node in todo.pop().nodes:
            if node.table is None or node.table.spec.effect:
                return True
            if node.body is not None:
                todo.append(node.body)
    return False
