"""Cards: what is put is shown, and everything works by mouse and by keyboard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QBuffer, QByteArray, QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.theme.theme import Theme
from app.widgets.card import Act, Card, CardModel
from app.widgets.card_list import CardList
from app.widgets.card_paint import thumbnail

KEYS = st.lists(st.sampled_from("abcdefgh"), unique=True)


def card(key: str, **more) -> Card:
    return Card(key, f"Title {key}", f"Sentence {key}", **more)


def picture(colour: str, width: int = 120, height: int = 40) -> bytes:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    data, buffer = QByteArray(), QBuffer()
    buffer = QBuffer(data)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data)


@pytest.fixture
def cards(application):
    view = CardList(Theme(), "Things")
    heard: list[tuple] = []
    for name in ("opened", "acted", "removed", "moved"):
        getattr(view, name).connect(lambda *given, name=name: heard.append((name, *given)))
    view.heard = heard
    view.resize(400, 300)
    view.put(
        [card("a", movable=True, act=Act("Go")), card("b", movable=True, act=Act("Stop", "x")),
         card("c", movable=True), card("d")]
    )  # fmt: skip
    view.show()
    QApplication.processEvents()
    yield view
    view.close()
    view.deleteLater()


def middle(view: CardList, key: str) -> QPoint:
    return view.visualRect(view.cards.index(view.cards.row_of(key))).center()


@given(KEYS, KEYS)
def test_whatever_was_there_what_is_put_is_there(first, second):
    model = CardModel()
    model.put([card(key) for key in first])
    told = {"rows": len(first)}
    model.rowsInserted.connect(lambda _, a, b: told.update(rows=told["rows"] + b - a + 1))
    model.rowsRemoved.connect(lambda _, a, b: told.update(rows=told["rows"] - (b - a + 1)))
    model.put([card(key) for key in second])
    assert [each.key for each in model.cards] == second
    assert told["rows"] == len(second)


def test_only_what_differs_is_told_to_have_changed(application):
    model = CardModel()
    model.put([card(key) for key in "abc"])
    changed = []
    model.dataChanged.connect(lambda top, bottom, roles: changed.append((top.row(), bottom.row())))
    model.modelReset.connect(lambda: changed.append("all"))
    model.put([card("a"), card("b", progress=0.5), card("c")])
    assert changed == [(1, 1)]


def test_two_cards_with_one_key_are_refused(application):
    with pytest.raises(ValueError, match="same key"):
        CardModel().put([card("a"), card("a")])


def test_the_chosen_card_stays_chosen_when_others_come(cards):
    cards.choose("b")
    cards.put([card("z"), *cards.cards.cards])
    assert cards.chosen == "b"
    cards.put([card("z"), card("a")])
    assert cards.chosen != "b"


def test_a_click_opens_and_a_click_on_the_button_acts(cards):
    QTest.mouseClick(cards.viewport(), Qt.MouseButton.LeftButton, pos=middle(cards, "c"))
    QTest.mouseClick(
        cards.viewport(), Qt.MouseButton.LeftButton, pos=cards.button_rect("a").center()
    )
    QTest.mouseClick(
        cards.viewport(), Qt.MouseButton.LeftButton, pos=cards.button_rect("b").center()
    )
    assert cards.heard == [("opened", "c"), ("acted", "a"), ("acted", "b")]


def test_a_button_that_is_left_while_held_does_nothing(cards):
    QTest.mousePress(
        cards.viewport(), Qt.MouseButton.LeftButton, pos=cards.button_rect("a").center()
    )
    QTest.mouseRelease(cards.viewport(), Qt.MouseButton.LeftButton, pos=middle(cards, "c"))
    assert cards.heard == []


def test_a_press_elsewhere_that_ends_on_a_button_does_nothing(cards):
    left = Qt.MouseButton.LeftButton
    QTest.mousePress(cards.viewport(), left, pos=middle(cards, "c"))
    QTest.mouseRelease(cards.viewport(), left, pos=cards.button_rect("a").center())
    assert cards.heard == []


def test_a_card_that_is_put_elsewhere_takes_the_choice_along(cards):
    cards.choose("a")
    cards.put([cards.cards.card(row) for row in (2, 1, 3, 0)])
    assert [card.key for card in cards.cards.cards] == ["c", "b", "d", "a"]
    assert cards.chosen == "a"


def test_a_card_dragged_below_all_stands_last_of_those_that_can_be_moved(cards):
    view, begin = cards.viewport(), middle(cards, "a")
    end = QPoint(begin.x(), view.height() - 4)
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(view, end)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert cards.heard == [("moved", "a", "")]


def test_nothing_is_dragged_before_a_card_that_cannot_be_moved(cards):
    cards.put([cards.cards.card(row) for row in (3, 0, 1, 2)])
    view, begin = cards.viewport(), middle(cards, "c")
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(view, QPoint(begin.x(), 3))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(begin.x(), 3))
    assert cards.heard == [("moved", "c", "a")]


def test_keys_do_what_the_mouse_does(cards):
    cards.setFocus(Qt.FocusReason.TabFocusReason)
    assert cards.chosen == "a"
    QTest.keyClick(cards, Qt.Key.Key_Space)
    QTest.keyClick(cards, Qt.Key.Key_Down)
    QTest.keyClick(cards, Qt.Key.Key_Return)
    QTest.keyClick(cards, Qt.Key.Key_Delete)
    QTest.keyClick(cards, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    QTest.keyClick(cards, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert cards.heard == [
        ("acted", "a"), ("opened", "b"), ("removed", "b"), ("moved", "b", "a"), ("moved", "b", ""),
    ]  # fmt: skip


def test_space_on_a_card_without_an_act_does_nothing(cards):
    cards.setFocus(Qt.FocusReason.TabFocusReason)
    cards.choose("c")
    QTest.keyClick(cards, Qt.Key.Key_Space)
    assert cards.heard == []


@pytest.mark.parametrize(
    ("who", "where", "told"),
    [("c", "a", [("moved", "c", "a")]), ("a", "c", [("moved", "a", "c")]),
     ("d", "a", [("opened", "a")]), ("a", "d", [("moved", "a", "")])],
)  # fmt: skip
def test_a_card_that_can_be_moved_is_dragged_before_another(cards, who, where, told):
    begin = middle(cards, who)
    end = QPoint(
        begin.x(), cards.visualRect(cards.cards.index(cards.cards.row_of(where))).top() + 2
    )
    view = cards.viewport()
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
    for share in (0.5, 1.0):
        QTest.mouseMove(view, begin + (end - begin) * share)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=end)
    assert cards.heard == told


def test_escape_takes_a_drag_back(cards):
    view, begin = cards.viewport(), middle(cards, "c")
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
    QTest.mouseMove(view, QPoint(begin.x(), 4))
    QTest.keyClick(cards, Qt.Key.Key_Escape)
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPoint(begin.x(), 4))
    assert not [each for each in cards.heard if each[0] == "moved"]


def test_a_screen_reader_hears_the_whole_card(cards):
    cards.put([card("a", spoken="Job 1, running, step 17 of 28"), card("b")])
    said = [
        cards.cards.data(cards.cards.index(row), Qt.ItemDataRole.AccessibleTextRole)
        for row in range(2)
    ]
    assert said == ["Job 1, running, step 17 of 28", "Title b. Sentence b"]
    assert cards.accessibleName() == "Things"


def test_a_picture_fills_its_frame_and_what_is_none_leaves_it_empty(application):
    found = thumbnail(picture("#ff0000"), 2.0)
    assert found is not None
    assert (found.width(), found.height()) == (128, 96)
    assert found.toImage().pixelColor(64, 48) == QColor("#ff0000")
    assert found.toImage().pixelColor(0, 0).alpha() == 0  # round corners
    assert thumbnail(b"no picture", 1.0) is None


def test_progress_is_painted_as_far_as_it_is(cards):
    cards.put([card("a", progress=0.5)])
    accent = QColor(cards.theme.colours.accent)
    image = cards.viewport().grab().toImage()
    rect = cards.card_rect(cards.cards.index(0))
    row = [image.pixelColor(x, int(rect.top() + 53)) for x in range(image.width())]
    filled = [x for x, colour in enumerate(row) if colour == accent]
    share = (filled[-1] - filled[0]) / (rect.width() - 24)
    assert share == pytest.approx(0.5, abs=0.02)
