"""The pieces of the status bar: words, and what a click asks for."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.panels.problems.panel import Counts
from app.panels.status import EngineLine, JobLine, ProblemsLine, WordLine
from app.run.state import JobView


def test_the_running_job_is_told_and_hidden_at_its_end(theme, mount):
    piece = mount(JobLine(theme), 400, 24)
    piece.show_job(JobView(12, "scene", "running", progress=0.5, sentence="Sample, 6.4 s left"))
    assert piece.accessibleName() == "Job 12: Sample, 6.4 s left"
    narrow = piece.sizeHint().width()
    piece.show_job(JobView(12, "scene", "running", sentence="Sample a very long name, 6.4 s left"))
    assert piece.sizeHint().width() > narrow
    piece.show_job(None)
    assert piece.isHidden()


@pytest.mark.parametrize(
    ("counts", "words"),
    [(Counts(), "No problems"), (Counts(2, 0, 1), "2 problems, 1 note"),
     (Counts(0, 1), "1 warning")],
)  # fmt: skip
def test_problems_are_counted_in_words(theme, mount, counts, words):
    piece = mount(ProblemsLine(theme), 300, 24)
    piece.show_counts(counts)
    piece.grab()
    assert piece.accessibleName() == words


def test_a_dead_engine_says_why_and_a_click_or_space_starts_it(theme, mount):
    piece = mount(EngineLine(theme), 200, 24)
    asked = []
    piece.restart_wanted.connect(lambda: asked.append(True))
    piece.show_state("ready")
    QTest.mouseClick(piece, Qt.MouseButton.LeftButton)
    assert asked == []
    piece.show_state("dead", "The system took its memory back.")
    assert piece.accessibleName() == "Engine stopped The system took its memory back."
    QTest.mouseClick(piece, Qt.MouseButton.LeftButton)
    piece.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(piece, Qt.Key.Key_Space)
    assert asked == [True, True]


def test_words_are_shown_and_read_out(theme, mount):
    piece = mount(WordLine(theme), 100, 24)
    piece.show_words("Zoom 100 %")
    piece.grab()
    assert piece.accessibleName() == "Zoom 100 %"
    assert piece.sizeHint().width() > 60
