"""What can be done with one parameter, as a menu: what a drag can do stands here as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu, QWidget

from app.document.edits.connect import disconnect
from app.document.edits.params import expose, reset_params, shown_as, unexpose
from app.document.level import graph_of, node_at
from app.labels import label
from app.open_document import OpenDocument
from app.panels.inspector.subject import Row, Subject
from app.words import tr
from backend.graph.document import Workflow

Edit = Callable[[str, Callable[[Workflow], Workflow]], None]
"""Makes an edit, by its label, and says so where it cannot be made."""


def param_menu(
    document: OpenDocument, subject: Subject, row: Row, edit: Edit, parent: QWidget
) -> QMenu:
    """The menu of a row."""
    menu = QMenu(parent)
    level, name, paths = document.level, row.param.name, subject.paths
    reset = menu.addAction(tr("Reset to its default"))
    graph = graph_of(document.workflow, level)
    reset.setEnabled(
        not subject.locked and any(name in node_at(graph, path).params for path in paths)
    )
    reset.triggered.connect(
        lambda: edit(
            tr("Reset {name}", name=label(name)),
            partial(reset_params, level=level, paths=paths, names=(name,)),
        )
    )
    copy = menu.addAction(tr("Copy the value"))
    value = subject.nodes[0].params.get(name, row.param.default)
    copy.triggered.connect(lambda: QGuiApplication.clipboard().setText(str(value)))
    if len(paths) == 1:
        menu.addSeparator()
        _add_shown(menu, document, paths[0], name, edit)
        link = row.link
        if link is not None:
            action = menu.addAction(tr("Take the link off"))
            action.triggered.connect(
                lambda: edit(tr("Unlink"), partial(disconnect, level=level, gone=(link,)))
            )
    return menu


def _add_shown(
    menu: QMenu, document: OpenDocument, path: str, name: str, edit: Edit
) -> None:  # fmt: skip
    level = document.level
    shown = shown_as(document.workflow, level, path, name)
    if shown:
        title = tr("Take it off the subgraph's node") if level else tr("Take it out of the form")
        action = menu.addAction(title)
        change = partial(unexpose, level=level, names=(shown,))
    else:
        title = tr("Show it on the subgraph's node") if level else tr("Show it in the form")
        action = menu.addAction(title)
        change = partial(expose, level=level, path=path, param=name)
    action.triggered.connect(lambda: edit(title, change))
