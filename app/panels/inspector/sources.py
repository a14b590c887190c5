"""What the inspector asks of the rest of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.document.edits.common import SpecOf
from app.open_document import OpenDocument
from app.run.state import NodeRun
from app.theme.theme import Theme
from app.widgets.context import EditorContext
from backend.graph.diagnostics import Diagnostic
from backend.graph.document import no_items
from backend.graph.facts import Facts
from backend.graph.spec import Param


def _no_facts(document: OpenDocument, path: str) -> Mapping[str, Facts]:
    return no_items()


def _no_problems(document: OpenDocument, path: str) -> Sequence[Diagnostic]:
    return ()


def _no_run(document: OpenDocument, path: str) -> NodeRun | None:
    return None


def _type_alone(facts: Facts) -> str:
    return facts.type


@dataclass(frozen=True, slots=True)
class Sources:
    """Each is asked with the open document and the path of a node in its level.

    Attributes:
        theme: Colours, fonts and icons.
        spec_of: What a node is like.
        context: What the editor of a parameter of a node is given.
        facts: What is known of a node's outputs before it runs, by output.
        problems: What the checks say of a node.
        run: Where it stands in a run.
        words: Facts in a few words.
    """

    theme: Theme
    spec_of: SpecOf
    context: Callable[[OpenDocument, str, Param], EditorContext]
    facts: Callable[[OpenDocument, str], Mapping[str, Facts]] = _no_facts
    problems: Callable[[OpenDocument, str], Sequence[Diagnostic]] = _no_problems
    run: Callable[[OpenDocument, str], NodeRun | None] = _no_run
    words: Callable[[Facts], str] = _type_alone
