"""What is needed to make a file again from what it carries, and to say what is not as it was.

What a file carries comes from a stranger: every field is looked at before it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.media.metadata import read_provenance
from backend.sdk import Saved, UserError

LONGEST = 120
"""Characters of one value that are told."""
SECTIONS = {
    "versions": "version of",
    "numerics": "",
    "nodes": "node",
    "models": "model",
    "files": "file",
}
"""What is compared of two provenances, and how each entry of it is called."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of all files of a run one is: the node that saved it, in which turns of the zones
    around it, for which item of a list, as which file of that call, and as which frame of a video.
    Each counts from 1; 0 stands for none."""

    node: str
    turns: tuple[int, ...] = ()
    item: int = 0
    save: int = 1
    frame: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that was ``then`` and is ``now``; empty where there is none."""

    what: str
    then: str
    now: str


def place_of(provenance: Mapping[str, Any]) -> Place:
    """The place of a file in its run.

    Raises:
        UserError: it is not told, or not in a way that Weft tells it.
    """
    node, turns = provenance.get("node"), provenance.get("turns", [])
    counts = [
        provenance.get(name, given) for name, given in (("item", 0), ("save", 1), ("frame", 0))
    ]
    if not (isinstance(node, str) and node and isinstance(turns, list)):
        raise UserError("The file does not say which node saved it, so it cannot be made again.")
    if not all(type(count) is int for count in (*turns, *counts)):
        raise UserError("What the file says of the node that saved it is damaged.")
    return Place(node, tuple(turns), *counts)


def made_again(place: Place, root: Path, saved: Iterable[Saved]) -> Path | None:
    """The file of a run that has a place, below the output folder ``root``."""
    for each in saved:
        path = root / each.path
        for file in _candidates(path, place.frame):
            told = read_provenance(file)
            if told is not None and place_of(told) == place:
                return file
    return None


def _candidates(path: Path, frame: int) -> Iterator[Path]:
    """A saved file, or of a saved folder the file of a frame."""
    if not path.is_dir():
        yield path
        return
    files = sorted(file for file in path.iterdir() if file.suffix != ".json")
    if 0 < frame <= len(files):
        yield files[frame - 1]


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What two files tell differently of their versions, numerics, nodes, models and files.

    A model that one of them knows only by its fast identity, which no other machine can compare,
    is told so.
    """
    found: list[Difference] = []
    for section, called in SECTIONS.items():
        old, new = (_entries(told.get(section)) for told in (then, now))
        for name in dict.fromkeys((*old, *new)):
            if old.get(name) != new.get(name):
                what = f"{called} {name}".strip()[:LONGEST]
                found.append(Difference(what, old.get(name, ""), new.get(name, "")))
    return tuple(found)


def _entries(section: Any) -> dict[str, str]:
    """A section as rows of text."""
    if isinstance(section, list):
        rows = [row for row in section if isinstance(row, dict)]
        section = {str(row.get("name")): row.get("hash") for row in rows}
    if not isinstance(section, dict):
        return {}
    return {str(name): _text(value) for name, value in section.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif isinstance(value, dict) and {"version", "digest"} == value.keys():
        text = f"{value['version']} {value['digest']}".strip()
    else:
        text = json.dumps(value)
    if text.startswith("fast:"):
        return f"{text[:17]}, not hashed"
    return text[:LONGEST]
