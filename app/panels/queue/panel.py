"""The queue panel: a card per job, in the order in which they run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PySide6.QtCore import QPoint, Signal, SignalInstance
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QStackedLayout, QVBoxLayout, QWidget

from app.panels.notice import Notice
from app.panels.queue.cards import job_card
from app.panels.tools import dress_tool, tool
from app.run.state import JobView
from app.theme.theme import Theme
from app.widgets.card_list import CardList
from app.widgets.empty import Empty
from app.words import tr

MOST_WAITING = 500
"""Jobs that are shown of those that wait; more are told in a line."""


class Jobs(Protocol):
    """Whose jobs are shown and who is asked; ``app.run.room.EngineRoom`` is one."""

    jobs_changed: SignalInstance
    job_changed: SignalInstance

    def jobs(self) -> tuple[JobView, ...]: ...
    @property
    def paused(self) -> bool: ...
    @property
    def trouble(self) -> str: ...
    def cancel(self, job: int | None = None) -> None: ...
    def cancel_all(self) -> None: ...
    def pause(self, jobs: Sequence[int] | None = None) -> None: ...
    def resume(self, jobs: Sequence[int] | None = None) -> None: ...
    def retry(self, job: int) -> None: ...
    def move(self, job: int, to: int | str) -> None: ...
    def clear(self) -> None: ...


class QueuePanel(QWidget):
    """Jobs that run, wait and have just ended.

    ``opened`` carries the ``JobView`` of which the result is to be looked at, ``files_wanted`` the
    files of one that are to be shown in their folder; ``graph_wanted`` the number of a job whose
    graph is to be opened. ``run_wanted``: the button of the empty state was pressed.
    """

    opened = Signal(object)
    graph_wanted = Signal(int)
    files_wanted = Signal(object)
    run_wanted = Signal()

    def __init__(self, theme: Theme, room: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme, self._room = theme, room
        self._jobs: dict[str, JobView] = {}
        self.list = CardList(theme, tr("Queue"))
        self._empty = Empty(theme, "list-video", tr("No jobs."), tr("Ctrl + Enter runs the graph."),
                            tr("Run"))  # fmt: skip
        self._notice = Notice(theme, "pause", tr("The queue is paused. What runs goes on."),
                              tr("Resume"))  # fmt: skip
        self._trouble = Notice(theme, "triangle-alert", "", kind="danger")
        self._more = Notice(theme, "list-ordered", "")
        self._pause = tool(theme, self, "pause", tr("Pause the queue"), self._toggle)
        self._clear = tool(theme, self, "trash-2", tr("Clear what has ended"), room.clear)
        self._lay_out()
        self._notice.pressed.connect(self._toggle)
        self._empty.pressed.connect(self.run_wanted)
        self.list.opened.connect(lambda key: self.opened.emit(self._jobs[key]))
        self.list.acted.connect(self._act)
        self.list.removed.connect(self._remove)
        self.list.moved.connect(self._move)
        self.list.menu_wanted.connect(self._menu)
        room.jobs_changed.connect(self.refresh)
        room.job_changed.connect(self.show_job)
        self.refresh()

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return (self._pause, self._clear)

    def refresh(self) -> None:
        """Show the jobs as they are now."""
        jobs, paused = self._room.jobs(), self._room.paused
        waiting = [job for job in jobs if job.status in ("queued", "paused")]
        left_out = {job.id for job in waiting[MOST_WAITING:]}
        self._jobs = {str(job.id): job for job in jobs if job.id not in left_out}
        self.list.put([job_card(job) for job in self._jobs.values()])
        self._stack.setCurrentWidget(self.list if self._jobs else self._empty)
        self._notice.setVisible(paused)
        self._trouble.say(self._room.trouble)
        self._trouble.setVisible(bool(self._room.trouble))
        self._more.setVisible(bool(left_out))
        self._more.say(tr("{n} more jobs wait.", n=len(left_out)))
        self._pause.setText(tr("Resume the queue") if paused else tr("Pause the queue"))
        dress_tool(self._theme, self._pause, "play" if paused else "pause")
        self._clear.setEnabled(any(job.ended for job in jobs))

    def show_job(self, job: JobView) -> None:
        """Show a job that is there anew; one that is not there changes nothing."""
        row = self.list.cards.row_of(str(job.id))
        if row >= 0:
            self._jobs[str(job.id)] = job
            cards = list(self.list.cards.cards)
            cards[row] = job_card(job)
            self.list.put(cards)

    def menu_of(self, key: str) -> QMenu:
        """The context menu of a job; it deletes itself when it closes."""
        job, number, room = self._jobs[key], int(key), self._room
        menu = QMenu(self)
        waits = job.status in ("queued", "paused")
        if job.status == "running":
            menu.addAction(tr("Cancel"), lambda: room.cancel(number))
            menu.addAction(tr("Stop and run later"), lambda: room.pause([number]))
        if waits:
            menu.addAction(tr("Run first"), lambda: room.move(number, "first"))
            menu.addAction(tr("Run last"), lambda: room.move(number, "last"))
            if job.status == "paused":
                menu.addAction(tr("Resume"), lambda: room.resume([number]))
            else:
                menu.addAction(tr("Pause"), lambda: room.pause([number]))
            menu.addAction(tr("Take out"), lambda: room.cancel(number))
        if job.status in ("failed", "cancelled"):
            menu.addAction(tr("Run again"), lambda: room.retry(number))
        menu.addSeparator()
        menu.addAction(tr("Open its graph"), lambda: self.graph_wanted.emit(number))
        if job.outputs:
            menu.addAction(tr("Show its files"), lambda: self.files_wanted.emit(job.outputs))
        menu.addSeparator()
        menu.addAction(tr("Cancel all jobs"), room.cancel_all)
        return menu

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(8)
        column.addWidget(self._trouble)
        column.addWidget(self._notice)
        held = QWidget()
        self._stack = QStackedLayout(held)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        column.addWidget(held, 1)
        column.addWidget(self._more)

    def _toggle(self) -> None:
        if self._room.paused:
            self._room.resume()
        else:
            self._room.pause()

    def _act(self, key: str) -> None:
        """What the button of a card does."""
        job, number, room = self._jobs[key], int(key), self._room
        if job.status in ("running", "queued"):
            room.cancel(number)
        elif job.status == "paused":
            room.resume([number])
        else:
            room.retry(number)

    def _remove(self, key: str) -> None:
        if self._jobs[key].status in ("running", "queued", "paused"):
            self._room.cancel(int(key))

    def _move(self, key: str, before: str) -> None:
        self._room.move(int(key), int(before) if before else "last")

    def _menu(self, key: str, place: QPoint) -> None:
        menu = self.menu_of(key)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)
