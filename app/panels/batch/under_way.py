"""The page of a batch that was queued: how far it is, what failed, where it is written down."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.labels import duration, value_words
from app.panels.batch.course import Course
from app.panels.batch.parts import Words
from app.panels.notice import Notice
from app.theme.fonts import Role, write_in
from app.theme.theme import Theme
from app.widgets.card import Act, Card
from app.widgets.card_list import CardList
from app.words import counted, tr
from backend.batch.manifest import Ended

MOST = 200
"""Failed jobs that are listed; of others it is told how many there are."""


class UnderWay(QWidget):
    """How a batch goes on. ``sheet_wanted`` and ``folder_wanted``: its contact sheet, or the folder
    of its manifest, is to be shown. ``left``: the user wants another batch."""

    sheet_wanted = Signal()
    folder_wanted = Signal(object)
    left = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._course: Course | None = None
        self._drawing = False
        self.title = QLabel()
        write_in(self.title, Role.TITLE)
        self.title.setProperty("role", "strong")
        self.state = QLabel()
        self.running = QLabel()
        self.running.setProperty("role", "weak")
        self.place = QLabel()
        write_in(self.place, Role.CAPTION)
        self.place.setProperty("role", "weak")
        for label in (self.title, self.state, self.running, self.place):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setMinimumWidth(1)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setAccessibleName(tr("Jobs of the batch that have ended"))
        self.trouble = Notice(theme, "triangle-alert", "", kind="danger")
        self.hold = QPushButton()
        self.cancel = QPushButton(tr("Cancel the rest"))
        self.all_again = QPushButton(tr("Run all again"))
        self.sheet = QPushButton(tr("Contact sheet"))
        self.folder = QPushButton(tr("Show the manifest"))
        self.new = QPushButton(tr("New batch"))
        self.more = Words()
        self.failed = CardList(theme, tr("Jobs of the batch that failed"))
        self._lay_out()
        self.hold.clicked.connect(self._hold)
        self.cancel.clicked.connect(lambda: self._course and self._course.cancel())
        self.all_again.clicked.connect(lambda: self._course and self._course.again())
        self.sheet.clicked.connect(self.sheet_wanted)
        self.folder.clicked.connect(
            lambda: self._course and self.folder_wanted.emit(self._course.path)
        )
        self.new.clicked.connect(self.left)
        self.failed.acted.connect(self._again)
        self.failed.opened.connect(self._again)
        theme.changed.connect(self._dress)
        self._dress()

    def _lay_out(self) -> None:
        top, acts, last = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        for row in (top, acts, last):
            row.setSpacing(8)
            row.setContentsMargins(16, 0, 16, 0)
        top.addWidget(self.title, 1)
        top.addWidget(self.new)
        for button in (self.hold, self.cancel, self.all_again):
            acts.addWidget(button)
        acts.addStretch(1)
        last.addWidget(self.sheet)
        last.addWidget(self.folder)
        last.addStretch(1)
        words = QVBoxLayout()
        words.setContentsMargins(16, 0, 16, 0)
        words.setSpacing(6)
        for part in (self.bar, self.state, self.running):
            words.addWidget(part)
        below = QVBoxLayout()
        below.setContentsMargins(16, 0, 16, 0)
        below.addWidget(self.more)
        below.addWidget(self.place)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 12, 0, 12)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(words)
        column.addWidget(self.trouble)
        column.addLayout(acts)
        column.addWidget(self.failed, 1)
        column.addLayout(below)
        column.addLayout(last)
        self._end = QWidget()
        column.addWidget(self._end)

    def _dress(self) -> None:
        for button, icon in (
            (self.cancel, "square"), (self.all_again, "rotate-ccw"), (self.sheet, "layout-grid"),
            (self.folder, "folder"), (self.new, "plus"),
        ):  # fmt: skip
            button.setIcon(self._theme.qicon(icon, 14))
        self._dress_hold()

    def _dress_hold(self) -> None:
        held = self._course is not None and self._course.held
        self.hold.setText(tr("Resume") if held else tr("Pause"))
        self.hold.setIcon(self._theme.qicon("play" if held else "pause", 14))

    # What is shown.

    @property
    def course(self) -> Course | None:
        """The batch that is shown."""
        return self._course

    def show_course(self, course: Course) -> None:
        """Show another batch."""
        if self._course is not None:
            self._course.changed.disconnect(self.update_now)
        self._course = course
        course.changed.connect(self.update_now)
        self.update_now()

    def set_drawing(self, on: bool) -> None:
        """The contact sheet is being drawn."""
        self._drawing = on
        self.update_now()

    def update_now(self) -> None:
        """Show how the batch stands."""
        course = self._course
        if course is None:
            return
        counts, total = course.counts, len(course.batch.points)
        self.title.setText(tr("{title}, {jobs}", title=course.batch.title,
                              jobs=counted(total, "{n} job", "{n} jobs")))  # fmt: skip
        self.bar.setRange(0, total)
        self.bar.setValue(counts.ended)
        self.state.setText(state_words(course))
        self.running.setText(_running(course))
        self.running.setVisible(bool(self.running.text()))
        self.trouble.say(course.trouble)
        self.trouble.setVisible(bool(course.trouble))
        going = not course.is_over
        self.hold.setVisible(going)
        self.cancel.setVisible(going)
        wrong = course.failed
        cards = [self._card(course, end) for end in wrong[:MOST]]
        self.failed.put(cards)
        self.failed.setVisible(bool(cards))
        self._end.setVisible(not cards)
        left_out = len(wrong) - len(cards)
        self.more.say(tr("{n} more jobs failed.", n=left_out) if left_out else "")
        again = len(wrong)
        if course.is_over or course.trouble:
            again += counts.cancelled + course.not_queued
        self.all_again.setVisible(again > 0)
        self.all_again.setText(counted(again, "Run {n} again", "Run {n} again"))
        self.sheet.setEnabled(counts.done > 0 and not self._drawing)
        self.sheet.setText(tr("Drawing ...") if self._drawing else tr("Contact sheet"))
        self.place.setText(tr("Manifest: {file}", file=course.path) if course.path else "")
        self.folder.setEnabled(course.path is not None)
        self._dress_hold()

    def _card(self, course: Course, end: Ended) -> Card:
        title = job_words(course, end.index)
        sentence = str(end.line["sentence"])
        return Card(
            str(end.index), title, sentence, "circle-alert", "danger",
            act=Act(tr("Again"), "rotate-ccw"), tip=f"{title}\n{sentence}",
            spoken=f"{title}. {sentence}",
        )  # fmt: skip

    def _hold(self) -> None:
        if self._course is not None:
            self._course.hold(not self._course.held)

    def _again(self, key: str) -> None:
        if self._course is not None:
            self._course.again([int(key)])


def job_words(course: Course, place: int) -> str:
    """A job by its number and its values, short ones first, so that they can be read."""
    shown = course.batch.points[place - 1].shown
    bare = [name.rpartition(".")[2] for name in shown]
    said = [
        f"{own if bare.count(own) == 1 else name} {value_words(value, '')}"
        for own, (name, value) in zip(bare, shown.items(), strict=True)
    ]
    title = tr("Job {n}", n=place)
    return f"{title} · {', '.join(sorted(said, key=len))}" if said else title


def state_words(course: Course) -> str:
    """How a batch stands, in a line."""
    counts, total = course.counts, len(course.batch.points)
    parts = [tr("{n} of {total} done", n=counts.done, total=total)]
    parts += [tr("{n} failed", n=counts.failed)] if counts.failed else []
    parts += [tr("{n} cancelled", n=counts.cancelled)] if counts.cancelled else []
    left = counts.left - course.being_queued - course.not_queued
    for number, words in (
        (left, tr("{n} left", n=left)),
        (course.being_queued, tr("{n} being queued", n=course.being_queued)),
        (course.not_queued, tr("{n} not queued", n=course.not_queued)),
    ):
        parts += [words] if number > 0 else []
    seconds = course.seconds_left
    if left and seconds is not None and not course.held:
        parts.append(tr("about {time}", time=duration(seconds)))
    if course.held and left:
        parts.append(tr("paused"))
    elif course.waits_for_queue:
        parts.append(tr("the queue is paused"))
    return " · ".join(parts)


def ended_words(course: Course) -> str:
    """How a batch has ended, in a sentence."""
    counts = course.counts
    said = tr("The batch {title} has ended: {done} done", title=course.batch.title,
              done=counts.done)  # fmt: skip
    said += tr(", {n} failed", n=counts.failed) if counts.failed else ""
    said += tr(", {n} cancelled", n=counts.cancelled) if counts.cancelled else ""
    said += tr(", {n} not queued", n=course.not_queued) if course.not_queued else ""
    return f"{said}."


def _running(course: Course) -> str:
    """The job that runs, in a line."""
    for place, view in course.running.items():
        title = job_words(course, place)
        return f"{title}: {view.sentence}" if view.sentence else title
    return ""
