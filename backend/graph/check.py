"""Checking a document against the node types at hand: diagnostics, facts, and the graph to run."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from backend.graph.arrival import facts_at, wire_of
from backend.graph.caps import Caps
from backend.graph.count import check_expansion
from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.document import Node, Workflow
from backend.graph.expand import expand
from backend.graph.exposed import check_exposed, check_models
from backend.graph.facts import Facts
from backend.graph.fields import check_fields
from backend.graph.flat import Flat, Step
from backend.graph.flow import Flow
from backend.graph.links import Links
from backend.graph.opened import Linked, Opened, Source, Structure, Table, read_table
from backend.graph.order import order_level
from backend.graph.params import canonical_params
from backend.graph.registry import Registry
from backend.graph.want import Want, healthy, want
from backend.graph.zones import has_effect

__all__ = ["Checked", "Checker", "Diagnostic", "check"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. ``flat`` is ``None`` where an error stands in the way.

    ``facts`` holds what is known of the outputs of every step, by step id and output.
    """

    diagnostics: tuple[Diagnostic, ...]
    flat: Flat | None
    facts: Mapping[str, Mapping[str, Facts]]

    @property
    def ok(self) -> bool:
        """Whether no error stands in the way of a run."""
        return self.flat is not None


def check(
    workflow: Workflow,
    registry: Registry,
    lookup: Any = None,
    caps: Caps | None = None,
    wanted: Collection[str] | None = None,
) -> Checked:
    """Check a document once.

    Args:
        workflow: The document.
        registry: The node types at hand.
        lookup: What facts hooks may ask about files (``backend.sdk.Lookup``).
        caps: Limits on expansion.
        wanted: Ids of the nodes whose outputs are wanted; errors elsewhere become warnings, and
            the nodes that they spoil are left out of ``flat``.
    """
    return Checker(registry, lookup, caps).check(workflow, wanted)


@dataclass(slots=True)
class _Memory:
    """The last document, opened and settled."""

    workflow: Workflow
    structure: Structure
    nodes: list[Opened]
    users: list[list[int]]
    index: Mapping[str, int]
    fixed: tuple[Diagnostic, ...]
    unused: tuple[tuple[str, Diagnostic], ...]
    idle: bool
    flat: Flat | None = None
    facts: dict[str, Mapping[str, Facts]] = field(default_factory=dict)


