"""The nodes of a level whose parameters are a box on a picture, and their boxes as edits."""

from __future__ import annotations

from app.document.edits.common import SpecOf, called
from app.document.edits.nodes import set_title
from app.document.edits.params import set_params
from app.document.level import graph_of, node_at, walk
from app.widgets.figures import bounded
from app.widgets.paint.boxes import Box
from backend.graph.document import Workflow
from backend.graph.spec import NodeSpec

SIDES = (("left", "top", "shape_width", "shape_height"), ("x", "y", "width", "height"))
"""Names that four parameters of a box have together: of a shape, and of a crop."""


def sides_of(spec: NodeSpec) -> tuple[str, ...] | None:
    """The names of the four parameters that are a box, or ``None`` where a node has none."""
    names = {param.name for param in spec.params if param.kind in ("number", "integer")}
    return next((sides for sides in SIDES if names.issuperset(sides)), None)


def boxes_of(workflow: Workflow, level: str, spec_of: SpecOf) -> tuple[Box, ...]:
    """The boxes of a level, by the path of their node, with its title as caption.

    A box of which a link feeds a side is not one for the hand.
    """
    found = []
    for path, node in walk(graph_of(workflow, level)):
        spec = spec_of(workflow, node)
        sides = sides_of(spec) if spec is not None else None
        if spec is None or sides is None or any(side in node.inputs for side in sides):
            continue
        values = []
        for side in sides:
            param = spec.param(side)
            value = node.params.get(side, param.default if param is not None else 0)
            values.append(float(value) if isinstance(value, int | float) else 0.0)
        oval = node.params.get("shape") == "ellipse"
        left, top, width, height = values
        caption = called(workflow, level, path)
        found.append(Box(path, caption, left, top, width, height, oval))
    return tuple(found)


def put_box(workflow: Workflow, level: str, box: Box, spec_of: SpecOf) -> Workflow:
    """Give the node of a box these sides, as far as its parameters allow.

    Raises:
        EditError: the node is locked.
        KeyError: there is no such node, or it has no box.
    """
    spec = spec_of(workflow, node_at(graph_of(workflow, level), box.key))
    sides = sides_of(spec) if spec is not None else None
    if spec is None or sides is None:
        raise KeyError(box.key)
    wanted = dict(zip(sides, (box.left, box.top, box.width, box.height), strict=True))
    values = {
        param.name: bounded(param, wanted[param.name])
        for param in spec.params
        if param.name in wanted
    }
    return set_params(workflow, level, {box.key: values})


def put_caption(workflow: Workflow, level: str, key: str, caption: str) -> Workflow:
    """Call the node of a box something else.

    Raises:
        EditError: the node is locked.
        KeyError: there is no such node.
    """
    return set_title(workflow, level, key, caption)
