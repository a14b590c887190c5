"""What a node says of itself, as plain data that can be sent, shown and cached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Arity = Literal["one", "list", "many", "named"]
"""``one`` value; a ``list``; ``many`` links in a growing row; links by name (``named``)."""

Lane = Literal["cpu", "device", "file"]
ParamKind = Literal[
    "number",
    "integer",
    "boolean",
    "text",
    "multiline",
    "choice",
    "seed",
    "color",
    "file",
    "folder",
    "model",
    "expression",
    "name",
    "values",
    "boxes",
]
"""Decides the widget. ``name`` is an output name template, ``values`` a list of scalars, ``boxes``
a list of ``{"box": [x, y, width, height], "caption": "..."}``."""

PARAM_TYPES: Mapping[str, str] = {
    "number": "Number",
    "integer": "Integer",
    "boolean": "Boolean",
    "text": "Text",
    "multiline": "Text",
    "choice": "Text",
    "seed": "Integer",
    "color": "Color",
    "file": "Text",
    "folder": "Text",
    "expression": "Text",
    "name": "Text",
}
"""Which socket type may be linked to a parameter of a kind; kinds not here take no link."""


@dataclass(frozen=True, slots=True)
class Socket:
    """An input or output. ``type`` is a name of the type table, or ``*T`` for a generic one."""

    name: str
    type: str
    arity: Arity = "one"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: its kind, default and limits. ``choices`` belong to kind ``choice``."""

    name: str
    kind: ParamKind
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def link_type(self) -> str | None:
        """The socket type that may be linked to it, or ``None`` where it takes no link."""
        return PARAM_TYPES.get(self.kind)


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node type. ``digest`` is that of the file which declares it; ``zone`` runs a body.

    ``hooks`` names what the node type can answer beside running: ``facts``, ``peak``, ``gives``,
    ``needs``, ``fingerprint``.
    """

    type: str
    version: int
    title: str
    category: str
    help: str
    inputs: tuple[Socket, ...] = ()
    params: tuple[Param, ...] = ()
    outputs: tuple[Socket, ...] = ()
    effect: bool = False
    lane: Lane = "cpu"
    zone: bool = False
    aliases: tuple[str, ...] = ()
    digest: str = ""
    hooks: tuple[str, ...] = ()

    def maps(self, socket: Socket) -> bool:
        """Whether a list that is linked to this input runs the node once per item.

        A growing row takes the items of a list, but not of a lazy node: that chooses among its
        links before it knows what they carry.
        """
        lazy_row = socket.arity == "many" and "needs" in self.hooks
        return lazy_row or socket.arity in ("one", "named")

    def input(self, name: str) -> Socket | None:
        return next((s for s in self.inputs if s.name == name), None)

    def param(self, name: str) -> Param | None:
        return next((p for p in self.params if p.name == name), None)

    def output(self, name: str) -> Socket | None:
        return next((s for s in self.outputs if s.name == name), None)
