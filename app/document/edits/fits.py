"""What a pulled link fits: in the graph, among the node types, and why not where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from app.document.edits.bridge import Bridges, Step
from app.document.edits.common import SpecOf, called
from app.document.edits.cycles import Reads, meeting, reads
from app.document.edits.kinds import UNKNOWN, fits, input_end, output_end
from app.document.level import GIVEN, TAKEN, body_at, graph_of, layout_of, name_of, node_at
from app.labels import label
from backend.graph.document import Node, Workflow
from backend.graph.spec import NodeSpec
from backend.graph.types import is_generic, title


class Fit(NamedTuple):
    """A socket (or parameter) of a node type that a pulled link fits, best first by ``rank``:
    0 the same type, 1 converted, 2 a parameter, 3 anything."""

    rank: int
    type: str
    socket: str


class Refusal(NamedTuple):
    """Why a link cannot be made, and the nodes that would bridge it."""

    sentence: str
    bridge: tuple[Step, ...] = ()


def types_for_output(specs: Mapping[str, NodeSpec], given: str) -> tuple[Fit, ...]:
    """The node types that take what an output gives, each with the socket that takes it best."""
    found = []
    for spec in specs.values():
        ends = [(_rank(given, s.type), s.name) for s in spec.inputs]
        ends += [
            (2, p.name)
            for p in spec.params
            if p.link_type is not None and fits(given, p.link_type) and not is_generic(given)
        ]
        found += _best(spec.type, ends)
    return tuple(sorted(found))


def types_for_input(specs: Mapping[str, NodeSpec], wanted: str) -> tuple[Fit, ...]:
    """The node types that give what an input takes, each with the output that gives it best."""
    found = []
    for spec in specs.values():
        ends = [(_rank(s.type, wanted), s.name) for s in spec.outputs]
        found += _best(spec.type, ends)
    return tuple(sorted(found))


def _best(kind: str, ends: Iterable[tuple[int | None, str]]) -> list[Fit]:
    """The best of the sockets of a node type, the first of equals; none where none fits."""
    ranked = [Fit(rank, kind, name) for rank, name in ends if rank is not None]
    return [min(ranked, key=lambda fit: fit.rank)] if ranked else []


def _rank(given: str, wanted: str) -> int | None:
    if not fits(given, wanted):
        return None
    if given == wanted:
        return 0
    return 3 if is_generic(given) or is_generic(wanted) else 1


class Pull:
    """A link while it is pulled from one end: what the other end may be.

    What the graph says is looked up once, so that every answer takes microseconds. It holds for
    one document; make another after an edit.
    """

    def __init__(
        self,
        workflow: Workflow,
        level: str,
        path: str,
        socket: str,
        is_output: bool,
        spec_of: SpecOf,
        known: Reads | None = None,
    ) -> None:
        """``path`` and ``socket`` are where it is pulled from, a boundary perhaps."""
        self.workflow, self.level = workflow, level
        self.path, self.socket, self.is_output = path, socket, is_output
        self._spec_of = spec_of
        self._graph = graph_of(workflow, level)
        self._known = known or Reads()
        self._circles: dict[tuple[str, str], set[str]] = {}
        if is_output:
            self.type = output_end(workflow, level, path, socket, spec_of).type
        else:
            end = input_end(workflow, level, path, socket, spec_of)
            self.type = end.type if end is not None else UNKNOWN

    def fits(self, path: str, socket: str) -> bool:
        """Whether a link to (from) this socket can be made."""
        return not self._is_locked(path) and not self.circles(path) and self._typed(path, socket)

    def circles(self, path: str) -> bool:
        """Whether a link to (from) a node would lead in a circle."""
        source, target = (self.path, path) if self.is_output else (path, self.path)
        zone, begins, ends = meeting(source, target)
        if begins in (GIVEN, TAKEN) or ends in (GIVEN, TAKEN):
            return False
        if begins == ends:
            return True
        near, far = (begins, ends) if self.is_output else (ends, begins)
        return far in self._bad(zone, near)

    def refusal(self, path: str, socket: str, bridges: Bridges) -> Refusal | None:
        """Why the link cannot be made, in sentences, and what would bridge it; ``None`` where it
        can be."""
        if self._is_locked(path):
            return Refusal(f"{self._called(path)} is locked. Unlock it to change its links.")
        source, target = (self.path, path) if self.is_output else (path, self.path)
        if self.circles(path):
            return Refusal(self._circle(source, target))
        if self._typed(path, socket):
            return None
        given, wanted = self._types(path, socket)
        if wanted is None:
            name = self._called(target)
            sentence = f"{label(socket)} of {name} takes no link. Set its value instead."
            return Refusal(sentence)
        bridge = bridges.between(given, wanted)
        said = f"{self._called(target)} reads {a_type(wanted)}. "
        said += f"{self._called(source)} gives {a_type(given)}."
        return Refusal(said, bridge)

    def _circle(self, source: str, target: str) -> str:
        if source == target:
            return f"{self._called(target)} cannot read what it gives itself."
        first, second = self._called(source), self._called(target)
        return f"{first} already needs what {second} gives. A Repeat zone can go in circles."

    def _is_locked(self, path: str) -> bool:
        target = path if self.is_output else self.path
        placed = layout_of(self.workflow, self.level).nodes.get(target)
        return placed is not None and placed.locked

    def _typed(self, path: str, socket: str) -> bool:
        given, wanted = self._types(path, socket)
        return wanted is not None and fits(given, wanted)

    def _types(self, path: str, socket: str) -> tuple[str, str | None]:
        if self.is_output:
            end = input_end(self.workflow, self.level, path, socket, self._spec_of)
            return self.type, end.type if end is not None else None
        end = output_end(self.workflow, self.level, path, socket, self._spec_of)
        return end.type, self.type

    def _bad(self, zone: str, near: str) -> set[str]:
        key = (zone, near)
        if key not in self._circles:
            inside = body_at(self._graph, zone)
            if near not in inside.nodes:
                self._circles[key] = set()
            elif self.is_output:
                known = Reads() if zone else self._known
                self._circles[key] = known.upstream(inside, near)
            else:
                self._circles[key] = _downstream(inside.nodes, near)
        return self._circles[key]

    def _called(self, path: str) -> str:
        name = name_of(path)
        if name in (GIVEN, TAKEN):
            return "The outside"
        node = node_at(self._graph, path)
        spec = self._spec_of(self.workflow, node)
        if node.title or spec is None:
            return called(self.workflow, self.level, path)
        return spec.title


def _downstream(nodes: Mapping[str, Node], name: str) -> set[str]:
    """A node of a graph and all those that need it, however far."""
    users: dict[str, list[str]] = {}
    for user, node in nodes.items():
        for source in reads(node):
            users.setdefault(source, []).append(user)
    found = {name}
    todo = [name]
    while todo:
        for user in users.get(todo.pop(), ()):
            if user not in found:
                found.add(user)
                todo.append(user)
    return found


def bridge_words(bridge: tuple[Step, ...], specs: Mapping[str, NodeSpec]) -> str:
    """What a bridge does, as a sentence: ``VAE decode turns it into one.``"""
    if not bridge:
        return ""
    names = [specs[step.type].title for step in bridge]
    return f"{' and '.join(names)} {'turns' if len(names) == 1 else 'turn'} it into one."


def a_type(name: str) -> str:
    """A socket type in a sentence, as it is written on screen: ``an Image``."""
    if is_generic(name):
        return "anything"
    words = title(name)
    words = words[:1].upper() + words[1:]
    return f"{'an' if words[0] in 'AEIO' else 'a'} {words}"
