"""The layers panel: what it shows of a stack, and what a click has the viewer show."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from app.panels.layers import LayersPanel
from app.panels.layers.cards import thumbnail
from app.viewer.subject import Subject
from backend.values import Image, Layer, Layers

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def plain(width, height, color, **told):
    return Layer(np.tile(np.array(color, np.float32), (height, width, 1)), **told)


def stack():
    return Layers(
        64, 48,
        (
            plain(64, 48, (0.9, 0.8, 0.6, 1), name="Ground"),
            plain(20, 10, (1, 0, 0, 0.5), name="Schatten 層", mode="multiply", opacity=0.6, x=-5),
            plain(8, 8, (0, 0, 1, 1), name="Spark", visible=False),
        ),
    )  # fmt: skip


@pytest.fixture
def panel(theme, mount, spin):
    made = LayersPanel(theme)
    made.seen = []
    made.looked.connect(made.seen.append)
    mount(made)
    made.show_subject(Subject(stack(), "Add layer · layers", "Layers"))
    spin(lambda: made.list.cards.cards[0].picture)
    yield made
    made.close_down()


def middle(panel, key):
    index = panel.list.cards.index(panel.list.cards.row_of(key))
    return panel.list.card_rect(index).center().toPoint() - QPoint(60, 0)


def click(panel, place):
    QTest.mouseClick(panel.list.viewport(), LEFT, NONE, place)


def visible(panel):
    return [each.visible for each in panel.seen[-1].value.layers]


def test_layers_stand_topmost_first_with_what_is_known_of_them(panel):
    cards = panel.list.cards.cards
    assert [card.title for card in cards] == ["Spark", "Schatten 層", "Ground"]
    assert cards[1].sentence == "Multiply · 60 % · 20 x 10 at -5, 0"
    assert "Hidden in the graph" in cards[0].sentence
    assert [card.act.icon for card in cards] == ["eye-off", "eye", "eye"]
    assert all(QImage.fromData(card.picture).width() >= 64 for card in cards)


def test_the_eye_hides_a_layer_in_the_viewer_and_not_in_the_value(panel):
    given = panel.layers
    click(panel, panel.list.button_rect("1").center())
    assert visible(panel) == [True, False, False]
    assert panel.layers is given
    assert panel.list.cards.cards[1].act.icon == "eye-off"
    click(panel, panel.list.button_rect("1").center())
    assert panel.seen[-1].value is given
    assert panel.seen[-1].title == "Add layer · layers"


def test_a_click_shows_one_layer_and_another_all_again(panel):
    click(panel, middle(panel, "2"))
    assert visible(panel) == [False, False, True]
    assert panel.list.cards.cards[0].outlined
    click(panel, middle(panel, "2"))
    assert panel.seen[-1].value is panel.layers


def test_all_of_it_goes_by_the_keyboard(panel):
    panel.list.setFocus()
    panel.list.choose("0")
    QTest.keyClick(panel.list, Qt.Key.Key_Space)
    assert visible(panel) == [False, True, False]
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    assert visible(panel) == [True, False, False]


def test_the_tool_shows_it_as_the_graph_has_it(panel):
    click(panel, panel.list.button_rect("0").center())
    (tool,) = panel.tools
    tool.trigger()
    assert panel.seen[-1].value is panel.layers
    assert panel.list.cards.cards[-1].act.icon == "eye"


def test_what_is_no_stack_leaves_it_empty(panel):
    panel.show_subject(Subject(Image(np.zeros((1, 2, 2, 3), np.float32)), "Decode", "Image"))
    assert panel.layers is None
    assert not panel.list.isVisible()
    assert not panel.tools[0].isEnabled()
    panel.show_all()
    assert panel.seen == []


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (3000, 1), (40, 30)])
def test_layers_of_any_size_have_a_thumbnail(application, size):
    image = QImage.fromData(thumbnail(plain(*size, (1, 0, 0, 1)), 2.0))
    assert (image.width(), image.height()) == (128, 96)
    colours = [image.pixelColor(x, y) for x in range(128) for y in range(44, 52)]
    assert any(each.red() > 200 and each.green() < 60 for each in colours)
