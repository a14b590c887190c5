"""The theme for plain Qt widgets: a palette, and a style sheet of the measures of the look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from app.theme.colours import Colours, mix
from app.theme.fonts import Role, font, written_in
from app.theme.icons import FOLDER
from app.theme.measures import REGULAR, Measures

_SHEET = Template("""
* { outline: 0; }
QWidget { color: $text; selection-background-color: $selection; selection-color: $strong; }
QMainWindow, QDialog, QDockWidget, QStatusBar, QMenuBar { background: $panel; }
QMainWindow::separator { background: $edge; width: 1px; height: 1px; }
QMainWindow::separator:hover { background: $accent; }
QToolTip { background: $overlay; color: $text; border: 1px solid $linestrong; padding: 4px 6px; }
QMenuBar { padding: 0 4px; spacing: 0; }
QMenuBar::item { padding: ${barpad}px 10px; border-radius: 6px; background: transparent; }
QMenuBar::item:selected { background: $hover; color: $strong; }
QMenu { background: $overlay; border: 1px solid $linestrong; border-radius: 8px; padding: 4px; }
QMenu::item { padding: ${itempad}px 24px ${itempad}px 12px; border-radius: 4px;
  min-height: ${itemtext}px; }
QMenu::item:selected { background: $selection; color: $strong; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }
QPushButton { background: $button; color: $strong; border: 1px solid $linestrong;
  border-radius: 6px; padding: 0 12px; min-height: ${inner}px; font-weight: 500; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $selection; }
QPushButton:disabled { background: $panel; color: $faint; border-color: $line; }
QPushButton:checked { background: $selection; color: $strong; }
QPushButton[kind="primary"] { background: $fill; color: $onfill; border: 1px solid $fill; }
QPushButton[kind="primary"]:hover { background: $fillhover; }
QPushButton[kind="primary"]:disabled { background: $selection; color: $weak; border-color: $line; }
QPushButton[kind="ghost"] { background: transparent; border: 1px solid transparent; color: $text; }
QPushButton[kind="ghost"]:hover { background: $hover; }
QPushButton[kind="danger"] { background: $dangerfill; color: $danger; border: 1px solid $danger; }
QPushButton[kind="danger"]:disabled { background: $panel; color: $faint; border-color: $line; }
QPushButton:focus, QToolButton:focus { border: ${ring}px solid $focus; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 6px;
  padding: 3px; min-width: 16px; min-height: 16px; }
