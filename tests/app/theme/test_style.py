"""Plain Qt widgets in the colours of the theme."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontMetrics
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QPushButton,
    QSpinBox,
    QWidget,
)

from app.theme.colours import DARK, HIGH_DARK, HIGH_LIGHT, LIGHT, Colours
from app.theme.fonts import Role, font, write_in
from app.theme.measures import REGULAR, Measures
from app.theme.style import apply, tinted

THEMES = pytest.mark.parametrize(
    "colours", [DARK, LIGHT, HIGH_DARK, HIGH_LIGHT],
    ids=["dark", "light", "dark and high", "light and high"],
)  # fmt: skip


@pytest.fixture
def dressed(application, tmp_path):
    """Dresses the application, and undresses it at the end."""
    yield lambda colours, measures=REGULAR: apply(
        application, colours, tmp_path / "icons", measures
    )
    apply(application, DARK, tmp_path / "icons")
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
    dressed(DARK, Measures(text=1.5))
    assert QApplication.font().pixelSize() == 18 > small


def test_a_widget_with_a_role_follows_the_scale(dressed) -> None:
    dressed(DARK)
    title = QLabel("Sample")
    write_in(title, Role.TITLE)
    show(title)
    assert title.font().pixelSize() == 13
    before = title.sizeHint()
    dressed(DARK, Measures(text=1.5))
    assert title.font().pixelSize() == 20
    dressed(LIGHT, Measures("roomy", 1.5))  # and stays so where only something else changes
    assert title.font().pixelSize() == 20
    assert title.sizeHint().width() > 1.3 * before.width()
    assert font(Role.CAPTION).pixelSize() == 16
    assert font(Role.CAPTION, 1.0).pixelSize() == 11
    title.close()


def test_rows_and_menus_follow_density_and_scale(dressed) -> None:
    heights = []
    for measures in (
        Measures("compact"), REGULAR, Measures("roomy"), Measures("roomy", 1.5)
    ):  # fmt: skip
        dressed(DARK, measures)
        button, menu, line = QPushButton("Run"), QMenu(), QLineEdit()
        row = menu.addAction("Open")
        show(button)
        menu.ensurePolished()
        heights.append(
            (button.sizeHint().height(), menu.actionGeometry(row).height(),
             line.sizeHint().height())
        )  # fmt: skip
        assert line.sizeHint().height() == measures.field
        button.close()
    assert heights == sorted(heights)
    assert heights[0] < heights[1] < heights[2] <= heights[3]


@pytest.mark.parametrize("text", [0.9, 1.0, 1.25, 1.5])
@pytest.mark.parametrize("density", ["compact", "regular", "roomy"])
def test_no_row_is_lower_than_its_text(density, text) -> None:
    measures = Measures(density, text)
    line = QFontMetrics(font(Role.BODY, text)).height()
    assert measures.field >= QFontMetrics(font(Role.BODY, text)).capHeight() + 8
    assert measures.item >= line
    assert measures.row > measures.field


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
