"""A picture under real mouse and key events; what is drawn are its pixels."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.viewer.develop import Development
from app.viewer.hands import Hands
from app.viewer.picture import Picture

RGB = ("R", "G", "B")
ROOT = Path(__file__).resolve().parents[3]


def noise(height: int, width: int, channels: int = 3) -> Picture:
    codes = np.random.default_rng(1).integers(0, 256, (height, width, channels))
    names = ("R", "G", "B", "A")[:channels]
    return Picture((codes / 255).astype(np.float32), names=names)


@pytest.fixture
def view(theme, background):
    made = Hands(theme, background)
    made.resize(400, 300)
    made.show()
    yield made
    made.close()
    made.deleteLater()


@pytest.fixture
def seen(view, spin):
    """What the view has drawn, when all of it is there: ``[height, width, RGB]``."""

    def look() -> np.ndarray:
        view.repaint()
        spin(lambda: view.is_complete)
        image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        rows = np.frombuffer(image.constBits(), np.uint8)
        rows = rows.reshape(image.height(), image.bytesPerLine())
        return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()

    return look


def wheel(view, at: QPoint, turns: float) -> None:
    place = QPointF(at)
    event = QWheelEvent(
        place, QPointF(view.mapToGlobal(at)), QPoint(), QPoint(0, round(120 * turns)),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(view, event)


def drag(view, begin: QPoint, end: QPoint, button=Qt.MouseButton.LeftButton) -> None:
    QTest.mousePress(view, button, pos=begin)
    for share in (0.5, 1.0):
        QTest.mouseMove(view, begin + (end - begin) * share)
        QApplication.processEvents()
    QTest.mouseRelease(view, button, pos=end)


def test_at_100_percent_every_pixel_is_drawn_as_it_is(view, seen):
    picture = noise(700, 900)
    view.set_picture(picture)
    view.zoom_to(1.0)
    left, top = view.frame.corner
    expected = np.rint(picture.pixels[-top : -top + 300, -left : -left + 400] * 255)
    assert np.array_equal(seen(), expected)


def test_above_200_percent_pixels_are_squares(view, seen):
    picture = noise(30, 40)
    view.set_picture(picture)
    view.zoom_to(8.0)
    drawn = seen()
    left, top = view.frame.corner
    codes = np.rint(picture.pixels * 255).repeat(8, 0).repeat(8, 1)
    inside = drawn[max(top, 0) : top + 240, max(left, 0) : left + 320]
    assert np.array_equal(inside, codes[max(-top, 0) :, max(-left, 0) :][:300, :400])


def test_a_large_picture_is_drawn_by_its_means_when_they_are_there(view, seen):
    view.set_picture(noise(2048, 2048))
    drawn = seen()
    left, top = view.frame.corner
    wide, high = view.frame.drawn
    inside = drawn[top : top + high, left : left + wide].astype(int)
    assert inside.std() < 20  # noise of 74 would stay if pixels were only skipped


def test_the_ground_is_neutral(view, seen, theme):
    view.set_picture(noise(10, 400))
    assert seen()[2, 2].tolist() == [0x1A, 0x1A, 0x1A]


def test_what_is_transparent_shows_checkers(view, seen):
    pixels = np.zeros((64, 64, 4), np.float32)
    view.set_picture(Picture(pixels, names=("R", "G", "B", "A")))
    view.zoom_to(1.0)
    left, top = view.frame.corner
    inside = seen()[top : top + 64, left : left + 64]
    assert len(np.unique(inside.reshape(-1, 3), axis=0)) == 2


def test_what_is_half_transparent_is_laid_on_the_checkers_once(view, seen):
    pixels = np.full((64, 64, 4), (1.0, 0.0, 0.0, 0.5), np.float32)
    view.set_picture(Picture(pixels, names=("R", "G", "B", "A")))
    view.zoom_to(1.0)
    left, top = view.frame.corner
    inside = seen()[top : top + 64, left : left + 64].reshape(-1, 3)
    greys = {0x6E, 0x8A}
    expected = {(round(128 + grey * 127 / 255), round(grey * 127 / 255)) for grey in greys}
    found = {(int(red), int(green)) for red, green, _ in np.unique(inside, axis=0)}
    for red, green in found:
        assert any(abs(red - r) <= 1 and abs(green - g) <= 1 for r, g in expected)


def test_the_wheel_zooms_to_the_pointer(view):
    view.set_picture(noise(300, 400))
    at = QPoint(120, 90)
    before = view.pixel_at(QPointF(at))
    wheel(view, at, 1)
    wheel(view, at, 4)
    assert view.frame.scale > 3
    after = view.pixel_at(QPointF(at))
    assert abs(after[0] - before[0]) <= 1
    assert abs(after[1] - before[1]) <= 1
    assert not view.is_fitted


@pytest.mark.parametrize("button", [Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton])
def test_a_drag_moves_the_picture(view, button):
    view.set_picture(noise(900, 900))
    view.zoom_to(1.0)
    before = view.frame.corner
    drag(view, QPoint(200, 150), QPoint(260, 120), button)
    assert view.frame.corner == (before[0] + 60, before[1] - 30)


def test_a_double_click_goes_between_the_whole_and_its_pixels(view):
    view.set_picture(noise(900, 900))
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert view.frame.scale == 1
    QTest.mouseDClick(view, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    assert view.is_fitted


def test_it_stays_fitted_when_the_view_is_resized(view):
    view.set_picture(noise(900, 900))
    view.resize(200, 600)
    assert view.frame.drawn == (168, 168)


def test_keys_zoom_pan_and_fit(view):
    view.set_picture(noise(900, 900))
    QTest.keyClicks(view, "1")
    assert view.frame.scale == 1
    corner = view.frame.corner
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.frame.corner == (corner[0] - 64, corner[1])
    QTest.keyClicks(view, "+")
    assert view.frame.scale == 2
    QTest.keyClicks(view, "-")
    assert view.frame.scale == 1
    QTest.keyClicks(view, "0")
    assert view.is_fitted


def test_the_probe_is_held_by_a_click_and_moved_by_arrows(view):
    told = []
    view.probed.connect(told.append)
    view.set_picture(noise(300, 300))
    view.zoom_to(1.0)
    view.probing = True
    left, top = view.frame.corner
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(left + 7, top + 9))
    assert view.pin == (7, 9)
    QTest.keyClick(view, Qt.Key.Key_Right)
    QTest.keyClick(view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert view.pin == (8, 19)
    QTest.keyClick(view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert view.pin == (0, 19)
    assert told[-1] == (0, 19)
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert view.pin is None


def test_the_pointer_reads_pixels_and_nothing_beside_them(view):
    told = []
    view.probed.connect(told.append)
    view.set_picture(noise(100, 100))
    view.zoom_to(1.0)
    left, top = view.frame.corner
    QTest.mouseMove(view, QPoint(left + 3, top + 4))
    QApplication.processEvents()
    assert told[-1] == (3, 4)
    QTest.mouseMove(view, QPoint(left - 5, top + 4))
    QApplication.processEvents()
    assert told[-1] is None


def test_the_wipe_shows_a_left_and_b_right_and_is_dragged(view, seen):
    black, white = (Picture(np.full((100, 100, 3), each, np.float32), names=RGB) for each in (0, 1))
    view.set_picture(black)
    view.set_other(white)
    view.zoom_to(1.0)
    view.set_wipe(0.5)
    left, top = view.frame.corner
    drawn = seen()
    assert not drawn[top + 80, left + 2 : left + 45].any()
    assert (drawn[top + 80, left + 55 : left + 98] == 255).all()
    at = round(view.divider())
    drag(view, QPoint(at, 200), QPoint(at + 30, 200))
    assert view.wipe == pytest.approx(0.8, abs=0.02)
    assert not seen()[top + 80, left + 2 : left + 75].any()
    QTest.keyClicks(view, "[")
    assert view.wipe == pytest.approx(0.78, abs=0.02)


def test_a_picture_of_the_same_size_takes_the_place_of_the_old(view):
    view.set_picture(noise(300, 400))
    view.zoom_to(3.0)
    frame = view.frame
    view.set_picture(noise(300, 400))
    assert view.frame == frame
    view.set_picture(noise(30, 40))
    assert view.is_fitted


def test_exposure_is_seen(view, seen):
    view.set_picture(Picture(np.full((50, 50, 3), 0.5, np.float32), names=RGB))
    before = seen()[150, 200]
    view.set_development(Development(1.0))
    assert (seen()[150, 200] > before).all()


def test_nothing_to_look_at_is_a_sentence(view, seen):
    assert len(np.unique(seen().reshape(-1, 3), axis=0)) > 2


def test_on_a_screen_of_two_device_pixels_100_percent_is_still_one_to_one():
    program = (
        "import numpy as np\n"
        "from PySide6.QtCore import QPointF\n"
        "from PySide6.QtWidgets import QApplication\n"
        "from PySide6.QtGui import QImage\n"
        "app = QApplication([])\n"
        "from app.theme.theme import Theme\n"
        "from app.viewer.background import Background\n"
        "from app.viewer.hands import Hands\n"
        "from app.viewer.picture import Picture\n"
        "codes = np.random.default_rng(1).integers(0, 256, (500, 600, 3))\n"
        "view = Hands(Theme(), Background())\n"
        "view.resize(151, 95)\n"
        "view.set_picture(Picture((codes / 255).astype(np.float32), names=('R', 'G', 'B')))\n"
        "view.show(); view.zoom_to(1.0)\n"
        "while view.repaint() or not view.is_complete: app.processEvents()\n"
        "image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)\n"
        "rows = np.frombuffer(image.constBits(), np.uint8)\n"
        "rows = rows.reshape(image.height(), image.bytesPerLine())\n"
        "drawn = rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3)\n"
        "left, top = view.frame.corner\n"
        "assert drawn.shape == (190, 302, 3), drawn.shape\n"
        "assert view.pixel_at(QPointF(10, 20)) == (20 - left, 40 - top)\n"
        "assert np.array_equal(drawn, codes[-top : -top + 190, -left : -left + 302])\n"
    )
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "QT_SCALE_FACTOR": "2"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
