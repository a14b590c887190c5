"""The log panel over real log files: read, followed, filtered, copied."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QGuiApplication

from app.panels.log import LogPanel
from app.panels.log.reading import entries_of, newest
from backend.logs import Log

LETTERS = st.characters(codec="utf-8", exclude_characters="\r")
TEXTS = (
    st.text(LETTERS, min_size=1)
    .map(lambda text: text.strip("\n"))
    .filter(lambda text: text and "\n== " not in f"\n{text}")
)


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "logs", 2**20, 3)


@pytest.fixture
def shown(theme, log, mount):
    panel = mount(LogPanel(theme, log.folder), 600, 300)
    yield panel
    panel.close_files()


def text(panel):
    return panel.text.toPlainText()


@given(st.lists(TEXTS, max_size=5))
def test_what_was_written_is_read_back(tmp_path_factory, texts):
    log = Log(tmp_path_factory.mktemp("logs"), 2**20, 3)
    for each in texts:
        log.write(each)
    found = entries_of(newest(log.files()))
    assert [entry.text for entry in found] == texts
    assert all(len(entry.when) == 19 and entry.process > 0 for entry in found)


def test_files_that_were_put_away_are_read_too_up_to_a_size(tmp_path):
    log = Log(tmp_path, 4096, 5)
    for number in range(200):
        log.write(f"entry {number} " + "x" * 60)
    assert len(log.files()) > 2
    found = [entry.text.split()[1] for entry in entries_of(newest(log.files()))]
    assert found == [str(number) for number in range(200 - len(found), 200)]
    few = entries_of(newest(log.files(), 1000))
    assert 0 < len(few) < 12
    assert few[-1].text.startswith("entry 199")


def test_it_is_followed_while_it_is_seen(log, shown, spin):
    log.write("the first")
    shown.refresh()
    spin(lambda: "the first" in text(shown))
    log.write("the second")
    spin(lambda: "the second" in text(shown), 5)
    assert text(shown).index("the first") < text(shown).index("the second")


def test_nothing_is_read_while_it_is_not_seen(shown):
    assert shown._timer.isActive()
    shown.hide()
    assert not shown._timer.isActive()


def test_words_and_source_filter(log, shown, spin):
    log.write("Traceback: the disk is full")
    log.write("Job 12 ended")
    shown.refresh()
    spin(lambda: "Job 12" in text(shown))
    shown.add_output("loading weights\nwarning: slow")
    assert "loading weights" in text(shown)
    shown.field.setText("DISK full")
    assert "disk is full" in text(shown)
    assert "Job 12" not in text(shown)
    shown.field.clear()
    shown.source.setCurrentIndex(shown.source.findData("engine"))
    assert text(shown).count("\n") == 1
    assert "Job 12" not in text(shown)
    shown.field.setText("nothing like it")
    assert shown._empty.isVisible()


def test_what_comes_does_not_scroll_away_what_is_read(shown):
    shown.add_output("\n".join(f"line {number}" for number in range(200)))
    bar = shown.text.verticalScrollBar()
    assert bar.value() == bar.maximum()
    bar.setValue(20)
    shown.add_output("one more")
    assert bar.value() == 20
    bar.setValue(bar.maximum())
    shown.add_output("\n".join("more" for _ in range(50)))
    assert bar.value() == bar.maximum()


def test_what_is_shown_is_copied(shown):
    shown.add_output("a line for the clipboard")
    shown.copy()
    assert QGuiApplication.clipboard().text().endswith("a line for the clipboard")


def test_an_empty_log_says_so(shown):
    assert shown._empty.isVisible()
    assert shown._empty.accessibleName().startswith("The log is empty.")
