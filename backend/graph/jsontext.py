"""JSON text in and out: strict when reading, the same bytes every time when writing.

Standard: RFC 8259, narrowed by RFC 7493 (no name twice in an object), with caps on depth and on the
number of values, and without NaN and Infinity. Numbers that Python would print in another way keep
their spelling.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from backend.graph.caps import MAX_DEPTH, MAX_VALUES

WIDTH = 100
"""A list or object that fits on a line of this many columns is written on one."""

_MAX_DIGITS = 4000  # Python refuses to read or print whole numbers beyond 4300 digits
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[\[\]{}]|-?Infinity|NaN', re.DOTALL)
_COLON = re.compile(r"[ \t\r\n]*:")
_SURROGATE = re.compile("[\ud800-\udfff]")


class JsonError(Exception):
    """A text that is refused: its code in the table of diagnostics, what is wrong, and where."""

    def __init__(self, code: str, said: str, line: int = 0, column: int = 0) -> None:
        super().__init__(said)
        self.code = code
        self.said = said
        self.line = line
        self.column = column


class Spelled(float):
    """A number that is written back as it stood in the file (``1.50``, ``1e400``, ``-0``)."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Spelled:
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # it is made from its text
        return (self.text,)


class _Constant(Exception):
    pass


class _Duplicate(Exception):
    pass


def read_json(text: str) -> Any:
    """The value of a JSON text: dicts, lists, strings, numbers, booleans and ``None``.

    Raises:
        JsonError: it is not strict JSON, names a key twice, or is nested or filled beyond the caps.
    """
    _measure(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_float,
            parse_int=_whole,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        said = f"{error.msg[0].lower()}{error.msg[1:]}"
        raise JsonError("W005", said, error.lineno, error.colno) from None
    except _Duplicate:
        raise _duplicate(text) from None
    except _Constant as error:
        position = next((m.start() for m in _TOKEN.finditer(text) if m[0][-1:] in "Ny"), 0)
        raise _at(text, position, "W008", f"{error} is no number that a file can hold") from None


def _measure(text: str) -> None:
    brackets = text.count("[") + text.count("{")
    if brackets + text.count(",") > MAX_VALUES:
        raise JsonError("W002", f"it holds more than {MAX_VALUES} values")
    if brackets <= MAX_DEPTH:
        return
    depth = 0
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                said = f"it is nested more than {MAX_DEPTH} levels deep"
                raise _at(text, match.start(), "W006", said)
        elif mark in ("]", "}"):
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Duplicate
    return made


def _float(text: str) -> float:
    plain = float(text)
    return plain if repr(plain) == text else Spelled(text)


def _whole(text: str) -> int | float:
    return Spelled(text) if text == "-0" or len(text) > _MAX_DIGITS else int(text)


def _constant(name: str) -> Any:
    raise _Constant(name)


def _duplicate(text: str) -> JsonError:
    seen: list[set[str]] = []
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in ("[", "{"):
            seen.append(set())
        elif mark in ("]", "}"):
            seen.pop()
        elif mark[0] == '"' and _COLON.match(text, match.end()):
            key = json.loads(mark)
            if key in seen[-1]:
                return _at(text, match.start(), "W007", f"{json.dumps(key)} stands there twice")
            seen[-1].add(key)
    return JsonError("W007", "a name stands twice in one object")


def _at(text: str, position: int, code: str, said: str) -> JsonError:
    line = text.count("\n", 0, position) + 1
    return JsonError(code, said, line, position - text.rfind("\n", 0, position))


def write_json(value: Any) -> str:
    """The text of a JSON value: two spaces a level, short lists and objects on one line.

    Raises:
        JsonError: a value is not of JSON (NaN too), or it is nested beyond the cap.
    """
    if not isinstance(value, Mapping | list | tuple):
        return _scalar(value)
    stack = [_Open("", value, 0)]
    while True:
        top = stack[-1]
        for prefix, item in top.left:
            if isinstance(item, Mapping | list | tuple):
                if len(stack) >= MAX_DEPTH:
                    raise JsonError("W006", f"it is nested more than {MAX_DEPTH} levels deep")
                stack.append(_Open(prefix, item, len(stack)))
                break
            top.add(prefix + _scalar(item))
        else:
            stack.pop()
            if not stack:
                return top.text()
            stack[-1].add(top.text(), nested=True)


class _Open:
    """A list or object that is being written, with the texts of the items that are done."""

    def __init__(self, prefix: str, value: Any, level: int) -> None:
        self.prefix = prefix
        self.marks = "{}" if isinstance(value, Mapping) else "[]"
        self.level = level
        self.left = _items(value)
        self.done: list[str] = []
        self.width = 2 * level + len(prefix) + 3
        self.broken = False

    def add(self, text: str, nested: bool = False) -> None:
        self.done.append(text)
        self.width += len(text) + 2
        # The document, and the tables in it, get a line for each entry: edits stay small in a diff.
        outer = self.level == 0 or (self.level == 1 and nested)
        self.broken = self.broken or outer or "\n" in text

    def text(self) -> str:
        first, last = self.marks[0], self.marks[1]
        if not self.done or (not self.broken and self.width <= WIDTH):
            return f"{self.prefix}{first}{', '.join(self.done)}{last}"
        indent = "  " * self.level
        lines = f",\n{indent}  ".join(self.done)
        return f"{self.prefix}{first}\n{indent}  {lines}\n{indent}{last}"


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return iter([("", item) for item in value])
    for key in value:
        if not isinstance(key, str):
            raise JsonError("W015", f"the name {key!r} is not text")
    return iter([(_string(key) + ": ", item) for key, item in value.items()])


def _string(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii():
        return text
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Spelled):
        return value.text
    if isinstance(value, int) and value.bit_length() < 13_000:
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))
    raise JsonError("W015", f"{type(value).__name__!s} {str(value)[:40]} cannot be written")
