"""The part of JSON Schema (2020-12) that a text can be made to follow, read into plain data.

Whatever a schema asks for is followed or refused, never left out. Light.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, TypeAlias

from backend.diffusion.errors import DiffusionError
from backend.models.language.decimals import PLACES

MAX_DEPTH = 8
"""Levels to which objects and arrays may nest."""

MAX_PARTS = 2000
"""Types, properties and values that a schema may have once its references are written out."""

MAX_TEXT = 100_000
"""Characters and items that a schema may ask for at least, or allow at most where it says so."""

WHOLE = 2**53 - 1
"""The largest whole number that is written: what every reader of JSON reads exactly."""

REAL = Decimal(10) ** 9 - Decimal(1).scaleb(-PLACES)
"""The largest other number: with six places after the point it has 15 digits, so a float is it."""

NOTES = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
    ]
)
"""Keywords that ask for nothing."""


@dataclass(frozen=True, slots=True)
class Literals:
    """One of some values, each as JSON."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextNode:
    """A string of so many characters; ``most`` ``None`` for any."""

    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class NumberNode:
    """A number from ``low`` to ``high``, both included, with up to ``places`` after the point."""

    low: Decimal
    high: Decimal
    places: int


@dataclass(frozen=True, slots=True)
class ArrayNode:
    """A list of so many items; ``most`` ``None`` for any number."""

    item: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Property:
    """One property of an object."""

    name: str
    value: Node
    required: bool


