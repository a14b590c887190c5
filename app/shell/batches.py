"""The batch panel as the window has it: what it asks of services, and what it tells the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.panels.batch.around import Around
from app.panels.batch.job_checks import JobChecks
from app.panels.batch.panel import BatchPanel
from app.words import tr

if TYPE_CHECKING:
    from app.open_document import OpenDocument
    from app.shell.window import Window


def batch_panel(
    window: Window, look: Callable[[Path], None], show_in_folder: Callable[[object], None]
) -> BatchPanel:
    """The panel, connected; ``look`` shows a picture, ``show_in_folder`` a file."""
    services = window.services

    def places(document: OpenDocument) -> tuple[Path, tuple[Path, ...]]:
        path = document.session.path
        own = (path.absolute().parent,) if path is not None else ()
        return own[0] if own else Path.home(), (*own, *services.grants_of(document))

    def grant(document: OpenDocument, path: Path) -> str:
        said = services.grant(document, path)
        desk = window.desk_of(document)
        if desk is not None:
            desk.checks.set_grants(services.grants_of(document))
        return said

    def obstacle(document: OpenDocument) -> str:
        desk = window.desk_of(document)
        if desk is None:
            return ""
        if desk.checks.behind:
            return tr("The graph is being checked. Try again in a moment.")
        wrong = window.running.errors(desk)
        return tr("It cannot run yet. {first}", first=wrong[0].sentence) if wrong else ""

    panel = BatchPanel(
        Around(
            services.theme, services.room, lambda: services.book.specs, services.book.spec_of,
            places, lambda: services.places.output, grant,
            lambda: [row.name for row in services.models.rows], obstacle,
            checks=JobChecks(services.helper, window),
        )
    )  # fmt: skip
    panel.looked.connect(lambda path: look(Path(str(path))))
    panel.shown_in_folder.connect(show_in_folder)
    panel.said.connect(window.say)
    services.book.changed.connect(panel.take_types)
    services.models.changed.connect(panel.refresh)
    services.output_changed.connect(panel.refresh)
    services.documents.closed.connect(panel.forget)
    window.closing.append(panel.close_down)
    panel.show_document(services.documents.current)
    return panel
