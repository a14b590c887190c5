"""A batch is put together by hand, queued, computed by real hosts, and followed to its end."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.panels.batch.begun import read_begun
from app.widgets.spoken import speak
from backend.batch.errors import BatchError
from backend.graph.document import Exposed, Graph, Node, Ref, Workflow
from backend.media.images import ImageOptions, write_image
from backend.values import Image
from tests.app.panels.batch.conftest import Dock
from tests.app.shell.test_accessible import mute

SHADES = Workflow(
    Graph(
        {
            "shade": Node("grey", params={"side": 8}),
            "keep": Node("save_image", inputs={"image": Ref("shade", "image")}),
        }
    ),
    title="shades",
    expose={"tone": Exposed("shade", "value", "Tone")},
)
WAITS = Workflow(
    Graph(
        {
            "wait": Node("until"),
            "take": Node("take_text", inputs={"text": Ref("wait", "text")}),
        }
    ),
    title="waits",
)
READS = Workflow(
    Graph(
        {
            "photo": Node("load_image"),
            "keep": Node("save_image", inputs={"image": Ref("photo", "image")}),
        }
    ),
    title="reads",
)


def lines(dock) -> list[dict]:
    return [json.loads(line) for line in dock.way.course.path.read_text().splitlines()]


def test_values_are_picked_typed_queued_and_computed(dock):
    document = dock.open(SHADES)
    assert not dock.form.queue.isVisible()  # nothing varies yet
    dock.vary("Tone", "0.2,0.4")
    dock.type(dock.form.name, "{index:2}-{tone}")
    dock.known()
    assert dock.form.rows[0].count.text() == "2 values"
    assert dock.form.preview.jobs.rows == (("1", "01-0.2", "0.2"), ("2", "02-0.4", "0.4"))
    assert not dock.studio.out.exists()  # nothing is written before it is queued

    dock.click(dock.form.queue)
    course = dock.way.course
    assert dock.way.isVisible()
    seen = []
    course.changed.connect(lambda: seen.append(dock.studio.room.runs(document)))
    dock.over()
    files = sorted(path.name for path in dock.studio.out.glob("*.png"))
    assert files == ["01-0.2.png", "02-0.4.png"]
    assert dock.way.state.text() == "2 of 2 done"
    assert dock.way.bar.value() == dock.way.bar.maximum() == 2
    assert any("keep" in runs for runs in seen)  # the graph shows it too
    assert dock.said == ["The batch shades has ended: 2 done."]
    told = lines(dock)
    assert [line["event"] for line in told] == ["batch", "queued", "job", "job"]
    assert [line["values"] for line in told[2:]] == [{"tone": 0.2}, {"tone": 0.4}]
    assert str(course.path) in dock.way.place.text()

    dock.click(dock.way.sheet)
    dock.spin(lambda: dock.looked)
    assert dock.looked == [course.path.with_suffix(".png")]
    assert dock.looked[0].stat().st_size > 100
    assert dock.way.sheet.isEnabled()

    dock.click(dock.way.new)  # the next batch begins with what was asked of this one
    assert dock.form.isVisible()
    assert dock.form.rows[0].line.text() == "0.2,0.4"
    assert dock.panel.notice.sentence == "shades: 2 of 2 done"
    dock.click(dock.panel.notice.button)
    assert dock.way.isVisible()


def test_what_failed_says_why_and_runs_again(dock):
    dock.open(READS)
    photos = dock.folder / "photos"
    photos.mkdir()
    import numpy as np

    good = Image(np.zeros((1, 8, 8, 3), np.float32))
    write_image(photos / "1.png", good, ImageOptions("png"))
    (photos / "2.png").write_text("no picture")
    dock.vary("File")
    dock.picked = photos
    dock.click(dock.form.rows[0].folder)
    assert dock.form.rows[0].line.text() == f"{photos}/*"
    assert dock.granted == [photos]
    dock.known()
    assert dock.form.rows[0].count.text() == "2 files"
    dock.click(dock.form.queue)
    dock.over()
    assert dock.way.state.text() == "1 of 2 done · 1 failed"
    (card,) = dock.way.failed.cards.cards
    assert card.key == "2"
    assert "2.png" in card.title
    assert card.sentence

    write_image(photos / "2.png", good, ImageOptions("png"))
    place = dock.way.failed.button_rect("2").center()
    QTest.mouseClick(dock.way.failed.viewport(), Qt.MouseButton.LeftButton, pos=place)
    dock.spin(lambda: not dock.way.course.is_over)
    dock.over()
    assert dock.way.state.text() == "2 of 2 done"
    assert not dock.way.failed.isVisible()
    states = [(line["index"], line["status"]) for line in lines(dock) if line["event"] == "job"]
    assert states == [(1, "done"), (2, "failed"), (2, "done")]


def test_it_is_paused_goes_on_and_is_cancelled(dock):
    dock.open(WAITS.with_param("wait", "file", str(dock.folder / "go")))
    dock.vary("Text", "a,b,c")
    dock.known()
    dock.click(dock.form.queue)
    dock.spin(lambda: dock.way.course.running, 60)
    assert dock.way.running.text().startswith("Job 1 · text a")
    dock.click(dock.way.hold)
    dock.spin(lambda: dock.way.course.held)
    assert dock.way.hold.text() == "Resume"
    (dock.folder / "go").touch()
    dock.spin(lambda: dock.way.course.counts.done == 1, 60)
    assert dock.way.state.text().endswith("2 left · paused")
    (dock.folder / "go").unlink()
    dock.click(dock.way.hold)
    dock.spin(lambda: dock.way.course.running, 60)
    dock.click(dock.way.cancel)
    dock.over()
    assert dock.way.state.text() == "1 of 3 done · 2 cancelled"
    (dock.folder / "go").touch()
    assert dock.way.all_again.text() == "Run 2 again"
    left = Qt.MouseButton.LeftButton
    for _ in range(2):  # the second stroke queues nothing twice
        QTest.mouseClick(dock.way.all_again, left)
    dock.spin(lambda: not dock.way.course.is_over)
    dock.over()
    assert dock.way.state.text() == "3 of 3 done"
    assert len([line for line in lines(dock) if line["event"] == "queued"]) == 2


def test_it_can_all_be_done_by_keys(dock):
    dock.open(SHADES)
    dock.form.vary.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(dock.form.vary, Qt.Key.Key_Space)
    made = dock.form.list
    field = made.search if made.search.isVisible() else made.rows
    QTest.keyClick(field, Qt.Key.Key_Return)  # the first is the one that is shown outside
    held = QApplication.focusWidget()
    assert held is dock.form.rows[0].line
    assert held.accessibleName() == "Values of Tone · Shade"
    QTest.keyClicks(held, "0.1,9x")
    dock.known()
    assert held.property("wrong") is True
    assert "'9x' is not a number" in held.accessibleDescription()
    assert not dock.form.queue.isEnabled()
    QTest.keyClick(held, Qt.Key.Key_Backspace)
    dock.known()
    dock.front()
    held.setFocus()
    reached = set()
    for _ in range(20):
        held = QApplication.focusWidget()
        assert held is not None, reached
        reached.add(held)
        QTest.keyClick(held, Qt.Key.Key_Tab)
    form = dock.form
    wanted = {form.rows[0].remove, form.name, form.insert, form.preview, form.queue, form.use_table}
    assert wanted <= reached
    form.rows[0].remove.setFocus()
    QTest.keyClick(form.rows[0].remove, Qt.Key.Key_Space)
    assert form.rows == []
    assert QApplication.focusWidget() is form.vary


def test_a_screen_reader_knows_every_part(dock):
    speak()
    dock.open(READS)
    dock.click(dock.form.use_table)
    dock.vary("File", "a.png,b.png")
    dock.known()
    assert mute(dock.panel) == []
    assert dock.form.rows[0].kinds.accessibleName() == "How File · Photo varies"
    dock.click(dock.form.table.remove)
    dock.type(dock.form.rows[0].line, "[ab].png")
    (dock.folder / "a.png").write_text("no picture")
    dock.known()
    dock.click(dock.form.queue)
    dock.over()
    assert dock.way.failed.isVisible()
    assert mute(dock.panel) == []


def test_a_table_is_dropped_and_shows_what_its_columns_set(dock):
    dock.open(SHADES)
    table = dock.folder / "rows.csv"
    table.write_text("tone,light\n0.5,1\n")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(table))])
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    dock.panel.dropEvent(QDropEvent(QPointF(9, 9), copy, data, left, Qt.KeyboardModifier(0)))
    dock.known()
    part = dock.form.table
    assert part.isVisible()
    said = [part._grid.itemAtPosition(row, 2).widget().accessibleName() for row in range(2)]
    assert said == [
        "light: Column light: the workflow exposes no parameter of this name.",
        "tone: sets Tone · Shade",
    ]
    assert not dock.form.queue.isEnabled()
    table.write_text("tone\n0.5\n0.6\n")
    dock.front()
    dock.form.name.setFocus()
    QTest.keyClick(dock.form.name, Qt.Key.Key_F5)
    dock.known()
    assert dock.form.queue.text() == "Queue 2 jobs"
    dock.click(part.remove)
    assert not part.isVisible()


def test_what_cannot_be_queued_is_a_sentence(dock):
    dock.open(SHADES)
    dock.vary("Tone", "0.2")
    dock.known()
    dock.wrong = "Save image wants an Image."
    dock.click(dock.form.queue)
    assert dock.form.problem.text() == dock.wrong
    assert dock.form.isVisible()
    dock.wrong = ""
    dock.studio.out.write_text("a file where the folder should be")
    dock.click(dock.form.queue)
    dock.spin(lambda: dock.way.course.trouble)
    assert "cannot be written" in dock.way.trouble.sentence
    assert dock.way.trouble.isVisible()
    assert dock.way.state.text() == "0 of 1 done · 1 not queued"
    dock.studio.out.unlink()
    dock.click(dock.way.all_again)
    dock.over()
    assert dock.way.state.text() == "1 of 1 done"
    assert not dock.way.trouble.isVisible()


def test_many_jobs_are_queued_in_pieces(dock):
    count = 600
    dock.studio.room._worker.close()  # nobody computes: it is the queueing that is looked at
    dock.open(SHADES)
    dock.vary("Tone", f"0:1:{count}")
    dock.known()
    dock.click(dock.form.queue)
    course = dock.way.course
    seen = set()
    course.changed.connect(lambda: seen.add(course.queued))
    dock.spin(lambda: course.queued >= count // 2, 60)
    dock.click(dock.way.cancel)  # in the middle of it
    dock.over()
    done = course.queued
    assert 0 < done < count
    assert (
        dock.way.state.text() == f"0 of {count} done · {done} cancelled · {count - done} not queued"
    )
    dock.click(dock.way.all_again)
    dock.spin(lambda: course.queued == count and not course.being_queued, 60)
    assert dock.way.state.text() == f"0 of {count} done · {count} left"
    assert len(seen) >= count // 100
    dock.click(dock.way.cancel)
    dock.over()
    assert dock.way.state.text() == f"0 of {count} done · {count} cancelled"


def test_after_a_restart_it_goes_on_with_its_manifest(dock, theme, mount, spin):
    dock.open(WAITS.with_param("wait", "file", str(dock.folder / "go")))
    dock.vary("Text", "a,b,c")
    dock.known()
    dock.click(dock.form.queue)
    dock.spin(lambda: dock.way.course.running, 60)
    path = dock.way.course.path
    dock.panel.close_down()  # as the window does; its jobs stay in the queue
    dock.spin(lambda: not dock.studio.room._desk._orders.qsize())
    (dock.folder / "go").touch()

    later = Dock(dock.studio, theme, mount, spin, dock.folder)
    later.open(WAITS.with_param("wait", "file", str(dock.folder / "go")))
    later.picked = path
    later.panel.tools[0].trigger()
    later.spin(lambda: later.panel.begun)
    assert later.form.rows[0].line.text() == "a,b,c"
    assert path.name in later.panel.notice.sentence
    later.known()
    later.type(later.form.rows[0].line, "a,b,d")
    later.known()
    assert "the values differ" in later.form.problem.text()
    assert not later.form.queue.isEnabled()
    later.type(later.form.rows[0].line, "a,b,c")
    later.known()
    assert later.form.queue.text() == "Go on with it"
    later.click(later.form.queue)
    later.over()
    assert later.way.state.text() == "3 of 3 done"
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event"] for line in told] == ["batch", "queued", "job", "job", "job"]
    later.close()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "tells of no batch"),
        (b"{}\n", "is no line of a batch's manifest"),
        (b"\xff\xfe\n", "is no line of a batch's manifest"),
        (b'{"event":"batch","version":1,"parts":{},"draw":1,"jobs":1,"asked":7}\n', "otherwise"),
        (None, "cannot be read: no such file"),
    ],
)
def test_what_is_no_manifest_is_a_sentence(tmp_path, data, said):
    path = tmp_path / "batch.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BatchError, match=said):
        read_begun(path)
