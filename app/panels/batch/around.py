"""What the batch panel asks of the rest of the window."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.document.edits.common import SpecOf
from app.open_document import OpenDocument
from app.panels.batch.course import Room
from app.panels.batch.job_checks import Checking
from app.theme.theme import Theme
from app.widgets.context import PathQuestion, ask_path
from backend.graph.spec import NodeSpec


def _no_obstacle(document: OpenDocument) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Around:
    """Handed in by whoever shows the panel.

    Attributes:
        theme: Colours, fonts and icons.
        room: Who runs jobs.
        specs: The node types that are known now.
        spec_of: What a node is like.
        places: The folder of a document, and the files and folders that it may read.
        output: The folder for outputs.
        grant: Lets a document read a picked path; how the document names it.
        models: The names of the models that are here.
        obstacle: Why a document cannot run now, or nothing.
        ask_path: Asks the user for a file or folder.
        checks: Who checks jobs before they are queued, if anybody does.
    """

    theme: Theme
    room: Room
    specs: Callable[[], Mapping[str, NodeSpec]]
    spec_of: SpecOf
    places: Callable[[OpenDocument], tuple[Path, tuple[Path, ...]]]
    output: Callable[[], Path]
    grant: Callable[[OpenDocument, Path], str]
    models: Callable[[], Collection[str]]
    obstacle: Callable[[OpenDocument], str] = _no_obstacle
    ask_path: Callable[[PathQuestion], Path | None] = ask_path
    checks: Checking | None = None
