"""What the look promises: contrast, outlines that differ, fonts and icons that are there."""

from __future__ import annotations

import re
from itertools import combinations

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QFontInfo, QFontMetricsF, QImage, QPainter

from app.theme.colours import DARK, HIGH_DARK, HIGH_LIGHT, LIGHT, Colours, contrast, mix
from app.theme.fonts import INTER, MONO, Role, font
from app.theme.icons import icon, names
from app.theme.measures import Measures
from app.theme.outlines import paint_socket
from app.theme.theme import Theme
from app.theme.types import ANY, TYPES, category_look, look_of
from backend.graph.types import TYPES as SOCKET_TYPES

THEMES = pytest.mark.parametrize(
    "colours", [DARK, LIGHT, HIGH_DARK, HIGH_LIGHT],
    ids=["dark", "light", "dark and high", "light and high"],
)  # fmt: skip
HIGH = pytest.mark.parametrize("colours", [HIGH_DARK, HIGH_LIGHT], ids=["dark", "light"])
WRITTEN = ("strong", "text", "weak", "accent", "focus", "success", "warning", "danger")
GROUNDS = ("canvas", "panel", "raised", "overlay")


@THEMES
def test_text_can_be_read_on_every_ground(colours: Colours) -> None:
    for ground in GROUNDS:
        for text in WRITTEN:
            assert contrast(getattr(colours, text), getattr(colours, ground)) >= 4.5, (text, ground)
        assert contrast(colours.control, getattr(colours, ground)) >= 3
    assert contrast(colours.onfill, colours.fill) >= 4.5
    assert contrast(colours.strong, colours.selection) >= 10
    for ground in ("okfill", "warnfill", "dangerfill"):
        assert contrast(colours.text, getattr(colours, ground)) >= 8.4


@HIGH
def test_high_contrast_is_high(colours: Colours) -> None:
    for ground in (*GROUNDS, "well", "hover"):
        for text in WRITTEN:
            assert contrast(getattr(colours, text), getattr(colours, ground)) >= 7, (text, ground)
    for ground in ("selection", "okfill", "warnfill", "dangerfill"):
        for text in ("strong", "text", "weak"):
            assert contrast(getattr(colours, text), getattr(colours, ground)) >= 7, (text, ground)
    assert contrast(colours.onfill, colours.fill) >= 7
    for ground in GROUNDS:  # what is an outline only is seen as well as any other graphic
        for line in ("line", "linestrong", "control", "edge"):
            assert contrast(getattr(colours, line), getattr(colours, ground)) >= 3
    assert colours.ring > DARK.ring


@THEMES
def test_what_stands_on_rows_and_fields_can_be_read(colours: Colours) -> None:
    for ground in ("well", "hover", "selection"):
        for text in ("strong", "text"):
            assert contrast(getattr(colours, text), getattr(colours, ground)) >= 4.5
    for ground in ("well", "hover"):
        assert contrast(colours.weak, getattr(colours, ground)) >= 4.5


def test_a_theme_tells_of_every_change_once() -> None:
    theme, told = Theme(), []
    theme.changed.connect(lambda: told.append(theme.colours))
    theme.put(HIGH_DARK, Measures("roomy", 1.2))
    theme.put(HIGH_DARK, Measures("roomy", 1.2))
    theme.set_dark(False)
    assert told == [HIGH_DARK, HIGH_LIGHT]
    assert theme.measures.density == "roomy"


@THEMES
def test_sockets_can_be_told_from_their_ground(colours: Colours) -> None:
    for look in (*TYPES.values(), ANY):
        assert contrast(look.hue(colours), colours.canvas) >= 3
        assert contrast(look.hue(colours), colours.raised) >= 4.1


@THEMES
def test_the_ground_of_pictures_has_no_hue(colours: Colours) -> None:
    assert len({colours.viewer[i : i + 2] for i in (1, 3, 5)}) == 1


@THEMES
def test_every_colour_is_one(colours: Colours) -> None:
    for name, colour in colours.tokens.items():
        assert re.fullmatch(r"#[0-9A-F]{6}", colour), name


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#FFFFFF", "#767676") == pytest.approx(4.54, abs=0.01)
    assert mix("#000000", "#FFFFFF", 0.5) == "#808080"


def painted(kind: str, colours: Colours, **more: bool) -> bytes:
    look = look_of(kind)
    image = QImage(40, 40, QImage.Format.Format_RGB32)
    image.fill(QColor(colours.raised))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    paint_socket(painter, QPointF(20, 20), look, colours, ground=colours.raised, **more)
    painter.end()
    return bytes(image.constBits())


def test_types_with_one_outline_differ_in_hue_and_all_others_in_outline() -> None:
    for (one, a), (other, b) in combinations(TYPES.items(), 2):
        alike = {"Mesh", "Points"}, {"Table", "Report"}, {"Model", "LanguageModel"}
        if a.outline == b.outline and {one, other} not in alike:
            assert a.dark != b.dark
            assert a.light != b.light


@pytest.mark.parametrize("kind", TYPES)
def test_joined_hollow_list_and_needed_look_different(kind: str) -> None:
    states = [
        painted(kind, DARK, joined=True),
        painted(kind, DARK),
        painted(kind, DARK, many=True),
        painted(kind, DARK, needed=True),
    ]
    assert len(set(states)) == 4


def test_every_socket_type_of_the_engine_has_a_look() -> None:
    lacking = {name for name in SOCKET_TYPES if look_of(name) is ANY}
    assert lacking == set()


def test_a_type_of_a_pack_and_a_generic_one_look_like_any() -> None:
    assert look_of("T") is ANY
    assert look_of("SparkleThing") is ANY
    assert category_look("Image/Filter") is TYPES["Image"]
    assert category_look("Number") is ANY


@pytest.mark.parametrize("role", Role)
def test_fonts_are_those_that_are_shipped(role: Role) -> None:
    info = QFontInfo(font(role))
    assert info.family() == (MONO if role is Role.CODE else INTER)
    assert info.pixelSize() == role.value[1]
    assert info.pixelSize() >= 11


def test_figures_have_one_width() -> None:
    metrics = QFontMetricsF(font(Role.VALUE))
    widths = [metrics.horizontalAdvance(figure * 20) for figure in "0123456789"]
    assert max(widths) - min(widths) < 0.5


def test_icons_are_tinted_and_sharp_at_every_ratio() -> None:
    for ratio in (1.0, 1.25, 2.0):
        pixmap = icon("check", 16, "#FF0000", ratio)
        assert pixmap.width() == round(16 * ratio)
        image = pixmap.toImage()
        inked = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() > 200
        ]
        assert inked
        assert all(c.red() > 240 and c.green() < 20 for c in inked)


def test_all_icons_can_be_drawn() -> None:
    for name in names():
        image = icon(name, 16, "#000000").toImage()
        assert any(image.pixelColor(x, y).alpha() for x in range(16) for y in range(16)), name
    with pytest.raises(KeyError):
        icon("no-such-icon", 16, "#000000")
