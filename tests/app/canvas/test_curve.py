"""The curve of a link: drawn in pieces, of which those that are seen are painted."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPen

from app.canvas.area import Area
from app.canvas.board import Board
from app.canvas.curve import Curve, cut, joined, reach_of, through
from app.document.level import Link
from backend.graph.document import Node, Ref
from tests.app.canvas.bench import laid_out
from tests.app.canvas.test_painting_law import different

coordinates = st.floats(-9000, 9000, allow_subnormal=False)
points = st.builds(QPointF, coordinates, coordinates)


def one_cubic(start: QPointF, end: QPointF) -> QPainterPath:
    """A link as a single cubic."""
    reach, path = reach_of(start, end), QPainterPath(start)
    path.cubicTo(start.x() + reach, start.y(), end.x() - reach, end.y(), end.x(), end.y())
    return path


@given(points, points)
def test_pieces_lie_on_the_one_cubic_of_their_ends(start, end):
    curve, pieces = one_cubic(start, end), cut((start, end))
    for number, piece in enumerate(pieces, 1):
        meant, x, y = curve.pointAtPercent(0), *piece.rest[4:]
        if number == len(pieces):
            meant = end
        elif number * 2 == len(pieces):
            meant = (start + end) / 2  # it is the same from both of its ends
        else:
            continue
        assert abs(meant.x() - x) + abs(meant.y() - y) < 1e-6


@given(st.lists(points, min_size=2, max_size=4))
def test_pieces_follow_one_another_and_hold_what_they_paint(through_points):
    pieces = cut(through_points)
    assert (pieces[0].start, pieces[-1].rest[4:]) == (
        through_points[0], through_points[-1].toTuple(),
    )  # fmt: skip
    for one, other in pairwise(pieces):
        assert other.start.toTuple() == one.rest[4:]
    for piece in pieces:
        painted = joined([piece]).boundingRect().adjusted(-4, -4, 4, 4)
        assert QRectF(piece.rect).contains(painted)


def test_a_part_of_a_curve_is_the_pieces_of_it_that_are_seen():
    start, end = QPointF(0, 0), QPointF(2000, 300)
    seen = Area([QRectF(0, -20, 60, 40), QRectF(1950, 280, 60, 40)])
    path, whole = Curve((start, end)).part(seen.touches), through((start, end))
    assert path.elementCount() < whole.elementCount() / 2
    assert path.elementAt(0).isMoveTo()
    assert (path.elementAt(0).x, path.elementAt(0).y) == (0, 0)
    assert path.currentPosition() == end


@pytest.fixture
def covered(book):
    """A link that leads below a node to the one behind it."""
    nodes = {
        "paper": Node("solid_image"),
        "over": Node("blur"),
        "blur": Node("blur", inputs={"image": Ref("paper", "image")}),
    }
    board = Board(book.spec_of)
    board.open(laid_out(nodes, {"paper": (0, 0), "over": (400, 0), "blur": (800, 0)}), "")
    board.take_dirty()
    return board


def test_what_a_node_hides_of_a_link_is_not_painted_anew(covered):
    link = Link("paper", "image", "blur", "image")
    covered._spoiled.link(covered.links[link])
    boxes = [QRect(int(x0), int(y0), int(x1 - x0), int(y1 - y0))
             for x0, y0, x1, y1 in covered.take_dirty()]  # fmt: skip
    hidden = covered.nodes["over"].rect.toRect()
    y = round(covered.links[link].start.y())
    for x in range(210, 800):
        painted = any(box.contains(x, y) for box in boxes)
        assert painted or hidden.contains(x, y), x
    assert not any(box.contains(hidden.center().x(), y) for box in boxes)


def test_what_is_not_hidden_any_more_is_painted_anew(covered):
    covered.move(["over"], 0, 400)
    boxes = covered.take_dirty()
    y = covered.links[Link("paper", "image", "blur", "image")].start.y()
    for x in range(400, 600):
        assert any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes), x


def painted(path: QPainterPath, clip: QRect) -> QImage:
    """A path as links are stroked."""
    image = QImage(900, 200, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.black)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipRect(clip)
    painter.scale(0.5, 0.5)
    painter.setPen(QPen(Qt.GlobalColor.white, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawPath(path)
    painter.end()
    return image


@pytest.mark.parametrize("left", range(40, 420, 37))
@pytest.mark.parametrize("ends", [((66.3, 65), (830, 190)), ((830, 190), (66.3, 65))])
def test_a_part_of_a_curve_falls_on_the_pixels_of_the_whole(left, ends):
    curve, clip = Curve([QPointF(*end) for end in ends]), QRect(left, 0, 90, 200)
    seen = Area([QRectF(2 * left, 0, 180, 400)])
    part, whole = painted(curve.part(seen.touches), clip), painted(curve.path, clip)
    assert different(part, whole) == 0
