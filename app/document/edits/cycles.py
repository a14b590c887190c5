"""Whether a link would lead in a circle.

A zone is one node to all outside it, and reads what any node in it reads. So a link matters in the
one graph in which both its ends lie, or the zones around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.document.difference import Difference, compared
from app.document.level import GIVEN, TAKEN, body_at, name_of, parent_of
from backend.graph.document import BOUNDARY, Graph, Input, Node, Ref


class Reads:
    """What every node of a graph reads from, remembered from one document to the next.

    A node that is the same object is not looked at again. It belongs to one canvas.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[Node, tuple[str, ...]]] = {}
        self._order: dict[str, float] = {}
        self._seen: Mapping[str, Node] = {}
        """The nodes of which ``_order`` is an order: each stands after all that it reads."""

    def of(self, graph: Graph, name: str) -> tuple[str, ...]:
        """The names that a node of ``graph`` reads from; those outside the graph too."""
        node = graph.nodes[name]
        known = self._known.get(name)
        if known is not None and known[0] is node:
            return known[1]
        found = tuple(reads(node))
        self._known[name] = (node, found)
        return found

    def is_before(self, graph: Graph, source: str, target: str) -> bool:
        """Whether ``source`` stands before ``target`` in an order in which every node stands after
        all that it reads; then it cannot need it. False also where the order does not tell."""
        self.follow(graph)
        order = self._order
        return source in order and target in order and order[source] < order[target]

    def follow(self, graph: Graph, known: Difference[str, Node] | None = None) -> None:
        """Keep the order: put right what changed against it, or where that fails begin anew. Asked
        for when nobody waits, it need not be done at the first link.

        ``known`` is what the last edit changed, where somebody has found that.
        """
        nodes, seen = graph.nodes, self._seen
        if nodes is seen:
            return
        if known is not None and known.before is seen and known.after is nodes:
            same, changed = known.same, known.changed
        else:
            same, changed = compared(seen, nodes)
        self._seen = nodes
        if self._order and not same:
            changed = self._come_and_gone(graph, changed)
        whole = len(self._order) == len(nodes)  # else some stood in a circle, or behind one
        if not whole or not all(self._put_right(graph, name) for name in changed):
            self._sort_all(graph)

    def _come_and_gone(self, graph: Graph, changed: list[str]) -> list[str]:
        """Put new nodes last and forget the others; what is to be looked at: those who read new
        ones too."""
        nodes, order = graph.nodes, self._order
        for name in order.keys() - nodes.keys():
            del order[name]
        fresh = [name for name in changed if name not in order]
        last = max(order.values(), default=0.0)
        order.update((name, last + n) for n, name in enumerate(fresh, 1))
        met = set(fresh)
        near = [name for name in nodes if not met.isdisjoint(self.of(graph, name))]
        return [*changed, *near]

    def _put_right(self, graph: Graph, name: str) -> bool:
        """Move what a node reads before it; false where it cannot be told how."""
        order, nodes = self._order, graph.nodes
        for source in self.of(graph, name):
            if source in nodes and (source not in order or name not in order):
                return False
            if source in nodes and order[source] >= order[name]:
                before = self._behind(graph, source, order[name])
                if name in before or not self._make_room(before, order[name]):
                    return False
        return True

    def _behind(self, graph: Graph, name: str, place: float) -> list[str]:
        """A node and what it needs, as far as that stands at ``place`` or later, in order."""
        found, todo = {name}, [name]
        while todo:
            for source in self.of(graph, todo.pop()):
                if source not in found and self._order.get(source, -1.0) >= place:
                    found.add(source)
                    todo.append(source)
        return sorted(found, key=self._order.__getitem__)

    def _make_room(self, names: list[str], place: float) -> bool:
        """Put nodes close before a place; false where there is no room between two numbers."""
        low = max((at for at in self._order.values() if at < place), default=place - 1)
        step = (place - low) / (len(names) + 1)
        if low + step <= low or place - step >= place:
            return False
        self._order.update((name, low + step * n) for n, name in enumerate(names, 1))
        return step > 1e-9

    def _sort_all(self, graph: Graph) -> None:
        """Find an order (Kahn's algorithm); what stands in a circle, or behind one, has none."""
        nodes, order = graph.nodes, self._order
        waits = {name: [s for s in self.of(graph, name) if s in nodes] for name in nodes}
        left = {name: len(sources) for name, sources in waits.items()}
        users: dict[str, list[str]] = {}
        for name, sources in waits.items():
            for source in sources:
                users.setdefault(source, []).append(name)
        ready = [name for name, count in left.items() if not count]
        order.clear()
        while ready:
            name = ready.pop()
            order[name] = float(len(order))
            for user in users.get(name, ()):
                left[user] -= 1
                if not left[user]:
                    ready.append(user)

    def upstream(self, graph: Graph, name: str) -> set[str]:
        """A node of ``graph`` and all those that it needs, however far."""
        found = {name}
        todo = [name]
        nodes, known = graph.nodes, self._known
        while todo:
            at = todo.pop()
            entry = known.get(at)
            read = entry[1] if entry is not None and entry[0] is nodes[at] else self.of(graph, at)
            for source in read:
                if source not in found and source in nodes:
                    found.add(source)
                    todo.append(source)
        return found


def reads(node: Node) -> set[str]:
    """The nodes that a node reads from, by id: a zone also what its inside reads outside it."""
    found: set[str] = set()
    for given in node.inputs.values():
        found.update(_names(given))
    if node.body is not None:
        inner: set[str] = {ref.node for ref in node.body.outputs.values()}
        for inside in node.body.nodes.values():
            inner |= reads(inside)
        found |= inner - node.body.nodes.keys()
    found.discard(BOUNDARY)
    return found


def _names(given: Input) -> Iterable[str]:
    if isinstance(given, Ref):
        return (given.node,)
    refs = given.values() if isinstance(given, Mapping) else given
    return [ref.node for ref in refs]


def meeting(source: str, target: str) -> tuple[str, str, str]:
    """The graph in which two ends meet (``""`` or the path of a zone), and for each end the node
    of that graph which it is, or in which it lies."""
    first, second = parent_of(source).split("/"), parent_of(target).split("/")
    first, second = [s for s in first if s], [s for s in second if s]
    same = 0
    while same < min(len(first), len(second)) and first[same] == second[same]:
        same += 1
    ends = [*first, name_of(source)][same], [*second, name_of(target)][same]
    return "/".join(first[:same]), *ends


def would_cycle(graph: Graph, source: str, target: str, known: Reads | None = None) -> bool:
    """Whether a link between two nodes (or boundaries) of a level would close a circle.

    ``known`` is for the top of the level, and makes the answer quick.

    Raises:
        KeyError: a zone on the way is not there.
    """
    zone, begins, ends = meeting(source, target)
    if begins in (GIVEN, TAKEN) or ends in (GIVEN, TAKEN):
        return False
    if begins == ends:
        return True
    inside = body_at(graph, zone)
    if begins not in inside.nodes:
        return False
    remembered = known if known is not None and not zone else Reads()
    if known is remembered and known.is_before(inside, begins, ends):
        return False
    return ends in remembered.upstream(inside, begins)
