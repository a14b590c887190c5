"""Links to the free place of a boundary, where a link makes a socket: an input or an output of a
subgraph, or what a zone gives."""

from __future__ import annotations

from app.document.edits.common import EditError, SpecOf, fresh_output
from app.document.edits.connect import connect
from app.document.edits.cycles import Reads
from app.document.edits.kinds import input_end
from app.document.edits.ports import add_port
from app.document.level import GIVEN, TAKEN, Link, body_at, graph_of, name_of, parent_of
from backend.graph.document import Workflow


def is_free(link: Link) -> bool:
    """Whether one end of a link is the free place of a boundary: it has no name yet."""
    return not link.output or (not link.input and name_of(link.target) == TAKEN)


def connect_free(
    workflow: Workflow, level: str, link: Link, spec_of: SpecOf, known: Reads | None = None
) -> Workflow:
    """Make a link; at the free place of a boundary with a new socket, named by its other end.

    A new input of a subgraph has the type of what it feeds, and may be left open where that may:
    so the uses of the subgraph stay whole.

    Raises:
        EditError: the link cannot be made, or both its ends are free.
        KeyError: an end is not there.
    """
    if not is_free(link):
        return connect(workflow, level, link, spec_of, known)
    gives = name_of(link.target) == TAKEN
    if gives and not link.input:
        if not link.output:
            raise EditError("Pull it to a node first: what it hands on is not known yet.")
        outputs = body_at(graph_of(workflow, level), parent_of(link.target)).outputs
        link = link._replace(input=fresh_output(link.output, outputs))
    else:
        workflow, link = _with_input(workflow, level, link, spec_of)
    return connect(workflow, level, link, spec_of, known)


def _with_input(
    workflow: Workflow, level: str, link: Link, spec_of: SpecOf
) -> tuple[Workflow, Link]:
    if not level or link.source != GIVEN:
        raise EditError("Only a subgraph has inputs of its own. Link what is outside instead.")
    wanted = link.key if isinstance(link.key, str) and link.key else link.input
    if name_of(link.target) == TAKEN:
        workflow = add_port(workflow, level, wanted, "*", optional=True)
    else:
        end = input_end(workflow, level, link.target, link.input, spec_of)
        kind, optional = (end.type, end.optional) if end is not None else ("*", True)
        workflow = add_port(workflow, level, wanted, kind, optional)
    return workflow, link._replace(output=list(workflow.subgraphs[level].inputs)[-1])
