"""Toasts: one at a time, in the corner, gone by themselves; errors stay."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.theme.theme import Theme
from app.widgets.toast import MARGIN, WIDTH, Toasts


@pytest.fixture
def canvas(application):
    held = QWidget()
    held.resize(800, 600)
    held.show()
    QTest.mouseMove(held, QPoint(2, 2))  # the pointer would hold a toast below it
    QApplication.processEvents()
    yield held
    held.close()
    held.deleteLater()


@pytest.fixture
def toasts(canvas):
    made = Toasts(Theme(), canvas, lift=140)
    made._timer.setInterval(30)
    return made


def test_it_stands_in_the_corner_above_the_minimap_also_after_a_resize(toasts, canvas):
    toasts.say("The picture is saved.")
    for width, height in ((800, 600), (500, 420)):
        canvas.resize(width, height)
        QApplication.processEvents()
        rect = toasts.view.geometry()
        assert rect.width() == WIDTH
        assert rect.right() == width - MARGIN - 1
        assert rect.bottom() == height - 140 - MARGIN - 1


def test_a_note_goes_by_itself_and_an_error_stays(toasts, spin):
    toasts.say("A note.")
    spin(lambda: toasts.current is None)
    toasts.say("It failed.", "error")
    spin(lambda: not toasts._timer.isActive())
    assert toasts.current.sentence == "It failed."


def test_an_error_that_was_read_hides_nothing_that_is_said_and_comes_back(toasts, spin):
    toasts.say("It failed.", "error")
    spin(lambda: not toasts._timer.isActive())
    toasts.say("It is saved.")
    assert toasts.current.sentence == "It is saved."
    spin(lambda: toasts.current.sentence == "It failed.")
    toasts.say("It is saved again.")  # too early: it waits until the error was read once more
    assert toasts.current.sentence == "It failed."
    spin(lambda: toasts.current.sentence == "It is saved again.")
    spin(lambda: toasts.current.sentence == "It failed.")
    toasts.dismiss()
    assert toasts.current is None


def test_one_at_a_time_in_order_and_nothing_twice(toasts):
    seen = []
    toasts.shown.connect(lambda toast: seen.append(toast.sentence))
    toasts.say("One.", "error")
    toasts.say("Two.", "warning")
    toasts.say("Two.", "warning")
    toasts.say("One.", "error")
    assert seen == ["One."]
    toasts.dismiss()
    assert seen == ["One.", "Two."]
    toasts.dismiss()
    assert toasts.current is None


def test_a_note_makes_way_for_what_comes(toasts):
    toasts.say("Only a note.")
    toasts.say("It failed.", "error")
    assert toasts.current.sentence == "It failed."


def test_its_button_acts_and_closes_it(toasts):
    done = []
    toasts.say("The engine stopped.", "error", "Run again", lambda: done.append(True))
    QTest.mouseClick(toasts.view.button, Qt.MouseButton.LeftButton)
    assert done == [True]
    assert toasts.current is None


def test_escape_closes_it_and_the_keyboard_on_it_holds_it(toasts, canvas):
    canvas.activateWindow()
    toasts.say("A warning.", "warning", "Do it", lambda: None)
    toasts.view.button.setFocus()
    QApplication.processEvents()
    assert not toasts._timer.isActive()
    QTest.keyClick(toasts.view, Qt.Key.Key_Escape)
    assert toasts.current is None


def test_a_long_sentence_is_wrapped_and_whole(toasts):
    toasts.say("word " * 60)
    view = toasts.view
    assert view.height() > 100
    assert view.height() >= view.heightForWidth(view.width())
