"""The player in the window: its keys come before the window's, and it ends with its document."""

import threading

import pytest
from PySide6.QtCore import Qt

from app.viewer.subject import Subject
from backend.media.film.load import load_film
from tests.backend.media.film.films import film

Key = Qt.Key


def readers() -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name in ("weft-frames", "weft-decoding")]


@pytest.fixture
def viewer(desktop, tmp_path, spin):
    made = desktop.window.view_pane.show_tab("Viewer")
    video = load_film(film(tmp_path / "walk.mp4")).video
    desktop.window.panels.looking.show(Subject(video, "Load video · video", "Video"))
    spin(lambda: made.player.shown == 0)
    made.stage.view.setFocus()
    return made


def test_its_keys_are_not_those_of_the_graph(desktop, viewer):
    before = desktop.window.canvas.camera
    for key, at in (
        (Key.Key_End, 11),
        (Key.Key_Comma, 10),
        (Key.Key_Period, 11),
        (Key.Key_Home, 0),
    ):
        desktop.key(key)
        assert viewer.player.at == at
    desktop.key(Key.Key_L)
    assert viewer.player.loops
    desktop.key(Key.Key_Space)
    assert viewer.player.is_playing
    desktop.key(Key.Key_Space)
    assert not viewer.player.is_playing
    assert desktop.window.canvas.camera == before


def test_another_document_or_none_ends_its_readers(desktop, viewer, spin):
    documents, first = desktop.window.services.documents, desktop.document
    assert readers()
    documents.new()
    spin(lambda: not readers())
    documents.look_at(first)
    spin(lambda: viewer.player.shown == 0)
    for document in list(documents):
        documents.close(document)
    assert not viewer.player.is_on
    spin(lambda: not readers())
    documents.new()
