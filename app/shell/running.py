"""Running from the window: what is started, and what is shown of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.document.level import GIVEN, TAKEN
from app.run.book import ALIVE
from app.run.change import RunOnChange
from app.run.notify import Notifier
from app.run.plan import planned, without_files
from app.run.state import JobView
from app.specs.places import place_of
from app.words import tr

if TYPE_CHECKING:
    from app.open_document import OpenDocument
    from app.shell.desk import Desk
    from app.shell.window import Window
    from backend.graph.diagnostics import Diagnostic


class Running(QObject):
    """Starts runs of the document that is looked at and shows how they go.

    What the checks call an error is shown instead of run. A document that has changed since it was
    last checked waits for its check, which takes less than the hand needs to rest.
    """

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._window = window
        self._changes: dict[str, RunOnChange] = {}
        self._waits: tuple[Desk, tuple[str, ...], int] | None = None
        self._notifier: Notifier | None = None

    def connect_room(self) -> None:
        """Listen to the engine room."""
        room = self._window.services.room
        room.job_changed.connect(self._on_job)
        room.job_ended.connect(self._on_ended)
        room.engine_changed.connect(self._on_engine)
        room.host_died.connect(self._on_death)
        self._window.services.documents.closed.connect(self._on_closed)
        self._window.services.documents.current_changed.connect(self._show_mode)

    # -- starting ---------------------------------------------------------------------------------

    def run(self, only: tuple[str, ...] = (), count: int = 1) -> None:
        """Run the current document so often, or only as far as these nodes of its level."""
        document, desk = self._window.document, self._window.desk
        if document is None or desk is None:
            return
        if not document.workflow.graph.nodes:
            self._window.say(tr("There is nothing to run. Press Tab to add a node."))
            return
        steps = tuple(step for path in only if (step := desk.step(path)) is not None)
        if only and not steps:
            self._window.say(
                tr("Nothing uses this subgraph, so nothing in it runs. Run the graph around it.")
            )
            return
        if desk.checks.behind:
            self._waits = (desk, steps, count)
            return
        self._start(desk, steps, count)

    def on_checked(self, desk: Desk) -> None:
        """A check is over: what waited for it is started or refused."""
        if self._waits is not None and self._waits[0] is desk and not desk.checks.behind:
            (_, steps, count), self._waits = self._waits, None
            self._start(desk, steps, count)

    def _start(self, desk: Desk, steps: tuple[str, ...], count: int) -> None:
        wrong = self.errors(desk, steps)
        if wrong:
            self._refuse(wrong)
            return
        self._window.services.documents.keep_all()
        self._window.services.room.run(desk.document, steps, count)

    def _refuse(self, wrong: tuple[Diagnostic, ...]) -> None:
        """Say the first error in a line, and turn to all of them."""
        from app.panels.problems.problem import problems_of

        self._window.panels.problems.turn_to()
        first, more = problems_of(wrong)[0].title, len(wrong) - 1
        said = tr("It cannot run yet. {first}", first=first[:1].upper() + first[1:])
        if more:
            said += " " + tr("{n} more stand under Problems.", n=more)
        self._window.toasts.say(said, "error")

    def errors(self, desk: Desk, steps: tuple[str, ...] = ()) -> tuple[Diagnostic, ...]:
        """What keeps a document, or a run as far as these steps, from running."""
        if desk.checks.sentence:  # nothing is known; the engine checks by itself
            return ()
        wrong = tuple(each for each in desk.checks.diagnostics if each.level == "error")
        if not steps:
            return wrong
        workflow = desk.document.workflow
        needed = planned(workflow, self._window.services.book.specs, steps)
        tops = {step.partition("/")[0] for step in needed}

        def matters(each: Diagnostic) -> bool:
            place = place_of(each.place)
            return bool(place.level) or not place.node or place.node.partition("/")[0] in tops

        return tuple(filter(matters, wrong))

    def run_selected(self) -> None:
        """Run the graph as far as the selected nodes."""
        document = self._window.document
        if document is not None and document.selection - {GIVEN, TAKEN}:
            self.run(tuple(sorted(document.selection - {GIVEN, TAKEN})))

    # -- on every change --------------------------------------------------------------------------

    @property
    def on_change(self) -> bool:
        """Whether the current document runs after every edit."""
        document = self._window.document
        found = self._changes.get(document.id) if document is not None else None
        return found is not None and found.is_on

    def set_on_change(self, on: bool) -> None:
        """Run the current document after every edit that changes what comes out, or not.

        Such runs write no files: what a node that saves would get is made and shown.
        """
        document, desk = self._window.document, self._window.desk
        if document is None or desk is None:
            return
        if document.id not in self._changes:
            self._changes[document.id] = RunOnChange(
                self._window.services.room, document, partial(self._unsaved, document),
                lambda: not self.errors(desk), document,
            )  # fmt: skip
        self._changes[document.id].set_on(on)
        self._show_mode()
        self._window.say(
            tr("It runs after every change, and saves nothing.")
            if on
            else tr("It runs when you say so.")
        )

    def _show_mode(self) -> None:
        """Whether the current document runs on change is seen in the menu and on the button."""
        on = self.on_change
        self._window.commands.action("run.on_change").setChecked(on)
        self._window.bar.run.setText(tr("Run on change") if on else tr("Run"))
        self.show_tip()

    def show_tip(self) -> None:
        """What the button does, and whether that fits into memory."""
        said = tr("Runs the graph (Ctrl + Enter)")
        if self.on_change:
            said = tr("{words}. It also runs after every change.", words=said)
        misfit = self._window.forecasts.misfit
        self._window.bar.run.setToolTip(f"{said}\n{misfit}" if misfit else said)
        self._window.bar.run.setAccessibleDescription(misfit)

    def _unsaved(self, document: OpenDocument) -> tuple[str, ...]:
        return without_files(document.workflow, self._window.services.book.specs)

    def _on_closed(self, document: OpenDocument) -> None:
        change = self._changes.pop(document.id, None)
        if change is not None:
            change.set_on(False)
        if self._waits is not None and self._waits[0].document is document:
            self._waits = None

    def cancel(self) -> None:
        """Cancel the job that runs."""
        self._window.services.room.cancel()

    def free_memory(self) -> None:
        """Have the memory of the engine given back, once no job runs."""
        self._window.services.room.free_memory()
        self._window.say(
            tr("Memory is given back when the job is over.")
            if self.can_cancel()
            else tr("Memory is given back. Models are loaded again when a run wants them.")
        )

    def can_cancel(self) -> bool:
        """Whether a job runs here."""
        return any(job.status == "running" for job in self._window.services.room.jobs())

    # -- what is heard ----------------------------------------------------------------------------

    def _on_job(self, job: JobView) -> None:
        if job.status == "running" and job.mine:
            self._window.show_job(job)
        elif not self.can_cancel():
            self._window.show_job(None)
        self._window.commands.refresh()

    def _on_ended(self, job: JobView) -> None:
        window = self._window
        if not self.can_cancel():
            window.show_job(None)
        if window.document is not None and job.document == window.document.id:
            if job.status == "done":
                window.panels.looking.look_again()
            elif job.status == "failed" and job.error:
                window.toasts.say(job.error, "error")
        window.forecasts.ended(job)
        if job.mine and job.status == "failed":
            window.services.log(f"Job {job.id}, {job.title}, failed.\n{job.error}")
        if job.mine or job.document:
            self._tell_away(job)
        window.commands.refresh()

    def _tell_away(self, job: JobView) -> None:
        """A message of the system, where nobody looks at the window."""
        if self._notifier is None:
            self._notifier = Notifier(
                self._window, self._window.services.theme.qicon("waypoints", 32, "accent")
            )
        self._notifier.ended(job)

    def _on_engine(self) -> None:
        engine = self._window.services.room.engine
        state = "asleep" if engine.status == "off" else engine.status
        self._window.engine_line.show_state(state, engine.sentence)

    def _on_death(self, job: int, sentence: str) -> None:
        room = self._window.services.room
        self._window.services.log(f"The engine ended while job {job} ran.\n{sentence}")
        view = room.job(job)
        goes_on = view is not None and view.status in ALIVE  # it begins again by itself
        button = tr("Run again") if job and not goes_on else ""
        self._window.toasts.say(
            sentence, "warning" if goes_on else "error", button, lambda: room.retry(job)
        )
