"""Each command, in each state, does something or says why not; none ends in a traceback."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog

from backend.graph.document import Frame, Note
from tests.app.canvas.bench import chain

SKIPPED = {"file.quit", "file.close", "file.new", "run.start", "run.to", "run.on_change"}
"""They have tests of their own: the document would be gone, or a run would begin."""


def furnished():
    """A row of nodes with a frame and a note beside."""
    workflow = chain()
    frames, notes = (Frame("Ground", 40, 500, 300, 200),), (Note("Why", 400, 500),)
    return replace(workflow, layout=replace(workflow.layout, frames=frames, notes=notes))


def put(window, state: str) -> None:
    """Have something selected."""
    document, canvas = window.document, window.canvas
    document.session.go(0)
    document.enter("")
    document.select([])
    canvas.choose()
    if state == "node":
        document.select(["blur"])
    elif state == "all":
        document.select(["paper", "blur", "save"])
    elif state == "link":
        canvas.choose(link=next(iter(canvas.board.links)))
    elif state == "frame":
        canvas.choose(frame=0)
    elif state == "note":
        canvas.choose(note=0)
    elif state == "inside":
        document.select(["blur"])
        window.graph.group()
        document.enter("group")
        document.select(["$", "blur"], "$")


@pytest.mark.parametrize("state", ["nothing", "node", "all", "link", "frame", "note", "inside"])
def test_every_command_in_every_state(desktop, monkeypatch, state):
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    monkeypatch.setattr(QDialog, "exec", lambda *_: 0)
    window = desktop.window
    here = desktop.open(furnished())
    done = 0
    for id in window.commands.deeds:
        if id in SKIPPED:
            continue
        put(window, state)
        assert window.document is here.document
        done += window.commands.do(id)
        QApplication.processEvents()
        for widget in QApplication.topLevelWidgets():
            if widget is not window and widget.isVisible():
                widget.close()
    assert done > 20
    here.document.session.go(0)
