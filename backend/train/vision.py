"""What a picture shows, by plain image analysis: the background and every object on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.train.outline import Mask, fit
from backend.train.palette import BACKGROUNDS, COLOURS, SHADE
from backend.train.scene import Bytes
from backend.train.shapes import Array

_FRAME: Final = 3  # pixels along the border that no object reaches
_GROUND_REACH: Final = 38.0  # largest RGB distance from a background's own colour
_COLOUR_REACH: Final = 70.0  # largest RGB distance of a pixel from a palette colour
_MEAN_REACH: Final = 42.0  # the same for an object's mean colour
_LEAST_AREA: Final = 60  # smaller specks are dust
_PART_SHARE: Final = 0.35  # a piece this much smaller than a near one of its colour is part of it
_INNER: Final = 16.0  # how far from the middle a place may lie, in pixels
_OUTER: Final = 46.0
# Clean colour, ink, and where a soft picture blends them: else yellow ink would read as orange.
_SHADES: Final = (1.0, (1 + SHADE) / 2, SHADE)
_TILT: Final = 0.55  # how far a place may lie off its axis, as a share of the distance along it


@dataclass(frozen=True)
class Found:
    """One object that a picture shows; a word is None where the picture does not decide.

    ``y`` and ``x`` are the centre in pixels, ``match`` 0..1 the overlap with the best shape, and
    ``box`` is top, left, bottom and right of its pixels, end exclusive.
    """

    shape: str | None
    colour: str | None
    texture: str
    place: str | None
    y: float
    x: float
    match: float
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True)
class Sight:
    """All that a picture shows."""

    background: str | None
    objects: tuple[Found, ...]


@cache
def _palette() -> Array:
    """Every colour in every shade, [shades * colours, 3]; number i is colour i % colours."""
    base = np.array(list(COLOURS.values()), np.float32)
    return np.concatenate([base * shade for shade in _SHADES])


def _is_colour(labels: NDArray[np.int64], colour: int) -> Mask:
    return np.asarray((labels >= 0) & (labels % len(COLOURS) == colour))


def _ground(pixels: Array) -> tuple[str | None, Array]:
    """The background's name and median colour, from the picture's frame."""
    inner = np.ones(pixels.shape[:2], bool)
    inner[_FRAME:-_FRAME, _FRAME:-_FRAME] = False
    frame = pixels[inner]
    middle = np.median(frame, 0)
    even = np.mean(np.linalg.norm(frame - middle, axis=-1) < 30) > 0.9
    distances = {name: float(np.linalg.norm(middle - rgb)) for name, rgb in BACKGROUNDS.items()}
    name = min(distances, key=lambda key: distances[key])
    return (name if even and distances[name] < _GROUND_REACH else None), middle


def _labels(pixels: Array, ground: Array) -> NDArray[np.int64]:
    """Per pixel the number of the nearest palette entry; -1 background, -2 none is near."""
    colours = _palette()
    every = np.concatenate([colours, ground[None].astype(np.float32)])
    distances = np.linalg.norm(pixels[:, :, None] - every, axis=-1)
    nearest = distances.argmin(-1)
    labels = np.where(nearest == len(colours), -1, nearest)
    return np.where(distances.min(-1) > _COLOUR_REACH, -2, labels)


def _cores(labels: NDArray[np.int64]) -> list[tuple[int, Mask]]:
    """Palette number and certain pixels of each object, pieces of one object joined."""
    kernel = np.ones((3, 3), np.uint8)
    cores: list[tuple[int, Mask]] = []
    for colour in range(len(COLOURS)):
        mask = _is_colour(labels, colour).astype(np.uint8)
        count, parts, stats, centres = cv2.connectedComponentsWithStats(
            cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), connectivity=4
        )
        order = sorted(range(1, count), key=lambda i: -stats[i, cv2.CC_STAT_AREA])
        wholes: list[tuple[int, Mask]] = []
        for i in order:
            area = int(stats[i, cv2.CC_STAT_AREA])
            piece = np.asarray(parts == i)
            near = [
                w
                for w in wholes
                if area < _PART_SHARE * stats[w[0], cv2.CC_STAT_AREA]
                and np.linalg.norm(centres[i] - centres[w[0]]) < 34
            ]
            if near:
                near[0][1][piece] = True
            elif area >= _LEAST_AREA:
                wholes.append((i, piece))
        cores.extend((colour, mask) for _, mask in wholes)
    return cores


def _extend(pixels: Array, ground: Array, cores: list[tuple[int, Mask]]) -> list[Mask]:
    """Grow each core to its real outline: where its colour makes up more than half a pixel."""
    colours = _palette()
    gaps = np.stack(
        [cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 3) for _, core in cores]
    )
    nearest = gaps.argmin(0)
    masks = []
    for i, (colour, core) in enumerate(cores):
        axis = colours[colour] - ground
        share = (pixels - ground) @ axis / float(axis @ axis)
        masks.append(core | ((nearest == i) & (gaps[i] < 5) & (share > 0.5)))
    return masks


def _place(y: float, x: float, size: int) -> str | None:
    dy, dx = y - size / 2, x - size / 2
    along, off = max(abs(dy), abs(dx)), min(abs(dy), abs(dx))
    if not _INNER <= along <= _OUTER or off > _TILT * along:
        return None
    if abs(dx) > abs(dy):
        return "left" if dx < 0 else "right"
    return "top" if dy < 0 else "bottom"


def _colour(pixels: Array, labels: NDArray[np.int64], mask: Mask, colour: int) -> str | None:
    """The colour's name if the object shows it, in part clean, and hardly any other; else None."""
    inside = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    clean = inside & (labels == colour)
    if inside.sum() == 0 or clean.sum() < 0.25 * inside.sum():
        return None
    if (inside & ~_is_colour(labels, colour)).sum() > 0.15 * inside.sum():
        return None
    distance = np.linalg.norm(pixels[clean].mean(0) - _palette()[colour])
    return list(COLOURS)[colour] if distance < _MEAN_REACH else None


def _texture(labels: NDArray[np.int64], mask: Mask, colour: int) -> str:
    inside = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    dark = inside & (labels >= len(COLOURS)) & _is_colour(labels, colour)
    if dark.sum() < 0.06 * max(1, inside.sum()):
        return "plain"
    per_row = dark.sum(1)[inside.any(1)] / inside.sum(1)[inside.any(1)]
    per_column = dark.sum(0)[inside.any(0)] / inside.sum(0)[inside.any(0)]
    return "striped" if per_row.std() > 1.6 * per_column.std() else "dotted"


def _box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def look(pixels: Bytes) -> Sight:
    """What a picture uint8 [h, w, 3] shows: its background, and objects from the top left on."""
    values = pixels.astype(np.float32)
    name, ground = _ground(values)
    labels = _labels(values, ground)
    cores = _cores(labels)
    if not cores:
        return Sight(name, ())
    masks = _extend(values, ground, cores)
    objects = []
    for i, (colour, _) in enumerate(cores):
        others = [mask for j, mask in enumerate(masks) if j != i]
        unknown = np.logical_or.reduce(others) if others else np.zeros_like(masks[i])
        outline = fit(masks[i], unknown)
        objects.append(
            Found(
                shape=outline.shape,
                colour=_colour(values, labels, masks[i], colour),
                texture=_texture(labels, masks[i], colour),
                place=_place(outline.y, outline.x, pixels.shape[0]),
                y=outline.y,
                x=outline.x,
                match=outline.match,
                box=_box(masks[i]),
            )
        )
    return Sight(name, tuple(sorted(objects, key=lambda item: (item.y, item.x))))
