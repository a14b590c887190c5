"""A labelled grid of pictures, as a PNG."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from backend.train.scene import Bytes

_LABEL = 44
_GAP = 8


def grid(pictures: Sequence[Bytes], captions: Sequence[str], columns: int = 4) -> Image.Image:
    """Pictures uint8 [h, w, 3] of one size in rows, each with its caption below."""
    side = pictures[0].shape[1]
    cell_width, cell_height = side + _GAP + 24, pictures[0].shape[0] + _LABEL + _GAP
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * cell_width + _GAP, rows * cell_height + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(9)
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        left, top = _GAP + i % columns * cell_width, _GAP + i // columns * cell_height
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (left + 8, top))
        label = "\n".join(textwrap.wrap(caption, 32)[:4])
        pen.multiline_text((left, top + side + 2), label, fill="black", font=font, spacing=1)
    return sheet


def save_grid(
    path: Path, pictures: Sequence[Bytes], captions: Sequence[str], columns: int = 4
) -> None:
    """Write ``grid`` as a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    grid(pictures, captions, columns).save(path, optimize=True)
