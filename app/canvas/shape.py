"""Where everything of a node lies: rows, sockets, picture, footer. Pure, in the node's own pixels.

A shape is made anew when its node, its spec or what it shows changes, never while painting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from app.canvas.measure import (
    FOOTER,
    HEADER,
    INSET,
    LINE,
    MAX_LINES,
    PAD,
    REGULAR,
    SHOWN,
    WIDTH,
    Rows,
)
from app.canvas.text import wrap
from app.labels import label, value_words
from app.words import tr
from backend.graph.document import Node, Placement
from backend.graph.spec import NodeSpec, Param
from backend.graph.spec import Socket as SpecSocket

Side = Literal["in", "out", "given", "taken"]
"""``given`` and ``taken`` are the inner sides of a zone's edges."""


class Place(NamedTuple):
    """A socket of a level: of a node's side, by its name and its key in a row of links."""

    path: str
    side: Side
    name: str
    key: int | str | None = None


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket on a node. ``free`` is the place in a growing row where the next link goes."""

    side: Side
    name: str
    key: int | str | None
    type: str
    x: float
    y: float
    text: str
    many: bool = False
    needed: bool = False
    joined: bool = False
    free: bool = False
    param: bool = False
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter's row: a well with its label and value, or (``lines``) words."""

    param: Param
    value: Any
    text: str
    y: float
    height: float = REGULAR.field
    share: float | None = None
    joined: bool = False
    lines: tuple[str, ...] = ()
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a node, from its corner."""

    width: float
    height: float
    sockets: tuple[Socket, ...] = ()
    fields: tuple[Field, ...] = ()
    more: int = 0
    more_y: float = 0.0
    picture_y: float = 0.0
    picture_height: float = 0.0
    message_y: float = 0.0
    message: tuple[str, ...] = ()
    footer_y: float = 0.0
    collapsed: bool = False
    rows: Rows = REGULAR
    places: Mapping[tuple[Side, str, int | str | None], Socket] = field(default_factory=dict)

    def socket(self, side: Side, name: str, key: int | str | None = None) -> Socket | None:
        """The socket where a link of this name and key ends."""
        return self.places.get((side, name, key)) or self.places.get((side, name, None))


class Shown(NamedTuple):
    """What a node shows beside what its document says."""

    facts: Mapping[str, str] = {}
    """In words, by output; those of inputs by ``>name``."""
    picture: float = 0.0
    """Height of the picture by its width; 0 for none."""
    message: tuple[str, ...] = ()
    """Lines of a failure, in the body."""
    wrong: frozenset[str] = frozenset()
    """Parameters with a problem."""
    open: bool = False
    """All parameters are shown."""


def shape_of(
    node: Node,
    spec: NodeSpec | None,
    placement: Placement | None,
    shown: Shown,
    outputs: Mapping[str, int],
    rows: Rows = REGULAR,
) -> Shape:
    """Lay a node out.

    Args:
        node: As the document has it.
        spec: Of its type; ``None`` where the type is not installed, then what the document links
            is shown.
        placement: Its width, and whether it is collapsed.
        shown: What it shows.
        outputs: How many links leave each of its outputs.
        rows: How high its rows are.
    """
    width = (placement.width if placement is not None else None) or WIDTH
    if placement is not None and placement.collapsed:
        return _collapsed(node, spec, width, outputs)
    ins = list(_inputs(node, spec, shown, width))
    outs = list(_outputs(spec, shown, width, outputs))
    sockets, y = [], rows.first
    for row in range(max(len(ins), len(outs))):
        sockets += [_at(each[row], y) for each in (ins, outs) if row < len(each)]
        y += rows.row
    top = y - rows.row / 2
    fields, param_sockets, hidden, top = _fields(node, spec, shown, width, top, rows)
    more_y = top
    top += rows.row if hidden else 0
    picture_y, picture_height = top + 4, 0.0
    if shown.picture:
        inner = width - 2 * INSET
        picture_height = min(inner * shown.picture, width)
        top += picture_height + 8
    message_y, message = top + 4, shown.message
    if spec is None:
        message = wrap(tr("No pack on this machine brings it. Its values are kept."), width - 28, 3)
    if message:
        top += len(message) * LINE + 20
    found = (*sockets, *param_sockets)
    return Shape(
        width,
        top + PAD + FOOTER,
        found,
        tuple(fields),
        hidden,
        more_y,
        picture_y,
        picture_height,
        message_y,
        message,
        top + PAD,
        rows=rows,
        places={(s.side, s.name, s.key): s for s in found},
    )


def _at(socket: Socket, y: float) -> Socket:
    """Another place for a socket; by hand, since ``replace`` takes five times as long."""
    return Socket(
        socket.side, socket.name, socket.key, socket.type, socket.x, y, socket.text, socket.many,
        socket.needed, socket.joined, socket.free, socket.param, socket.fact,
    )  # fmt: skip


def _collapsed(
    node: Node, spec: NodeSpec | None, width: float, outputs: Mapping[str, int]
) -> Shape:
    """Only the header: links end at the middle of its edges."""
    places: dict[tuple[Side, str, int | str | None], Socket] = {}
    shown = Shown()
    for socket in (*_inputs(node, spec, shown, width), *_outputs(spec, shown, width, outputs)):
        if socket.joined:
            places[(socket.side, socket.name, socket.key)] = _at(socket, HEADER / 2)
    for name in node.inputs:
        if spec is not None and (param := spec.param(name)) is not None:
            kind = param.link_type or "*"
            places["in", name, None] = Socket(
                "in", name, None, kind, 0, HEADER / 2, label(name), joined=True, param=True
            )
    return Shape(width, HEADER, tuple(places.values()), collapsed=True, places=places)


def _inputs(node: Node, spec: NodeSpec | None, shown: Shown, width: float) -> Iterator[Socket]:
    if spec is None:
        for name, given in node.inputs.items():
            for key in _keys(given):
                text = label(name) if key is None else f"{label(name)} {key}"
                yield Socket("in", name, key, "*", 0, 0, text, joined=True)
        return
    for each in spec.inputs:
        linked = node.inputs.get(each.name)
        keys = _keys(linked) if linked is not None else []
        for key in keys:
            yield _input(each, key, shown, True)
        if each.arity in ("many", "named"):
            key = len(keys) if each.arity == "many" else ""
            yield Socket(
                "in", each.name, key, each.type, 0, 0, label(each.name), free=True,
                needed=not keys and not each.optional,
            )  # fmt: skip
        elif not keys:
            yield _input(each, None, shown, False)


def _input(each: SpecSocket, key: int | str | None, shown: Shown, joined: bool) -> Socket:
    text = label(each.name)
    if isinstance(key, str):
        text = label(key)
    elif isinstance(key, int):
        text = f"{text} {key + 1}"
    needed = not joined and not each.optional
    fact = shown.facts.get(f">{each.name}", "") if joined else ""
    many = each.arity == "list"
    return Socket("in", each.name, key, each.type, 0, 0, text, many, needed, joined, fact=fact)


def _keys(given: Any) -> list[int | str | None]:
    if isinstance(given, Mapping):
        return list(given)
    return list(range(len(given))) if isinstance(given, tuple) else [None]


def _outputs(
    spec: NodeSpec | None, shown: Shown, width: float, outputs: Mapping[str, int]
) -> Iterator[Socket]:
    known = {each.name: each for each in spec.outputs} if spec is not None else {}
    for name in (*known, *(name for name in outputs if name not in known)):
        each = known.get(name)
        yield Socket(
            "out", name, None, each.type if each is not None else "*", width, 0, label(name),
            many=each is not None and each.arity == "list", joined=name in outputs,
            fact=shown.facts.get(name, ""),
        )  # fmt: skip


def _fields(
    node: Node, spec: NodeSpec | None, shown: Shown, width: float, top: float, rows: Rows
) -> tuple[list[Field], list[Socket], int, float]:
    fields: list[Field] = []
    sockets: list[Socket] = []
    if spec is None:
        return fields, sockets, 0, top
    wanted = set(_wanted(node, spec, shown))
    for param in spec.params:
        joined = param.name in node.inputs
        if param.name not in wanted:
            continue
        made = _field(node, param, shown, joined, width, top, rows)
        fields.append(made)
        if joined:
            sockets.append(
                Socket("in", param.name, None, param.link_type or "*", 0, top + rows.row / 2,
                       label(param.name), joined=True, param=True)
            )  # fmt: skip
        top += made.height + 4
        if made.lines:
            top += 2
    return fields, sockets, len(spec.params) - len(wanted), top


def _wanted(node: Node, spec: NodeSpec, shown: Shown) -> Iterator[str]:
    """The first parameters, and every one that says something of its own."""
    for number, param in enumerate(spec.params):
        own = node.params.get(param.name, param.default) != param.default
        linked = param.name in node.inputs
        if shown.open or number < SHOWN or own or linked or param.name in shown.wrong:
            yield param.name


def _field(
    node: Node, param: Param, shown: Shown, joined: bool, width: float, top: float, rows: Rows
) -> Field:
    value = node.params.get(param.name, param.default)
    wrong = param.name in shown.wrong
    if param.kind == "multiline" and not joined:
        lines = wrapped(str(value), width - 2 * INSET - 16)
        height = max(len(lines), 1) * LINE + 10
        return Field(param, value, str(value), top + 2, height, lines=lines or ("",), wrong=wrong)
    share = None
    low, high = param.minimum, param.maximum
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and low is not None and high is not None and high - low <= 10_000 and high > low:
        share = min(1.0, max(0.0, (float(value) - low) / (high - low)))
    words = value_words(value, param.kind)
    return Field(param, value, words, top + 2, rows.field, share, joined, wrong=wrong)


def wrapped(text: str, width: float) -> tuple[str, ...]:
    """Words in lines of at most so many pixels, at most six; the last ends in an ellipsis where
    more follows."""
    lines = wrap(text, width, MAX_LINES + 1)
    if len(lines) <= MAX_LINES:
        return tuple(lines)
    return (*lines[: MAX_LINES - 1], lines[MAX_LINES - 1].rstrip() + "…")
