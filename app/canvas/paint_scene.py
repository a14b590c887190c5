"""Painting a part of the canvas, by the scale at which it is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter

from app.canvas.area import Area, whole
from app.canvas.board import Board
from app.canvas.camera import Camera
from app.canvas.look import Look
from app.canvas.measure import BLOCKS, TITLES
from app.canvas.node_pictures import NodePictures
from app.canvas.paint_far import paint_blots, paint_cards, paint_far_links
from app.canvas.paint_ground import paint_dots, paint_frame, paint_note, paint_zone
from app.canvas.paint_link import LinkState, paint_link, paint_named
from app.canvas.parts import LinkView, NodeView
from app.document.level import Link


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is pointed at or selected beside nodes."""

    link: Link | None = None
    hover_link: Link | None = None
    frame: int | None = None
    note: int | None = None


def paint_scene(
    painter: QPainter,
    board: Board,
    camera: Camera,
    look: Look,
    area: Area,
    chosen: Chosen,
    pictures: NodePictures,
) -> None:
    """Paint what lies in an area of the canvas; the painter is in the canvas's own pixels."""
    bounds = area.bounds
    painter.fillRect(bounds, QColor(look.colours.canvas))
    paint_dots(painter, area, camera.zoom, look.colours)
    for frame in board.frames:
        if frame.rect.intersects(bounds.adjusted(-4, -4, 4, 4)):
            paint_frame(painter, frame, look, frame.number == chosen.frame)
    nodes = [v for v in board.nodes_in(bounds) if v.zone or area.touches(whole(v.box))]
    for view in nodes:
        if view.zone:
            paint_zone(painter, view, look)
    plain = [view for view in nodes if not view.zone]
    links = board.links_in(bounds)
    if look.scale < TITLES:
        paint_far_links(painter, _touched(links, area), look)
        paint_blots(painter, plain, look)
    elif look.scale < BLOCKS:
        paint_far_links(painter, _touched(links, area), look)
        paint_cards(painter, plain, look, camera)
    else:
        _links(painter, board, links, look, chosen, area)
        for view in _uncovered(plain):
            pictures.paint(painter, view, look, camera)
    for note in board.notes:
        if note.rect.intersects(bounds):
            paint_note(painter, note, look, note.number == chosen.note)


def _uncovered(views: list[NodeView]) -> list[NodeView]:
    """Without nodes that lie wholly under another at the same place, of which thousands may be."""
    tops: dict[tuple[float, float], tuple[float, float]] = {}
    found = []
    for view in reversed(views):
        width, height = tops.get((view.x, view.y), (0.0, 0.0))
        if view.shape.width > width or view.shape.height > height:
            tops[view.x, view.y] = max(view.shape.width, width), max(view.shape.height, height)
            found.append(view)
    return found[::-1]


def _touched(links: list[LinkView], area: Area) -> list[LinkView]:
    """Those of the links in its bounds that paint something in an area, seen from afar."""
    if len(area.rects) == 1:
        return links
    return [view for view in links if any(map(area.touches, view.pieces(afar=True)))]


def paint_far(painter: QPainter, board: Board, look: Look, area: QRectF) -> None:
    """Paint an area as from far away, whatever the scale: a stand-in while the zoom changes."""
    painter.fillRect(area, QColor(look.colours.canvas))
    paint_far_links(painter, board.links_in(area), look)
    paint_blots(painter, [view for view in board.nodes_in(area) if not view.zone], look)


def _links(
    painter: QPainter, board: Board, links: list[LinkView], look: Look, chosen: Chosen, area: Area
) -> None:
    state_of = _state_of(board.nodes, chosen)
    parts = [(view, view.path_in(area)) for view in links]
    seen = [(view, part) for view, part in parts if view.via or not part.isEmpty()]
    for view, part in sorted(seen, key=lambda each: _last(each[0].link, chosen)):
        state = state_of(view)
        if view.name and not (state.hover or state.selected):
            paint_named(painter, view, look, state)
        else:
            paint_link(painter, view, look, state, part)


def _last(link: Link, chosen: Chosen) -> tuple[bool, str, str, str, str, str]:
    """The order of painting: what is pointed at last, else always the same."""
    marked = link in (chosen.link, chosen.hover_link)
    return marked, link.target, link.input, str(link.key), link.source, link.output


def _state_of(nodes: Mapping[str, NodeView], chosen: Chosen) -> Callable[[LinkView], LinkState]:
    def state(view: LinkView) -> LinkState:
        source = nodes.get(view.link.source)
        empty = source is not None and source.is_empty
        return LinkState(view.link == chosen.hover_link, view.link == chosen.link, empty)

    return state
