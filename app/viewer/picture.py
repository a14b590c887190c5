"""Single pictures, as the viewer holds them: whatever can be seen of a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.words import tr
from backend.values import Float32, Image, Latent, Layers, Layout, Mask

Curve = Literal["srgb", "linear", "plain"]

ALL, LUMINANCE = -1, -2
"""Channels that are shown instead of a single one: all of them as colours, or their luminance."""

SIGMAS = 3.0
"""How many standard deviations of a latent are shown between black and white, to each side."""

LAYOUT_SIDE = 1024
"""Pixels of the longer side at which a layout is drawn at most."""


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """One picture: read-only float32 ``[height, width, channels]``.

    ``curve`` says what exposure means: ``srgb`` and ``linear`` pixels are exposed in linear light,
    ``plain`` numbers (a mask, a latent, a difference) are multiplied. ``low`` is the number that
    is shown black, ``high`` the one that is shown white. ``names`` are those of the channels.
    """

    pixels: Float32
    curve: Curve = "srgb"
    low: float = 0.0
    high: float = 1.0
    names: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def has_alpha(self) -> bool:
        return self.names == ("R", "G", "B", "A")

    @property
    def is_colour(self) -> bool:
        """Whether its first three channels are red, green and blue."""
        return self.names[:3] == ("R", "G", "B")

    @property
    def choices(self) -> tuple[int, ...]:
        """What can be shown of it: ``ALL`` and ``LUMINANCE`` where it has colours, and channels."""
        if self.channels == 1:
            return (ALL,)
        single = tuple(range(self.channels))
        return (ALL, *single, LUMINANCE) if self.is_colour else single

    def words(self) -> str:
        """Size, channels and curve: ``512 x 384 · RGBA straight · sRGB``."""
        size = f"{self.width} x {self.height}"
        if self.curve == "plain":
            if self.channels == 1:
                return f"{size} · " + tr("1 channel")
            return f"{size} · " + tr("{n} channels", n=self.channels)
        layout = {1: tr("Grey"), 3: "RGB", 4: tr("RGBA straight")}[self.channels]
        return f"{size} · {layout} · " + ("sRGB" if self.curve == "srgb" else tr("linear"))


def pictures_of(value: object) -> tuple[Picture, ...]:
    """Every picture of a value: of a batch each item, of a list those of each of its values.

    Empty where there is nothing to see. Pixels are shared with the value.
    """
    found: list[Picture] = []
    waiting = [value]
    while waiting:
        at = waiting.pop()
        if isinstance(at, Image):
            names = ("R", "G", "B", "A")[: at.channels] if at.channels > 1 else ("Y",)
            found += [Picture(item, at.space, names=names) for item in at.pixels]
        elif isinstance(at, Mask):
            found += [Picture(item[..., None], "plain", names=("M",)) for item in at.coverage]
        elif isinstance(at, Layers):
            from backend.media.pixels.flatten import flatten

            waiting.append(flatten(at))
        elif isinstance(at, Latent):
            found += _of_latent(at.samples)
        elif isinstance(at, Layout):
            waiting.append(_of_layout(at))
        elif isinstance(at, Sequence) and not isinstance(at, str | bytes):
            waiting += reversed(at)
    return tuple(found)


def difference(one: Picture, other: Picture) -> Picture:
    """How far two pictures of one size are apart, channel by channel, as plain numbers.

    Where one has more channels, the colours alone are compared; grey is compared with each.

    Raises:
        ValueError: their sizes or kinds differ; the sentence says how.
    """
    sizes = [(each.width, each.height) for each in (one, other)]
    if sizes[0] != sizes[1]:
        said = [f"{width} x {height}" for width, height in sizes]
        raise ValueError(
            tr("A is {a}, B is {b}; a difference needs one size.", a=said[0], b=said[1])
        )
    if one.curve != other.curve:
        raise ValueError(tr("A and B are of different kinds, so there is no difference to show."))
    count = min(one.channels, other.channels)
    if count == 1 and max(one.channels, other.channels) > 1:
        count = 3
    a, b = (
        each.pixels if each.channels == 1 else each.pixels[..., :count] for each in (one, other)
    )
    apart = np.abs(a - b)
    apart.setflags(write=False)
    names = (one if one.channels >= other.channels else other).names[: apart.shape[2]]
    return Picture(apart, "plain", 0.0, one.high - one.low, names)


def _of_layout(layout: Layout) -> Image:
    """Its boxes with their captions; a layout of a large picture is drawn smaller."""
    from backend.media.pixels.boxes import draw

    scale = min(1.0, LAYOUT_SIDE / max(layout.width, layout.height))
    width, height = (max(1, round(side * scale)) for side in (layout.width, layout.height))
    return draw(Layout(layout.boxes, width, height))


def _of_latent(samples: Float32) -> list[Picture]:
    """Latents ``[batch, channels, height, width]``, or with frames before the height, which count
    as pictures of their own. Shown between three standard deviations to each side of the mean."""
    if samples.ndim == 5:
        samples = samples.swapaxes(1, 2).reshape(-1, samples.shape[1], *samples.shape[3:])
    found = []
    for item in samples:
        middle, spread = float(item.mean()), SIGMAS * float(item.std())
        if not np.isfinite(middle + spread) or spread == 0:
            middle, spread = 0.0, 1.0
        names = tuple(str(number) for number in range(1, len(item) + 1))
        pixels = np.moveaxis(item, 0, 2)
        found.append(Picture(pixels, "plain", middle - spread, middle + spread, names))
    return found
