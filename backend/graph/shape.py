"""Documents to plain JSON values and back, as the types in ``document.py`` say.

One walk over the dataclasses serves reading, writing and the JSON Schema (``schema.py``), so the
three cannot disagree. Recursion here follows brackets in the file, which ``MAX_DEPTH`` bounds.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from backend.graph.caps import MAX_DEPTH
from backend.graph.document import Graph, Input, Node, Ref, Subgraph, Workflow

ID = "[A-Za-z_][A-Za-z0-9_-]{0,63}"
LINK = r"(?:\$|[A-Za-z_][A-Za-z0-9_-]{0,63})\.[A-Za-z_][A-Za-z0-9_]{0,63}"
SUBGRAPH = "subgraph:"

_ID = re.compile(ID)
_LINK = re.compile(LINK)
_FIRST = {Workflow: ("title", "about"), Subgraph: ("title", "inputs")}
_ID_KEYS = {(Graph, "nodes"), (Workflow, "subgraphs"), (Graph, "outputs"), (Subgraph, "inputs")}
_ALWAYS = {(Node, "version"), (Graph, "nodes")}

Reader: TypeAlias = Callable[[Any], Any]


class Misfit(Exception):
    """A value that has not the shape it should have; ``path`` is filled in on the way out."""

    def __init__(self, said: str, code: str = "W011") -> None:
        super().__init__(said)
        self.said = said
        self.code = code
        self.path: list[str] = []

    def under(self, step: str) -> Misfit:
        """The same, seen from one level further out."""
        self.path.insert(0, step)
        return self


@dataclasses.dataclass(frozen=True, slots=True)
class Slot:
    """One field of a class as it stands in the file; a ``spliced`` one has no key of its own."""

    name: str
    hint: Any
    required: bool
    always: bool
    id_keys: bool
    spliced: bool
    default: Any


@functools.cache
def slots(kind: Any) -> tuple[Slot, ...]:
    """The fields of a document class in the order in which they stand in the file."""
    hints = get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.name != "extra"}
    first = _FIRST.get(kind, ())
    names = [*first, *(name for name in fields if name not in first)]
    return tuple(_slot(kind, fields[name], hints[name]) for name in names)


def _slot(kind: type, field: dataclasses.Field[Any], hint: Any) -> Slot:
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    key = (kind, field.name)
    spliced = hint is Graph and field.name == "graph"
    return Slot(
        field.name,
        hint,
        required and not spliced,
        key in _ALWAYS,
        key in _ID_KEYS,
        spliced,
        default,
    )


def read(kind: Any, raw: Any) -> Any:
    """An object of a document class from a JSON value; unknown fields land in ``extra``.

    Raises:
        Misfit: a field is missing, or of another shape.
    """
    if not isinstance(raw, dict):
        raise Misfit(f"expected an object, found {named(raw)}")
    made, known = _read_fields(kind, raw)
    made["extra"] = _extra(raw, known)
    return kind(**made)


def _read_fields(kind: type, raw: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    made: dict[str, Any] = {}
    known: set[str] = set()
    for slot in slots(kind):
        name = slot.name
        if slot.spliced:
            inner, inner_known = _read_fields(slot.hint, raw)
            made[name] = slot.hint(**inner)
            known |= inner_known
            continue
        known.add(name)
        if name in raw:
            try:
                made[name] = _reader(slot.hint, slot.id_keys)(raw[name])
            except Misfit as misfit:
                raise misfit.under(name) from None
        elif slot.required:
            raise Misfit(f'"{name}" is missing')
    return made, known


def _extra(raw: dict[str, Any], known: set[str]) -> Mapping[str, Any]:
    return MappingProxyType({key: value for key, value in raw.items() if key not in known})


@functools.cache
def _reader(hint: Any, id_keys: bool = False) -> Reader:
    """The function that reads a value of one type."""
    if hint == Input:
        return _input
    if hint is Any:
        return lambda raw: raw
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and hint is not Ref:
        return functools.partial(read, hint)
    simple = {str: _text, int: _whole, float: _number, bool: _flag, Ref: _link}.get(hint)
    if simple is not None:
        return simple
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return functools.partial(_choice, arguments)
    if origin is tuple:
        return functools.partial(_row, _reader(arguments[0]))
    if origin in (Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return lambda raw: None if raw is None else _reader(inner)(raw)
    return functools.partial(_table, _reader(arguments[1]), id_keys)


def _text(raw: Any) -> str:
    if not isinstance(raw, str):
        raise Misfit(f"expected text, found {named(raw)}")
    return raw


def _whole(raw: Any) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 1:
        raise Misfit(f"expected a whole number of 1 or more, found {named(raw)}")
    return raw


def _number(raw: Any) -> float:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        try:
            value = float(raw) + 0.0
        except OverflowError:
            value = math.inf
        if math.isfinite(value):
            return value
    raise Misfit(f"expected a finite number, found {named(raw)}")


def _flag(raw: Any) -> bool:
    if not isinstance(raw, bool):
        raise Misfit(f"expected true or false, found {named(raw)}")
    return raw


def _choice(choices: tuple[str, ...], raw: Any) -> str:
    if not isinstance(raw, str) or raw not in choices:
        raise Misfit(f"expected {' or '.join(map(repr, choices))}, found {named(raw)}")
    return raw


def _link(raw: Any) -> Ref:
    if not isinstance(raw, str) or not _LINK.fullmatch(raw):
        raise Misfit(f'expected a link such as "node.output", found {named(raw)}', "W013")
    node, _, output = raw.partition(".")
    return Ref(node, output)


def _input(raw: Any) -> Input:
    if isinstance(raw, list):
        return _row(_link, raw)
    if isinstance(raw, dict):
        return _table(_link, False, raw)
    return _link(raw)


def _row(item: Reader, raw: Any) -> tuple[Any, ...]:
    if not isinstance(raw, list):
        raise Misfit(f"expected a list, found {named(raw)}")
    made = []
    for index, value in enumerate(raw):
        try:
            made.append(item(value))
        except Misfit as misfit:
            raise misfit.under(str(index)) from None
    return tuple(made)


def _table(item: Reader, id_keys: bool, raw: Any) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise Misfit(f"expected an object, found {named(raw)}")
    made = {}
    for key, value in raw.items():
        if id_keys and not _ID.fullmatch(key):
            raise bad_id(key)
        try:
            made[key] = item(value)
        except Misfit as misfit:
            raise misfit.under(key) from None
    return MappingProxyType(made)


def bad_id(key: str) -> Misfit:
    """What to say of a name that cannot be an id."""
    return Misfit(
        f"{short(key)} cannot be an id; use a letter or _ first, then letters, digits, _ and -, "
        "64 at most",
        "W012",
    )


def write(made: Any, depth: int = 0) -> dict[str, Any]:
    """The JSON value of a document object. Fields at their default are left out.

    Raises:
        Misfit: an id or a link could not be read again, or zones nest beyond the cap.
    """
    if depth > MAX_DEPTH:
        raise Misfit(f"it is nested more than {MAX_DEPTH} levels deep", "W006")
    raw: dict[str, Any] = {}
    kind: Any = type(made)
    for slot in slots(kind):
        value = getattr(made, slot.name)
        if slot.spliced:
            raw.update(write(value, depth))
        elif slot.required or _is_said(made, slot, value):
            try:
                raw[slot.name] = _written(value, depth, slot)
            except Misfit as misfit:
                raise misfit.under(slot.name) from None
    known = _known(kind)
    raw.update((key, value) for key, value in made.extra.items() if key not in known)
    return raw


@functools.cache
def _known(kind: Any) -> frozenset[str]:
    """The keys that a class has in the file; "weft" is the format version, written elsewhere."""
    names = {slot.name for slot in slots(kind)} | ({"weft"} if kind is Workflow else set())
    return frozenset(names | (_known(Graph) if "graph" in names else set()))


def _is_said(made: Any, slot: Slot, value: Any) -> bool:
    if slot.always and not (slot.name == "version" and made.type.startswith(SUBGRAPH)):
        return True
    if isinstance(slot.default, Mapping):
        return len(value) > 0
    return bool(value != slot.default)


def _written(value: Any, depth: int, slot: Slot) -> Any:
    if slot.hint is Any or get_args(slot.hint)[1:] == (Any,):
        return value
    if isinstance(value, Ref):
        text = str(value)
        if not _LINK.fullmatch(text):
            raise Misfit(f"{short(text)} is no link", "W013")
        return text
    if isinstance(value, Mapping):
        for key in value:
            if slot.id_keys and not _ID.fullmatch(key):
                raise bad_id(key)
        return {key: _inner(item, depth, slot, key) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_inner(item, depth, slot, str(i)) for i, item in enumerate(value)]
    if dataclasses.is_dataclass(value):
        return write(value, depth + 1)
    if isinstance(value, float) and abs(value) < 2**53 and value == int(value):
        return int(value)
    return value


def _inner(value: Any, depth: int, slot: Slot, step: str) -> Any:
    try:
        return _written(value, depth, slot)
    except Misfit as misfit:
        raise misfit.under(step) from None


def named(raw: Any) -> str:
    """A JSON value in words, for a sentence."""
    if raw is None or isinstance(raw, bool):
        return {None: "null", True: "true", False: "false"}[raw]
    if isinstance(raw, str):
        return short(raw)
    if isinstance(raw, int | float):
        return _named_number(raw)
    return "an object" if isinstance(raw, Mapping) else "a list"


def _named_number(raw: int | float) -> str:
    text: str | None = getattr(raw, "text", None)
    if text is None:
        plain = isinstance(raw, float) and raw.is_integer() and abs(raw) < 1e15
        text = str(int(raw) if plain else raw) if abs(raw) < 1e300 else ""
    return text if 0 < len(text) < 40 else "a huge number"


def short(text: str) -> str:
    """Text in quotes, cut where it is long, for a sentence."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
