"""Training sets: folders of pictures with captions, and with the pictures each was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from backend.catalog.errors import CatalogError
from backend.media.folders import natural
from backend.values.layout import BadBoxes, Box, read_boxes, write_boxes

TABLE = "set.jsonl"
"""The file of a set that names its pictures; without one, captions lie in text files."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True)
class Example:
    """One picture to learn, what is said of it, the pictures that the model sees beside, and boxes
    with captions for the things in it."""

    picture: Path
    caption: str
    references: tuple[Path, ...] = field(default=())
    boxes: tuple[Box, ...] = field(default=())


def read_set(folder: Path) -> tuple[Example, ...]:
    """The examples of a folder, from its ``set.jsonl`` or from pictures with text files beside.

    A line of the table is ``{"picture": "a.png", "caption": "...", "references": ["b.png"]}``,
    with paths inside the folder, and with ``"boxes"`` if it has any, as ``read_boxes`` takes them.
    Without it every picture ``a.png`` is an example with the words
    in ``a.txt``, and with the picture ``a.reference.png`` beside it if that is there (of several,
    ``a.reference1.png`` and so on).

    Raises:
        CatalogError: there is no picture, one is not there, or a line says something else.
    """
    if not folder.is_dir():
        raise CatalogError(f"{folder} is no folder. Give a folder of pictures with captions.")
    table = folder / TABLE
    found = _from_table(table) if table.is_file() else _from_texts(folder)
    if not found:
        raise CatalogError(
            f"{folder} has no pictures to learn from. Put PNG or JPEG files there, each with its "
            "caption in a text file of the same name."
        )
    counts = {len(each.references) for each in found}
    if len(counts) > 1:
        odd = next(e for e in found if len(e.references) != len(found[0].references))
        raise CatalogError(
            f"{odd.picture} has {len(odd.references)} pictures beside it, others have "
            f"{len(found[0].references)}. Give every example of {folder.name} as many."
        )
    return found


def _from_table(table: Path) -> tuple[Example, ...]:
    try:
        lines = table.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{table} cannot be read ({error}). Save it as UTF-8.") from error
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    return tuple(_row(table, number, line) for number, line in rows)


def _row(table: Path, number: int, line: str) -> Example:
    where = f"line {number} of {table}"
    try:
        row: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{where} is no JSON ({error}). Mend the line.") from error
    if not isinstance(row, dict) or not isinstance(row.get("picture"), str):
        raise CatalogError(f'{where} names no "picture". Write the name of a file there.')
    caption, beside = row.get("caption", ""), row.get("references", [])
    texts = isinstance(beside, list) and all(isinstance(each, str) for each in beside)
    if not isinstance(caption, str) or not texts:
        raise CatalogError(
            f'{where}: "caption" is a text and "references" a list of file names. Mend the line.'
        )
    names = [_inside(table.parent, name, where) for name in (row["picture"], *beside)]
    try:
        boxes = read_boxes(row.get("boxes", []))
    except BadBoxes as error:
        raise CatalogError(f'"boxes" in {where} {error}.') from error
    return Example(names[0], caption, tuple(names[1:]), boxes)


def _inside(folder: Path, name: str, where: str) -> Path:
    path = folder / name
    try:
        inside, there = path.resolve().is_relative_to(folder.resolve()), path.is_file()
    except (OSError, ValueError):
        inside, there = True, False
    if not inside:
        raise CatalogError(f"{where}: {name} lies outside of {folder}. Put the picture in there.")
    if not there:
        raise CatalogError(f"{where}: there is no {name} in {folder}. Add it or drop the line.")
    return path


def _from_texts(folder: Path) -> tuple[Example, ...]:
    try:
        names = sorted((p.name for p in folder.iterdir()), key=natural)
    except OSError as error:
        raise CatalogError(f"{folder} cannot be read ({error.strerror}).") from error
    pictures = [
        _inside(folder, name, f"In {folder.name}")
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    ]
    for first, second in pairwise(sorted(pictures, key=lambda path: path.stem)):
        if first.stem == second.stem:
            raise CatalogError(
                f"{first.name} and {second.name} in {folder} would share their caption. Rename one."
            )
    beside: dict[str, list[Path]] = {}
    plain = []
    for path in pictures:
        stem, _, role = path.stem.partition(".reference")
        if role == "" and ".reference" not in path.stem:
            plain.append(path)
        else:
            beside.setdefault(stem, []).append(path)
    found = []
    for path in plain:
        words = path.with_suffix(".txt")
        if not words.is_file():
            raise CatalogError(
                f"{path.name} in {folder} has no caption. Write it into {words.name}, which may be "
                "empty."
            )
        try:
            caption = " ".join(words.read_text("utf-8-sig").split())
        except (OSError, UnicodeDecodeError) as error:
            raise CatalogError(f"{words} cannot be read ({error}). Save it as UTF-8.") from error
        found.append(Example(path, caption, tuple(beside.pop(path.stem, []))))
    if beside:
        lone = next(iter(beside.values()))[0]
        raise CatalogError(
            f"{lone.name} in {folder} belongs to no picture. Add that picture, or take it away."
        )
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Drawn:
    """One example of the procedural world: pixels uint8 ``[h, w, 3]``, of it and of what lies
    beside, and boxes for what is in it."""

    pixels: Any
    caption: str
    references: Sequence[Any] = ()
    boxes: Sequence[Box] = ()


def write_set(folder: Path, examples: Iterable[Drawn]) -> int:
    """Write examples as PNG files with a table into an empty folder; how many there were.

    The table is written last, so that a folder that was broken off is none.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, each in enumerate(examples):
        names = [f"{number:05}.png"] + [
            f"{number:05}.reference{k}.png" for k in range(1, len(each.references) + 1)
        ]
        for name, pixels in zip(names, (each.pixels, *each.references), strict=True):
            Image.fromarray(pixels).save(folder / name, compress_level=1)
        row = {"picture": names[0], "caption": each.caption, "references": names[1:]}
        rows.append({**row, "boxes": write_boxes(each.boxes)} if each.boxes else row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    temporary = folder / f"{TABLE}.part"
    temporary.write_text(text, "utf-8")
    temporary.replace(folder / TABLE)
    return len(rows)
