"""Panels: pictures of one size side by side in one picture, and apart again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.media.pixels.batches import Check, map_rows, seal, unchecked
from backend.media.pixels.color import in_space, widen
from backend.media.pixels.composite import solid
from backend.media.pixels.frames import crop
from backend.media.pixels.sheets import make_sheet, plan_sheet
from backend.sdk import UserError
from backend.values import Color, Float32, Image, Mask

MOST = 64
"""Panels that one picture may have."""

EMPTY = Color(0.5, 0.5, 0.5)
"""What panels show that are still to be made."""


def panel_size(sizes: Sequence[tuple[int, int]], width: int, height: int) -> tuple[int, int]:
    """Width and height of each panel: as wished, else those of the pictures.

    Raises:
        UserError: the pictures differ in size, or there is neither a picture nor a wish.
    """
    if not sizes and not (width and height):
        raise UserError(
            "There is no picture to take the panels' size from. Link one, or set width and height."
        )
    wanted = (width or sizes[0][0], height or sizes[0][1]) if sizes else (width, height)
    for number, size in enumerate(sizes, 1):
        if size != wanted:
            raise UserError(
                f"Picture {number} is {size[0]}x{size[1]}, and the panels are "
                f"{wanted[0]}x{wanted[1]}. Resize it to that size first."
            )
    return wanted


def panel_places(text: str, pictures: int, panels: int) -> tuple[int, ...]:
    """The numbers, from 0, of the panels that pictures go to; ``text`` counts from 1, and where it
    is empty they are the first ones.

    Raises:
        UserError: there are more pictures than panels, or ``text`` does not give each a panel of
            its own.
    """
    if not 1 <= panels <= MOST:
        raise UserError(f"There are {panels} panels. Choose from 1 to {MOST}.")
    if pictures > panels:
        raise UserError(
            f"There are {pictures} pictures for {panels} panels. Raise `panels` or link fewer."
        )
    if not text.strip():
        return tuple(range(pictures))
    parts = text.replace(",", " ").split()
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UserError(f"`places` is {text!r}. Write the numbers of panels, such as 1, 3.")
    found = tuple(int(part) - 1 for part in parts)
    if len(found) != pictures or len(set(found)) != len(found):
        raise UserError(
            f"`places` is {text!r}, and there are {pictures} pictures. Give each one panel of its "
            "own."
        )
    if not all(0 <= place < panels for place in found):
        raise UserError(f"`places` is {text!r}, and the panels are numbered 1 to {panels}.")
    return found


def compose(
    pictures: Sequence[Image],
    places: Sequence[int],
    panels: int,
    columns: int,
    size: tuple[int, int],
    check: Check = unchecked,
) -> tuple[Image, Mask]:
    """One picture with a panel for each place, row by row, and a mask of those still to be made.

    ``columns`` of 0 puts all in one row. Panels without a picture are grey, and 1 in the mask.

    Raises:
        UserError: the whole has too many pixels.
    """
    singles = [image.but(image.pixels[i : i + 1]) for image in pictures for i in range(image.count)]
    at = dict(zip(places, singles, strict=True))
    empty = solid(*size, EMPTY, 1, check)
    cells = [at.get(number, empty) for number in range(panels)]
    canvas = make_sheet(cells, columns or panels, 0, EMPTY, check=check)
    new = np.zeros((1, canvas.height, canvas.width), np.float32)
    sheet = plan_sheet(panels, size, columns or panels, 0)
    for number in range(panels):
        left, top = sheet.corner(number)
        if number not in at:
            new[:, top : top + size[1], left : left + size[0]] = 1
    return canvas, Mask(seal(new))


def grid_of(width: int, height: int, panels: int, columns: int) -> tuple[int, int]:
    """How many panels of a picture lie side by side and one below the other.

    Raises:
        UserError: the picture cannot be divided into so many equal panels.
    """
    if not 1 <= panels <= MOST:
        raise UserError(f"There are {panels} panels. Choose from 1 to {MOST}.")
    across = min(panels, columns or panels)
    down = -(-panels // across)
    if width % across or height % down:
        raise UserError(
            f"The picture is {width}x{height}, which is not {across} panels across and {down} "
            "down. Set `panels` and `columns` as they were when it was composed."
        )
    return across, down


def split(image: Image, panels: int, columns: int, check: Check = unchecked) -> list[Image]:
    """The panels of a picture, in the order in which ``compose`` puts them there.

    Raises:
        UserError: the picture cannot be divided into so many equal panels.
    """
    across, down = grid_of(image.width, image.height, panels, columns)
    size = (image.width // across, image.height // down)
    sheet = plan_sheet(panels, size, across, 0)
    corners = [sheet.corner(number) for number in range(panels)]
    return [crop(image, (x, y, x + size[0], y + size[1]), check) for x, y in corners]


def keep_known(made: Image, canvas: Image, mask: Mask, check: Check = unchecked) -> Image:
    """What was made where the mask is above 0, and the canvas itself elsewhere."""

    def rows(new: Float32, given: Float32, amount: Float32) -> Float32:
        own = widen(in_space(given, canvas.space, made.space), 3)[..., :3]
        return np.where(amount[..., None] > 0, new, own)

    return made.but(map_rows(check, rows, made.pixels, canvas.pixels, mask.coverage))


def joint_caption(title: str, captions: Sequence[str]) -> str:
    """One text for all panels, each behind its mark (In-Context LoRA, arXiv:2410.23775).

    ``("two views", ["a cup", "the same cup"])`` gives ``two views [IMAGE1] a cup [IMAGE2] the same
    cup``. Without captions it is the title alone.
    """
    marked = [f"[IMAGE{n}] {caption.strip()}" for n, caption in enumerate(captions, 1)]
    return " ".join(part for part in (title.strip(), *marked) if part)
