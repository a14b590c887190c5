"""What the tests of families' facts have in common: changing a model folder, and who knows it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.catalog.pack import packs_folder
from backend.catalog.source import read_source
from backend.models.card import ModelFacts
from backend.models.family import families, read_facts, recognise
from tests.backend.models.parity import Weft


def changed(folder: Path, to: Path, file: str, **values: Any) -> Path:
    """A copy of a model folder with some values of one JSON file changed."""
    copy = Path(shutil.copytree(folder, to))
    path = copy / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return copy


def facts_of(folder: Path) -> ModelFacts:
    """The facts that the family of a folder reads from it."""
    read = read_folder(folder)
    return read_facts(recognise(read, families()), read)


def published(pack: str, part: str, place: Path) -> ModelFacts:
    """The facts of a model that Weft has the configs of, when there is a file of one part of it."""
    file = place / "part.safetensors"
    save_file({"weight": np.zeros(1, np.float32)}, file)
    said = {"pack": str(packs_folder() / pack), "parts": {part: [str(file), "diffusers", ""]}}
    found = read_source(json.dumps(said))
    return read_facts(recognise(found, families()), found)


def known_by(folder: Path) -> list[str]:
    """The names of all families that would take a folder for theirs."""
    found = []
    for name, family in families().items():
        try:
            recognise(read_folder(folder), {name: family})
        except CatalogError:
            continue
        found.append(name)
    return found


def places_of(weft: Weft, text: str, part: slice) -> tuple[int, ...]:
    """Where a family says that a part of a text is in its ``sequence``, after a look that all
    characters of the text are among its tokens."""
    (row,) = weft.family.token_spans(weft.refs.text, text, {}, weft.load)
    held = {c for t in row.tokens if t.start is not None for c in range(t.start, t.end or 0)}
    assert held >= {i for i, char in enumerate(text) if char != " "}
    return row.places(part.start, part.stop)


def first_change(weft: Weft, text: str, other: str) -> int:
    """The first place of the ``sequence`` at which two texts are encoded differently."""
    coded = weft.family.encode_text(weft.refs.text, [text, other], {}, weft.load, "cpu")
    one, two = coded.tensors["sequence"]
    return int(np.flatnonzero(np.abs(one - two).max(1) > 1e-4)[0])
