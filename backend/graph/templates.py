"""Text templates: ``a {size} {color} circle, frame {n:04}``, safe to take from a stranger.

A field is a plain name in braces, after a colon how to write its value::

    {name}  {name:spec}      spec = [< > ^ or 0][width][.digits][d or f]

``<``, ``>`` and ``^`` put the value left, right or in the middle of ``width``; ``0`` fills a
number with zeros up to it; ``.digits`` and ``f`` write a number with that many digits after the
point (6 if not said), ``d`` as the nearest whole number. A text that is a number counts as one.
``{{`` and ``}}`` are braces. There are no attributes, indices or conversions.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from backend.graph.conversions import text_of
from backend.graph.errors import UserError

Scalar: TypeAlias = str | int | float | bool

MAX_TEMPLATE = 100_000
"""Characters of a template."""

MAX_RESULT = 1_000_000
"""Characters of a filled template."""

MAX_WIDTH = 1000
MAX_DIGITS = 20

_FIELD = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<spec>[^{}]*))?", re.ASCII)
_SPEC = re.compile(
    r"(?:(?P<align>[<>^])|(?P<zero>0))?(?P<width>[0-9]{0,5})(?:\.(?P<digits>[0-9]{1,3}))?(?P<kind>[df]?)"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


class TemplateError(UserError):
    """What is wrong with a template or a value for it, and where."""


@dataclass(frozen=True, slots=True)
class Spec:
    """How a value is written; ``digits`` is ``None`` where nothing is said."""

    align: str = ""
    zero: bool = False
    width: int = 0
    digits: int | None = None
    kind: str = ""

    @property
    def wants_number(self) -> bool:
        return self.zero or self.digits is not None or bool(self.kind)


@dataclass(frozen=True, slots=True)
class Field:
    """A place for a value; ``column`` counts from 1 in its ``line``."""

    name: str
    spec: Spec
    line: int
    column: int


@dataclass(frozen=True)
class Template:
    """A template that was read: literal texts and fields in turn."""

    parts: tuple[str | Field, ...]

    @property
    def names(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(part.name for part in self.parts if isinstance(part, Field))

    def check(self, known: Collection[str]) -> None:
        """See that every field has a value.

        Raises:
            TemplateError: the first that has none, and what it may have meant.
        """
        for part in self.parts:
            if isinstance(part, Field) and part.name not in known:
                raise TemplateError(_missing(part, known))

    def fill(self, values: Mapping[str, Scalar]) -> str:
        """The text with these values in it; values that no field names are left out.

        Raises:
            TemplateError: a field has no value or one that cannot be written as it says, or the
                text becomes too long.
        """
        self.check(values)
        pieces: list[str] = []
        size = 0
        for part in self.parts:
            pieces.append(part if isinstance(part, str) else _write(part, values))
            size += len(pieces[-1])
            if size > MAX_RESULT:
                raise TemplateError(f"The filled template has more than {MAX_RESULT} characters.")
        return "".join(pieces)


def parse_template(text: str) -> Template:
    """Read a template.

    Raises:
        TemplateError: it is too long, a brace is not closed or stands alone, or a field says
            something that fields cannot.
    """
    if len(text) > MAX_TEMPLATE:
        raise TemplateError(
            f"The template has {len(text)} characters; at most {MAX_TEMPLATE} are read."
        )
    parts: list[str | Field] = []
    at, line, line_start = 0, 1, 0
    for brace in re.finditer(r"\{\{|\}\}|\{[^{}]*\}?|\}", text):
        literal = text[at : brace.start()]
        if literal:
            parts.append(literal)
            if "\n" in literal:
                line += literal.count("\n")
                line_start = at + literal.rindex("\n") + 1
        found, at = brace.group(), brace.end()
        if found in ("{{", "}}"):
            parts.append(found[0])
        else:
            parts.append(_field(found, line, brace.start() - line_start + 1))
    if at < len(text):
        parts.append(text[at:])
    return Template(tuple(parts))


def fill(text: str, values: Mapping[str, Scalar]) -> str:
    """Read a template and fill it; see ``parse_template`` and ``Template.fill``."""
    return parse_template(text).fill(values)


def number_of(value: Scalar) -> int | float | None:
    """The number that a value is or that a text says, or ``None``; a boolean is no number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > 300 or not _NUMBER.fullmatch(text):
            return None
        value = int(text) if text.lstrip("+-").isdigit() else float(text)
    return value if -1e308 < value < 1e308 else None


def _field(text: str, line: int, column: int) -> Field:
    where = f"Template, line {line}, column {column}: "
    if text == "}":
        raise TemplateError(where + "a } stands alone; write }} for a brace.")
    if not text.endswith("}"):
        raise TemplateError(where + "this { is not closed; write {{ for a brace.")
    inner = text[1:-1]
    match = _FIELD.fullmatch(inner)
    if match is None:
        raise TemplateError(
            where + f"{{{inner[:40]}}} is no field; between the braces stands a plain name "
            "(a-z, A-Z, 0-9, _), and after a colon how to write it."
        )
    return Field(match["name"], _spec(match["spec"] or "", where), line, column)


def _spec(text: str, where: str) -> Spec:
    match = _SPEC.fullmatch(text)
    if match is None:
        raise TemplateError(
            where + f"`{text[:40]}` is no way to write a value; use a width such as 8, "
            "zeros such as 03, digits such as .2f, or d, with <, > or ^ before it."
        )
    width = int(match["width"] or 0)
    digits = None if match["digits"] is None else int(match["digits"])
    if width > MAX_WIDTH or (digits or 0) > MAX_DIGITS:
        raise TemplateError(
            where + f"the width is at most {MAX_WIDTH} and the digits are at most {MAX_DIGITS}."
        )
    if match["kind"] == "d" and digits is not None:
        raise TemplateError(where + "d writes a whole number, which has no digits after the point.")
    return Spec(match["align"] or "", bool(match["zero"]), width, digits, match["kind"])


def _write(field: Field, values: Mapping[str, Scalar]) -> str:
    where = f"Template, line {field.line}, column {field.column}: "
    value, spec = values[field.name], field.spec
    if not isinstance(value, str | int | float):
        raise TemplateError(
            where + f"{field.name} is a {type(value).__name__}, which is no text or number."
        )
    number = number_of(value)
    if number is None and not isinstance(value, str | bool):
        raise TemplateError(where + f"{field.name} is too large or not finite.")
    if spec.wants_number and number is None:
        raise TemplateError(
            where + f"{field.name} is written as a number here, but it is {_plain(value)[:40]!r}."
        )
    text = _digits(number, spec) if number is not None and spec.wants_number else _plain(value)
    if spec.zero:
        return text.zfill(spec.width)
    align = spec.align or ("<" if number is None else ">")
    return format(text, f"{align}{spec.width}") if spec.width else text


def _plain(value: Scalar) -> str:
    return value if isinstance(value, str) else text_of(value)


def _digits(number: int | float, spec: Spec) -> str:
    if spec.kind == "d":
        return str(round(number))
    if spec.digits is not None or spec.kind == "f":
        return format(number, f".{6 if spec.digits is None else spec.digits}f")
    return text_of(number)


def _missing(field: Field, known: Collection[str]) -> str:
    names = sorted(known)
    where = f"Template, line {field.line}, column {field.column}: "
    what = f"{where}no value is called {field.name[:40]}"
    close = difflib.get_close_matches(field.name[:40], names[:200], 1)
    if not names:
        return f"{what}; none is linked."
    if close:
        what += f"; did you mean {close[0]}?"
    return f"{what}; there are {', '.join(names[:12])}{' and more' if len(names) > 12 else ''}."
