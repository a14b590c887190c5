"""Pictures, masks and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backend.values.arrays import Float32, freeze
from backend.values.base import Value

ColorSpace = Literal["srgb", "linear"]


@dataclass(frozen=True, eq=False)
class Image(Value):
    """A batch of pictures of one size.

    ``pixels`` is read-only float32 ``[batch, height, width, channels]``, nominally 0..1; channels
    are 1 (grey), 3 (RGB) or 4 (RGB and straight, not premultiplied, alpha). ``space`` is the
    transfer curve of the colour channels; alpha is always linear.
    """

    pixels: Float32
    space: ColorSpace = "srgb"

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", freeze(self.pixels, 4))
        if self.pixels.shape[3] not in (1, 3, 4):
            raise ValueError(f"an image has 1, 3 or 4 channels, not {self.pixels.shape[3]}")
        if 0 in self.pixels.shape:
            raise ValueError(f"an image has no empty side (shape {self.pixels.shape})")

    @property
    def count(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[2])

    @property
    def channels(self) -> int:
        return int(self.pixels.shape[3])

    @property
    def has_alpha(self) -> bool:
        return self.channels == 4

    def but(self, pixels: Float32) -> Image:
        """The same kind of image with other pixels (channels may change)."""
        return Image(pixels, self.space)


@dataclass(frozen=True, eq=False)
class Mask(Value):
    """A batch of coverage maps, read-only float32 ``[batch, height, width]``, 0 (out) to 1 (in)."""

    coverage: Float32

    def __post_init__(self) -> None:
        object.__setattr__(self, "coverage", freeze(self.coverage, 3))
        if 0 in self.coverage.shape:
            raise ValueError(f"a mask has no empty side (shape {self.coverage.shape})")

    @property
    def count(self) -> int:
        return int(self.coverage.shape[0])

    @property
    def height(self) -> int:
        return int(self.coverage.shape[1])

    @property
    def width(self) -> int:
        return int(self.coverage.shape[2])


@dataclass(frozen=True)
class Color(Value):
    """One colour in sRGB, straight alpha, each channel 0..1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Color:
        """Read ``#rgb``, ``#rrggbb`` or ``#rrggbbaa``.

        Raises:
            ValueError: the text is none of these.
        """
        digits = text.strip().removeprefix("#")
        if len(digits) == 3:
            digits = "".join(d * 2 for d in digits)
        if len(digits) not in (6, 8) or not all(d in "0123456789abcdefABCDEF" for d in digits):
            raise ValueError(f"{text!r} is not a colour; write #rrggbb or #rrggbbaa")
        parts = [int(digits[i : i + 2], 16) / 255 for i in range(0, len(digits), 2)]
        return cls(*parts)

    def hex(self) -> str:
        """``#rrggbb``, or ``#rrggbbaa`` where the colour is not opaque."""
        parts = [self.red, self.green, self.blue]
        if self.alpha != 1.0:
            parts.append(self.alpha)
        return "#" + "".join(f"{round(min(max(p, 0.0), 1.0) * 255):02x}" for p in parts)
