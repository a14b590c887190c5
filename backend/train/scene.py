"""Scenes: what is in a picture, and the picture with the truth of every object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.train.caption import Facts, ObjectFacts
from backend.train.palette import RGB, SHADE
from backend.train.shapes import Array, coverage, signed_distance
from backend.train.textures import ink

Bytes = NDArray[np.uint8]
SIZE = 128


@dataclass(frozen=True)
class Item:
    """One object before it is drawn: words, and numbers in pixels (centre y, x; half extent)."""

    shape: str
    colour: str
    texture: str
    place: str
    y: float
    x: float
    radius: float
    rgb: RGB

    @property
    def facts(self) -> ObjectFacts:
        """The words of this object."""
        return ObjectFacts(self.shape, self.colour, self.texture, self.place)


@dataclass(frozen=True)
class Spec:
    """A scene before it is drawn: ``items`` back to front, ``order`` lists them as captioned."""

    background: str
    ground: RGB
    items: tuple[Item, ...]
    order: tuple[int, ...]
    caption: str

    @property
    def facts(self) -> Facts:
        """All facts of the scene, objects in the caption's order."""
        return Facts(tuple(self.items[i].facts for i in self.order), self.background)


@dataclass(frozen=True, eq=False)
class SceneObject:
    """The truth of one drawn object.

    ``box`` is (top, left, bottom, right), end exclusive, of all its pixels, hidden ones too.
    ``mask`` is its coverage float32 [h, w], 0..1, as if nothing lay in front; ``layer`` is its
    straight-alpha picture uint8 [h, w, 4]; ``visible`` float32 [h, w] is the coverage that shows.
    """

    item: Item
    box: tuple[int, int, int, int]
    mask: Array
    visible: Array
    layer: Bytes
    depth: int


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn scene: ``pixels`` uint8 [h, w, 3], ``background`` uint8 [h, w, 4], its objects.

    The objects lie back to front.
    """

    spec: Spec
    pixels: Bytes
    background: Bytes
    objects: tuple[SceneObject, ...]

    @property
    def caption(self) -> str:
        """The words that go with the picture."""
        return self.spec.caption

    @property
    def layers(self) -> tuple[Bytes, ...]:
        """Background and object layers, back to front; ``compose`` makes ``pixels`` of them."""
        return (self.background, *(item.layer for item in self.objects))


def _crop(item: Item, size: int) -> tuple[slice, slice]:
    reach = item.radius * 1.3 + 2
    top, left = max(0, int(item.y - reach)), max(0, int(item.x - reach))
    return slice(top, min(size, int(item.y + reach) + 1)), slice(
        left, min(size, int(item.x + reach) + 1)
    )


def draw_item(item: Item, size: int = SIZE) -> tuple[tuple[slice, slice], Bytes]:
    """The part of the canvas an object touches and its straight-alpha pixels there, uint8."""
    rows, columns = _crop(item, size)
    # Pixel centres lie at half integers, so that a centre of 64 is the middle of 128 pixels.
    grid = np.mgrid[rows, columns].astype(np.float32) + np.float32(0.5)
    y, x = grid[0] - np.float32(item.y), grid[1] - np.float32(item.x)
    distance = signed_distance(item.shape, y, x, item.radius)
    alpha = np.rint(coverage(distance) * 255)
    shade = 1 - (1 - SHADE) * ink(item.texture, y, x, distance)
    colour = np.rint(shade[..., None] * np.array(item.rgb, np.float32))
    patch = np.concatenate([colour, alpha[..., None]], -1).astype(np.uint8)
    patch[patch[..., 3] == 0] = 0
    return (rows, columns), patch


def _over(canvas: Array, patch: Bytes) -> Array:
    alpha = patch[..., 3:].astype(np.float32) / np.float32(255)
    return canvas + alpha * (patch[..., :3].astype(np.float32) - canvas)


def compose(layers: tuple[Bytes, ...]) -> Bytes:
    """The picture uint8 [h, w, 3] of straight-alpha layers uint8 [h, w, 4], back to front."""
    canvas = layers[0][..., :3].astype(np.float32)
    for layer in layers[1:]:
        canvas = _over(canvas, layer)
    return np.rint(canvas).astype(np.uint8)


def picture(spec: Spec, size: int = SIZE) -> Bytes:
    """Only the pixels uint8 [h, w, 3] of a scene: the quick way for training."""
    canvas = np.empty((size, size, 3), np.float32)
    canvas[:] = spec.ground
    for item in spec.items:
        where, patch = draw_item(item, size)
        canvas[where] = _over(canvas[where], patch)
    return np.rint(canvas).astype(np.uint8)


def render(spec: Spec, size: int = SIZE) -> Scene:
    """Draw a scene with the truth of every object."""
    background = np.empty((size, size, 4), np.uint8)
    background[:] = (*spec.ground, 255)
    layers, masks, boxes = [], [], []
    for item in spec.items:
        (rows, columns), patch = draw_item(item, size)
        layer = np.zeros((size, size, 4), np.uint8)
        layer[rows, columns] = patch
        mask = layer[..., 3].astype(np.float32) / np.float32(255)
        touched_rows, touched_columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
        boxes.append(
            (
                int(touched_rows[0]),
                int(touched_columns[0]),
                int(touched_rows[-1]) + 1,
                int(touched_columns[-1]) + 1,
            )
        )
        layers.append(layer)
        masks.append(mask)
    objects = []
    for depth, item in enumerate(spec.items):
        shown = masks[depth].copy()
        for front in masks[depth + 1 :]:
            shown *= 1 - front
        objects.append(SceneObject(item, boxes[depth], masks[depth], shown, layers[depth], depth))
    return Scene(spec, compose((background, *layers)), background, tuple(objects))
