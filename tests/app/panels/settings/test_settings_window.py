"""The settings window over a real file: every setting, where it is from, and the keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from app.panels.settings.desk import SettingsDesk
from app.panels.settings.keys import Command, Shortcuts
from app.panels.settings.rows import TITLES
from app.panels.settings.window import PAGES, SettingsWindow
from backend.settings import declarations, load

COMMANDS = (
    Command("run.start", "Run", "Run", "Ctrl+Return"),
    Command("run.cancel", "Cancel", "Run", "Ctrl+."),
    Command("edit.copy", "Copy", "Edit", "Ctrl+C"),
    Command("view.grid", "Show the grid", "View"),
)


@pytest.fixture
def desk(tmp_path, application):
    return SettingsDesk(tmp_path / "settings.toml", {"WEFT_CACHE_DISK": "5GiB"})


@pytest.fixture
def window(theme, desk, mount):
    return mount(SettingsWindow(theme, desk, COMMANDS), 840, 560)


def kept(desk):
    return load(desk.file, {}).settings


def test_every_setting_has_a_row_a_name_and_a_page(window):
    assert {*window.rows, "studio.shortcuts"} == set(declarations())
    assert set(TITLES) <= set(declarations())
    sections = {section for page in PAGES for section in page[3]}
    assert sections == {key.partition(".")[0] for key in declarations()}
    for row in window.rows.values():
        assert row.field.accessibleName()
        assert row.field.accessibleDescription()


def test_what_is_typed_is_in_the_file_at_once_and_can_be_taken_back(window, desk):
    changed = []
    window.changed.connect(changed.append)
    window.open_page("cache")
    row = window.rows["cache.memory"]
    row.field.setFocus()
    row.field.selectAll()
    QTest.keyClicks(row.field, "3 GiB")
    QTest.keyClick(row.field, Qt.Key.Key_Return)
    assert kept(desk).cache.memory == 3 * 2**30
    assert row.field.text() == "3GiB"
    assert row._origin.text() == "set here"
    assert not row.later.isHidden()  # the engine has what it was started with
    assert window.rows["studio.theme"].later.isHidden()
    QTest.mouseClick(row.back, Qt.MouseButton.LeftButton)
    assert kept(desk).cache.memory == 2 * 2**30
    assert row.back.isHidden()
    assert changed == ["cache.memory", "cache.memory"]


def test_a_wrong_value_is_told_below_and_changes_nothing(window, desk):
    window.open_page("engine")
    row = window.rows["queue.attempts"]
    row.field.setText("900")
    QTest.keyClick(row.field, Qt.Key.Key_Return)
    assert row.wrong.isVisible()
    assert row.wrong.text() == "Write at least 1 and at most 100, not '900'."
    assert row.field.property("wrong") is True
    assert kept(desk).queue.attempts == 3
    row.field.setText("7")
    QTest.keyClick(row.field, Qt.Key.Key_Return)
    assert row.wrong.isHidden()
    assert row.field.property("wrong") is False
    assert kept(desk).queue.attempts == 7


def test_choices_and_switches_are_set_by_keyboard(window, desk):
    theme = window.rows["studio.theme"].field
    theme.setFocus()
    QTest.keyClick(theme, Qt.Key.Key_Down)
    assert kept(desk).studio.theme == "dark"
    still = window.rows["studio.still"].field
    still.setFocus()
    QTest.keyClick(still, Qt.Key.Key_Space)
    assert kept(desk).studio.still is True


def test_what_the_environment_sets_cannot_be_changed_here(window):
    row = window.rows["cache.disk"]
    assert not row.field.isEnabled()
    assert row._origin.text() == "set by WEFT_CACHE_DISK"
    assert row.back.isHidden()


def test_comments_of_the_file_stay(desk):
    desk.file.write_text("# mine\n[logs]\nkeep = 5  # few\n")
    desk.reload()
    assert desk.put("logs.size", "1MiB") == ""
    assert desk.file.read_text().startswith("# mine\n[logs]\nkeep = 5  # few\n")


def test_a_broken_file_is_told_and_nothing_is_lost(theme, tmp_path, mount):
    file = tmp_path / "settings.toml"
    file.write_text("[cache\n")
    desk = SettingsDesk(file, {})
    window = mount(SettingsWindow(theme, desk, ()), 840, 560)
    assert window.trouble.isVisible()
    assert "cannot be read" in desk.trouble
    assert desk.settings.cache.memory == 2 * 2**30
    assert "cannot be read" in desk.put("cache.memory", "1GiB")
    assert file.read_text() == "[cache\n"


def test_what_somebody_else_writes_is_shown_after_a_reload(window, desk):
    desk.file.write_text("[studio]\ntheme = 'light'\n")
    desk.reload()
    assert window.rows["studio.theme"].field.currentData() == "light"


def test_a_search_goes_over_all_pages(window):
    QTest.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(window.field, "log PUT away")
    assert PAGES[window.pages.currentRow()][0] == "outputs"
    assert window.rows["logs.size"].isVisible()
    assert not window.rows["provenance.embed"].isVisible()
    assert window.pages.item(0).isHidden()
    window.field.setText("grid")
    assert PAGES[window.pages.currentRow()][0] == "keys"
    window.field.clear()
    assert not window.pages.item(0).isHidden()


@pytest.fixture
def keys(window):
    window.open_page("keys")
    return window.keys


def test_new_keys_are_pressed_and_kept(keys, desk):
    heard = []
    keys.changed.connect(heard.append)
    keys.choose("view.grid")
    keys.edit.setFocus()
    QTest.keyClick(keys.edit, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert keys.take.isEnabled()
    QTest.mouseClick(keys.take, Qt.MouseButton.LeftButton)
    assert kept(desk).studio.shortcuts == ("view.grid=Ctrl+G",)
    assert heard[-1].keys("view.grid") == "Ctrl+G"
    assert keys._rows["view.grid"].text(1) == "Ctrl+G"


def test_keys_of_another_are_told_and_taken_from_it(keys, desk):
    keys.choose("view.grid")
    keys.edit.setKeySequence(QKeySequence("Ctrl+C"))
    assert keys.told.text() == "Ctrl+C is Copy now, which will have none then."
    keys.take.click()
    assert keys.shortcuts.keys("edit.copy") == ""
    keys.choose("edit.copy")
    keys.back.click()
    assert keys.shortcuts.keys("edit.copy") == "Ctrl+C"
    assert keys.shortcuts.keys("view.grid") == ""
    keys.all_back.click()
    assert kept(desk).studio.shortcuts == ()


def test_tab_leaves_the_field_of_keys(keys):
    keys.choose("edit.copy")
    keys.edit.setFocus()
    QTest.keyClick(keys.edit, Qt.Key.Key_Tab)
    assert not keys.edit.hasFocus()
    assert keys.edit.keySequence().toString() == "Ctrl+C"


IDS = st.sampled_from([command.id for command in COMMANDS])
KEYS = st.sampled_from(["", "Ctrl+C", "Ctrl+Return", "F5", "Ctrl+="])


@given(st.lists(st.tuples(IDS, KEYS)))
def test_no_keys_ever_give_two_commands_and_all_is_read_back(changes):
    shortcuts = Shortcuts.read(COMMANDS, ())
    for command, keys in changes:
        shortcuts = shortcuts.with_keys(command, keys)
        assert shortcuts.keys(command) == keys
    for keys in {shortcuts.keys(command.id) for command in COMMANDS} - {""}:
        assert len(shortcuts.users(keys)) == 1
    again = Shortcuts.read(COMMANDS, shortcuts.written())
    assert dict(again.changes) == dict(shortcuts.changes)
    for command in COMMANDS:
        assert shortcuts.is_changed(command.id) == (shortcuts.keys(command.id) != command.keys)


def test_the_keys_of_a_command_that_is_not_there_are_kept():
    shortcuts = Shortcuts.read(COMMANDS, ("pack.glow=F7",)).with_keys("run.start", "F5")
    assert shortcuts.written() == ("pack.glow=F7", "run.start=F5")
