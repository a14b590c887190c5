"""What passes through a node that is taken out of a link, as it passes through a bypassed one."""

from __future__ import annotations

from app.document.edits.common import SpecOf
from app.document.edits.kinds import output_end
from app.document.level import Link, graph_of, links_into, node_at
from backend.graph.document import Workflow
from backend.graph.shape import SUBGRAPH
from backend.graph.types import is_generic


def passed(
    workflow: Workflow, level: str, path: str, output: str, spec_of: SpecOf
) -> tuple[str, str] | None:
    """The end (path and output) that a node would pass on to one of its outputs when bypassed.

    Of a zone that is the carried value of the same name, else the first link whose type fits
    (an input of the same name first, in a subgraph). ``None`` where nothing passes.
    """
    graph = graph_of(workflow, level)
    node = node_at(graph, path)
    feeds = list(links_into(graph, path))
    if node.body is not None:
        found = (k for k in feeds if (k.input, k.key) == ("carry", output))
        return _end(next(found, None))
    spec = spec_of(workflow, node)
    socket = spec.output(output) if spec is not None else None
    if spec is None or socket is None:
        return None
    wanted = output_end(workflow, level, path, output, spec_of).type
    names = [s.name for s in spec.inputs]
    if node.type.startswith(SUBGRAPH):
        names.sort(key=lambda name: name != output)
    for name in names:
        for link in feeds:
            if link.input == name and _fits(workflow, level, link, wanted, spec_of):
                return _end(link)
    return None


def _fits(workflow: Workflow, level: str, link: Link, wanted: str, spec_of: SpecOf) -> bool:
    given = output_end(workflow, level, link.source, link.output, spec_of).type
    return given == wanted or is_generic(given) or is_generic(wanted)


def _end(link: Link | None) -> tuple[str, str] | None:
    return (link.source, link.output) if link is not None else None
