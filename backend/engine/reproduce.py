"""What is needed to make a file again from what it carries, and to say what is not as it was.

What a file carries comes from a stranger: every field is looked at before it is used.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from backend.graph.document import Graph, Node, Workflow
from backend.graph.spec import NodeSpec
from backend.media.grants import Grants
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


def with_files(
    workflow: Workflow, specs: Mapping[str, NodeSpec], base: Path, roots: Sequence[Path]
) -> Workflow:
    """The workflow with the files and folders that it names, and that are not below ``base``, from
    ``roots`` where one has them: a file carries its workflow away from the files that it read."""
    places = [Grants(base, (base,))]
    places += [Grants(root if root.is_dir() else root.parent, (root,)) for root in roots]

    def node(given: Node) -> Node:
        spec, params = specs.get(given.type), dict(given.params)
        for param in spec.params if spec else ():
            ref = params.get(param.name)
            if param.kind in ("file", "folder") and isinstance(ref, str) and ref:
                params[param.name] = _found(ref, places)
        body = graph(given.body) if given.body is not None else None
        return replace(given, params=MappingProxyType(params), body=body)

    def graph(given: Graph) -> Graph:
        nodes = {name: node(each) for name, each in given.nodes.items()}
        return replace(given, nodes=MappingProxyType(nodes))

    subgraphs = {n: replace(s, graph=graph(s.graph)) for n, s in workflow.subgraphs.items()}
    return replace(workflow, graph=graph(workflow.graph), subgraphs=MappingProxyType(subgraphs))


_DEEPEST = 64
"""Parts of a path from its end that are looked for; a stranger may have written any number."""


def _found(ref: str, places: Sequence[Grants]) -> str:
    """A path as it is where the first place has it; else what another has by that name, or by the
    end of it."""
    with contextlib.suppress(UserError):
        places[0].read(ref)
        return ref
    parts = ref.replace("\\", "/").split("/")
    for place in places[1:]:
        for start in range(max(0, len(parts) - _DEEPEST), len(parts)):
            with contextlib.suppress(UserError):
                return str(place.read("/".join(parts[start:])))
    return ref


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
