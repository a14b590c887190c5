"""What a check says of a document: diagnostics, and the table of their codes.

A code never changes its meaning and is never used again. Each is told in ``docs/diagnostics.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Code:
    """A row of the table: how bad it is, and what it is in a few words."""

    code: str
    level: Level
    title: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to say of a document.

    ``place`` is a path in the file (``nodes.blur.params.radius``), ``sentence`` says what is wrong,
    ``fix`` what to do, or nothing where the sentence says it.
    """

    code: str
    level: Level
    place: str
    sentence: str
    fix: str = ""


_ROWS: tuple[tuple[str, Level, str], ...] = (
    ("W001", "error", "The file cannot be read"),
    ("W002", "error", "The file is too large"),
    ("W003", "error", "The file is not UTF-8"),
    ("W004", "error", "The file begins with a byte order mark"),
    ("W005", "error", "The file is not JSON"),
    ("W006", "error", "The file is nested too deep"),
    ("W007", "error", "A name stands twice"),
    ("W008", "error", "NaN or Infinity"),
    ("W009", "error", "Not a Weft workflow"),
    ("W010", "error", "Made by a newer Weft"),
    ("W011", "error", "A field has the wrong shape"),
    ("W012", "error", "A name cannot be an id"),
    ("W013", "error", "A link is not written as node.output"),
    ("W014", "error", "The file cannot be saved"),
    ("W015", "error", "A value cannot be written"),
    ("W101", "error", "Unknown node type"),
    ("W102", "error", "Node made by a newer Weft"),
    ("W103", "info", "Node lifted from an older version"),
    ("W104", "error", "Node cannot be lifted"),
    ("W105", "error", "Unknown subgraph"),
    ("W106", "error", "Subgraph contains itself"),
    ("W107", "error", "Expansion beyond its cap"),
    ("W108", "error", "Zone without a body"),
    ("W109", "error", "Body on a node that is no zone"),
    ("W110", "warning", "Unknown type of an input"),
    ("W201", "error", "Unknown parameter"),
    ("W202", "error", "Parameter of the wrong kind"),
    ("W203", "error", "Parameter out of range"),
    ("W204", "error", "Parameter not finite"),
    ("W205", "error", "Parameter is none of its choices"),
    ("W206", "error", "Parameter is no colour"),
    ("W207", "error", "Parameter takes no link"),
    ("W208", "warning", "Exposed parameter does not exist"),
    ("W209", "error", "Parameter is no layout of boxes"),
    ("W301", "error", "Required input is not linked"),
    ("W302", "error", "Unknown input"),
    ("W303", "error", "Unknown output"),
    ("W304", "error", "Link to a missing node"),
    ("W305", "error", "Types do not fit"),
    ("W306", "error", "Several links into a plain input"),
    ("W307", "error", "Link written in the wrong form"),
    ("W308", "error", "Cycle"),
    ("W309", "error", "Nothing passes a bypassed node"),
    ("W310", "info", "Left out because of a muted node"),
    ("W311", "error", "Lists of different length"),
    ("W312", "error", "List beyond its cap"),
    ("W313", "error", "Nothing of that name is handed in"),
    ("W314", "warning", "A subgraph takes no each"),
    ("W401", "warning", "Nothing to run"),
    ("W402", "info", "Result is not used"),
    ("W403", "error", "Wanted node does not exist"),
    ("W404", "error", "Wanted node is left out"),
    ("W405", "info", "Listed model is not used"),
    ("W406", "warning", "Unknown field"),
    ("W501", "error", "Carried value is never given"),
    ("W502", "error", "Reserved or doubled name in a zone"),
    ("W503", "error", "Carried value changes its type"),
    ("W504", "error", "stop is not yes or no"),
    ("W505", "warning", "Zone gives nothing"),
    ("W601", "error", "Node refuses what it is given"),
    ("W602", "warning", "Node could not say what it gives"),
)

CODES: Mapping[str, Code] = MappingProxyType({row[0]: Code(*row) for row in _ROWS})


def diagnose(code: str, place: str, sentence: str, fix: str = "") -> Diagnostic:
    """A diagnostic at the level of its code."""
    return Diagnostic(
        code, CODES[code].level, on_a_line(place), on_a_line(sentence), on_a_line(fix)
    )


def on_a_line(text: str) -> str:
    """Text from a stranger's file as one printable line of bounded length."""
    if len(text) > 1000:
        text = text[:997] + "..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
