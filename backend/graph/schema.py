"""The JSON Schema of workflow files, made from the types in ``document.py``."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from backend.graph.document import Graph, Input, Ref, Workflow
from backend.graph.migrate import format_version
from backend.graph.shape import ID, LINK, slots

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a workflow file in the present format version.

    Unknown fields are allowed everywhere, because files keep them.
    """
    made: dict[str, Any] = {}
    todo: list[Any] = [Workflow]
    while todo:
        kind = todo.pop()
        if kind.__name__ not in made:
            made[kind.__name__] = _object(kind, todo)
    top = made.pop("Workflow")
    top["properties"] = {"weft": {"const": format_version()}, **top["properties"]}
    top["required"] = ["weft", *top.get("required", [])]
    made["Link"] = {
        "type": "string",
        "pattern": f"^{LINK}$",
        "description": "A link: node.output, or $.input for what the enclosing graph is handed.",
    }
    return {"$schema": DRAFT, "title": "Weft workflow", **top, "$defs": dict(sorted(made.items()))}


def _object(kind: Any, todo: list[Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for slot in slots(kind):
        if slot.spliced:
            properties.update(_object(Graph, todo)["properties"])
            continue
        properties[slot.name] = _of(slot.hint, slot.id_keys, todo)
        if slot.required:
            required.append(slot.name)
    made = {"type": "object", "description": _about(kind), "properties": properties}
    return {**made, "required": required} if required else made


def _about(kind: Any) -> str:
    """The first sentence of a class's docstring."""
    text = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    return text.replace("``", "")


def _of(hint: Any, id_keys: bool, todo: list[Any]) -> dict[str, Any]:
    """The schema of one field by its type. Types nest a handful of levels."""
    if hint == Input:
        link = {"$ref": "#/$defs/Link"}
        row = {"type": "array", "items": link}
        return {"anyOf": [link, row, {"type": "object", "additionalProperties": link}]}
    plain: dict[Any, dict[str, Any]] = {
        Any: {},
        str: {"type": "string"},
        int: {"type": "integer", "minimum": 1},
        float: {"type": "number"},
        bool: {"type": "boolean"},
        Ref: {"$ref": "#/$defs/Link"},
    }
    if hint in plain:
        return plain[hint]
    if dataclasses.is_dataclass(hint):
        todo.append(hint)
        return {"$ref": f"#/$defs/{getattr(hint, '__name__', '')}"}
    arguments = get_args(hint)
    if get_origin(hint) is Literal:
        return {"enum": list(arguments)}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _of(arguments[0], False, todo)}
    if get_origin(hint) in (Union, types.UnionType):
        kept = [_of(a, False, todo) for a in arguments if a is not types.NoneType]
        return {"anyOf": [*kept, {"type": "null"}]}
    return _table(arguments[1], id_keys, todo)


def _table(item: Any, id_keys: bool, todo: list[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object"}
    inner: Mapping[str, Any] = _of(item, False, todo)
    if inner:
        made["additionalProperties"] = inner
    if id_keys:
        made["propertyNames"] = {"pattern": f"^{ID}$"}
    return made
