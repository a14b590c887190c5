"""Running from the window: what is refused, what is run, and what is shown of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from app.panels.problems.panel import ProblemsPanel
from app.run.state import JobView
from backend.engine.queue.job import Draft
from backend.engine.queue.store import Queue
from backend.graph.document import Graph, Node, Ref, Workflow
from backend.graph.format import dump

FILE = Path("flat.png")
FLAT = Workflow(
    graph=Graph(
        nodes={
            "image": Node("solid_image", params={"width": 32, "height": 16}),
            "save": Node(
                "save_image", params={"name": "flat"}, inputs={"image": Ref("image", "image")}
            ),
        }
    ),
    title="Flat",
)
WRONG = Workflow(
    graph=Graph(
        nodes={
            **FLAT.graph.nodes,
            "blur": Node("blur", params={"radius": -4.0}, inputs={"image": Ref("image", "image")}),
            "look": Node("preview_image", inputs={"image": Ref("blur", "image")}),
        }
    ),
    title="Wrong",
)


class Room:
    """Stands in for starting jobs: keeps what was asked."""

    def __init__(self, room, monkeypatch):
        self.asked = []
        monkeypatch.setattr(
            room, "run", lambda document, only=(), count=1, **rest: self.asked.append(
                (document.name, tuple(only), count)
            ),
        )  # fmt: skip


def known(desktop, spin):
    spin(lambda: not desktop.window.desk.checks.behind)


def test_it_runs_so_often_as_the_bar_says(desktop, spin, monkeypatch):
    room = Room(desktop.window.services.room, monkeypatch)
    desktop.open(FLAT)
    desktop.window.bar.count.setValue(3)
    desktop.click(desktop.window.bar.run)
    spin(lambda: room.asked)  # it waits for the first check
    desktop.window.bar.count.setValue(1)
    assert room.asked == [("Flat", (), 3)]


def test_what_has_an_error_is_shown_and_not_run(desktop, spin, monkeypatch):
    room = Room(desktop.window.services.room, monkeypatch)
    desktop.open(WRONG)
    known(desktop, spin)
    desktop.click(desktop.window.bar.run)
    assert room.asked == []
    assert desktop.said[-1].startswith("It cannot run yet. ")
    assert desktop.window.said_pane.current == "Problems"


def test_an_error_elsewhere_does_not_keep_a_part_from_running(desktop, spin, monkeypatch):
    room = Room(desktop.window.services.room, monkeypatch)
    desktop.open(WRONG)
    known(desktop, spin)
    desktop.document.select(["save"])
    desktop.window.running.run_selected()
    assert room.asked == [("Wrong", ("save",), 1)]
    desktop.document.select(["look"])
    desktop.window.running.run_selected()
    assert len(room.asked) == 1


def test_it_waits_for_the_check_of_an_edit(desktop, spin, monkeypatch):
    room = Room(desktop.window.services.room, monkeypatch)
    desktop.open(FLAT)
    known(desktop, spin)
    desktop.document.edit("Break it", lambda w: WRONG)
    desktop.window.run()
    assert room.asked == []
    spin(lambda: desktop.said)
    assert room.asked == []
    assert desktop.said[-1].startswith("It cannot run yet. ")


def test_on_change_runs_without_saving_and_only_what_can_run(desktop, spin, monkeypatch):
    room = Room(desktop.window.services.room, monkeypatch)
    desktop.open(FLAT)
    known(desktop, spin)
    running = desktop.window.running
    running.set_on_change(True)
    assert running.on_change
    assert desktop.window.commands.action("run.on_change").isChecked()
    assert desktop.window.bar.run.text() == "Run on change"
    another = desktop.window.services.documents.new()  # another document has its own mode
    assert desktop.window.bar.run.text() == "Run"
    desktop.window.services.documents.close(another)
    assert running.on_change
    assert room.asked == [("Flat", ("image",), 1)]
    wider = replace(FLAT.graph.nodes["image"], params=MappingProxyType({"width": 64}))
    desktop.document.edit("Wider", lambda w: w.with_node("image", wider))
    spin(lambda: len(room.asked) == 2)
    desktop.document.edit("Break it", lambda w: WRONG)
    known(desktop, spin)
    running.set_on_change(False)
    assert not running.on_change
    assert len(room.asked) == 2


def test_a_failed_job_is_a_sentence_and_a_problem(desktop, spin, monkeypatch):
    from app.run.state import NodeRun

    desktop.open(FLAT)
    known(desktop, spin)
    room = desktop.window.services.room
    failed = {"image": NodeRun("failed", sentence="The disk is full. Make room on it.")}
    monkeypatch.setattr(room, "runs", lambda document: failed)
    job = JobView(7, "Flat", "failed", document=desktop.document.id, error="The disk is full.")
    room.job_ended.emit(job)
    assert desktop.said[-1] == "The disk is full."
    panel = desktop.window.said_pane.panel("Problems")
    assert isinstance(panel, ProblemsPanel)
    assert panel.list.cards.cards[0].title.endswith("failed in the last run.")


def test_a_long_job_is_told_where_nobody_looks(desktop, monkeypatch):
    from app.run import notify

    monkeypatch.setattr(notify, "is_away", lambda: True)
    running = desktop.window.running
    running._notifier = notify.Notifier(desktop.window, desktop.window.windowIcon(), lambda: True)
    job = JobView(8, "Flat", "done", begun=100.0, ended=160.0, mine=True)
    desktop.window.services.room.job_ended.emit(job)
    assert [title for title, _ in running._notifier.shown] == ["Flat is done"]
    running._notifier = None


def test_the_templates_open_as_graphs_without_a_file(desktop):
    from app.shell.menus import open_template, templates

    titles = [title for title, _ in templates()]
    assert "A real model" in titles
    open_template(desktop.window, dict(templates())["A real model"])
    assert desktop.document.name == "A real model"
    assert desktop.document.session.path is None


def test_what_goes_wrong_is_written_down(desktop, spin):
    """The log has a failed job and the end of the engine, and its panel shows them."""
    window = desktop.window
    room = window.services.room
    panel = window.said_pane.show_tab("Log")
    room.job_ended.emit(
        JobView(7, "Flat", "failed", mine=True, error="There is no room on the disk.")
    )  # fmt: skip
    room.host_died.emit(8, "The engine was killed from outside.")
    spin(lambda: "killed from outside" in panel.text.toPlainText())
    said = panel.text.toPlainText()
    assert "Job 7, Flat, failed." in said
    assert "There is no room on the disk." in said
    window.said_pane.show_tab("Problems")


@pytest.mark.parametrize("title", ["Queue", "Jobs"])
def test_the_graph_of_a_job_is_opened(desktop, tmp_path, monkeypatch, title):
    window = desktop.window
    with Queue(tmp_path / "queue.sqlite") as queue:
        (number,) = queue.add([Draft(dump(FLAT), str(tmp_path), str(tmp_path))])
        monkeypatch.setattr(window.services.room, "ask", lambda act, then: then(act(queue)))
        window.queue_pane.panel(title).graph_wanted.emit(number)
    assert desktop.document.workflow.graph == FLAT.graph
    assert desktop.document.session.path is None


@pytest.mark.parametrize(("status", "button"), [("queued", ""), ("failed", "Run again")])
def test_a_job_that_begins_again_by_itself_is_not_offered_to_run_again(
    desktop, monkeypatch, status, button
):
    room, said = desktop.window.services.room, []
    monkeypatch.setattr(desktop.window.toasts, "say", lambda *told: said.append(told[:3]))
    monkeypatch.setattr(room, "job", lambda number: JobView(number, "Flat", status))
    room.host_died.emit(8, "The engine was killed from outside.")
    kind = "error" if button else "warning"
    assert said == [("The engine was killed from outside.", kind, button)]


def test_where_nothing_is_looked_at_the_viewer_shows_what_is_being_computed(desktop, monkeypatch):
    from app.run.state import NodeRun
    from app.viewer.subject import Subject

    desktop.open(FLAT)
    window, room = desktop.window, desktop.window.services.room
    viewer = window.view_pane.show_tab("Viewer")
    viewer.look_at(Subject(None))
    runs = {"image": NodeRun("running", preview=_jpeg()), "save": NodeRun("queued")}
    monkeypatch.setattr(room, "runs", lambda document: runs)
    room.preview.emit(desktop.document.id, "image")
    assert viewer.subject.title == window.canvas.board.nodes["image"].title
    assert viewer.picture is not None
    viewer.look_at(Subject("words", "A file of mine", file=FILE))
    room.preview.emit(desktop.document.id, "image")
    assert viewer.subject.title == "A file of mine"  # what was picked stays
    viewer.look_at(Subject(None))


def _jpeg() -> bytes:
    from PySide6.QtCore import QBuffer
    from PySide6.QtGui import QImage

    image, out = QImage(8, 8, QImage.Format.Format_RGB32), QBuffer()
    image.fill(0xFF8040)
    image.save(out, "JPEG")
    return bytes(out.data().data())
