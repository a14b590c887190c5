"""Contact sheets: pictures in rows and columns, with labels."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from backend.media.pixels.batches import Check, by_rows, put, require_pixels, seal, unchecked
from backend.media.pixels.color import channels_for, in_space, paint, split, widen
from backend.media.pixels.composite import over
from backend.sdk import UserError
from backend.values import Color, ColorSpace, Float32, Image

_SPELLINGS = {
    "\u00d7": "x",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u2192": "->",
    "ß": "ss",
    "æ": "ae",
    "ø": "o",
}
WHITE, BLACK = Color(1, 1, 1), Color(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Sizes in pixels: the whole, one cell without its label, and the label's band below it."""

    width: int
    height: int
    columns: int
    cell: tuple[int, int]
    gap: int
    band: int

    def corner(self, index: int) -> tuple[int, int]:
        """The top left corner of a cell."""
        row, column = divmod(index, self.columns)
        return (
            column * (self.cell[0] + self.gap),
            row * (self.cell[1] + self.band + self.gap),
        )


def plan_sheet(
    cells: int, size: tuple[int, int], columns: int, gap: int, label_size: int = 0
) -> Sheet:
    """Lay out ``cells`` pictures of at most ``size`` (width, height).

    ``columns`` of 0 makes it as square as it gets. A ``label_size`` above 0 adds a band for
    a line of text below every cell.

    Raises:
        UserError: there is no picture, or the sheet has too many pixels.
    """
    if cells < 1:
        raise UserError("There is no picture for the grid; link one at least.")
    wide = min(cells, columns or math.ceil(math.sqrt(cells)))
    rows = -(-cells // wide)
    band = math.ceil(label_size * 1.5)
    width = wide * size[0] + (wide - 1) * gap
    height = rows * (size[1] + band) + (rows - 1) * gap
    require_pixels(width, height)
    return Sheet(width, height, wide, size, gap, band)


def sheet_channels(channels: Sequence[int], background: Color) -> int:
    """Channels of a sheet: alpha where the background is not opaque, grey where all is."""
    return channels_for(background, 1 if all(c == 1 for c in channels) else 3)


def make_sheet(
    images: Sequence[Image],
    columns: int = 0,
    gap: int = 0,
    background: Color = WHITE,
    labels: Sequence[str] = (),
    label_size: int = 16,
    check: Check = unchecked,
) -> Image:
    """Every picture of every image in a cell of its own, row by row, centred on the background.

    Cells are as large as the widest and the highest picture. Transparent pictures lie over the
    background. Labels stand below their cell, cut off with an ellipsis where they are too long.

    Raises:
        UserError: there is no picture, there are labels but not one for each, or the sheet has
            too many pixels.
    """
    cells = sum(image.count for image in images)
    require_labels(cells, len(labels))
    largest = max((i.width for i in images), default=0), max((i.height for i in images), default=0)
    sheet = plan_sheet(cells, largest, columns, gap, label_size if labels else 0)
    space = images[0].space
    channels = sheet_channels([image.channels for image in images], background)
    whole = np.empty((1, sheet.height, sheet.width, channels), np.float32)
    canvas = whole[0]
    put(check, canvas, paint(background, channels, space))
    pictures = ((image, one) for image in images for one in image.pixels)
    for index, (image, pixels) in enumerate(pictures):
        check()
        left, top = sheet.corner(index)
        x, y = left + (largest[0] - image.width) // 2, top + (largest[1] - image.height) // 2
        area = canvas[y : y + image.height, x : x + image.width]
        area[:] = by_rows(check, partial(_laid, image.space, space), pixels, area)
        if labels:
            area = canvas[top + largest[1] :, left : left + largest[0]][: sheet.band]
            ink = paint(_contrast(background), channels, space)[: min(channels, 3)]
            text = _text_coverage(labels[index], largest[0], sheet.band, label_size)
            area[:] = over(np.broadcast_to(ink, (*text.shape[:2], len(ink))), text, area, "normal")
    return images[0].but(seal(whole))


def require_labels(cells: int, labels: int) -> None:
    """See that there is a label for every picture, or none.

    Raises:
        UserError: it is otherwise.
    """
    if labels and labels != cells:
        raise UserError(
            f"The grid has {cells} pictures and {labels} labels; give one label for each picture."
        )


def spelled(text: str, has: Callable[[str], bool]) -> str:
    """The text in letters that a typeface ``has``: without accents, or ``?``, where it must be."""
    found: dict[str, str] = {" ": " "}
    for char in set(text) - {" "}:
        bare = unicodedata.normalize("NFKD", _SPELLINGS.get(char, char))
        bare = "".join(c for c in bare if not unicodedata.combining(c))
        usable = bool(bare) and all(c == " " or has(c) for c in bare)
        found[char] = char if has(char) else bare if usable else "?"
    return "".join(found[char] for char in text)


def _laid(given: ColorSpace, wanted: ColorSpace, pixels: Float32, area: Float32) -> Float32:
    colors, alpha = split(in_space(pixels, given, wanted))
    covered = np.ones((*pixels.shape[:2], 1), np.float32) if alpha is None else np.clip(alpha, 0, 1)
    return over(widen(colors, min(area.shape[-1], 3)), covered, area, "normal")


def _contrast(background: Color) -> Color:
    """Black or white, whichever reads better on the background."""
    luma = 0.299 * background.red + 0.587 * background.green + 0.114 * background.blue
    return BLACK if luma * background.alpha + (1 - background.alpha) > 0.5 else WHITE


def _text_coverage(text: str, width: int, height: int, size: int) -> Float32:
    """One line of text, centred in ``[height, width, 1]``, 0..1, in Pillow's own typeface."""
    from PIL import Image as Pillow
    from PIL import ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    missing = bytes(font.getmask("\uffff"))
    line = spelled(" ".join(text.split()), lambda char: bytes(font.getmask(char)) != missing)
    if font.getlength(line) > width:
        keep = len(line)
        while keep and font.getlength(line[:keep] + "…") > width:
            keep -= 1
        line = line[:keep].rstrip() + "…" if keep else ""
    plane = Pillow.new("L", (width, height))
    ImageDraw.Draw(plane).text((width / 2, height / 2), line, fill=255, font=font, anchor="mm")
    return np.asarray(plane, np.float32)[..., None] / np.float32(255)
