"""Output name templates: ``portraits/{node}-{counter:4}`` and what fills them.

Grammar::

    name    = part { "/" part }
    part    = { text | "{{" | "}}" | "{" field [ ":" width ] "}" }
    field   = identifier [ "." identifier ]
    width   = whole number, 1 to 80

A whole number is padded with zeros to ``width`` digits; any other value is cut to ``width``
characters. Folders come only from ``/`` written in the template: what a field brings in is made
harmless first, so that a prompt or a parameter can never choose a folder or a hidden name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from backend.sdk import UserError
from backend.values.filenames import is_reserved

Field: TypeAlias = "str | int | float | bool | None"

COUNTER = "counter"
LONGEST_PART = 200
"""Bytes of one folder or file name, so that suffix, counter and sidecar fit the usual 255."""

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_-]*"
_TOKEN = re.compile(
    r"(?P<brace>\{\{|\}\})"
    rf"|\{{(?P<field>{_IDENTIFIER}(?:\.{_IDENTIFIER})?)(?::(?P<width>[0-9]{{1,2}}))?\}}"
    r"|(?P<text>[^{}]+)"
    r"|(?P<wrong>[{}][^{}]{0,40}\}?)"
)
_HARMFUL = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template: literal ``text``, or a ``field`` with its width (0 = none)."""

    text: str = ""
    field: str = ""
    width: int = 0


def parse_template(template: str) -> tuple[Token, ...]:
    """Split a template into its tokens.

    Raises:
        UserError: a brace stands alone, or a field or its width is malformed.
    """
    if len(template) > 1000:
        raise UserError("The output name is longer than 1000 characters. Shorten it.")
    tokens: list[Token] = []
    for match in _TOKEN.finditer(template):
        if match["wrong"]:
            raise UserError(
                f"The output name {template!r} has {match['wrong']!r} in it, which is no field. "
                "Write {name} or {name:5}, and {{ or }} for a brace."
            )
        if match["field"]:
            width = int(match["width"] or 0)
            if match["width"] and not 1 <= width <= 80:
                raise UserError(f"The output name {template!r}: a width is from 1 to 80.")
            tokens.append(Token(field=match["field"], width=width))
        else:
            tokens.append(Token(text=match["brace"][0] if match["brace"] else match["text"]))
    return tuple(tokens)


def fields_of(template: str) -> tuple[str, ...]:
    """The field names that a template uses, in order, each once.

    Raises:
        UserError: the template is malformed.
    """
    return tuple(dict.fromkeys(token.field for token in parse_template(template) if token.field))


@dataclass(frozen=True, slots=True)
class OutputName:
    """A filled template: its folders, and the file name with the place of the counter."""

    folders: tuple[str, ...]
    before: str
    after: str
    width: int
    counted: bool

    def stem(self, counter: int) -> str:
        """The file name without suffix. Uncounted names stay as they are for counter 1."""
        if self.counted:
            return f"{self.before}{counter:0{self.width or 1}d}{self.after}"
        return self.before if counter == 1 else f"{self.before}-{counter}"


def fill(template: str, fields: Mapping[str, Field]) -> OutputName:
    """Fill every field but the counter, and check that the name stays inside its folder.

    Raises:
        UserError: the template is malformed or empty, a field is unknown, the counter stands in a
            folder's name or twice, or the name is absolute, climbs with ``..``, is hidden, reserved
            on Windows, too long, or has characters that a file name cannot have.
    """
    mark = "\x00"
    tokens = parse_template(template)
    counters = [token for token in tokens if token.field == COUNTER]
    width = counters[0].width if counters else 0
    room = LONGEST_PART - width
    written = "".join(_text(template, token, fields, mark, room) for token in tokens)
    if any(_bytes(part) > room for part in written.split("/")):
        # Long values are shortened to equal shares of the room that the literal text leaves.
        literal = sum(_bytes(token.text) for token in tokens)
        filled = sum(bool(token.field) for token in tokens)
        share = max(8, (room - literal) // max(1, filled))
        written = "".join(_text(template, token, fields, mark, share) for token in tokens)
    *folders, last = [_tidy(template, part, room) for part in written.split("/")]
    if len(counters) > 1 or any(mark in part for part in folders):
        raise UserError(
            f"The output name {template!r}: {{counter}} may stand once, in the last part."
        )
    before, _, after = last.partition(mark)
    return OutputName(tuple(folders), before, after, width, bool(counters))


def harmless(value: str, longest: int = 80, most_bytes: int = LONGEST_PART) -> str:
    """Turn any text into a piece of a file name, without separators or a hidden beginning.

    It is cut to ``longest`` characters and ``most_bytes`` bytes.
    """
    text = _HARMFUL.sub("_", unicodedata.normalize("NFC", value))
    text = "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c
                   for c in text)  # fmt: skip
    text = " ".join(text.split()).lstrip(". ")[:longest]
    text = text.encode()[: most_bytes - 1].decode(errors="ignore").rstrip(". ")
    return f"_{text}" if is_reserved(text) else text or "_"


def _text(
    template: str, token: Token, fields: Mapping[str, Field], mark: str, most_bytes: int
) -> str:
    if not token.field:
        if any(unicodedata.category(c) in ("Cc", "Cs") for c in token.text):
            raise UserError(f"The output name {template!r} holds a control character.")
        return token.text
    if token.field == COUNTER:
        return mark
    if token.field not in fields:
        known = ", ".join(sorted({*fields, COUNTER})[:12])
        raise UserError(
            f"The output name {template!r} uses {{{token.field}}}, which is not known here. "
            f"There are {known}, and NODE.PARAM of any node."
        )
    value = fields[token.field]
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 200:
            raise UserError(
                f"The output name {template!r}: {{{token.field}}} is too long a number."
            )
        return f"{value:0{token.width or 1}d}"
    if isinstance(value, float):
        return harmless(f"{value:.6g}", token.width or 80, most_bytes)
    return harmless("" if value is None else str(value), token.width or 80, most_bytes)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _tidy(template: str, part: str, room: int) -> str:
    """Check one folder or file name of the filled template."""
    problem = ""
    if not part:
        problem = "is empty, begins or ends with '/', or has '//' in it"
    elif part in (".", ".."):
        problem = f"has {part!r} as a folder"
    elif part.startswith("."):
        problem = f"has the hidden name {part!r} in it"
    elif part != part.strip() or part.endswith("."):
        problem = f"has {part!r} in it, which begins or ends with a space or ends with a dot"
    elif is_reserved(part.replace("\x00", "1")):
        problem = f"has {part!r} in it, which Windows keeps for a device"
    elif _HARMFUL.search(part.replace("\x00", "")) or "\\" in part:
        problem = f"has a character in {part!r} that a file name cannot have"
    elif _bytes(part) > room:
        problem = f"is too long ({LONGEST_PART} bytes to a part)"
    if problem:
        raise UserError(
            f"The output name {template!r} {problem}. Outputs go below the output folder; write a "
            "plain name such as 'portraits/{node}-{counter}'."
        )
    return part
