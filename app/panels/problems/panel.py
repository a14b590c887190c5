"""The problems panel: a card per problem, errors first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QMenu, QStackedLayout, QVBoxLayout, QWidget

from app.panels.problems.problem import Problem
from app.panels.tools import tool
from app.theme.theme import Theme
from app.widgets.card import Act, Card
from app.widgets.card_list import CardList
from app.widgets.empty import Empty
from app.words import tr

_LOOKS = {
    "error": ("circle-alert", "danger"), "warning": ("triangle-alert", "warning"),
    "info": ("info", "accent"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """How many problems of each level there are."""

    errors: int = 0
    warnings: int = 0
    notes: int = 0

    @property
    def words(self) -> str:
        """As the status bar says it; empty where there are none."""
        parts = [
            _count(self.errors, tr("1 problem"), tr("{n} problems", n=self.errors)),
            _count(self.warnings, tr("1 warning"), tr("{n} warnings", n=self.warnings)),
            _count(self.notes, tr("1 note"), tr("{n} notes", n=self.notes)),
        ]
        return ", ".join(part for part in parts if part)


class ProblemsPanel(QWidget):
    """The problems of a document.

    ``go`` carries the ``Problem`` that was clicked, ``fix`` the one whose button was pressed;
    ``counted`` carries ``Counts`` whenever they change.
    """

    go = Signal(object)
    fix = Signal(object)
    counted = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._problems: dict[str, Problem] = {}
        self.counts = Counts()
        self.list = CardList(theme, tr("Problems"))
        self._empty = Empty(theme, "check", "")
        self._notes = tool(theme, self, "info", tr("Show notes too"), self._put)
        self._notes.setCheckable(True)
        self._notes.setChecked(True)
        self._copy = tool(theme, self, "copy", tr("Copy all"), self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 0)
        held = QWidget()
        self._stack = QStackedLayout(held)
        self._stack.addWidget(self.list)
        self._stack.addWidget(self._empty)
        column.addWidget(held)
        self.list.opened.connect(lambda key: self.go.emit(self._problems[key]))
        self.list.acted.connect(lambda key: self.fix.emit(self._problems[key]))
        self.list.menu_wanted.connect(self._menu)
        self._put()

    @property
    def tools(self) -> tuple[QAction, ...]:
        """What stands in the title bar of its dock."""
        return (self._notes, self._copy)

    def show_problems(self, problems: Sequence[Problem]) -> None:
        """Show these problems, in this order."""
        self._problems = {problem.key: problem for problem in problems}
        levels = [problem.level for problem in self._problems.values()]
        counts = Counts(levels.count("error"), levels.count("warning"), levels.count("info"))
        self._put()
        if counts != self.counts:
            self.counts = counts
            self.counted.emit(counts)

    def copy(self) -> None:
        """Copy all problems, as text, with their codes."""
        lines = [
            f"{problem.code} {problem.level}: {problem.title} {problem.reason}".strip()
            for problem in self._problems.values()
        ]
        QGuiApplication.clipboard().setText("\n".join(lines))

    def menu_of(self, key: str) -> QMenu:
        """The context menu of a problem; it deletes itself when it closes."""
        problem = self._problems[key]
        menu = QMenu(self)
        menu.addAction(tr("Go there"), lambda: self.go.emit(problem))
        if problem.fix:
            menu.addAction(problem.fix, lambda: self.fix.emit(problem))
        words = f"{problem.title} {problem.reason}".strip()
        menu.addAction(tr("Copy"), lambda: QGuiApplication.clipboard().setText(words))
        return menu

    def _put(self) -> None:
        notes = self._notes.isChecked()
        seen = [one for one in self._problems.values() if notes or one.level != "info"]
        self.list.put([problem_card(one) for one in seen])
        if any(one.level == "error" for one in self._problems.values()):
            self._empty.say("")
        elif self._problems:
            self._empty.say(tr("No problems."), tr("Notes are hidden. The graph can run."))
        else:
            self._empty.say(tr("No problems."), tr("The graph can run."))
        self._stack.setCurrentWidget(self.list if seen else self._empty)

    def _menu(self, key: str, place: QPoint) -> None:
        menu = self.menu_of(key)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(place)


def problem_card(problem: Problem) -> Card:
    """The card of a problem."""
    icon, token = _LOOKS[problem.level]
    level = {"error": tr("Problem"), "warning": tr("Warning"), "info": tr("Note")}[problem.level]
    return Card(
        key=problem.key, title=problem.title, sentence=problem.reason, icon=icon, token=token,
        sentence_token="text",        act=Act(problem.fix) if problem.fix else None,
        tip=f"{problem.title}\n{problem.reason}".strip(),
        spoken=f"{level}: {problem.title} {problem.reason}".strip(),
    )  # fmt: skip


def _count(count: int, one: str, several: str) -> str:
    if not count:
        return ""
    return one if count == 1 else several
