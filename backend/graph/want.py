"""Checking for some outputs only: which nodes they need, and a graph without the spoiled ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from backend.graph.arrival import wire_of
from backend.graph.diagnostics import Diagnostic, diagnose
from backend.graph.flat import Feed, Flat, Wire
from backend.graph.opened import Level, Opened, Skipped, Source, Structure, Use
from backend.graph.params import Hints
from backend.graph.shape import short


@dataclass(frozen=True, slots=True)
class Want:
    """What is wanted: the names, the top-level nodes needed, and those that an error spoils.

    ``inside`` holds the ids of the uses of subgraphs that a needed node lies in.
    """

    names: frozenset[str]
    needed: frozenset[Opened]
    inside: frozenset[str]
    spoiled: frozenset[Opened]
    problems: tuple[Diagnostic, ...]

    def needs(self, node: Opened) -> bool:
        """Whether a node, or the outermost zone around it, is needed."""
        return outermost(node) in self.needed

    def touches(self, use: str) -> bool:
        """Whether a problem of the subgraph use with this id concerns what is needed."""
        return not use or use in self.inside


def outermost(node: Opened) -> Opened:
    """The node itself, or the outermost zone that it lies in."""
    while node.level.owner is not None:
        node = node.level.owner
    return node


def want(structure: Structure, wanted: Collection[str]) -> Want:
    """Find what the wanted nodes (by id, or path, or a subgraph's node) need."""
    by_id = {node.id: node for node in structure.nodes()}
    roots: list[Opened] = []
    problems: list[Diagnostic] = []
    for name in wanted:
        found = _found(structure, name, by_id)
        if not found:
            problems.append(_missing(structure, name, by_id))
        for node in found:
            if node.left_out:
                sentence = f"{name} is wanted, but does not run: {node.left_out} is muted."
                problems.append(diagnose("W404", node.place, sentence, "Unmute it."))
        roots.extend(map(outermost, found))
    needed = _upstream(roots)
    inside = frozenset(use for node in needed for use in around(node))
    return Want(frozenset(wanted), needed, inside, spoiled(structure), tuple(problems))


def around(node: Opened) -> Iterator[str]:
    """The ids of everything that a node lies in, from its path."""
    end = node.id.find("/")
    while end >= 0:
        yield node.id[:end]
        end = node.id.find("/", end + 1)


def _found(structure: Structure, name: str, by_id: Mapping[str, Opened]) -> list[Opened]:
    if name in by_id:
        return [by_id[name]]
    return [node for node_id, node in by_id.items() if node_id.startswith(name + "/")]


def _missing(structure: Structure, name: str, by_id: Mapping[str, Opened]) -> Diagnostic:
    entry = structure.scope.entries.get(name)
    if isinstance(entry, Skipped | Use):
        what = "bypassed" if isinstance(entry, Skipped) and entry.passes else "muted or empty"
        sentence = f"{name} is wanted, but does not run: it is {what}."
        return diagnose("W404", entry.place, sentence, "Switch it on.")
    fix = Hints().near(name, by_id)
    return diagnose("W403", "nodes", f"There is no node {short(name)} that could be run.", fix)


def _upstream(roots: Iterable[Opened]) -> frozenset[Opened]:
    needed: set[Opened] = set()
    todo = list(roots)
    while todo:
        node = todo.pop()
        if node not in needed:
            needed.add(node)
            todo.extend(source.node for source in node.needs)
    return frozenset(needed)


def spoiled(structure: Structure) -> frozenset[Opened]:
    """The top-level nodes that cannot run because of an error in them or before them."""
    bad = {outermost(node) for node in structure.nodes() if _is_bad(node)}
    uses = {use for use, problem in structure.loose if use and problem.level == "error"}
    if uses:
        bad.update(n for n in structure.top.nodes if not uses.isdisjoint(around(n)))
    for node in structure.top.order:
        if any(source.node in bad for source in node.needs):
            bad.add(node)
    return frozenset(bad)


def _is_bad(node: Opened) -> bool:
    return node.cyclic or any(problem.level == "error" for problem in node.said())


def healthy(top: Level, without: Collection[Opened]) -> Flat:
    """The graph without some nodes and without gaps in its numbers."""
    kept = [node for node in top.order if node not in without]
    number = {node.number: index for index, node in enumerate(kept)}
    steps = []
    for node in kept:
        if node.step is not None:
            inputs = {name: _renumbered(feed, number) for name, feed in node.step.inputs.items()}
            steps.append(replace(node.step, inputs=MappingProxyType(inputs)))
    outputs = {
        name: _moved(wire_of(source), number)
        for name, source in top.outputs.items()
        if isinstance(source, Source) and source.node.number in number
    }
    index = {node.id: place for place, node in enumerate(kept)}
    return Flat(tuple(steps), MappingProxyType(outputs), MappingProxyType(index))


def _renumbered(feed: Feed, number: Mapping[int, int]) -> Feed:
    if isinstance(feed, Wire):
        return _moved(feed, number)
    if isinstance(feed, tuple):
        return tuple(_moved(wire, number) for wire in feed)
    return MappingProxyType({name: _moved(wire, number) for name, wire in feed.items()})


def _moved(wire: Wire, number: Mapping[int, int]) -> Wire:
    return replace(wire, step=number[wire.step])
