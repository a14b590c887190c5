"""Plain Qt widgets in the colours of the theme."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLineEdit,
    QMenuBar,
    QSpinBox,
    QWidget,
)

from app.theme.colours import DARK, LIGHT, Colours
from app.theme.style import apply, tinted

THEMES = pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])


@pytest.fixture
def dressed(application, tmp_path):
    """Dresses the application, and undresses it at the end."""
    yield lambda colours, scale=1.0: apply(application, colours, tmp_path / "icons", scale)
    application.setStyleSheet("")


def nearest(widget: QWidget, colour: str, box: tuple[int, int, int, int]) -> float:
    """How near the nearest pixel of a part of a widget comes to a colour, 0 for the very same."""
    image, wanted = widget.grab().toImage(), QColor(colour)
    left, top, right, bottom = box
    found = []
    for y in range(top, bottom):
        for x in range(left, right):
            pixel = image.pixelColor(x, y)
            found.append(
                max(
                    abs(pixel.red() - wanted.red()),
                    abs(pixel.green() - wanted.green()),
                    abs(pixel.blue() - wanted.blue()),
                )
            )
    return min(found)


def show(widget: QWidget) -> QWidget:
    widget.show()
    QApplication.processEvents()
    return widget


@THEMES
def test_marks_have_the_colours_of_the_theme(dressed, colours: Colours) -> None:
    dressed(colours)
    combo = QComboBox()
    combo.addItem("Every kind")
    combo.resize(120, 24)
    show(combo)
    assert nearest(combo, colours.weak, (96, 4, 118, 20)) < 40
    check = QCheckBox("Still")
    check.setChecked(True)
    show(check)
    assert nearest(check, colours.onfill, (0, 0, 16, check.height())) < 12
    for widget in (combo, check):
        widget.close()


@THEMES
def test_a_mark_is_written_once(tmp_path, colours: Colours) -> None:
    first = tinted(colours, tmp_path)
    stamps = {path: path.stat().st_mtime_ns for path in first.values()}
    assert tinted(colours, tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in first.values()} == stamps
    for path in first.values():
        assert "currentColor" not in path.read_text()


def test_the_other_theme_has_other_marks(tmp_path) -> None:
    dark, light = tinted(DARK, tmp_path), tinted(LIGHT, tmp_path)
    assert dark["down"] != light["down"]


@THEMES
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize("kind", [QSpinBox, QDoubleSpinBox])
def test_a_spin_box_has_room_for_its_value(dressed, colours: Colours, kind, bare) -> None:
    dressed(colours)
    box = kind(maximum=9999)
    box.setProperty("bare", bare)
    box.setValue(1234)
    box.resize(80, 24)
    show(box)
    line = box.findChild(QLineEdit)
    assert line.width() >= 50
    assert box.height() == 24
    if bare:  # nothing stands where the buttons would be
        assert nearest(box, colours.weak, (64, 3, 78, 21)) > 40 or line.geometry().right() > 64
    box.close()


def test_texts_follow_the_scale_of_the_user(dressed) -> None:
    dressed(DARK)
    small = QApplication.font().pixelSize()
    dressed(DARK, 1.5)
    assert QApplication.font().pixelSize() == 18 > small


def test_menus_of_the_bar_stand_in_the_middle(dressed, application) -> None:
    from PySide6.QtWidgets import QMainWindow

    from app.shell.bars import AppBar
    from app.shell.commands import Commands
    from app.theme.theme import Theme

    dressed(DARK)
    owner = QMainWindow()
    commands = Commands(owner)
    bar = AppBar(Theme(), commands)
    bar.menus.addMenu("File")
    bar.resize(900, 40)
    show(bar)
    menus: QMenuBar = bar.menus
    rect = menus.actionGeometry(menus.actions()[0])
    middle = menus.mapTo(bar, rect.center()).y()
    assert abs(middle - 20) <= 2
    assert bar.count.alignment() & Qt.AlignmentFlag.AlignRight
    bar.close()
    owner.deleteLater()
