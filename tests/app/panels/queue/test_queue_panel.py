"""The queue panel over a real queue file: what it shows, and what its cards do to the jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtTest import QTest

from app.panels.queue import QueuePanel, panel
from app.panels.queue.cards import job_card
from app.run.state import JobView
from app.run.words import view_of
from backend.engine.queue.claims import Claims
from backend.engine.queue.history import past
from backend.engine.queue.job import Draft, Ending
from backend.engine.queue.store import Queue
from tests.app.panels.conftest import drag

DOCUMENT = json.dumps({"weft": 1, "nodes": {}})


class Room(QObject):
    """The queue of a file, without anybody who computes."""

    jobs_changed = Signal()
    job_changed = Signal(object)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.queue, self.trouble = Queue(path), ""
        self.claims = Claims(self.queue)

    def add(self, seed: int) -> int:
        draft = Draft(DOCUMENT, "/b", "/out", seeds={"n.seed": seed}, title="scene")
        (number,) = self.queue.add([draft])
        self.jobs_changed.emit()
        return number

    def jobs(self) -> tuple[JobView, ...]:
        live = self.queue.jobs()
        waiting = [job.id for job in live if job.state == "queued"]
        place = {number: at for at, number in enumerate(waiting, 1)}
        ended = [past(self.queue, job.id) for job in self.queue.ended()]
        return (
            *(view_of(job, place=place.get(job.id, 0)) for job in live),
            *(view_of(each.job, each.ending) for each in ended),
        )

    @property
    def paused(self) -> bool:
        return self.queue.paused

    def cancel(self, job: int | None = None) -> None:
        self._do(self.queue.cancel, [job])

    def cancel_all(self) -> None:
        self._do(self.queue.cancel)

    def pause(self, jobs: Sequence[int] | None = None) -> None:
        self._do(self.queue.pause, jobs)

    def resume(self, jobs: Sequence[int] | None = None) -> None:
        self._do(self.queue.resume, jobs)

    def retry(self, job: int) -> None:
        self._do(self.queue.retry, job)

    def move(self, job: int, to: int | str) -> None:
        self._do(self.queue.move, job, to)

    def clear(self) -> None:
        self._do(self.queue.clear)

    def _do(self, act: Callable[..., object], *given: object) -> None:
        act(*given)
        self.jobs_changed.emit()


@pytest.fixture
def room(tmp_path, application):
    made = Room(tmp_path / "queue.sqlite")
    yield made
    made.claims.close()
    made.queue.close()


@pytest.fixture
def queue(theme, room, mount):
    return mount(QueuePanel(theme, room), 432, 480)


def keys(queue: QueuePanel) -> list[str]:
    return [card.key for card in queue.list.cards.cards]


def press(queue: QueuePanel, number: int) -> None:
    place = queue.list.button_rect(str(number)).center()
    QTest.mouseClick(queue.list.viewport(), Qt.MouseButton.LeftButton, pos=place)


def act(queue: QueuePanel, number: int, words: str) -> None:
    """Choose an entry of a job's context menu."""
    menu = queue.menu_of(str(number))
    next(action for action in menu.actions() if action.text() == words).trigger()
    menu.deleteLater()


def test_jobs_stand_in_the_order_in_which_they_run(queue, room):
    one, two, three = (room.add(seed) for seed in (4127, 4128, 4129))
    room.move(three, "first")
    assert keys(queue) == [str(three), str(one), str(two)]
    first = queue.list.cards.card(0)
    assert first.title == f"Job {three} · seed 4129"
    assert first.sentence == "Runs next"
    assert "scene" in first.spoken


def test_what_runs_has_a_bar_and_can_be_cancelled(queue, room):
    number = room.add(1)
    job = room.claims.take()
    room.claims.progress(job, "sample", 3, 10)
    room.jobs_changed.emit()
    card = queue.list.cards.card(0)
    assert (card.outlined, card.progress, card.movable) == (True, 0.3, False)
    press(queue, number)
    assert room.queue.job(number).wish == "cancel"


def test_one_that_waits_is_taken_out_by_its_button_or_by_delete(queue, room):
    one, two, three = (room.add(seed) for seed in range(3))
    press(queue, one)
    queue.list.setFocus()
    queue.list.choose(str(two))
    QTest.keyClick(queue.list, Qt.Key.Key_Delete)
    states = [room.queue.job(number).state for number in (one, two, three)]
    assert states == ["cancelled", "cancelled", "queued"]


def test_a_job_is_dragged_before_another(queue, room):
    one, two, three = (room.add(seed) for seed in range(3))
    view = queue.list
    begin = view.visualRect(view.cards.index(2)).center()
    drag(view.viewport(), begin, QPoint(begin.x(), 3))
    assert [job.id for job in room.queue.jobs()] == [three, one, two]
    assert keys(queue) == [str(three), str(one), str(two)]


