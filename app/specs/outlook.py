"""What a run of an open document would do with the memory, told anew after edits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QTimer, Signal

from app.open_document import OpenDocument
from app.specs.checks import Checks
from app.specs.helper import Helper
from backend.engine.checks.wire import AskForecast, Forecast
from backend.graph.document import Workflow

REST = 400
"""Milliseconds that the hand must rest after an edit."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run would compute: the settings ``run.device`` and ``run.memory``, the bytes of the
    GPU (0 without one), and the folder of what was measured."""

    device: str = "auto"
    memory: int = 0
    gpu: int = 0
    cache_folder: str = ""


class Outlook(QObject):
    """Has the forecast of its document told when a check of it is over and the hand rests.

    ``forecast`` is the last one, ``None`` before the first and where the document cannot run;
    ``sentence`` then says why. ``behind``: another one is on its way.
    """

    changed = Signal()

    def __init__(
        self,
        document: OpenDocument,
        checks: Checks,
        helper: Helper,
        machine: Callable[[], Machine],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.forecast: Forecast | None = None
        self.sentence = ""
        self.behind = True
        self._document, self._checks, self._helper = document, checks, helper
        self._machine = machine
        self._asked: tuple[Workflow, Machine] | None = None
        self._soon = QTimer(self, singleShot=True, interval=REST)
        self._soon.timeout.connect(self._ask)
        checks.checked.connect(self._on_checked)
        helper.foretold.connect(self._hear)

    def ask_again(self) -> None:
        """Have it told anew: a run has measured something, or files are others."""
        self._wait()

    def look_at_machine(self) -> None:
        """Have it told anew if the machine or the settings are others now."""
        if self._asked is not None and self._asked[1] != self._machine():
            self._wait()

    def close(self) -> None:
        """The document is closed."""
        self._soon.stop()
        self._checks.checked.disconnect(self._on_checked)
        self._helper.foretold.disconnect(self._hear)

    def _on_checked(self, steps: object) -> None:
        if self._checks.sentence or not self._checks.ok:
            self._soon.stop()
            self._asked = None
            wrong = (each for each in self._checks.diagnostics if each.level == "error")
            first = next((each.sentence for each in wrong), "")
            self._show(None, self._checks.sentence or first)
        elif steps or self._asked is None or self._asked[0] != _bare(self._document.workflow):
            self._wait()

    def _wait(self) -> None:
        if self._checks.ok and not self._checks.sentence:
            self.behind, self._asked = True, None
            self.changed.emit()
            self._soon.start()

    def _ask(self) -> None:
        if not self._checks.ok:  # the check that comes asks
            return
        if self._checks.behind:  # not every check that comes has something to say
            self._soon.start()
            return
        machine = self._machine()
        self._asked = _bare(self._document.workflow), machine
        self._helper.forecast(
            AskForecast(
                self._document.id, 0, machine.device, machine.memory, machine.gpu,
                machine.cache_folder,
            )
        )  # fmt: skip

    def _hear(self, document: str, found: object) -> None:
        if document != self._document.id or not isinstance(found, Forecast):
            return
        if not self._checks.ok or self._soon.isActive():  # it is of what was before an edit
            self._asked = None
            return
        self._show(None if found.wrong else found, found.wrong)

    def _show(self, found: Forecast | None, sentence: str) -> None:
        self.forecast, self.sentence, self.behind = found, sentence, False
        self.changed.emit()


def _bare(workflow: Workflow) -> Workflow:
    """A document without where its nodes lie."""
    return replace(workflow, layout=Workflow().layout)
