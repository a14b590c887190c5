"""The batch panel: a batch is put together, queued, and followed to its end."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QHideEvent, QShowEvent
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from app.open_document import OpenDocument
from app.panels.batch.around import Around
from app.panels.batch.begun import ASKED, Begun, read_begun
from app.panels.batch.course import Course
from app.panels.batch.form import BatchForm
from app.panels.batch.knobs import Knob, knobs_of
from app.panels.batch.outlook import Outlook, Question, Wanted, look_ahead
from app.panels.batch.parts import VaryRow
from app.panels.batch.picking import dropped_table, escaped
from app.panels.batch.sheets import draw_sheet, free_place
from app.panels.batch.under_way import UnderWay, ended_words, state_words
from app.panels.errands import Errands, Stopped
from app.panels.notice import Notice
from app.panels.tools import tool
from app.widgets.context import PathQuestion
from app.widgets.empty import Empty
from app.words import tr
from backend.batch.errors import BatchError
from backend.graph.document import Workflow

_REST = 250
"""Milliseconds without an edit after which it is found out what the batch would be."""


class BatchPanel(QWidget):
    """A batch of the current document, or the one that was queued last.

    ``looked`` carries a picture that is to be looked at, ``shown_in_folder`` a file, ``said`` a
    sentence for the user.
    """

    looked = Signal(object)
    shown_in_folder = Signal(object)
    said = Signal(str)

    def __init__(self, around: Around, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._around = around
        self._document: OpenDocument | None = None
        self._kept: dict[str, Wanted] = {}
        self._graph: Workflow | None = None
        self._knobs: tuple[Knob, ...] = ()
        self._draw = _new_draw()
        self._asked = 0
        self.outlook = Outlook()
        self.courses: list[Course] = []
        self._sheets: dict[Course, Path] = {}
        self._errands = Errands("weft-batch", (BatchError, OSError), self)
        self._drawing = Errands("weft-sheet", (BatchError, OSError), self)
        self.form = BatchForm(around.theme)
        self.way = UnderWay(around.theme)
        self.notice = Notice(around.theme, "list-video", "")
        self._empty = Empty(around.theme, "file", tr("No document is open."))
        self._rest = QTimer(self, singleShot=True, interval=_REST)
        self._rest.timeout.connect(self.look_ahead)
        self.begun: Begun | None = None
        """The batch that is gone on with, if any."""
        self._tools = (
            tool(around.theme, self, "history", tr("Go on with a batch"), self.ask_begun),
            tool(around.theme, self, "refresh-cw", tr("Read tables and folders again"),
                 self.look_ahead, "F5"),
        )  # fmt: skip
        self._build()
        self.setAcceptDrops(True)

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.notice)
        held = QWidget()
        self._stack = QStackedLayout(held)
        for page in (self._empty, self.form, self.way):
            self._stack.addWidget(page)
        column.addWidget(held, 1)
        self.notice.hide()
        self.notice.pressed.connect(self._on_notice)
        self.form.edited.connect(self._edited)
        self.form.queue_wanted.connect(self.queue)
        self.form.table_asked.connect(self._pick_table)
        self.form.folder_asked.connect(self._pick_folder)
        self.way.left.connect(self._leave)
        if self._around.checks is not None:
            self._around.checks.said.connect(self._checked)
        self.way.folder_wanted.connect(self.shown_in_folder)
        self.way.sheet_wanted.connect(self.draw_sheet)

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return self._tools

    def close_down(self) -> None:
        """The window closes: what is queued stays so, and manifests are let go of."""
        self._asked += 1
        for course in self.courses:
            course.close()
        self._errands.close()
        self._drawing.close()

    # The document.

    def show_document(self, document: OpenDocument | None) -> None:
        """Put together a batch of another document; ``None`` where none is open."""
        old = self._document
        if old is document:
            return
        if old is not None:
            self._kept[old.id] = self.form.wanted
            old.changed.disconnect(self._on_change)
        self._document, self._graph = document, None
        if document is not None:
            document.changed.connect(self._on_change)
            self._read_graph()
            self.form.put(self._kept.pop(document.id, Wanted()))
        if self._stack.currentWidget() is not self.way:
            self.show_form()
        self._edited()

    def forget(self, document: OpenDocument) -> None:
        """A document is closed; what was queued of it goes on."""
        self._kept.pop(document.id, None)
        for course in self.courses:
            course.forget(document)

    def _on_change(self, before: object, after: object) -> None:
        self._later()

    def take_types(self) -> None:
        """Other node types are known than before."""
        self._graph = None
        self._read_graph()
        self._later()

    def refresh(self) -> None:
        """What a batch may read or use has changed: other models, another folder for outputs."""
        self._later()

    def _later(self) -> None:
        if self.isVisible():
            self._edited()

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while it was hidden is found out now."""
        self._edited()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is found out that nobody sees."""
        self._rest.stop()

    def _read_graph(self) -> None:
        document = self._document
        if document is not None and document.workflow is not self._graph:
            self._graph = document.workflow
            self._knobs = knobs_of(document.workflow, self._around.spec_of)
            self.form.show_knobs(self._knobs)

    # What it would be.

    def _edited(self) -> None:
        self._asked += 1  # what is being found out is of no account any more
        if self._document is None:
            return
        if self.form.is_empty:
            self._rest.stop()
            self._show(Outlook())
        else:
            self.form.show_waiting()
            self._rest.start()

    def look_ahead(self) -> None:
        """Find out what the batch would be, in a thread of its own."""
        self._rest.stop()
        document = self._document
        if document is None:
            return
        self._read_graph()
        if self.form.is_empty:
            self._show(Outlook())
            return
        self._asked += 1
        number = self._asked
        base, roots = self._around.places(document)
        titles = {knob.name: knob.words for knob in self._knobs}
        question = Question(
            self.form.wanted, document.workflow, self._around.specs(), base, roots,
            tuple(self._around.models()), self._around.output(), document.name, titles, self._draw,
        )  # fmt: skip
        self.form.show_waiting()
        self._errands.do(
            partial(look_ahead, question, partial(self._check, number)),
            partial(self._answered, number, document.workflow),
            lambda sentence: self._answered(
                number, document.workflow, Outlook(problem=sentence)
            ),
        )  # fmt: skip

    def _check(self, number: int) -> None:
        if number != self._asked:
            raise Stopped

    def _answered(self, number: int, workflow: Workflow, outlook: Outlook) -> None:
        if number == self._asked and self._document is not None:
            if self._document.workflow is workflow:
                self._show(outlook)
            else:
                self._edited()

    def _show(self, outlook: Outlook) -> None:
        if self.begun is not None and outlook.batch is not None:
            unlike = self.begun.unlike(outlook.batch)
            if unlike:
                outlook = replace(outlook, batch=None, problem=unlike)
        self.outlook = outlook
        self.form.show_outlook(outlook, self.begun is not None)
        if outlook.batch is not None and self._around.checks is not None:
            self.form.show_waiting(tr("Checking ..."))
            self._around.checks.ask(self._asked, outlook.batch)

    def _checked(self, number: int, sentence: str) -> None:
        """The jobs were checked; of the newest question alone."""
        if number == self._asked and self.outlook.batch is not None:
            if sentence:
                self.outlook = replace(self.outlook, batch=None, problem=sentence)
            self.form.show_outlook(self.outlook, self.begun is not None)

    # Going on with one that was begun before.

    def ask_begun(self) -> None:
        """Have the user pick the manifest of a batch that is to go on."""
        begin, filters = str(self._around.output()), tr("Manifests") + " (*.jsonl)"
        title = tr("Pick the manifest of a batch")
        found = self._around.ask_path(PathQuestion(title, False, begin, filters))
        if found is not None and self._document is not None:
            self._errands.do(partial(read_begun, found), self.go_on_with, self.said.emit)

    def go_on_with(self, begun: Begun) -> None:
        """Ask what was asked then; ``queue`` goes on with it."""
        self.begun, self._draw = begun, begun.draw
        if begun.wanted is not None:
            self.form.put(begun.wanted)
        self.show_form()

    def _give_up(self) -> None:
        self.begun, self._draw = None, _new_draw()
        self.show_form()

    # Picking.

    def _pick_table(self) -> None:
        document = self._document
        if document is None:
            return
        begin = str(self._around.places(document)[0])
        filters = tr("Tables") + " (*.csv *.jsonl)"
        found = self._around.ask_path(PathQuestion(tr("Pick a table"), False, begin, filters))
        if found is not None:
            self.form.put_table(str(found))

    def _pick_folder(self, row: VaryRow) -> None:
        document = self._document
        if document is None:
            return
        begin = str(self._around.places(document)[0])
        found = self._around.ask_path(PathQuestion(tr("Pick a folder of files"), True, begin))
        if found is not None:
            row.put(escaped(self._around.grant(document, found)) + "/*")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A table, or a folder for the row that takes files."""
        if self._document is not None and dropped_table(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """A table that was dropped is used."""
        found = dropped_table(event)
        if found is not None and self._document is not None:
            self.show_form()
            self.form.put_table(str(found))
            event.acceptProposedAction()

    # Queueing and after.

    def queue(self) -> None:
        """Queue the batch as it was shown."""
        document, batch = self._document, self.outlook.batch
        if document is None or batch is None or not self.form.queue.isEnabled():
            return
        obstacle = self._around.obstacle(document)
        if obstacle:
            self.form.problem.say(obstacle, "danger")
            return
        asked = {ASKED: msgspec.to_builtins(self.form.wanted)}
        path = self.begun.path if self.begun is not None else None
        if any(each.path == path and not each.is_over for each in self.courses if path):
            self.form.problem.say(tr("This batch is under way."), "danger")
            return
        course = Course(self._around.room, batch, document, asked, path, self)
        self.courses.append(course)
        course.over.connect(lambda: self._over(course))
        course.changed.connect(self._show_notice)
        self.begun, self._draw = None, _new_draw()  # the next one draws other seeds
        self.way.show_course(course)
        self._stack.setCurrentWidget(self.way)
        self.way.hold.setFocus()
        self._show_notice()
        course.start()

    def show_form(self) -> None:
        """Turn to the page on which a batch is put together."""
        self._stack.setCurrentWidget(self.form if self._document is not None else self._empty)
        self._show_notice()
        self._edited()

    def _leave(self) -> None:
        self.show_form()
        self.form.vary.setFocus()

    def show_last(self) -> None:
        """Turn to the batch that was queued last."""
        if self.courses:
            self._stack.setCurrentWidget(self.way)
            self._show_notice()
            self.way.new.setFocus()

    def _show_notice(self) -> None:
        """Where the other page is looked at, a line tells how the batch stands."""
        course = self.way.course
        shown = self._stack.currentWidget() is not self.way
        if self.begun is not None:
            said = tr("Goes on with {file}: only what is missing is queued.",
                      file=self.begun.path.name)  # fmt: skip
            self.notice.say(said, tr("Begin anew"))
        elif course is not None:
            self.notice.say(f"{course.batch.title}: {state_words(course)}", tr("Show it"))
        self.notice.setVisible(shown and (course is not None or self.begun is not None))

    def _on_notice(self) -> None:
        if self.begun is not None:
            self._give_up()
        else:
            self.show_last()

    def _over(self, course: Course) -> None:
        self.said.emit(ended_words(course))

    def draw_sheet(self) -> None:
        """Draw the contact sheet of the batch that is shown, and have it looked at."""
        course = self.way.course
        if course is None or course.path is None:
            return
        if course not in self._sheets:
            self._sheets[course] = free_place(course.path)
        self.way.set_drawing(True)
        self._drawing.do(
            partial(draw_sheet, self._sheets[course], course.batch, dict(course.ends),
                    self._drawing.check),
            self._drawn, self._not_drawn,
        )  # fmt: skip

    def _drawn(self, place: Path | None) -> None:
        self.way.set_drawing(False)
        if place is None:
            self.said.emit(tr("No job has left a picture, so there is no contact sheet."))
        else:
            self.looked.emit(place)

    def _not_drawn(self, sentence: str) -> None:
        self.way.set_drawing(False)
        self.said.emit(sentence)


def _new_draw() -> int:
    return secrets.randbits(53) | 1
