"""Node packs in a real folder: nothing runs that was not trusted as it lies there."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.panels.packs import PackShelf, PacksPanel
from backend.engine.packs import load_trusted, read_trust


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "packs" / "sparkle"
    folder.mkdir(parents=True)
    (folder / "nodes.py").write_text("raise SystemExit('it was run')\n")
    return tmp_path


@pytest.fixture
def shelf(data, application):
    made = PackShelf(data)
    made.refused_with = []
    made.refused.connect(made.refused_with.append)
    yield made
    made.close()


@pytest.fixture
def panel(theme, shelf, mount, spin):
    made = mount(PacksPanel(theme, shelf))
    look(shelf, spin)
    return made


def look(shelf, spin):
    shelf.refresh()
    idle(shelf, spin)


def idle(shelf, spin):
    spin(lambda: shelf._errands.waiting == 0)


def press(panel):
    card = panel.list.cards.card(0)
    place = panel.list.button_rect(card.key).center()
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=place)


def sentence(panel):
    return panel.list.cards.card(0).sentence


def test_a_pack_is_trusted_after_a_question_that_shows_its_files(panel, shelf, data, spin):
    assert "you have not trusted it" in sentence(panel)
    told = []
    shelf.trusted_changed.connect(lambda: told.append(True))
    press(panel)
    question = panel.question
    assert "run as you" in question.findChildren(type(panel.notice._sentence))[0].text()
    assert question.no.isDefault()
    assert not read_trust(data)
    QTest.mouseClick(question.yes, Qt.MouseButton.LeftButton)
    idle(shelf, spin)
    assert panel.question is None
    assert told == [True]
    assert "Trusted since" in sentence(panel)
    assert [pack.name for pack in load_trusted(data)[0]] == ["sparkle"]


def test_no_and_escape_trust_nothing(panel, shelf, data, spin):
    press(panel)
    QTest.mouseClick(panel.question.no, Qt.MouseButton.LeftButton)
    press(panel)
    QTest.keyClick(panel.question, Qt.Key.Key_Escape)
    idle(shelf, spin)
    assert panel.question is None
    assert not read_trust(data)


def test_a_pack_that_changes_while_the_question_is_open_is_not_trusted(panel, shelf, data, spin):
    press(panel)
    (data / "packs/sparkle/nodes.py").write_text("import os\n")
    QTest.mouseClick(panel.question.yes, Qt.MouseButton.LeftButton)
    idle(shelf, spin)
    assert not read_trust(data)
    assert "has changed since it was shown" in shelf.refused_with[0]
    assert panel.notice.isVisible()


def test_a_change_and_a_removal_are_told_and_trust_is_taken_back(panel, shelf, data, spin):
    shelf.trust(shelf.packs[0].pack)
    idle(shelf, spin)
    file = data / "packs/sparkle/nodes.py"
    file.write_text("x = 1\n")
    look(shelf, spin)
    assert "has changed since you trusted it" in sentence(panel)
    file.unlink()
    file.parent.rmdir()
    look(shelf, spin)
    assert "it is not there any more" in sentence(panel)
    press(panel)
    idle(shelf, spin)
    assert not read_trust(data)
    assert panel._empty.isVisible()
    assert str(data / "packs") in panel._empty.accessibleName()


def test_a_folder_that_is_no_pack_is_told(panel, shelf, data, spin):
    (data / "packs" / "not a name").mkdir()
    look(shelf, spin)
    assert "is no pack" in panel.notice.sentence
    assert len(panel.list.cards.cards) == 1
