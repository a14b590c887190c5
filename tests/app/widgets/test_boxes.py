"""Boxes on a picture are the parameters of nodes, and their captions the titles."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from app.document.edits.common import reader_of
from app.widgets.paint.box_nodes import boxes_of, put_box, put_caption
from app.widgets.paint.boxes import Box, BoxView
from backend.engine.registry import scan_nodes
from backend.graph.format import parse

LEFT = Qt.MouseButton.LeftButton
TEXT = """{"weft": 1, "nodes": {
  "photo": {"type": "load_image", "params": {"file": "a.png"}},
  "face": {"type": "shape_mask", "title": "The face", "params": {"shape": "ellipse", "left": 10,
    "top": 20, "shape_width": 40, "shape_height": 50}},
  "cut": {"type": "crop", "inputs": {"image": "photo.image"}},
  "side": {"type": "integer"},
  "fed": {"type": "shape_mask", "inputs": {"left": "side.value"}}}}"""


@pytest.fixture(scope="module")
def spec_of():
    return reader_of(scan_nodes().specs)


def test_shapes_and_crops_of_a_document_are_boxes(spec_of):
    workflow = parse(TEXT, "a test")
    face, cut = boxes_of(workflow, "", spec_of)
    assert face == Box("face", "The face", 10, 20, 40, 50, True)
    assert (cut.key, cut.caption) == ("cut", "Cut")


def test_a_box_is_put_back_within_the_limits_of_its_parameters(spec_of):
    workflow = parse(TEXT, "a test")
    moved = put_box(workflow, "", Box("cut", "", 3.4, -5.6, 64.2, -3), spec_of)
    params = moved.graph.nodes["cut"].params
    assert {name: params[name] for name in ("x", "y", "width", "height")} == {
        "x": 3, "y": -6, "width": 64, "height": 0
    }  # fmt: skip
    assert boxes_of(put_caption(workflow, "", "cut", "Left"), "", spec_of)[1].caption == "Left"
    with pytest.raises(KeyError):
        put_box(workflow, "", Box("photo", "", 0, 0, 1, 1), spec_of)


@pytest.fixture
def view(theme, put):
    made = BoxView(theme)
    picture = QImage(200, 100, QImage.Format.Format_RGB32)
    picture.fill(0xFF808080)
    made.show_picture(picture)
    made.show_boxes([Box("a", "sky", 20, 20, 60, 40), Box("b", "sea", 110, 20, 50, 50)])
    put(made, 520, 320)
    made.said = []
    made.edited.connect(lambda box, final: made.said.append((box, final)))
    return made


def drag(view, begin, end, release=True):
    begin, end = (view.to_widget(QPointF(*place)).toPoint() for place in (begin, end))
    QTest.mousePress(view, LEFT, pos=begin)
    for share in (1, 2, 3):
        QTest.mouseMove(view, begin + (end - begin) * share / 3)
    if release:
        QTest.mouseRelease(view, LEFT, pos=end)


def test_a_box_is_moved_by_its_inside(view):
    drag(view, (50, 45), (60, 50))
    box, final = view.said[-1]
    assert final
    assert (box.left, box.top, box.width, box.height) == (30, 25, 60, 40)
    assert view.chosen == "a"


def test_a_chosen_box_is_sized_by_its_corners_and_never_turned_inside_out(view):
    view.choose("a")
    drag(view, (80, 60), (90, 70))
    box, _ = view.said[-1]
    assert (box.left, box.top, box.width, box.height) == (20, 20, 70, 50)
    drag(view, (90, 70), (-50, -50))
    box, _ = view.said[-1]
    assert (box.left, box.top, box.width, box.height) == (20, 20, 1, 1)


def test_a_drag_on_free_ground_draws_a_box(view):
    drawn = []
    view.drawn.connect(drawn.append)
    drag(view, (85, 70), (105, 90))
    (box,) = drawn
    assert (box.left, box.top, box.width, box.height) == (85, 70, 20, 20)
    drag(view, (90, 90), (91, 91))
    assert len(drawn) == 1, "a click draws nothing"


def test_esc_takes_a_drag_back(view):
    reverted = []
    view.reverted.connect(lambda: reverted.append(True))
    view.setFocus()
    drag(view, (50, 45), (80, 50), release=False)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert reverted
    assert view.box("a").left == 20


def test_all_of_it_by_keys(view):
    removed, named = [], []
    view.removed.connect(removed.append)
    view.captioned.connect(lambda *said: named.append(said))
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_PageDown)
    QTest.keyClick(view, Qt.Key.Key_PageDown)
    assert view.chosen == "b"
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    box = view.box("b")
    assert (box.left, box.top, box.width, box.height) == (111, 30, 51, 50)
    assert view.accessibleDescription() == "sea, 51 x 50 at 111, 30"
    QTest.keyClick(view, Qt.Key.Key_F2)
    QTest.keyClicks(view.line, "lake")
    QTest.keyClick(view.line, Qt.Key.Key_Return)
    assert named == [("b", "lake")]
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert removed == ["b"]
