"""What a control follows: edges, lines, soft shapes, grids of colour and depths, from pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.media.bands import Check, unchecked
from backend.sdk import UserError
from backend.values import Float32, Image, Mask

Codes = np.ndarray


def _codes(image: Image, number: int) -> Codes:
    """One picture in 8 bits ``[h, w, 1 or 3]``, transparent parts on white."""
    from backend.media.encode import to_srgb

    pixels = np.clip(to_srgb(image)[number], 0, 1)
    if pixels.shape[2] == 4:
        alpha = pixels[..., -1:]
        pixels = pixels[..., :-1] * alpha + (1 - alpha)
    return np.asarray(np.rint(pixels * 255), np.uint8)


def _stacked(planes: Sequence[Codes]) -> Image:
    """Grey planes in 8 bits as pictures of three equal channels."""
    grey = np.stack(planes).astype(np.float32) / 255
    return Image(np.repeat(grey[..., None], 3, -1))


def edges(image: Image, low: float = 0.4, high: float = 0.8, check: Check = unchecked) -> Image:
    """Canny's edges (IEEE PAMI 1986), white on black: a pixel is one if any channel has it.

    ``low`` and ``high`` are the thresholds of the gradient as shares 0..1 of a step of 250 codes.

    Raises:
        UserError: the low threshold lies above the high one.
    """
    import cv2

    if low > high:
        raise UserError(f"The low threshold {low:g} lies above the high one, {high:g}.")
    found = []
    for number in range(image.count):
        check()
        codes = _codes(image, number)
        planes = [
            cv2.Canny(np.ascontiguousarray(codes[..., k]), 250 * low, 250 * high)
            for k in range(codes.shape[2])
        ]
        found.append(np.maximum.reduce(planes))
    return _stacked(found)


def lines(image: Image, radius: float = 1.5, check: Check = unchecked) -> Image:
    """A line drawing, white on black: the step between the lightest and the darkest pixel within
    ``radius`` (Beucher's morphological gradient) of a softened picture, stretched to the whole
    range."""
    import cv2

    reach = max(1, round(radius))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    found = []
    for number in range(image.count):
        check()
        soft = cv2.GaussianBlur(_codes(image, number).astype(np.float32), (0, 0), radius / 2)
        steps = cv2.morphologyEx(soft, cv2.MORPH_GRADIENT, disc)
        gap = steps.reshape(image.height, image.width, -1).max(-1)
        top = max(float(gap.max()), 8.0)  # an even picture stays black
        found.append(np.asarray(np.rint(gap / top * 255), np.uint8))
    return _stacked(found)


def colour_grid(image: Image, cells: int = 8, check: Check = unchecked) -> Image:
    """The mean colour of each of ``cells`` by ``cells`` fields, over the whole picture."""
    import cv2

    found: list[Float32] = []
    height, width = image.height, image.width
    for number in range(image.count):
        check()
        codes = _codes(image, number).astype(np.float32) / 255
        few = cv2.resize(codes, (min(cells, width), min(cells, height)),
                         interpolation=cv2.INTER_AREA)  # fmt: skip
        many = cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST)
        many = many.reshape(height, width, -1)
        found.append(np.repeat(many, 3, -1) if many.shape[2] == 1 else many)
    return Image(np.stack(found))


def depth_order(masks: Sequence[Mask], check: Check = unchecked) -> Image:
    """Masks from back to front as grey levels, the nearest white: what lies before what.

    Raises:
        UserError: there is none, or they differ in size.
    """
    if not masks:
        raise UserError("There is no mask to put in order. Link at least one.")
    shapes = {(each.height, each.width) for each in masks}
    if len(shapes) > 1:
        sizes = ", ".join(f"{w}x{h}" for h, w in sorted(shapes))
        raise UserError(f"The masks have the sizes {sizes}. Resize them to one.")
    counts = {each.count for each in masks} - {1}
    if len(counts) > 1:
        raise UserError("The masks have batches of different lengths. Give one each, or as many.")
    plane = np.zeros((max(counts, default=1), *next(iter(shapes))), np.float32)
    for place, mask in enumerate(masks, 1):
        check()
        alpha = mask.coverage
        plane = plane * (1 - alpha) + np.float32(place / len(masks)) * alpha
    return Image(np.repeat(plane[..., None], 3, -1))
