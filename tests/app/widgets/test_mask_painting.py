"""Masks: what is painted covers what it should, undo is exact, and a node reads it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from app.widgets.paint.mask import Brush, MaskPainting, mask_of, save_mask
from app.widgets.paint.mask_editor import MaskEditor
from app.widgets.paint.mask_view import Tool
from backend.media.apart.decoder import Decoder

LEFT = Qt.MouseButton.LeftButton


def pixels(image):
    lines = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return lines[:, : image.width()].astype(int)


def stroke(painting, *places, **brush):
    painting.begin(QPointF(*places[0]), Brush(**brush))
    for place in places[1:]:
        painting.move(QPointF(*place))
    painting.end()


def test_a_dab_is_a_disc_of_the_brushes_size():
    painting = MaskPainting(QSize(100, 80))
    stroke(painting, (50, 40), size=40, hardness=1)
    y, x = np.mgrid[0:80, 0:100] + 0.5
    far = np.hypot(x - 50, y - 40)
    covered = pixels(painting.image)
    assert (covered[far < 18.5] == 255).all()
    assert (covered[far > 21] == 0).all()


def test_a_soft_brush_falls_off_and_does_not_add_up():
    painting = MaskPainting(QSize(120, 60))
    stroke(painting, (30, 30), (90, 30), size=40, hardness=0)
    once = pixels(painting.image)[:, 60]
    assert once[30] > 230
    assert list(once[30:50]) == sorted(once[30:50], reverse=True)
    for _ in range(3):
        stroke(painting, (30, 30), (90, 30), size=40, hardness=0)
    assert np.abs(pixels(painting.image)[:, 60] - once).max() <= 1


def test_a_fast_stroke_has_no_gaps():
    painting = MaskPainting(QSize(400, 40))
    stroke(painting, (20, 20), (380, 20), size=10, hardness=1)
    assert (pixels(painting.image)[20, 20:380] == 255).all()


def test_erasing_takes_away():
    painting = MaskPainting(QSize(60, 60))
    painting.clear(covered=True)
    stroke(painting, (30, 30), size=20, hardness=1, erase=True)
    covered = pixels(painting.image)
    assert covered[30, 30] == 0
    assert covered[5, 5] == 255


def test_a_lasso_covers_what_it_encloses():
    painting = MaskPainting(QSize(60, 60))
    painting.lasso([QPointF(10, 10), QPointF(40, 10), QPointF(40, 30), QPointF(10, 30)])
    covered = pixels(painting.image)
    assert (covered[11:29, 11:39] == 255).all()
    assert covered.sum() == 255 * 30 * 20
    assert painting.lasso([QPointF(0, 0), QPointF(50, 50)]).isEmpty()


def test_a_fill_stops_at_a_painted_ring():
    painting = MaskPainting(QSize(61, 61))
    angles = np.linspace(0, 2 * np.pi, 60)
    ring = [(30 + 20 * np.cos(a), 30 + 20 * np.sin(a)) for a in angles]
    stroke(painting, *ring, size=4, hardness=1)
    painting.fill(QPoint(30, 30))
    covered = pixels(painting.image)
    assert covered[30, 30] == 255
    assert covered[3, 3] == 0
    painting.fill(QPoint(-5, 0))
    painting.undo()
    assert pixels(painting.image)[30, 30] == 0


ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("stroke"), st.floats(-20, 90), st.floats(-20, 90), st.floats(1, 60),
            st.booleans(),
        ),
        st.tuples(
            st.just("fill"), st.integers(-3, 70), st.integers(-3, 70), st.just(0), st.booleans()
        ),
        st.tuples(st.sampled_from(["invert", "clear"])),
    ),
    max_size=8,
)  # fmt: skip


@given(ACTS)
@settings(max_examples=40, deadline=None)
def test_undoing_everything_gives_the_first_mask_and_redoing_the_last(acts):
    painting = MaskPainting(QSize(64, 48))
    first = painting.image.copy()
    for act, *figures in acts:
        if act == "stroke":
            x, y, size, erase = figures
            stroke(painting, (x, y), (y, x), size=size, erase=erase)
        elif act == "fill":
            painting.fill(QPoint(figures[0], figures[1]), figures[3])
        else:
            getattr(painting, act)()
    last = painting.image.copy()
    while painting.can_undo:
        painting.undo()
    assert painting.image == first
    while painting.can_redo:
        painting.redo()
    assert painting.image == last


def test_a_stroke_that_is_taken_back_leaves_nothing():
    painting = MaskPainting(QSize(50, 50))
    before = painting.image.copy()
    painting.begin(QPointF(20, 20), Brush())
    painting.move(QPointF(30, 30))
    painting.cancel()
    assert painting.image == before
    assert not painting.can_undo


def test_a_mask_is_saved_as_the_alpha_that_load_image_gives(tmp_path):
    painting = MaskPainting(QSize(33, 21))
    stroke(painting, (10, 10), (20, 12), size=12, hardness=0.3)
    path = tmp_path / "masks" / "scene-mask.png"
    save_mask(painting.image, path)
    decoder = Decoder()
    try:
        (image,) = decoder.images(path)
    finally:
        decoder.close()
    assert np.array_equal(np.rint(image.pixels[0, ..., 3] * 255), pixels(painting.image))
    assert np.array_equal(pixels(mask_of(QImage(str(path)))), pixels(painting.image))
    assert [p.name for p in path.parent.iterdir()] == ["scene-mask.png"]


def test_a_mask_that_cannot_be_written_leaves_no_half(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        save_mask(MaskPainting(QSize(4, 4)).image, tmp_path / "file" / "mask.png")


def test_a_mask_of_another_size_is_fitted():
    mask = QImage(10, 10, QImage.Format.Format_Grayscale8)
    mask.fill(255)
    painting = MaskPainting(QSize(40, 30), mask)
    assert (pixels(painting.image) == 255).all()
    opaque = QImage(8, 8, QImage.Format.Format_RGB32)
    assert (pixels(mask_of(opaque)) == 0).all()
    with pytest.raises(ValueError, match="empty"):
        MaskPainting(QSize(0, 4))


@pytest.fixture
def editor(theme, put):
    picture = QImage(200, 150, QImage.Format.Format_RGB32)
    picture.fill(0xFF336699)
    return put(MaskEditor(theme, picture), 640, 480)


def at(view, x, y):
    return view.to_widget(QPointF(x, y)).toPoint()


def test_the_hand_paints_on_the_picture(editor):
    view, kept = editor.view, []
    editor.kept.connect(kept.append)
    before = view.grab().toImage()
    QTest.mousePress(view, LEFT, pos=at(view, 50, 50))
    QTest.mouseMove(view, at(view, 120, 80))
    QTest.mouseRelease(view, LEFT, pos=at(view, 120, 80))
    assert view.grab().toImage() != before
    assert editor.buttons["undo"].isEnabled()
    QTest.mouseClick(editor.keep, LEFT)
    covered = pixels(kept[0])
    assert covered[50, 50] == covered[80, 120] == 255
    assert covered[140, 10] == 0
    QTest.mouseClick(editor.buttons["undo"], LEFT)
    assert pixels(view.painting.image).max() == 0
    assert pixels(kept[0]).max() == 255, "what was kept is a copy"


def test_tools_and_keys(editor):
    view, closed = editor.view, []
    editor.closed.connect(lambda: closed.append(True))
    view.setFocus()
    QTest.keyClick(view, Qt.Key.Key_L)
    assert view.tool is Tool.LASSO
    assert editor.buttons["lasso"].isChecked()
    QTest.mousePress(view, LEFT, pos=at(view, 20, 20))
    for place in ((150, 20), (150, 120), (20, 120)):
        QTest.mouseMove(view, at(view, *place))
    QTest.mouseRelease(view, LEFT, pos=at(view, 20, 120))
    assert pixels(view.painting.image)[70, 80] == 255
    QTest.keyClick(view, Qt.Key.Key_F)
    QTest.mouseClick(view, LEFT, Qt.KeyboardModifier.ShiftModifier, at(view, 80, 70))
    assert pixels(view.painting.image)[70, 80] == 0
    QTest.keyClick(view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert pixels(view.painting.image)[70, 80] == 255
    size = view.brush.size
    QTest.keyClick(view, Qt.Key.Key_BracketRight)
    assert view.brush.size == size * 1.25
    assert editor.size_field.value == round(size * 1.25)
    QTest.keyClick(view, Qt.Key.Key_E)
    assert view.brush.erase
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert closed


def test_esc_takes_back_the_stroke_first(editor):
    view, closed = editor.view, []
    editor.closed.connect(lambda: closed.append(True))
    view.setFocus()
    QTest.mousePress(view, LEFT, pos=at(view, 50, 50))
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert pixels(view.painting.image).max() == 0
    assert not closed
    QTest.mouseRelease(view, LEFT, pos=at(view, 50, 50))


def test_the_place_under_the_pointer_stays_when_zoomed(editor):
    view = editor.view
    place = QPointF(200, 120)
    held = view.to_picture(place)
    view.zoom_by(3, place)
    assert view.to_picture(place).x() == pytest.approx(held.x())
    assert view.to_picture(place).y() == pytest.approx(held.y())
    QTest.keyClick(view, Qt.Key.Key_0)
    assert view.to_picture(place) == held
