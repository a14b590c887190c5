"""Work beside the window: in order, answered in the window's thread, given up when asked."""

import sys
import threading

import pytest

from app.panels.errands import Errands


@pytest.fixture
def errands(application):
    made = Errands("test", (ValueError,))
    yield made
    made.close()


def test_work_is_done_elsewhere_in_order_and_answered_here(errands, spin):
    here, seen = threading.get_ident(), []
    for number in range(5):
        errands.do(
            lambda n=number: (n, threading.get_ident()),
            lambda found: seen.append((*found, threading.get_ident())),
        )
    spin(lambda: len(seen) == 5)
    assert [number for number, _, _ in seen] == [0, 1, 2, 3, 4]
    assert all(there != here and back == here for _, there, back in seen)
    assert errands.waiting == 0


def test_a_failure_that_is_told_is_a_sentence(errands, spin):
    said = []
    errands.do(lambda: int("no number"), said.append, lambda text: said.append(f"told: {text}"))
    spin(lambda: said)
    assert said[0].startswith("told: invalid literal")


def test_a_failure_that_nobody_expected_reaches_who_catches_all(errands, spin, monkeypatch):
    caught = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: caught.append(kind))
    errands.do(lambda: {}["gone"], lambda _: None, lambda _: None)
    spin(lambda: caught)
    assert caught == [KeyError]


def test_work_is_given_up_with_what_waits(errands, spin):
    begun, seen = threading.Event(), []
    gate = threading.Event()

    def long() -> None:
        begun.set()
        gate.wait(10)
        errands.check()
        seen.append("went on")

    errands.do(long, seen.append)
    errands.do(lambda: "second", seen.append)
    assert begun.wait(10)
    errands.stop()
    gate.set()
    spin(lambda: errands.waiting == 0)
    assert seen == []
    errands.do(lambda: "third", seen.append)
    spin(lambda: seen)
    assert seen == ["third"]


def test_nothing_is_answered_after_the_end(application, spin):
    made, seen = Errands("test"), []
    made.do(lambda: 1, seen.append)
    made.close()
    made.do(lambda: 2, seen.append)
    from PySide6.QtWidgets import QApplication

    QApplication.processEvents()
    assert seen == []
