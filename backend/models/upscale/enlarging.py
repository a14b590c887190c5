"""A picture through a learned upscaler: its channels, its transfer curve, its alpha, in tiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from backend.media.pixels.batches import require_pixels
from backend.media.pixels.color import LUMA, in_space, widen, with_alpha
from backend.models.upscale.pieces import Pieces, enlarge
from backend.values import Float32, Image

FRUGAL = 128
"""Pixels of the side of a tile where memory has run out."""


class Network(Protocol):
    """What enlarges; ``backend.models.upscale.learned.Learned`` is one."""

    @property
    def scale(self) -> int:
        """How much larger a side becomes."""

    @property
    def channels(self) -> int:
        """1 or 3, of what it takes and gives."""

    @property
    def whole(self) -> bool:
        """Whether it looks at a picture as a whole, so that tiles would show."""

    def __call__(self, pixels: Float32) -> Float32:
        """A piece ``[h, w, channels]``, sRGB 0..1, enlarged."""


def enlarged(
    network: Network,
    image: Image,
    pieces: Pieces,
    told: Callable[[int, int], None] = lambda done, total: None,
) -> Image:
    """All pictures of a batch, ``scale`` times as wide and as high, with as many channels.

    A network for grey enlarges each colour by itself. Alpha is enlarged by cubic interpolation.
    Pictures in linear light are shown to the network in sRGB, which it was trained in.

    Raises:
        UserError: the result has too many pixels.
        DiffusionError: the overlap is not between 0 and half of a tile.
    """
    scale = network.scale
    require_pixels(image.width * scale, image.height * scale, image.count)

    def work(piece: Float32) -> Float32:
        colours = in_space(piece[..., :3], image.space, "srgb")
        made = in_space(_coloured(network, colours), "srgb", image.space)
        if not image.has_alpha:
            return made
        return with_alpha(made, _cubic(piece[..., 3], scale))

    made = enlarge(image.pixels, scale, image.channels, pieces, work, told)
    return image.but(made)


def _coloured(network: Network, colours: Float32) -> Float32:
    """Colours ``[h, w, 1 or 3]`` enlarged, in as many channels."""
    channels = colours.shape[-1]
    if network.channels == channels:
        return network(colours)
    if network.channels == 1:
        return np.concatenate([network(colours[..., k : k + 1]) for k in range(channels)], -1)
    made = network(widen(colours, 3))
    return np.asarray(made @ LUMA[:, None], np.float32)


def _cubic(plane: Float32, scale: int) -> Float32:
    import cv2

    size = (plane.shape[1] * scale, plane.shape[0] * scale)
    grown = cv2.resize(np.ascontiguousarray(plane), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(grown, 0, 1), np.float32)
