"""Work beside the window answers on the thread that asked, or not at all."""

import threading

import pytest


def test_an_answer_comes_on_the_thread_that_asked(background, spin):
    told = []
    background.ask(threading.get_ident, lambda ident: told.append((ident, threading.get_ident())))
    spin(lambda: told)
    assert told[0][0] != told[0][1] == threading.get_ident()


def test_what_fails_is_told_to_whoever_asked(background, spin):
    told = []
    background.ask(lambda: 1 / 0, told.append, lambda error: told.append(type(error)))
    spin(lambda: told)
    assert told == [ZeroDivisionError]


def test_what_is_cancelled_answers_nobody(background, spin):
    told, gate = [], threading.Event()
    background.ask(gate.wait, told.append)
    background.ask(lambda: "late", told.append).cancel()
    gate.set()
    background.ask(lambda: "last", told.append)
    spin(lambda: "last" in told)
    assert told == [True, "last"]


def test_a_closed_one_takes_nothing_more(background):
    background.close()
    assert background.ask(lambda: 1, pytest.fail).cancelled
