"""What turns one document into the next, as a small JSON text.

It holds ``whole``, a document as in a file; or else ``nodes``, new or changed nodes of the top
graph; ``gone``, those that are not there any more; ``order``, the ids of all, where they stand in
another order than what was and then what is new; and ``rest``, the document without its top nodes,
where anything of that has changed. Unlike a file it may hold numbers that no file can.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from backend.graph.document import Node, Workflow
from backend.graph.shape import read, write


def patch_between(old: Workflow | None, new: Workflow) -> str:
    """The text that ``patched`` makes ``new`` of, given ``old``. What is the same object is taken
    for unchanged; the layout is left out, since no check looks at it.

    Raises:
        Misfit: the document has a name that no file can hold.
    """
    if old is None:
        return _text({"whole": write(replace(new, layout=Workflow().layout))})
    before, after = old.graph.nodes, new.graph.nodes
    changed = {i: node for i, node in after.items() if before.get(i) is not node}
    told: dict[str, Any] = {"nodes": {i: write(node) for i, node in changed.items()}}
    told["gone"] = [node_id for node_id in before if node_id not in after]
    if list(after) != list(_merged(before, after, told["gone"])):
        told["order"] = list(after)
    if not _same_rest(old, new):
        told["rest"] = write(_bare(replace(new, layout=Workflow().layout)))
    return _text({name: value for name, value in told.items() if value})


def patched(old: Workflow | None, text: str) -> Workflow:
    """The next document. Nodes that are not named stay the same objects.

    Raises:
        KeyError: it is not a patch for this document.
    """
    told = json.loads(text)
    if "whole" in told:
        whole: Workflow = read(Workflow, told["whole"])
        return whole
    if old is None:
        raise KeyError("whole")
    made = {node_id: read(Node, raw) for node_id, raw in told.get("nodes", {}).items()}
    nodes = _merged(old.graph.nodes, made, told.get("gone", ()))
    if "order" in told:
        nodes = {node_id: nodes[node_id] for node_id in told["order"]}
    new: Workflow = read(Workflow, told["rest"]) if "rest" in told else old
    return replace(new, graph=replace(new.graph, nodes=MappingProxyType(nodes)))


def _merged(old: Mapping[str, Node], new: Mapping[str, Node], gone: Any) -> dict[str, Node]:
    """The old nodes in their order, changed ones in their places, then what is new."""
    left = dict(old)
    for node_id in gone:
        del left[node_id]
    return {**left, **new}


def _same_rest(old: Workflow, new: Workflow) -> bool:
    names = [f.name for f in fields(Workflow) if f.name not in ("graph", "layout")]
    same = all(_same(getattr(old, name), getattr(new, name)) for name in names)
    return same and _beside(old) == _beside(new)


def _beside(workflow: Workflow) -> tuple[Any, Any]:
    """What a top graph holds beside its nodes."""
    return dict(workflow.graph.outputs), dict(workflow.graph.extra)


def _same(first: Any, second: Any) -> bool:
    return first is second or bool(first == second)


def _bare(workflow: Workflow) -> Workflow:
    return replace(workflow, graph=replace(workflow.graph, nodes=MappingProxyType({})))


def _text(value: Any) -> str:
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot stand in a document")