class Checker:
    """Checks one document again and again while it is edited.

    It owns the memory of the last document. What did not change is not looked at again, and its
    ``Step`` objects stay the same objects. Files that facts hooks look into are asked again only
    for nodes that changed; ``forget`` asks for all.
    """

    def __init__(self, registry: Registry, lookup: Any = None, caps: Caps | None = None) -> None:
        self.registry = registry
        self.caps = caps or Caps()
        self.flow = Flow(registry, lookup, self.caps)
        self._tables: dict[str, Table | None] = {}
        self._memory: _Memory | None = None

    def forget(self) -> None:
        """Look at everything anew in the next check."""
        self._memory = None

    def check(self, workflow: Workflow, wanted: Collection[str] | None = None) -> Checked:
        """Check a document; cheap where it differs little from the last one."""
        memory, self._memory = self._memory, None  # an exception on the way forgets everything
        changed = _changed(memory.workflow, workflow) if memory is not None else None
        if memory is None or changed is None or not self.touch(memory, workflow, changed):
            found = check_expansion(workflow, self.caps)
            if found:
                return Checked(found, None, MappingProxyType({}))
            memory = self.open(workflow, memory)
        self._memory = memory
        return self.result(memory, wanted)

    def open(self, workflow: Workflow, last: _Memory | None) -> _Memory:
        """Check everything, but keep the steps of ``last`` that come out equal."""
        structure = expand(workflow, self.registry, self.table)
        Links(structure).resolve_all()
        nodes = list(structure.nodes())
        for level in reversed(structure.levels):
            order_level(level)
            for number, node in enumerate(level.order):
                node.number = number
        before = {node.id: node for node in last.nodes} if last is not None else {}
        for node in nodes:
            self.take_params(node, before.get(node.id))
        for node in structure.top.order:
            self.settle(node, before.get(node.id))
        users: list[list[int]] = [[] for _ in structure.top.order]
        for node in structure.top.order:
            for source in node.needs:
                if source.node.number >= 0:
                    users[source.node.number].append(node.number)
        index = {node.id: node.number for node in structure.top.order}
        fixed = (
            *(said for _, said in structure.loose),
            *check_fields(workflow),
            *check_exposed(workflow, self.table),
        )
        memory = _Memory(
            workflow, structure, nodes, users, MappingProxyType(index), fixed, (), False
        )
        memory.idle = not structure.top.outputs and not any(map(_is_effect, nodes))
        memory.unused = () if memory.idle else tuple(_unused(structure, nodes))
        memory.facts = {n.id: n.facts for n in nodes if n.number >= 0}
        if last is not None:
            memory.flat = last.flat
        return memory

    def settle(self, node: Opened, before: Opened | None) -> None:
        """Let facts flow through a node, or keep those from before where nothing has changed."""
        if before is None:
            self.flow.settle(node)
        elif _stands(node, before):
            node.facts, node.flow_problems = before.facts, before.flow_problems
        else:
            self.flow.settle(node)
            if node.facts == before.facts:
                node.facts = before.facts  # the same object says to its users that nothing changed

    def take_params(self, node: Opened, before: Opened | None) -> None:
        """Set canonical parameters; those from before where the node is the same object."""
        if before is not None:
            node.step = before.step
            same = before.node is node.node and before.table is node.table
            if same and before.overrides == node.overrides and before.place == node.place:
                node.params, node.param_problems = before.params, before.param_problems
                return
        given = {**node.node.params, **node.overrides}
        if node.table is None:
            node.params = MappingProxyType(given)
        else:
            node.params, node.param_problems = canonical_params(node.table.spec, given, node.place)

    def touch(self, memory: _Memory, workflow: Workflow, changed: list[tuple[str, Node]]) -> bool:
        """Bring ``memory`` up to a document in which only parameters of top-level nodes changed.

        Returns False, with nothing changed, where that is not all.
        """
        touched: list[tuple[Opened, Node]] = []
        for node_id, node in changed:
            entry = memory.structure.scope.entries[node_id]
            if not isinstance(entry, Opened) or entry.table is None:
                return False
            if entry.node.version != node.version or node.version != entry.table.spec.version:
                return False
            touched.append((entry, node))
        ready: list[int] = []
        for entry, node in touched:
            entry.node = node
            self.take_params(entry, None)
            if entry.number >= 0:
                ready.append(entry.number)
        heapq.heapify(ready)
        order, queued = memory.structure.top.order, set(ready)
        while ready:
            number = heapq.heappop(ready)
            queued.discard(number)
            node_now = order[number]
            facts = node_now.facts
            self.flow.settle(node_now)
            self.keep_facts(memory, node_now)
            if node_now.facts != facts:
                for user in memory.users[number]:
                    if user not in queued:
                        queued.add(user)
                        heapq.heappush(ready, user)
        memory.workflow = workflow
        return True

    def keep_facts(self, memory: _Memory, node: Opened) -> None:
        """Take over the facts of a node, and of all in its body."""
        memory.facts[node.id] = node.facts
        todo = [node.body] if node.body is not None else []
        while todo:
            for inner in todo.pop().order:
                memory.facts[inner.id] = inner.facts
                if inner.body is not None:
                    todo.append(inner.body)

    def result(self, memory: _Memory, wanted: Collection[str] | None) -> Checked:
        """What the memory says, with a new ``Flat`` only where a step changed."""
        aim = want(memory.structure, wanted) if wanted is not None else None
        said = list(dict.fromkeys(self.said(memory, aim)))
        facts = MappingProxyType(dict(memory.facts))
        if any(d.level == "error" for d in said):
            return Checked(tuple(said), None, facts)
        top = memory.structure.top
        order = top.order
        outputs = {n: wire_of(s) for n, s in top.outputs.items() if isinstance(s, Source)}
        if aim is not None and aim.spoiled:
            return Checked(tuple(said), healthy(top, aim.spoiled), facts)
        steps = tuple([node.step for node in order if node.step is not None])
        last = memory.flat
        if last is None or last.outputs != outputs or not _same(last.steps, steps):
            memory.flat = Flat(steps, MappingProxyType(outputs), memory.index)
        return Checked(tuple(said), memory.flat, facts)

    def said(self, memory: _Memory, aim: Want | None) -> Iterator[Diagnostic]:
        """Every diagnostic in the order of the document; errors that are off the way softened."""
        if aim is not None:
            yield from aim.problems
            for use, problem in memory.structure.loose:
                yield problem if aim.touches(use) else soft(problem)
            yield from memory.fixed[len(memory.structure.loose) :]
        else:
            yield from memory.fixed
        for node in memory.nodes:
            if node.problems or node.param_problems or node.flow_problems:
                for problem in node.said():
                    yield problem if aim is None or aim.needs(node) else soft(problem)
        if aim is None and memory.idle:
            sentence = "Nothing in the workflow saves or shows a result."
            yield diagnose("W401", "nodes", sentence, "Add a save or preview node.")
        for node_id, problem in memory.unused:
            if aim is None or node_id not in aim.names:
                yield problem
        yield from check_models(memory.workflow, memory.nodes)

    def facts_into(self, node_id: str) -> Mapping[str, Facts]:
        """What is known, since the last check, at the plain inputs of a node that are linked."""
        nodes = self._memory.nodes if self._memory is not None else []
        found = next((node for node in nodes if node.id == node_id), None)
        links = found.links.items() if found is not None else ()
        return {name: facts_at(one) for name, one in links if isinstance(one, Source)}

    def table(self, type_name: str) -> Table | None:
        """The spec of a node type, ready for looking up; ``None`` where there is none."""
        if type_name not in self._tables:
            spec = self.registry.specs.get(type_name)
            self._tables[type_name] = read_table(spec) if spec is not None else None
        return self._tables[type_name]


