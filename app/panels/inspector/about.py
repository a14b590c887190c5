"""What a document says of itself, as edits."""

from __future__ import annotations

from dataclasses import replace

from app.document.edits.common import frozen
from backend.graph.document import Workflow


def title_of(workflow: Workflow, level: str) -> str:
    """The title of the document, or of a subgraph.

    Raises:
        KeyError: there is no such subgraph.
    """
    return workflow.subgraphs[level].title if level else workflow.title


def put_title(workflow: Workflow, level: str, title: str) -> Workflow:
    """Give the document, or a subgraph, another title.

    Raises:
        KeyError: there is no such subgraph.
    """
    if not level:
        return replace(workflow, title=title)
    inner = replace(workflow.subgraphs[level], title=title)
    return replace(workflow, subgraphs=frozen({**workflow.subgraphs, level: inner}))


def put_about(workflow: Workflow, text: str) -> Workflow:
    """Say something else about the document."""
    return replace(workflow, about=text)


def drop_model(workflow: Workflow, name: str) -> Workflow:
    """Take a model off the list of those that the document was made with."""
    return replace(workflow, models=tuple(need for need in workflow.models if need.name != name))
