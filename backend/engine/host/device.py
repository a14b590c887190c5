"""Which device a job computes on."""

from __future__ import annotations

from collections.abc import Mapping

from backend.graph.document import Workflow
from backend.graph.spec import NodeSpec


def device_for(wanted: str, workflow: Workflow, specs: Mapping[str, NodeSpec]) -> str:
    """``cpu`` or ``cuda:N``. Torch is asked only for ``auto`` where a node of the workflow computes
    with a model, so that a workflow without any need not wait for it."""
    if wanted != "auto":
        return "cuda:0" if wanted == "cuda" else wanted
    if not computes(workflow, specs):
        return "cpu"
    import torch

    return "cuda:0" if torch.cuda.is_available() and torch.cuda.device_count() else "cpu"


def computes(workflow: Workflow, specs: Mapping[str, NodeSpec]) -> bool:
    """Whether any node, inner ones too, does model work."""
    todo = [workflow.graph, *(subgraph.graph for subgraph in workflow.subgraphs.values())]
    while todo:
        for node in todo.pop().nodes.values():
            if node.type in specs and specs[node.type].lane == "device":
                return True
            if node.body is not None:
                todo.append(node.body)
    return False