def _stands(node: Opened, before: Opened) -> bool:
    """Whether what was settled of a node holds still: neither it nor what feeds it has changed."""
    return (
        node.node is before.node
        and node.table is before.table is not None
        and node.body is None
        and node.params is before.params
        and node.number == before.number
        and node.place == before.place
        and node.problems == before.problems
        and list(node.links) == list(before.links)
        and all(map(_same_feed, node.links.values(), before.links.values()))
    )


def _same_feed(now: Linked, then: Linked) -> bool:
    if isinstance(now, Source):
        return isinstance(then, Source) and _same_source(now, then)
    if isinstance(now, dict):
        if not isinstance(then, dict) or list(now) != list(then):
            return False
        return all(map(_same_source, now.values(), then.values()))
    if isinstance(then, Source | dict) or len(now) != len(then):
        return False
    return all(map(_same_source, now, then))


def _same_source(now: Source, then: Source) -> bool:
    """Whether a link comes from the same place, of which the same is known. Equal facts of a
    settled node are the same object."""
    first, second = now.node, then.node
    return (
        first.id == second.id
        and first.number == second.number
        and first.facts is second.facts
        and now.output == then.output
        and now.given == then.given
    )


def soft(problem: Diagnostic) -> Diagnostic:
    """An error as a warning: it does not stand in the way of what is wanted."""
    return replace(problem, level="warning") if problem.level == "error" else problem


def _same(first: tuple[Step, ...], second: tuple[Step, ...]) -> bool:
    return len(first) == len(second) and all(map(_is, first, second))


def _is(first: Step, second: Step) -> bool:
    return first is second


def _is_effect(node: Opened) -> bool:
    return node.table is not None and node.table.spec.effect and not node.left_out


def _unused(structure: Structure, nodes: list[Opened]) -> Iterator[tuple[str, Diagnostic]]:
    if any(problem.level == "error" for node in nodes for problem in node.problems):
        return  # the node that would use it may be the one whose link is wrong
    used = {source.node for node in nodes for source in node.sources()}
    for level in structure.levels:
        used.update(s.node for s in level.outputs.values() if isinstance(s, Source))
    for node in nodes:
        table = node.table
        if node in used or table is None or table.spec.effect or node.left_out:
            continue
        if node.body is None or not has_effect(node.body):
            sentence = f"Nothing uses what {node.id} gives, so it does not run."
            yield node.id, diagnose("W402", node.place, sentence)


def _changed(old: Workflow, new: Workflow) -> list[tuple[str, Node]] | None:
    """The top-level nodes that differ in settings alone, or ``None`` where links differ too."""
    same = (
        old.subgraphs is new.subgraphs
        and old.expose is new.expose
        and old.models is new.models
        and (old.extra is new.extra or old.extra == new.extra)
        and len(old.graph.nodes) == len(new.graph.nodes)
        and (old.graph.outputs is new.graph.outputs or old.graph.outputs == new.graph.outputs)
    )
    if not same:
        return None
    changed = []
    for (old_id, before), (new_id, after) in zip(
        old.graph.nodes.items(), new.graph.nodes.items(), strict=True
    ):
        if before is after and old_id == new_id:
            continue
        if old_id != new_id or not _same_links(before, after):
            return None
        changed.append((new_id, after))
    return changed


def _same_links(before: Node, after: Node) -> bool:
    return (
        before.type == after.type
        and before.version == after.version
        and before.mode == after.mode
        and before.body is after.body
        and (before.extra is after.extra or before.extra == after.extra)
        and (before.inputs is after.inputs or _same_inputs(before, after))
    )


def _same_inputs(before: Node, after: Node) -> bool:
    return list(before.inputs.items()) == list(after.inputs.items())
