"""Contact sheets of a batch: its pictures in order, with the values in which they differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.batch.errors import Unwritable
from backend.batch.manifest import Ended
from backend.batch.plan import Batch
from backend.batch.rows import differing
from backend.media.images import ImageOptions, read_image, write_image
from backend.media.pixels.resample import plan_resize, resize
from backend.media.pixels.sheets import make_sheet, spelled
from backend.sdk import UserError
from backend.values import Image

TILE = 256
"""Pixels of the longer side of a picture on the sheet at most."""

LEAST = 128
"""Pixels of the sides of a cell at least, so that there is room for its lines."""

LINES = 3
"""Lines of a caption."""

PER_PAGE = 64
"""Pictures of a page, eight in a row at the most."""

MOST = 4096
"""Pictures of all pages together."""

_SIZE, _BAND, _GAP = 13, 17, 10
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture on the sheet: its file, and the lines below it."""

    path: Path
    lines: tuple[str, ...]


def shown_of(batch: Batch, ends: Mapping[int, Ended]) -> list[Shown]:
    """The pictures of the jobs of a batch that are done, with the values in which these differ."""
    done = [point for point in batch.points
            if point.index in ends and ends[point.index].status == "done"]  # fmt: skip
    names = differing(done)
    return [
        Shown(batch.out / file, captions(point.shown, names))
        for point in done
        for file, _ in ends[point.index].files
        if is_picture(file)
    ]


def is_picture(path: str) -> bool:
    """Whether a file is shown on a sheet, by its name."""
    return path.lower().endswith(_SUFFIXES)


def captions(values: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """The lines below a picture: those of its values that others of the batch have not.

    A name is cut to its parameter where that tells it from the others.
    """
    bare = [name.rpartition(".")[2] for name in names]
    short = {name: own if bare.count(own) == 1 else name
             for name, own in zip(names, bare, strict=True)}  # fmt: skip
    said = [f"{short[name]} {_told(values[name])}" for name in names if name in values]
    if len(said) > LINES:
        said = [*said[: LINES - 1], ", ".join(said[LINES - 1 :])]
    return tuple(said)


def pages(path: Path, count: int) -> tuple[Path, ...]:
    """The files of a sheet with so many pictures: ``sheet.png``, ``sheet-2.png`` and so on."""
    number = -(-min(count, MOST) // PER_PAGE)
    more = (path.with_name(f"{path.stem}-{page}{path.suffix}") for page in range(2, number + 1))
    return (path, *more) if number else ()


def write_sheet(path: Path, shown: Sequence[Shown], check: Callable[[], None]) -> tuple[Path, ...]:
    """Write the pages of a sheet; their files. A picture that cannot be read is told as one.

    Args:
        path: Of the first page, a ``.png``; a file that is there is replaced.
        shown: The pictures, at least one; the first ``MOST`` of them are shown.
        check: Is called often, and may raise.

    Raises:
        Unwritable: a page cannot be written.
    """
    files = pages(path, len(shown))
    for page, file in enumerate(files):
        chosen = shown[:MOST][page * PER_PAGE : (page + 1) * PER_PAGE]
        tiles = _tiles(chosen, check)
        columns = min(8, len(tiles)) if len(files) > 1 else 0
        _write(file, make_sheet(tiles, columns, _GAP, check=check))
    return files


def _told(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return " ".join(text.split())


def _tiles(chosen: Sequence[Shown], check: Callable[[], None]) -> list[Image]:
    """The pictures made small, each on white with its lines below, all of one size."""
    smalls: list[Any] = []
    for each in chosen:
        check()
        try:
            smalls.append(_small(each.path))
        except UserError as error:
            smalls.append(str(error))
    sizes = [(LEAST, LEAST), *(each.size for each in smalls if not isinstance(each, str))]
    cell = max(width for width, _ in sizes), max(height for _, height in sizes)
    lines = max(len(each.lines) for each in chosen)
    return [
        _tile(small, each.lines, cell, cell[1] + lines * _BAND)
        for small, each in zip(smalls, chosen, strict=True)
    ]


def _tile(small: Any, lines: Sequence[str], cell: tuple[int, int], height: int) -> Image:
    """One picture of Pillow's, or why there is none, centred in a cell (width, height)."""
    import numpy as np
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    page = Pillow.new("RGB", (cell[0], height), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(_SIZE)
    missing = bytes(font.getmask("\uffff"))

    def fitting(text: str) -> str:
        line = spelled(text[:200], lambda char: bytes(font.getmask(char)) != missing)
        if font.getlength(line) <= cell[0]:
            return line
        while line and font.getlength(line + "…") > cell[0]:
            line = line[:-1]
        return line.rstrip() + "…"

    if isinstance(small, str):
        pen.rectangle((0, 0, cell[0] - 1, cell[1] - 1), outline="#999999")
        pen.text((cell[0] / 2, cell[1] / 2), fitting(small), "black", font, anchor="mm")
    else:
        page.paste(small, ((cell[0] - small.width) // 2, (cell[1] - small.height) // 2))
    for number, text in enumerate(lines):
        place = (cell[0] / 2, cell[1] + (number + 0.5) * _BAND)
        pen.text(place, fitting(text), "black", font, anchor="mm")
    return Image((np.asarray(page, np.float32) / np.float32(255))[np.newaxis])


def _small(path: Path) -> Any:
    """The first picture of a file as Pillow's, at most ``TILE`` a side, over white."""
    import numpy as np
    from PIL import Image as Pillow

    image = read_image(path)[0]
    image = image.but(image.pixels[:1])
    if max(image.width, image.height) > TILE:
        fit = plan_resize((image.width, image.height), (TILE, TILE), "fit")
        image = resize(image, fit, "area")
    laid = make_sheet([image]).pixels[0]
    if laid.shape[-1] == 1:
        laid = np.repeat(laid, 3, axis=-1)
    return Pillow.fromarray(np.rint(np.clip(laid, 0, 1) * 255).astype(np.uint8))


def _write(path: Path, sheet: Image) -> None:
    """Write a page, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_image(draft, sheet, ImageOptions("png"))
            os.replace(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        said = error.strerror or error
        raise Unwritable(f"The sheet {path} cannot be written: {said}.") from None
