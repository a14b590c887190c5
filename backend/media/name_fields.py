"""What name templates (``backend.media.names``) know of a workflow before it runs."""

from __future__ import annotations

from collections.abc import Mapping

from backend.graph.document import Workflow
from backend.graph.spec import NodeSpec
from backend.media.grants import Grants
from backend.media.names import Field

_PATHS = ("file", "folder", "model")


def scalars_of(
    workflow: Workflow, specs: Mapping[str, NodeSpec], grants: Grants
) -> dict[str, Field]:
    """``NODE.PARAM`` for every scalar parameter of the top-level nodes."""
    found: dict[str, Field] = {}
    for name, node in workflow.graph.nodes.items():
        spec = specs.get(node.type)
        for param in spec.params if spec else ():
            value = node.params.get(param.name, param.default)
            if param.kind in _PATHS and isinstance(value, str) and value:
                value = grants.portable(value)
            if isinstance(value, str | int | float | bool):
                found[f"{name}.{param.name}"] = value
    return found