QToolButton:hover { background: $hover; }
QToolButton:checked, QToolButton:pressed { background: $selection; color: $strong; }
QToolButton::menu-indicator { image: none; }
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox { background: $well;
  color: $strong; border: 1px solid $line; border-radius: 4px; padding: 0 7px; }
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox { min-height: ${inner}px; }
QPlainTextEdit, QTextEdit { padding: 3px 4px; }
QLineEdit:hover, QComboBox:hover, QPlainTextEdit:hover { border-color: $linestrong; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus,
  QComboBox:focus { border: ${ring}px solid $focus; padding: 0 ${ringpad}px; }
QPlainTextEdit:focus, QTextEdit:focus { padding: 2px 3px; }
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled { color: $faint; }
QLineEdit[wrong="true"], QPlainTextEdit[wrong="true"] { border-color: $danger; }
QComboBox { padding-right: 2px; }
QComboBox::drop-down { border: 0; width: 20px; }
QComboBox::down-arrow { image: url($down); width: 12px; height: 12px; }
QComboBox::down-arrow:disabled { image: url($downfaint); }
QSpinBox, QDoubleSpinBox { padding-right: 18px; }
QSpinBox:focus, QDoubleSpinBox:focus { padding-right: 17px; }
QSpinBox[bare="true"], QDoubleSpinBox[bare="true"] { padding-right: 7px; }
QSpinBox[bare="true"]:focus, QDoubleSpinBox[bare="true"]:focus { padding-right: 6px; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { background: transparent; border: 0;
  width: 16px; subcontrol-origin: border; }
QAbstractSpinBox::up-button { subcontrol-position: top right; margin: 2px 2px 0 0; }
QAbstractSpinBox::down-button { subcontrol-position: bottom right; margin: 0 2px 2px 0; }
QAbstractSpinBox[bare="true"]::up-button, QAbstractSpinBox[bare="true"]::down-button { width: 0;
  margin: 0; }
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover { background: $hover; }
QAbstractSpinBox::up-arrow { image: url($up); width: 10px; height: 10px; }
QAbstractSpinBox::down-arrow { image: url($down); width: 10px; height: 10px; }
QAbstractSpinBox::up-arrow:off, QAbstractSpinBox::up-arrow:disabled { image: url($upfaint); }
QAbstractSpinBox::down-arrow:off, QAbstractSpinBox::down-arrow:disabled {
  image: url($downfaint); }
QAbstractSpinBox[bare="true"]::up-arrow, QAbstractSpinBox[bare="true"]::down-arrow {
  image: none; width: 0; height: 0; }
QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus { background: transparent; border: 0;
  padding: 0 4px; min-height: 0; }
QComboBox QAbstractItemView { background: $overlay; border: 1px solid $linestrong; padding: 4px;
  border-radius: 6px; }
QAbstractItemView { background: $panel; border: 0; alternate-background-color: $panel; }
QAbstractItemView::item { padding: ${rowpad}px 8px; border-radius: 4px; min-height: 16px; }
QAbstractItemView::item:hover { background: $hover; }
QAbstractItemView::item:selected { background: $selection; color: $strong; }
QHeaderView::section { background: $panel; color: $weak; border: 0; padding: 4px 8px;
  border-bottom: 1px solid $line; }
QTableView { gridline-color: $line; }
QScrollBar { background: transparent; border: 0; }
QScrollBar:vertical { width: 10px; }
QScrollBar:horizontal { height: 10px; }
QScrollBar::handle { background: $linestrong; border-radius: 3px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::handle:hover { background: $control; }
QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page {
  background: transparent; width: 0; height: 0; }
QScrollArea { background: transparent; border: 0; }
QScrollArea > QWidget > QWidget { background: transparent; }
QTabWidget::pane { border: 0; background: $panel; }
QTabBar { background: $panel; border: 0; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: $weak; padding: 0 2px; margin: 0 8px;
  height: ${tab}px; border: 0; border-bottom: 2px solid transparent; font-weight: 500; }
QTabBar::tab:hover { color: $text; }
QTabBar::tab:selected { color: $strong; font-weight: 600; border-bottom: 2px solid $accent; }
QTabBar::tab:focus { color: $focus; }
QDockWidget { titlebar-close-icon: none; titlebar-normal-icon: none; }
QDockWidget > QWidget { background: $panel; }
QStatusBar { color: $weak; border-top: 1px solid $edge; }
QStatusBar::item { border: 0; }
QProgressBar { background: $well; border: 0; border-radius: 2px; max-height: 4px; }
QProgressBar::chunk { background: $accent; border-radius: 2px; }
QCheckBox { spacing: 8px; }
QCheckBox::indicator, QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid
  $control; background: $well; border-radius: 4px; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator:checked { background: $fill; border-color: $fill;
  image: url($check); }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: $line; }
QCheckBox::indicator:checked:disabled { background: $selection; border-color: $selection; }
QRadioButton::indicator:checked { background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5,
  fx: 0.5, fy: 0.5, stop: 0 $accent, stop: 0.5 $accent, stop: 0.6 $well, stop: 1 $well); }
QCheckBox:focus, QRadioButton:focus { color: $focus; }
QSlider::groove:horizontal { height: 4px; background: $well; border-radius: 2px; }
QSlider::sub-page:horizontal { background: $accent; border-radius: 2px; }
QSlider::handle:horizontal { width: 12px; height: 12px; margin: -4px 0; border-radius: 6px;
  background: $strong; }
QSplitter::handle { background: $edge; }
QGroupBox { border: 0; margin-top: 20px; font-weight: 600; }
QGroupBox::title { subcontrol-origin: margin; left: 0; color: $strong; }
QLabel { background: transparent; }
QLabel[role="weak"] { color: $weak; }
QLabel[role="strong"] { color: $strong; }
QLabel[role="danger"] { color: $danger; }
QLabel[role="warning"] { color: $warning; }
QFrame[role="gap"] { background: $line; border: 0; }
QFrame[role="line"] { background: $line; max-height: 1px; min-height: 1px; border: 0; }
QFrame[role="card"] { background: $raised; border: 1px solid $edge; border-radius: 8px; }
QFrame[role="overlay"] { background: $overlay; border: 1px solid $linestrong;
  border-radius: 10px; }
""")


_MARKS = {
    "down": ("chevron-down", "weak"), "up": ("chevron-up", "weak"), "check": ("check", "onfill"),
    "downfaint": ("chevron-down", "linestrong"), "upfaint": ("chevron-up", "linestrong"),
}  # fmt: skip
"""The icons that a style sheet names: which, and in which colour."""


def style_sheet(colours: Colours, marks: Mapping[str, Path], measures: Measures = REGULAR) -> str:
    """The style sheet of a theme; ``marks`` are the files of ``tinted``.

    Buttons have a property ``kind``: ``primary`` (one on a surface), ``ghost``, ``danger``. Labels
    and frames have a ``role``: ``weak``, ``strong``, ``danger``, ``warning``; ``line``, ``card``,
    ``overlay``. A field with a wrong value has ``wrong``; a spin box without buttons is ``bare``.
    """
    white = mix(colours.overlay, "#FFFFFF", 0.06)
    files = {name: f'"{place.as_posix()}"' for name, place in marks.items()}
    line = round(16 * measures.text)
    pad = max(2, (measures.item - line) // 2 - 1)
    figures = {
        "inner": measures.field - 2, "tab": measures.tall(30), "itempad": pad, "rowpad": pad,
        "itemtext": line, "barpad": max(2, (measures.tall(28) - line) // 2),
        "ring": round(colours.ring), "ringpad": 8 - round(colours.ring),
    }  # fmt: skip
    return _SHEET.substitute(
        colours.tokens | files | {name: str(figure) for name, figure in figures.items()},
        button=white if colours.dark else colours.overlay,
        fillhover=mix(colours.fill, "#000000", 0.12),
        faint=colours.weak if colours.high else mix(colours.panel, colours.weak, 0.6),
    )


def palette(colours: Colours) -> QPalette:
    """The colours for what Qt paints by itself."""
    made, role = QPalette(), QPalette.ColorRole
    for one, token in {
        role.Window: "panel", role.WindowText: "text", role.Base: "well",
        role.AlternateBase: "raised", role.Text: "strong", role.Button: "overlay",
        role.ButtonText: "strong", role.Highlight: "selection", role.HighlightedText: "strong",
        role.ToolTipBase: "overlay", role.ToolTipText: "text", role.PlaceholderText: "weak",
        role.Link: "accent", role.Accent: "accent",
    }.items():  # fmt: skip
        made.setColor(one, QColor(getattr(colours, token)))
    return made


def tinted(colours: Colours, folder: Path) -> dict[str, Path]:
    """The icons that the style sheet names, in the colours of the theme, as files in a folder.

    A style sheet can only name files, and one of these is black wherever it is not tinted.

    Raises:
        OSError: they cannot be written.
    """
    found = {}
    for mark, (name, token) in _MARKS.items():
        colour = str(getattr(colours, token))
        place = folder / f"{name}-{colour.removeprefix('#')}.svg"
        text = (FOLDER / f"{name}.svg").read_text("utf-8").replace("currentColor", colour)
        if not place.is_file() or place.read_text("utf-8") != text:
            folder.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
        found[mark] = place
    return found


def apply(
    application: QApplication, colours: Colours, folder: Path, measures: Measures = REGULAR
) -> None:
    """Dress the whole application.

    Args:
        application: What is dressed.
        colours: Of the theme.
        folder: Where icons in the colours of the theme may be written, as in the user's cache.
        measures: The density and the text scale.
    """
    if not application.styleSheet():  # each of these goes through all widgets
        application.setStyle("Fusion")
    body = font(Role.BODY, measures.text)
    if application.font() != body:
        application.setFont(body)
    application.setPalette(palette(colours))
    application.setStyleSheet(style_sheet(colours, tinted(colours, folder), measures))
    fonts = {role: font(role) for role in Role}
    for widget in application.allWidgets():  # the sheet gives back the font of the first time
        role = written_in(widget)
        if role is not None and widget.font() != fonts[role]:
            widget.setFont(fonts[role])
