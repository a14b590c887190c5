"""Where nodes lie and how they look: moved, sized, collapsed, coloured, locked, pinned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from app.document.edits.common import frozen
from app.document.level import graph_of, is_within, layout_of, put_layout, walk
from backend.graph.document import Layout, Placement, Way, Workflow

NARROWEST, WIDEST = 144.0, 640.0
"""How wide a node may be made, in canvas units."""


def place_of(layout: Layout, path: str) -> Placement:
    """Where a node lies; at the origin where the file does not say it."""
    return layout.nodes.get(path) or Placement(0.0, 0.0)


def move_to(workflow: Workflow, level: str, places: Mapping[str, tuple[float, float]]) -> Workflow:
    """Put nodes at places, in canvas units; pinned ones stay."""
    layout = layout_of(workflow, level)
    moved = {
        path: replace(place_of(layout, path), x=float(x), y=float(y))
        for path, (x, y) in places.items()
        if not place_of(layout, path).pinned
    }
    return put_layout(workflow, level, replace(layout, nodes=frozen({**layout.nodes, **moved})))


def move_nodes(
    workflow: Workflow, level: str, paths: Collection[str], dx: float, dy: float
) -> Workflow:
    """Move nodes by canvas units: zones with all in them, and the reroutes between the nodes.

    Pinned nodes stay.
    """
    graph, layout = graph_of(workflow, level), layout_of(workflow, level)
    chosen = frozenset(paths)
    going = {path for path, _ in walk(graph) if is_within(path, chosen)}
    going |= chosen & {"$", "$out"}
    going = {path for path in going if not place_of(layout, path).pinned}
    places = {
        path: (place_of(layout, path).x + dx, place_of(layout, path).y + dy) for path in going
    }
    workflow = move_to(workflow, level, places)
    if not layout.ways:
        return workflow
    ways = _moved_ways(layout.ways, going, dx, dy)
    return put_layout(workflow, level, replace(layout_of(workflow, level), ways=ways))


def _moved_ways(
    ways: tuple[Way, ...], going: Collection[str], dx: float, dy: float
) -> tuple[Way, ...]:
    """Reroutes move with the nodes where every link that goes through them moves."""
    staying = {
        (way.source, point.x, point.y) for way in ways if not _goes(way, going) for point in way.via
    }
    return tuple(
        replace(
            way,
            via=tuple(
                point
                if (way.source, point.x, point.y) in staying
                else replace(point, x=point.x + dx, y=point.y + dy)
                for point in way.via
            ),
        )
        if _goes(way, going) and way.via
        else way
        for way in ways
    )


def _goes(way: Way, going: Collection[str]) -> bool:
    return way.source.partition(".")[0] in going and way.target.partition(".")[0] in going


def resize(workflow: Workflow, level: str, path: str, width: float) -> Workflow:
    """Make a node as wide as is said, in canvas units, within what can be drawn."""
    width = min(max(float(width), NARROWEST), WIDEST)
    return _changed(workflow, level, [path], lambda place: replace(place, width=width))


def collapse(workflow: Workflow, level: str, paths: Collection[str], on: bool) -> Workflow:
    """Show the header of nodes alone, or all of them again."""
    return _changed(workflow, level, paths, lambda place: replace(place, collapsed=on))


def color_nodes(workflow: Workflow, level: str, paths: Collection[str], color: str) -> Workflow:
    """Give nodes a colour, ``#rrggbb``; empty for that of their category."""
    return _changed(workflow, level, paths, lambda place: replace(place, color=color))


def lock(workflow: Workflow, level: str, paths: Collection[str], on: bool) -> Workflow:
    """Keep values and links of nodes as they are, and the nodes from being taken out."""
    return _changed(workflow, level, paths, lambda place: replace(place, locked=on))


def pin(workflow: Workflow, level: str, paths: Collection[str], on: bool) -> Workflow:
    """Keep nodes where they are."""
    return _changed(workflow, level, paths, lambda place: replace(place, pinned=on))


def _changed(
    workflow: Workflow,
    level: str,
    paths: Collection[str],
    change: Callable[[Placement], Placement],
) -> Workflow:
    layout = layout_of(workflow, level)
    made = {path: change(place_of(layout, path)) for path in paths}
    return put_layout(workflow, level, replace(layout, nodes=frozen({**layout.nodes, **made})))
