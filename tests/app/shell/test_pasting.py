"""What is pasted and dropped: words, addresses, graphs of other programs, many files at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from app.shell.pasted import refusal_of
from backend.media.sounds import write_sound
from backend.values import Audio
from tests.backend.media.film.films import film

Key, CTRL = Qt.Key, Qt.KeyboardModifier.ControlModifier
PROMPT = '{"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}'
SAVED = '{"last_node_id": 9, "nodes": [{"id": 3, "type": "KSampler"}], "links": [], "version": 0.4}'


def paste(desktop, text: str) -> None:
    desktop.see()
    QApplication.clipboard().setText(text)
    desktop.key(Key.Key_V, CTRL)


def test_words_become_a_node_that_holds_them(desktop):
    paste(desktop, "  a red fox,\nby lamplight 🦊\n")
    (node,) = desktop.document.workflow.graph.nodes.values()
    assert (node.type, node.params["value"]) == ("text", "a red fox,\nby lamplight 🦊")
    assert desktop.document.selection == {"text"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PROMPT, "This is a workflow of ComfyUI."),
        (SAVED, "This is a workflow of ComfyUI."),
        ('{"weft": 1, "nodes": 7}', "This workflow is not whole"),
        ("https://example.org/a.png", "Weft fetches nothing by itself."),
        ("a" * 100_001, "These are more than 100000 characters."),
    ],
)
def test_what_cannot_be_pasted_is_said(desktop, text, said):
    paste(desktop, text)
    assert not desktop.document.workflow.graph.nodes
    assert len(desktop.said) == 1
    assert desktop.said[0].startswith(said)


def test_an_address_without_words_is_said_too(desktop):
    held = QMimeData()
    held.setUrls([QUrl("https://example.org/a.png")])
    QApplication.clipboard().setMimeData(held)
    desktop.key(Key.Key_V, CTRL)
    assert desktop.said


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"a": {"b": 1}}', "nodes and links", "[" * 9999]
)
def test_other_words_are_words(text):
    assert refusal_of(text) == ""


def test_twenty_pictures_are_one_edit_and_none_lies_on_another(desktop, tmp_path: Path):
    image = QImage(8, 6, QImage.Format.Format_RGB32)
    image.fill(0x336699)
    paths = [tmp_path / f"{n}.png" for n in range(20)]
    for path in paths:
        image.save(str(path))
    desktop.window.adding.take_files(paths, QPointF(40, 40))
    rects = [view.rect for view in desktop.window.canvas.board.nodes.values()]
    assert len(rects) == 20
    assert not any(a.intersects(b) for n, a in enumerate(rects) for b in rects[:n])
    assert len(desktop.document.selection) == 20
    assert desktop.document.session.history.at == 1


def test_pictures_beside_a_workflow_go_where_they_were_dropped(desktop, tmp_path: Path):
    image = QImage(8, 6, QImage.Format.Format_RGB32)
    image.fill(1)
    image.save(str(tmp_path / "a.png"))
    (tmp_path / "b.weft.json").write_text('{"weft": 1, "nodes": {}}')
    here = desktop.document
    desktop.window.adding.take_files([tmp_path / "b.weft.json", tmp_path / "a.png"])
    assert [node.type for node in here.workflow.graph.nodes.values()] == ["load_image"]
    assert desktop.document is not here


def test_videos_and_sounds_get_the_nodes_that_read_them(desktop, tmp_path: Path):
    told = {"workflow": '{"weft": 1, "nodes": {}}'}
    tone = Audio(np.zeros((1, 800), np.float32), 8000)
    write_sound(tmp_path / "plain.mp3", tone, format="mp3")
    write_sound(tmp_path / "made.flac", tone, provenance=told, format="flac")
    film(tmp_path / "clip.mp4", frames=2)
    here = desktop.document
    names = ("plain.mp3", "clip.mp4", "made.flac")
    desktop.window.adding.take_files([tmp_path / name for name in names])
    types = {node.type for node in here.workflow.graph.nodes.values()}
    assert types == {"load_audio", "load_video"}
    assert desktop.document is not here  # the graph of the one that carries its own
