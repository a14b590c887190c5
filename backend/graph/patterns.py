"""Regular expressions in linear time (RE2): no pattern can hang a run.

RE2 reads the usual syntax without back-references and look-around, which is what makes its time
linear in the text. The syntax is at https://github.com/google/re2/wiki/Syntax. Nothing is kept
between calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from backend.graph.errors import UserError

MAX_PATTERN = 1000
"""Characters of a pattern."""

MAX_TEXT = 200_000
"""Characters of a text that is searched."""

MAX_RESULT = 2_000_000
"""Characters of a text after replacing."""

MAX_MATCHES = 10_000
"""Matches that are found or replaced in one text."""

MAX_WORK = 10**9
"""Instructions of the compiled pattern times bytes of the text: the longest single search."""

MAX_SECONDS = 10.0
"""Each search is linear, but each match begins one; this bounds them together."""

_MEMORY = 1 << 20
"""Bytes that RE2 may use for one pattern; larger ones are refused while compiling."""

_REASONS = {
    "invalid perl operator: (?=": "looking ahead, (?=...), is not supported",
    "invalid perl operator: (?!": "looking ahead, (?!...), is not supported",
    "invalid perl operator: (?<": "looking behind, (?<=...) or (?<!...), is not supported",
    "invalid perl operator: (?>": "atomic groups, (?>...), are not supported",
    "invalid perl operator: (?(": "conditions, (?(...)...), are not supported",
    "invalid perl operator: (?P": "(?P=name), what an earlier group matched, is not supported",
    "missing ): ": "a ( is not closed",
    "missing ]: ": "a [ is not closed",
    "unexpected ): ": "a ) closes nothing",
    "no argument for repetition operator: ": "there is nothing to repeat before {}",
    "bad repetition operator: ": "{} repeats a repetition",
    "invalid repetition size: ": "{} repeats more than 1000 times in all",
    "invalid character class range: ": "{} is no class or range of characters",
    "trailing \\": "a \\ at the end stands for nothing",
    "duplicate capture group name: ": "two groups have the same name",
    "pattern too large": "it is too large once its repetitions are written out",
}


class PatternError(UserError):
    """A pattern that cannot be read or used, or a text that is too long for one."""


@dataclass(frozen=True)
class Match:
    """Where a pattern matched: ``start`` and ``end`` in characters, and its groups in order.

    A group that took no part in the match is the empty text.
    """

    start: int
    end: int
    text: str
    groups: tuple[str, ...]


class Pattern:
    """A compiled pattern; make one with ``compile_pattern``."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self.names: dict[str, int] = dict(compiled.groupindex)
        self.groups: int = compiled.groups

    def search(self, text: str) -> Match | None:
        """The first match in the text.

        Raises:
            PatternError: the text is too long for this pattern.
        """
        self._check(text)
        found = self._compiled.search(text)
        return None if found is None else _match(found)

    def find(self, text: str, check: Callable[[], None] = lambda: None) -> Iterator[Match]:
        """All matches from left to right, none overlapping; ``check`` is called between them.

        Raises:
            PatternError: the text is too long, or there are too many matches.
        """
        self._check(text)
        end = time.monotonic() + MAX_SECONDS
        for number, found in enumerate(self._compiled.finditer(text)):
            check()
            if number >= MAX_MATCHES:
                raise PatternError(
                    f"The pattern matches more than {MAX_MATCHES} times in this text; "
                    "make it match more at once, or split the text."
                )
            if time.monotonic() > end:
                raise PatternError(
                    f"Finding all matches takes more than {MAX_SECONDS:g} seconds; "
                    "each match reads far ahead, so make the pattern narrower or the text shorter."
                )
            yield _match(found)

    def replace(
        self,
        text: str,
        replacement: str,
        count: int = 0,
        check: Callable[[], None] = lambda: None,
    ) -> str:
        r"""The text with its matches replaced, the first ``count`` of them, or all for 0.

        In the replacement ``\1`` to ``\99`` and ``\g<name>`` stand for a group, ``\0`` and
        ``\g<0>`` for the whole match, ``\n`` and ``\t`` for a new line and a tab, and ``\\`` for
        one backslash.

        Raises:
            PatternError: the replacement names no group, or a limit is passed.
        """
        pieces = self._replacement(replacement)
        kept: list[str] = []
        at, size = 0, len(text)
        for number, match in enumerate(self.find(text, check), 1):
            whole = (match.text, *match.groups)
            new = "".join(p if isinstance(p, str) else whole[p] for p in pieces)
            size += len(new) - len(match.text)
            if size > MAX_RESULT:
                raise PatternError(f"After replacing, the text has more than {MAX_RESULT} letters.")
            kept += (text[at : match.start], new)
            at = match.end
            if number == count:
                break
        return "".join((*kept, text[at:]))

    def _check(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise PatternError(
                f"The text has {len(text)} characters; patterns search at most {MAX_TEXT}."
            )
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise PatternError(
                f"The text has half of a surrogate pair at character {error.start + 1}; "
                "it is no whole Unicode text."
            ) from None
        if self._compiled.programsize * size > MAX_WORK:
            raise PatternError(
                f"The pattern is too large for a text of {len(text)} characters; "
                "lower its repetition counts or shorten the text."
            )

    def _replacement(self, text: str) -> list[str | int]:
        """The replacement as literal texts and numbers of groups."""
        pieces: list[str | int] = []
        at = 0
        while at < len(text):
            slash = text.find("\\", at)
            if slash < 0:
                pieces.append(text[at:])
                break
            pieces.append(text[at:slash])
            piece, at = self._escape(text, slash + 1)
            pieces.append(piece)
        return pieces

    def _escape(self, text: str, at: int) -> tuple[str | int, int]:
        """What the escape whose letter stands at ``at`` means, and where it ends."""
        letter = text[at : at + 1]
        if letter and letter in "\\nt":
            return {"\\": "\\", "n": "\n", "t": "\t"}[letter], at + 1
        if letter == "g" and text[at + 1 : at + 2] == "<" and ">" in text[at:]:
            end = text.index(">", at)
            return self._group(text[at + 2 : end]), end + 1
        digits = "".join(c for c in text[at : at + 2] if c in "0123456789")
        if letter and letter in "0123456789":
            return self._group(digits), at + len(digits)
        raise PatternError(
            f"Replacement, column {at}: `\\{letter}` stands for nothing; "
            "write \\1 or \\g<name> for a group and \\\\ for a backslash."
        )

    def _group(self, name: str) -> int:
        plain = name.isascii() and name.isdigit() and len(name) <= 4
        number = int(name) if plain else self.names.get(name, -1)
        if 0 <= number <= self.groups:
            return number
        named = "".join(f", {n}" for n in sorted(self.names)[:12])
        raise PatternError(
            f"The replacement names a group {name[:40]!r}, but the pattern "
            f"has the groups 0 to {self.groups}{named}."
        )


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> Pattern:
    r"""Read a pattern. ``.`` does not match a new line unless the pattern says ``(?s)``.

    Raises:
        PatternError: it is too long or too large, or has what RE2 does not support.
    """
    import re2  # a compiled module: light, but only needed by those who search

    if len(pattern) > MAX_PATTERN:
        raise PatternError(
            f"The pattern has {len(pattern)} characters; at most {MAX_PATTERN} are read."
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignore_case
    try:
        compiled = re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise PatternError("The pattern is no whole Unicode text.") from None
    except re2.error as error:
        raise PatternError(f"Pattern: {_reason(error)}.") from None
    finally:
        re2.purge()  # RE2 would keep the last 128 patterns with their memory
    return Pattern(compiled)


def _match(found: Any) -> Match:
    return Match(found.start(), found.end(), found.group(), tuple(found.groups(default="")))


def _reason(error: Exception) -> str:
    """RE2's reason in words."""
    given = error.args[0] if error.args else ""
    text = given.decode(errors="replace") if isinstance(given, bytes) else str(given)
    if text.startswith("invalid escape sequence: \\"):
        return _escape_reason(text.removeprefix("invalid escape sequence: "))
    for start, sentence in _REASONS.items():
        if text.startswith(start):
            return sentence.replace("{}", f"`{text.removeprefix(start)[:40]}`")
    return text[:200]


def _escape_reason(escape: str) -> str:
    if escape[1:2].isdigit():
        return f"`{escape}`, what an earlier group matched, is not supported"
    if escape == "\\Z":
        return "`\\Z` is not known; write `\\z` for the end of the text"
    return f"`{escape}` stands for nothing; write `\\\\` for a backslash"
