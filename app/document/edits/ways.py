"""How links are drawn: through reroutes, or as a name at both ends. The links stay as they are.

A reroute is a point that links from one output go through. Links of that output that go through
the same point share it; moved or taken away, it is so for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from app.document.edits.common import EditError, SpecOf, fresh
from app.document.edits.connect import connect
from app.document.level import Link, graph_of, layout_of, links, put_layout
from backend.graph.document import Layout, Point, Way, Workflow

Change: TypeAlias = Callable[[tuple[Point, ...], int], tuple[Point, ...]]
"""What becomes of the points of a way at which a reroute is the one of a number."""


class Dot(NamedTuple):
    """A reroute: the output (``blur.image``) whose links go through it, and its place."""

    source: str
    x: float
    y: float


def source_of(link: Link) -> str:
    """How ways call the beginning of a link."""
    return f"{link.source}.{link.output}"


def target_of(link: Link) -> str:
    """How ways call the end of a link. The places of a row and of names are one."""
    return f"{link.target}.{link.input}"


def ways_of(layout: Layout) -> Mapping[tuple[str, str], Way]:
    """Ways by the beginning and end of their link."""
    return {(way.source, way.target): way for way in layout.ways}


def dots_of(layout: Layout) -> Mapping[Dot, tuple[Way, ...]]:
    """Every reroute, with the ways through it."""
    found: dict[Dot, tuple[Way, ...]] = {}
    for way in layout.ways:
        for point in way.via:
            dot = Dot(way.source, point.x, point.y)
            found[dot] = (*found.get(dot, ()), way)
    return found


def add_reroute(
    workflow: Workflow, level: str, link: Link, at: tuple[float, float], place: int | None = None
) -> Workflow:
    """Lead a link through a point; ``place`` is the number that it gets on the way, else the last.

    Raises:
        KeyError: there is no such link.
    """
    _need_link(workflow, level, link)
    layout = layout_of(workflow, level)
    way = ways_of(layout).get((source_of(link), target_of(link)))
    way = way or Way(source_of(link), target_of(link))
    number = len(way.via) if place is None else place
    point = Point(float(at[0]), float(at[1]))
    return _put(workflow, level, replace(way, via=(*way.via[:number], point, *way.via[number:])))


def move_reroute(workflow: Workflow, level: str, dot: Dot, at: tuple[float, float]) -> Workflow:
    """Move a reroute; put on another of the same output, the two become one.

    Raises:
        KeyError: there is no such reroute.
    """
    point = Point(float(at[0]), float(at[1]))
    return _each(workflow, level, dot, lambda via, i: (*via[:i], point, *via[i + 1 :]))


def remove_reroute(workflow: Workflow, level: str, dot: Dot) -> Workflow:
    """Take a reroute out of all links that go through it.

    Raises:
        KeyError: there is no such reroute.
    """
    return _each(workflow, level, dot, lambda via, i: (*via[:i], *via[i + 1 :]))


def branch(workflow: Workflow, level: str, dot: Dot, link: Link, spec_of: SpecOf) -> Workflow:
    """Make a link that goes with others as far as a reroute, and from there to its end.

    Raises:
        EditError: the link cannot be made.
        KeyError: there is no such reroute, or an end is not there.
    """
    way = dots_of(layout_of(workflow, level))[dot][0]
    number = [(p.x, p.y) for p in way.via].index((dot.x, dot.y))
    workflow = connect(workflow, level, link, spec_of)
    made = Way(source_of(link), target_of(link), way.via[: number + 1])
    return _put(workflow, level, made) if _is_there(workflow, level, made) else workflow


def name_links(
    workflow: Workflow, level: str, source: str, output: str, name: str = ""
) -> Workflow:
    """Draw the links from an output as a name at both ends; the name is made one of its own.

    Raises:
        EditError: the output has no link.
    """
    found = [
        link
        for link in links(graph_of(workflow, level))
        if (link.source, link.output) == (source, output)
    ]
    if not found:
        raise EditError("Nothing is linked to this output. Link it first, then name the link.")
    layout = layout_of(workflow, level)
    own = source_of(found[0])
    name = fresh(name.strip() or output, {n for n, end in names_of(layout).items() if end != own})
    known = ways_of(layout)
    for link in found:
        way = known.get((source_of(link), target_of(link))) or Way(source_of(link), target_of(link))
        workflow = _put(workflow, level, replace(way, name=name))
    return workflow


def draw_links(workflow: Workflow, level: str, name: str) -> Workflow:
    """Draw links that were a name as links again."""
    layout = layout_of(workflow, level)
    ways = tuple(replace(way, name="") if way.name == name else way for way in layout.ways)
    return put_layout(workflow, level, replace(layout, ways=_needed(ways)))


def names_of(layout: Layout) -> Mapping[str, str]:
    """The outputs that have a name (``blur.image``), by it."""
    return {way.name: way.source for way in layout.ways if way.name}


def connect_by_name(
    workflow: Workflow, level: str, name: str, target: str, into: str, spec_of: SpecOf
) -> Workflow:
    """Link an input to what has a name; the link is drawn as that name.

    Raises:
        EditError: the link cannot be made, or nothing has the name.
        KeyError: an end is not there.
    """
    end = names_of(layout_of(workflow, level)).get(name)
    if end is None:
        raise EditError(f"No link is called {name}. Name one first.")
    source, _, output = end.partition(".")
    link = Link(source, output, target, into)
    workflow = connect(workflow, level, link, spec_of)
    way = Way(end, target_of(link), name=name)
    return _put(workflow, level, way) if _is_there(workflow, level, way) else workflow


def _need_link(workflow: Workflow, level: str, link: Link) -> None:
    if not _is_there(workflow, level, Way(source_of(link), target_of(link))):
        raise KeyError(target_of(link))


def _is_there(workflow: Workflow, level: str, way: Way) -> bool:
    """Whether a way has its link; one out of a zone begins at the zone, not at the node in it."""
    return any(
        (source_of(link), target_of(link)) == (way.source, way.target)
        for link in links(graph_of(workflow, level))
    )


def _put(workflow: Workflow, level: str, way: Way) -> Workflow:
    layout = layout_of(workflow, level)
    known = {**ways_of(layout), (way.source, way.target): way}
    return put_layout(workflow, level, replace(layout, ways=_needed(known.values())))


def _needed(ways: Collection[Way]) -> tuple[Way, ...]:
    """Ways that say something."""
    return tuple(way for way in ways if way.via or way.name or way.extra)


def _each(workflow: Workflow, level: str, dot: Dot, change: Change) -> Workflow:
    layout = layout_of(workflow, level)
    if dot not in dots_of(layout):
        raise KeyError(str(dot))
    ways = []
    for way in layout.ways:
        places = [(p.x, p.y) for p in way.via]
        if way.source == dot.source and (dot.x, dot.y) in places:
            way = replace(way, via=_once(change(way.via, places.index((dot.x, dot.y)))))
        ways.append(way)
    return put_layout(workflow, level, replace(layout, ways=_needed(ways)))


def _once(via: tuple[Point, ...]) -> tuple[Point, ...]:
    """Points without one that is the same as that before it."""
    places = [(point.x, point.y) for point in via]
    return tuple(p for i, p in enumerate(via) if i == 0 or places[i] != places[i - 1])
