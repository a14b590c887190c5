"""The problems of the current document: shown, gone to, and fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.document.level import graph_of, node_at
from app.run.places import places
from app.specs.places import place_of
from app.words import tr

if TYPE_CHECKING:
    from app.panels.problems.panel import ProblemsPanel
    from app.panels.problems.problem import Place
    from app.shell.desk import Desk
    from app.shell.window import Window
    from backend.graph.diagnostics import Diagnostic
    from backend.graph.document import Workflow


class Problems:
    """What the checks say of the current document, and what failed in its last run."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._services = window.services
        self._tab = window.said_pane.add(tr("Problems"), self._make)

    def _make(self) -> ProblemsPanel:
        """What the checks say; click to go there."""
        from app.panels.problems.panel import ProblemsPanel

        panel = ProblemsPanel(self._services.theme)
        panel.go.connect(self._go)
        panel.fix.connect(self._fix)
        panel.counted.connect(self._window.show_counts)
        self._fill(panel)
        return panel

    def turn_to(self) -> None:
        """Turn to what the checks say."""
        from app.shell.window_commands import show_pane

        show_pane(self._window, "said_pane", tr("Problems"))
        self._window.show_form(False)

    def refresh(self) -> None:
        """Tell the panel what the checks say now; it is made if need be, since it counts them."""
        self._fill(self._tab.panel())

    def refresh_made(self) -> None:
        """Tell the panel, if there is one yet, what the checks say now."""
        if self._tab.made is not None:
            self._fill(self._tab.made)

    def _fill(self, panel: ProblemsPanel) -> None:
        from app.panels.problems.problem import failures_of, problems_of
        from app.specs.fixes import fix_for

        desk, book = self._window.desk, self._services.book
        if desk is None:
            panel.show_problems(())
            return
        workflow = desk.document.workflow

        def words(diagnostic: Diagnostic) -> str:
            found = fix_for(diagnostic, workflow, book)
            if found is None and self._names_missing(diagnostic, workflow):
                return tr("Show models")
            return found.title if found is not None else ""

        problems = problems_of(desk.checks.diagnostics, words)
        panel.show_problems((*failures_of(self._failed(desk)), *problems))

    def _failed(self, desk: Desk) -> dict[Place, tuple[str, str]]:
        """The nodes that failed in the last run and were not edited since, each by its innermost
        place."""
        from app.panels.problems.problem import Place

        workflow, room = desk.document.workflow, self._services.room
        stale = room.stale(desk.document)
        found: dict[Place, tuple[str, str]] = {}
        for step, run in room.runs(desk.document).items():
            if run.status != "failed" or not run.sentence or step.partition("/")[0] in stale:
                continue
            where = places(workflow, step)
            if where:
                level, path = where[-1]
                found[Place(level, path)] = (self._title_at(workflow, level, path), run.sentence)
        return found

    def _title_at(self, workflow: Workflow, level: str, path: str) -> str:
        node = node_at(graph_of(workflow, level), path)
        spec = self._services.book.spec_of(workflow, node)
        return node.title or (spec.title if spec is not None else "") or path

    def _go(self, problem: object) -> None:
        from app.panels.problems.problem import Problem

        desk = self._window.desk
        if desk is None or not isinstance(problem, Problem):
            return
        place = problem.place
        if place.level in desk.document.workflow.subgraphs or not place.level:
            desk.document.enter(place.level)
        if place.path in desk.canvas.board.nodes:
            desk.document.select([place.path])
            desk.canvas.fit([place.path])

    def _fix(self, problem: object) -> None:
        from app.panels.problems.problem import Problem
        from app.specs.fixes import fix_for

        desk = self._window.desk
        if desk is None or not isinstance(problem, Problem):
            return
        for each in desk.checks.diagnostics:
            if f"{each.code} {each.place} {each.sentence}" == problem.key:
                found = fix_for(each, desk.document.workflow, self._services.book)
                if found is not None:
                    self._window.edit(desk.document, found.title, found.change)
                elif self._names_missing(each, desk.document.workflow):
                    self._window.panels.turn_to_models()
                return

    def _names_missing(self, diagnostic: Diagnostic, workflow: Workflow) -> bool:
        """Whether an error is of a node that names a model which the document lists and which is
        not on this machine."""
        gone = {need.name for need in workflow.models if self._window.panels.is_missing(need)}
        place = place_of(diagnostic.place)
        if diagnostic.level != "error" or not gone or not place.node:
            return False
        try:
            node = node_at(graph_of(workflow, place.level), place.node)
        except KeyError:  # the diagnostic is of an older state of the document
            return False
        return any(isinstance(value, str) and value in gone for value in node.params.values())
