"""The words of the world and the colours they stand for."""

from __future__ import annotations

from typing import Final

RGB = tuple[int, int, int]

# Far apart in hue or lightness, so that a picture decides which of them it shows.
COLOURS: Final[dict[str, RGB]] = {
    "red": (214, 40, 40),
    "orange": (244, 140, 30),
    "yellow": (246, 222, 52),
    "green": (44, 160, 70),
    "cyan": (70, 205, 222),
    "blue": (42, 78, 200),
    "purple": (132, 52, 170),
    "pink": (246, 130, 182),
}

# No background is near an object colour or its dark shade.
BACKGROUNDS: Final[dict[str, RGB]] = {
    "white": (248, 248, 248),
    "grey": (150, 150, 150),
    "black": (18, 18, 18),
    "beige": (226, 208, 170),
    "lavender": (208, 200, 240),
}

SHAPES: Final[tuple[str, ...]] = ("circle", "square", "triangle", "star", "ring", "cross")
TEXTURES: Final[tuple[str, ...]] = ("plain", "striped", "dotted")
PLACES: Final[tuple[str, ...]] = ("left", "right", "top", "bottom")

# The ink of stripes and dots is the object's own colour times this.
SHADE: Final[float] = 0.6
