"""Painting many nodes from far away: by kind and not node by node, so that thousands are quick.

Kinds are painted in an order of their own, not in that of the nodes: where two lie on one another
the same lies above, whichever part of the canvas is painted anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from app.canvas.camera import Camera
from app.canvas.look import Look
from app.canvas.paint_node import hue_of
from app.canvas.parts import LinkView, NodeView
from app.canvas.text import advance, elided, paint_text
from app.theme.colours import Colours, mix
from app.theme.fonts import Role
from app.theme.types import category_look, look_of

_STATES = {"failed": "danger", "running": "accent", "done": "success", "cached": "weak"}


def paint_far_links(painter: QPainter, links: Iterable[LinkView], look: Look) -> None:
    """Straight threads of one device pixel, all of a type at once."""
    lines = defaultdict(list)
    for view in links:
        lines[view.type].append(view.line)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    for kind, members in sorted(lines.items()):
        hue = look_of(kind).hue(look.colours)
        colour = QColor(mix(look.colours.canvas, hue, 0.7))
        painter.setPen(QPen(colour, 0))
        painter.drawLines(members)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)


def paint_blots(painter: QPainter, nodes: Iterable[NodeView], look: Look) -> None:
    """One rectangle a node in the hue of its category; what failed has a square at any zoom."""
    colours = look.colours
    groups: dict[str, list[QRectF]] = {}
    chosen, failed = [], []
    for view in nodes:
        rect = view.rect
        groups.setdefault(view.hue_type, []).append(rect)
        if view.selected:
            chosen.append(rect)
        if view.run.status == "failed" or view.spec is None:
            failed.append(view)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(Qt.PenStyle.NoPen)
    for category, members in sorted(groups.items()):
        hue = category_look(category).hue(colours)
        painter.setBrush(QColor(mix(colours.canvas, hue, 0.62)))
        painter.drawRects(members)
    _rings(painter, chosen, colours)
    _danger(painter, failed, look)


def paint_cards(painter: QPainter, nodes: list[NodeView], look: Look, camera: Camera) -> None:
    """Header, picture and a bar for the state; titles are held at 11 pixels."""
    colours = look.colours
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setPen(Qt.PenStyle.NoPen)
    bodies: defaultdict[str, list[QRectF]] = defaultdict(list)
    headers: defaultdict[str, list[QRectF]] = defaultdict(list)
    bars: defaultdict[str, list[QRectF]] = defaultdict(list)
    height = 18 / camera.zoom
    for view in nodes:
        dim = view.node.mode != "on"
        ground = mix(colours.raised, colours.canvas, 0.5) if dim else colours.raised
        bodies[ground].append(view.rect)
        hue = mix(ground, hue_of(view, colours), 0.15 if dim else 0.5)
        headers[hue].append(
            QRectF(view.x, view.y, view.shape.width, min(height, view.shape.height))
        )
        token = _STATES.get(view.run.status)
        if token:
            bottom = view.y + view.shape.height
            bars[token].append(
                QRectF(view.x, bottom - 3 / camera.zoom, view.shape.width, 3 / camera.zoom)
            )
    for colour, rects in (*sorted(bodies.items()), *sorted(headers.items())):
        painter.setBrush(QColor(colour))
        painter.drawRects(rects)
    _pictures(painter, nodes, height)
    for token, rects in sorted(bars.items()):
        painter.setBrush(QColor(getattr(colours, token)))
        painter.drawRects(rects)
    _dots(painter, nodes, colours, camera)
    _rings(painter, [view.rect for view in nodes if view.selected], colours)
    _danger(painter, [v for v in nodes if v.run.status == "failed" or v.spec is None], look)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    _titles(painter, nodes, colours, camera)


def _pictures(painter: QPainter, nodes: list[NodeView], header: float) -> None:
    for view in nodes:
        picture = view.picture
        if picture is None or view.shape.collapsed:
            continue
        room = QRectF(
            view.x + 6, view.y + header + 6, view.shape.width - 12,
            view.shape.height - header - 12,
        )  # fmt: skip
        share = min(room.width() / picture.width(), room.height() / picture.height())
        if share > 0:
            size = QRectF(0, 0, picture.width() * share, picture.height() * share)
            size.moveCenter(room.center())
            painter.drawPixmap(size, picture, QRectF(picture.rect()))


def _dots(painter: QPainter, nodes: list[NodeView], colours: Colours, camera: Camera) -> None:
    """Sockets as squares of four pixels, all of a type at once."""
    squares: defaultdict[str, list[QRectF]] = defaultdict(list)
    side = 4 / camera.zoom
    for view in nodes:
        for socket in view.shape.sockets:
            if socket.joined:
                x, y = view.x + socket.x - side / 2, view.y + socket.y - side / 2
                squares[socket.type].append(QRectF(x, y, side, side))
    painter.setPen(Qt.PenStyle.NoPen)
    for kind, rects in sorted(squares.items()):
        painter.setBrush(QColor(look_of(kind).hue(colours)))
        painter.drawRects(rects)


def _rings(painter: QPainter, chosen: list[QRectF], colours: Colours) -> None:
    if chosen:
        pen = QPen(QColor(colours.accent), 2)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRects(chosen)
        painter.setPen(Qt.PenStyle.NoPen)


def _danger(painter: QPainter, failed: list[NodeView], look: Look) -> None:
    side = 6 / max(look.scale, 0.01)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(look.colours.danger))
    for view in failed:
        painter.drawRect(QRectF(view.rect.right() - side, view.y, side, side))


def _titles(painter: QPainter, nodes: list[NodeView], colours: Colours, camera: Camera) -> None:
    painter.save()
    painter.resetTransform()
    ratio = painter.device().devicePixelRatio()
    if ratio != 1:
        painter.scale(1, 1)
    for view in nodes:
        at = camera.to_screen(QPointF(view.x, view.y))
        room = view.shape.width * camera.zoom - 8
        if not _fits(view.title, room):
            continue
        tint = colours.weak if view.node.mode != "on" else colours.strong
        paint_text(painter, at.x() + 4, at.y() + 9, elided(view.title, Role.CAPTION, round(room)),
                   Role.CAPTION, tint)  # fmt: skip
    painter.restore()


def _fits(title: str, room: float) -> bool:
    """Whether at least four letters can be read."""
    return advance(title[:4], Role.CAPTION) + 8 <= room
