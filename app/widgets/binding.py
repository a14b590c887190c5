"""Between an editor and a document: what is edited is one undo step for each time of the hand."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from itertools import count
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.document.edits.common import EditError
from app.document.edits.params import set_params
from app.document.level import graph_of, node_at
from app.labels import label
from app.open_document import OpenDocument
from app.widgets.editor import ParamEditor
from app.words import tr
from backend.graph.document import Workflow

_strokes = count(1)


class Binding(QObject):
    """Lets an editor set one parameter of one or more nodes of a level.

    While a hand drags, every value goes into the document and into one state of the history; Esc
    undoes that state. ``refused`` says why nothing was changed.
    """

    refused = Signal(str)

    def __init__(
        self,
        editor: ParamEditor,
        document: OpenDocument,
        paths: Collection[str],
        name: str = "",
        level: str | None = None,
    ) -> None:
        """``name`` is the parameter's, where it is not that of the editor; ``level`` that of the
        nodes, where it is not the one that is looked at."""
        super().__init__(editor)
        self._editor, self._document = editor, document
        self._paths, self._name = tuple(paths), name or editor.param.name
        self._level = document.level if level is None else level
        self._merge = ""
        editor.edited.connect(self._edit)
        editor.reverted.connect(self._revert)

    def _edit(self, value: Any, final: bool) -> None:
        self._merge = self._merge or f"parameter {next(_strokes)}"
        change = partial(
            _set, level=self._level, paths=self._paths, name=self._name, value=value
        )  # fmt: skip
        try:
            self._document.edit(tr("Set {name}", name=label(self._name)), change, self._merge)
        except EditError as error:
            self.refused.emit(error.sentence)
            self.show_present()
            final = True
        except KeyError:
            final = True  # the node went while it was being edited
        if final:
            self._merge = ""

    def _revert(self) -> None:
        merge, self._merge = self._merge, ""
        history = self._document.session.history
        if merge and history.states[history.at].merge == merge:
            self._document.undo()
        self.show_present()

    def show_present(self) -> None:
        """Have the editor show what the document says."""
        show_present(self._editor, self._document.workflow, self._level, self._paths, self._name)


def show_present(
    editor: ParamEditor, workflow: Workflow, level: str, paths: Collection[str], name: str
) -> None:
    """Have an editor show the value that these nodes have, or that they have several."""
    try:
        graph = graph_of(workflow, level)
        values = [node_at(graph, path).params.get(name, editor.param.default) for path in paths]
    except KeyError:
        return
    if values:
        editor.show_value(values[0], any(value != values[0] for value in values))


def _set(
    workflow: Workflow, level: str, paths: Collection[str], name: str, value: Any
) -> Workflow:  # fmt: skip
    return set_params(workflow, level, {path: {name: value} for path in paths})
