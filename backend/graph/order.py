"""The order of a level: sources before users, else as in the document; and cycles, with their path.

Kahn's algorithm (Communications of the ACM 5(11), 1962) with a heap for the document's order.
"""

from __future__ import annotations

import heapq

from backend.graph.diagnostics import diagnose
from backend.graph.opened import Gone, Level, Linked, Opened, Source


def order_level(level: Level) -> None:
    """Fill in ``level.order``, the nodes' ``needs`` and ``left_out``, and say cycles."""
    place = {node: index for index, node in enumerate(level.nodes)}
    users: list[list[int]] = [[] for _ in level.nodes]
    waiting = [0] * len(level.nodes)
    for index, node in enumerate(level.nodes):
        node.needs = [s for s in node.sources() if not s.given]
        for source in {s.node for s in node.needs}:
            users[place[source]].append(index)
            waiting[index] += 1
    ready = [index for index, count in enumerate(waiting) if count == 0]
    order: list[Opened] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(level.nodes[index])
        for user in users[index]:
            waiting[user] -= 1
            if waiting[user] == 0:
                heapq.heappush(ready, user)
    if len(order) < len(level.nodes):
        say_cycle(level, [n for n, count in zip(level.nodes, waiting, strict=True) if count])
    for node in order:
        leave_out(node)
    level.order = [node for node in order if not node.left_out]


def say_cycle(level: Level, stuck: list[Opened]) -> None:
    """Mark the nodes that wait for themselves, and say one cycle with its path."""
    inside = set(stuck)
    for node in stuck:
        node.cyclic = True
    path: dict[Opened, None] = {}
    node = stuck[0]
    while node not in path:
        path[node] = None
        node = next(s.node for s in node.needs if s.node in inside)
    circle = list(path)
    circle = [node, *reversed(circle[circle.index(node) :])]
    names = [n.id for n in circle]
    shown = names if len(names) <= 12 else [*names[:6], "...", *names[-5:]]
    sentence = f"These nodes wait for each other: {' -> '.join(shown)}."
    fix = "Take out one of these links; to feed a result back, use a repeat."
    node.problems.append(diagnose("W308", node.place, sentence, fix))


def leave_out(node: Opened) -> None:
    """Take out links from nodes that are left out; leave ``node`` out where it needs one."""
    for name, linked in list(node.links.items()):
        if isinstance(linked, Source):
            by = absent(linked)
            if not by:
                continue
            kept: Linked = ()
        elif isinstance(linked, dict):
            kept = {key: source for key, source in linked.items() if not absent(source)}
            by = next(filter(None, map(absent, linked.values())), "")
        else:
            kept = tuple(source for source in linked if not absent(source))
            by = next(filter(None, map(absent, linked)), "")
        if not by:
            continue
        node.links[name] = kept
        if not kept:
            del node.links[name]
            socket = node.table.inputs.get(name) if node.table else None
            if socket is not None and not socket.optional:
                node.left_out = node.left_out or by
    for source in node.captures.values():
        node.left_out = node.left_out or absent(source)
    if node.left_out:
        sentence = f"{node.id} does not run, because {node.left_out} is muted."
        node.problems.append(diagnose("W310", node.place, sentence))


def absent(source: Source) -> str:
    """The muted node because of which a source gives nothing, or an empty text."""
    while not source.given:
        node = source.node
        if node.left_out or node.body is None:
            return node.left_out
        end = node.body.outputs.get(source.output)
        if isinstance(end, Gone):
            return end.by
        if end is None:
            return ""
        source = end  # bodies are ordered before what is around them
    return ""