def test_a_job_is_moved_by_keys_and_to_the_end(queue, room):
    one, two, three = (room.add(seed) for seed in range(3))
    queue.list.setFocus()
    queue.list.choose(str(one))
    for _ in range(2):
        QTest.keyClick(queue.list, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert [job.id for job in room.queue.jobs()] == [two, three, one]
    assert queue.list.chosen == str(one)


def test_the_queue_is_paused_and_says_so(queue, room):
    room.add(1)
    pause = queue.tools[0]
    assert pause.text() == "Pause the queue"
    pause.trigger()
    assert room.paused
    assert queue._notice.isVisible()
    assert pause.text() == "Resume the queue"
    QTest.mouseClick(queue._notice.button, Qt.MouseButton.LeftButton)
    assert not room.paused
    assert not queue._notice.isVisible()


def test_one_job_is_paused_and_resumed(queue, room):
    number = room.add(1)
    act(queue, number, "Pause")
    assert room.queue.job(number).paused
    press(queue, number)
    assert not room.queue.job(number).paused


def test_one_that_failed_says_why_and_is_run_again(queue, room):
    number = room.add(7)
    job = room.claims.take()
    room.claims.finish(job, Ending("failed", "save: the disk is full. Make space."))
    room.jobs_changed.emit()
    card = queue.list.cards.card(0)
    assert (card.icon, card.sentence) == ("circle-alert", "save: the disk is full. Make space.")
    press(queue, number)
    again = room.queue.jobs()[0]
    assert (again.retry_of, dict(again.seeds)) == (number, {"n.seed": 7})


def test_what_has_ended_is_cleared(queue, room):
    number = room.add(1)
    assert not queue.tools[1].isEnabled()
    room.cancel(number)
    assert keys(queue) == [str(number)]
    queue.tools[1].trigger()
    assert keys(queue) == []
    assert past(room.queue, number).job.state == "cancelled"


def test_nothing_to_run_is_told_and_offers_a_run(queue, room):
    wanted = []
    queue.run_wanted.connect(lambda: wanted.append(True))
    assert queue._empty.isVisible()
    assert queue._empty.accessibleName() == "No jobs. Ctrl + Enter runs the graph."
    QTest.mouseClick(queue._empty._button, Qt.MouseButton.LeftButton)
    assert wanted == [True]


def test_a_job_that_changes_is_shown_without_the_others(queue, room):
    number = room.add(1)
    room.add(2)
    changed = []
    queue.list.cards.dataChanged.connect(lambda top, *_: changed.append(top.row()))
    room.job_changed.emit(JobView(number, "scene", "running", progress=0.4, sentence="Sample"))
    assert changed == [0]
    assert queue.list.cards.card(0).progress == 0.4
    room.job_changed.emit(JobView(999, "other", "running"))
    assert len(keys(queue)) == 2


def test_many_that_wait_are_counted_rather_than_shown(queue, room, monkeypatch):
    monkeypatch.setattr(panel, "MOST_WAITING", 3)
    for seed in range(5):
        room.add(seed)
    assert len(keys(queue)) == 3
    assert queue._more.sentence == "2 more jobs wait."


def test_trouble_with_the_queue_is_said(queue, room):
    room.trouble = "The queue cannot be written: the disk is full."
    room.jobs_changed.emit()
    assert queue._trouble.isVisible()
    assert queue._trouble.sentence == room.trouble


def test_a_click_asks_for_the_result_and_the_menu_for_graph_and_files(queue, room):
    done = JobView(5, "scene", "done", outputs=("/out/a.png",), ended=1.0, sentence="Done in 1 s")
    heard = []
    room.jobs = lambda: (done,)
    room.jobs_changed.emit()
    queue.opened.connect(lambda job: heard.append(("opened", job.id)))
    queue.graph_wanted.connect(lambda number: heard.append(("graph", number)))
    queue.files_wanted.connect(lambda files: heard.append(("files", files)))
    place = queue.list.visualRect(queue.list.cards.index(0)).center()
    QTest.mouseClick(queue.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    act(queue, 5, "Open its graph")
    act(queue, 5, "Show its files")
    assert heard == [("opened", 5), ("graph", 5), ("files", ("/out/a.png",))]


@pytest.mark.parametrize("status", ["queued", "paused", "running", "done", "failed", "cancelled"])
def test_every_state_has_an_icon_and_words_not_only_a_colour(status, theme):
    card = job_card(JobView(1, "scene", status, sentence="What it is"))
    assert card.icon
    assert card.sentence
    theme.pixmap(card.icon, 16, card.token)  # it is there
    if card.act is not None:
        assert card.act.words
        theme.pixmap(card.act.icon, 16)