@dataclass(frozen=True, slots=True)
class ObjectNode:
    """An object with these properties, in this order, and no others."""

    properties: tuple[Property, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of several."""

    choices: tuple[Node, ...]


Node: TypeAlias = Literals | TextNode | NumberNode | ArrayNode | ObjectNode | Either


def read_schema(text: str) -> Node:
    """The schema in a text.

    Raises:
        DiffusionError: it is not JSON, asks for something that is not followed here, refers to
            itself, is too large, or allows nothing.
    """

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON number")

    try:
        schema = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise DiffusionError(
            f"The schema is not JSON ({str(error)[:120]}). Write one like "
            '{"type": "object", "properties": {"title": {"type": "string"}}}.'
        ) from error
    if not isinstance(schema, dict):
        raise _wrong("", 'is no object; write one like {"type": "string"}')
    return _Reader(schema).node(schema, "", 0, ())


def _wrong(where: str, what: str) -> DiffusionError:
    return DiffusionError(f"The schema{f' at {where}' if where else ''} {what}.")


class _Reader:
    """Reads the nodes of one schema, counting them."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._parts = 0

    def node(self, given: Any, where: str, depth: int, through: tuple[str, ...]) -> Node:
        """``where`` is the way to it for a message, ``through`` the references that led here."""
        self._count(where)
        if not isinstance(given, dict):
            raise _wrong(where, "has no type; say which, such as string, number or object")
        if depth > MAX_DEPTH:
            raise _wrong(where, f"nests deeper than {MAX_DEPTH} levels; make it flatter")
        asks = {key: value for key, value in given.items() if key not in NOTES}
        if "$ref" in asks:
            return self._referred(asks, where, depth, through)
        if "anyOf" in asks:
            self._known(asks, ("anyOf",), where)
            choices = asks["anyOf"]
            if not isinstance(choices, list) or not choices:
                raise _wrong(where, "has an anyOf that is no list of schemas")
            return Either(
                tuple(self.node(c, f"{where}/anyOf", depth + 1, through) for c in choices)
            )
        if "enum" in asks or "const" in asks:
            return self._literals(asks, where)
        kind = asks.pop("type", None)
        if isinstance(kind, list) and kind:
            return Either(tuple(self._typed(str(k), asks, kind, where, depth, through)
                                for k in kind))  # fmt: skip
        return self._typed(str(kind), asks, [kind], where, depth, through)

    def _typed(
        self,
        kind: str,
        asks: Mapping[str, Any],
        kinds: Sequence[Any],
        where: str,
        depth: int,
        through: tuple[str, ...],
    ) -> Node:
        """One of the ``kinds`` of a node; a keyword is about its own kind only."""
        allowed = [word for k in kinds for word in _KEYWORDS.get(str(k), ())]
        self._known(asks, allowed, where)
        if kind == "null":
            return Literals(("null",))
        if kind == "boolean":
            return Literals(("true", "false"))
        if kind == "string":
            return TextNode(*self._sizes(asks, "minLength", "maxLength", where))
        if kind in ("integer", "number"):
            return _number(kind, asks, where)
        if kind == "array":
            if "items" not in asks:
                raise _wrong(where, "is an array without items; say of what it is a list")
            item = self.node(asks["items"], f"{where}/items", depth + 1, through)
            return ArrayNode(item, *self._sizes(asks, "minItems", "maxItems", where))
        if kind == "object":
            return self._object(asks, where, depth, through)
        raise _wrong(
            where,
            "has no type" if kind == "None" else f"has the type {kind!r}, which JSON does not have",
        )

    def _object(
        self, asks: Mapping[str, Any], where: str, depth: int, through: tuple[str, ...]
    ) -> Node:
        properties, required = asks.get("properties", {}), asks.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise _wrong(where, "has properties that are no object, or required that is no list")
        missing = [str(name) for name in required if name not in properties]
        if missing:
            raise _wrong(where, f"requires {missing[0]!r}, but its properties do not tell of it")
        return ObjectNode(
            tuple(
                Property(
                    _sound(name, where),
                    self.node(value, f"{where}/{name}", depth + 1, through),
                    name in required,
                )
                for name, value in properties.items()
            )
        )

    def _literals(self, asks: Mapping[str, Any], where: str) -> Node:
        self._known(asks, ("enum", "const", "type"), where)
        values = asks.get("enum", [asks.get("const")])
        if not isinstance(values, list):
            raise _wrong(where, "has an enum that is no list of values")
        if "const" in asks:
            values = [v for v in values if _same(v, asks["const"])]
        kinds = asks.get("type")
        if kinds is not None:
            names = kinds if isinstance(kinds, list) else [kinds]
            values = [v for v in values if any(_is(v, str(name)) for name in names)]
        if not values:
            raise _wrong(where, "allows no value; look at its enum, const and type")
        self._count(where, len(values))
        try:
            texts = [
                json.dumps(v, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
                for v in values
            ]
        except ValueError as error:
            raise _wrong(where, "has a value that is too large for a number") from error
        return Literals(tuple(dict.fromkeys(_sound(text, where) for text in texts)))

    def _referred(
        self, asks: Mapping[str, Any], where: str, depth: int, through: tuple[str, ...]
    ) -> Node:
        self._known(asks, ("$ref",), where)
        ref = str(asks["$ref"])
        if ref in through or ref == "#":
            raise _wrong(where, f"refers to itself by {ref!r}; write out as many levels as needed")
        found: Any = self._root
        for step in ref.split("/")[1:] if ref.startswith("#/") else ():
            step = step.replace("~1", "/").replace("~0", "~")
            found = found.get(step) if isinstance(found, dict) else None
        if not ref.startswith("#/") or found is None:
            raise _wrong(where, f"refers to {ref!r}, which is not in this schema")
        return self.node(found, where, depth, (*through, ref))

    def _sizes(
        self, asks: Mapping[str, Any], low: str, high: str, where: str
    ) -> tuple[int, int | None]:
        sizes = []
        for name in (low, high):
            size = asks.get(name)
            whole = size is None or (
                isinstance(size, int | float) and not isinstance(size, bool) and size == int(size)
            )
            if not whole or (size is not None and not 0 <= size <= MAX_TEXT):
                raise _wrong(where, f"has a {name} that is no whole number from 0 to {MAX_TEXT}")
            sizes.append(size)
        least, most = int(sizes[0] or 0), sizes[1]
        if most is not None and most < least:
            raise _wrong(where, f"has a {high} below its {low}")
        return least, None if most is None else int(most)

    def _known(self, asks: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
        for name in asks:
            if name not in allowed:
                raise _wrong(where, f"asks for {name!r}, which is not followed here; remove it")

    def _count(self, where: str, parts: int = 1) -> None:
        self._parts += parts
        if self._parts > MAX_PARTS:
            raise _wrong(where, f"has more than {MAX_PARTS} parts; make it smaller")


_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength"),
    "integer": _LIMITS,
    "number": _LIMITS,
    "array": ("items", "minItems", "maxItems"),
    "object": ("properties", "required", "additionalProperties"),
}


def _number(kind: str, asks: Mapping[str, Any], where: str) -> NumberNode:
    """The limits on the grid of numbers that are written; an open one moves to the next."""
    places = 0 if kind == "integer" else PLACES
    top = Decimal(WHOLE) if kind == "integer" else REAL
    grid = Decimal(1).scaleb(-places)
    limits: list[Decimal] = []
    for name, sign, rounding in (("inimum", -1, ROUND_CEILING), ("aximum", 1, ROUND_FLOOR)):
        edge = sign * top
        for key, is_open in (("m" + name, False), ("exclusiveM" + name, True)):
            if key not in asks:
                continue
            limit = asks[key]
            if isinstance(limit, bool) or not isinstance(limit, int | float):
                raise _wrong(where, f"has a {key} that is no number")
            # beyond the top all limits are the same, and 1e999 is beyond it
            exact = (
                Decimal(repr(limit)) if math.isfinite(limit) else 2 * top * (1 if limit > 0 else -1)
            )
            exact = max(min(exact, 2 * top), -2 * top)
            on = exact.quantize(grid, rounding=rounding)
            if is_open and on == exact:
                on -= sign * grid
            edge = min(edge, on) if sign > 0 else max(edge, on)
        limits.append(edge)
    if limits[0] > limits[1]:
        rest = "" if kind == "integer" else f" with {PLACES} places after the point"
        raise _wrong(where, f"allows no {kind}{rest} between its limits and {top} either way")
    return NumberNode(limits[0], limits[1], places)


def _sound(text: str, where: str) -> str:
    """A text that can be written in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _wrong(where, f"has the text {text!r} with half a character in it") from error
    return text


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: _counts(v) and float(v).is_integer(),
    "number": lambda v: _counts(v),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is(value: Any, kind: str) -> bool:
    return kind in _TYPES and _TYPES[kind](value)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but not true."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or (
        _counts(one) and _counts(other) and one == other
    )
