"""A stack of layers: pictures with a name, a blend mode, an opacity and a place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from backend.values.arrays import Float32, freeze
from backend.values.base import Value

LayerMode = Literal[
    "normal",
    "multiply",
    "screen",
    "overlay",
    "darken",
    "lighten",
    "color dodge",
    "color burn",
    "hard light",
    "soft light",
    "difference",
    "exclusion",
    "hue",
    "saturation",
    "color",
    "luminosity",
    "add",
]
MODES: tuple[LayerMode, ...] = LayerMode.__args__  # type: ignore[attr-defined]
"""The blend modes that PSD and OpenRaster share."""

MOST_LAYERS = 1000
MOST_PIXELS = 2**28
"""Of a canvas, and of all layers of a stack together."""
LARGEST_SIDE = 2**18
LONGEST_NAME = 250
"""Letters of a name that is given or read; groups may make it longer."""
_FARTHEST = 2**20


@dataclass(frozen=True, eq=False)
class Layer(Value):
    """One layer: read-only float32 ``[height, width, 4]``, sRGB with straight alpha, 0..1.

    ``x``, ``y`` is where its top left pixel lies on the canvas; it may lie outside, in part or
    wholly. ``opacity`` is 0..1.
    """

    pixels: Float32
    name: str = ""
    mode: LayerMode = "normal"
    opacity: float = 1.0
    x: int = 0
    y: int = 0
    visible: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", freeze(self.pixels, 3))
        shape = self.pixels.shape
        if shape[2] != 4 or 0 in shape:
            raise ValueError(f"a layer is [height, width, 4] and not empty, not {shape}")
        if self.mode not in MODES:
            raise ValueError(f"{self.mode!r} is no blend mode of layers")
        if not 0 <= self.opacity <= 1:
            raise ValueError(f"an opacity lies between 0 and 1, not at {self.opacity:g}")
        if max(abs(self.x), abs(self.y)) > _FARTHEST:
            raise ValueError(
                f"a layer lies at most {_FARTHEST} pixels off, not at {self.x, self.y}"
            )
        object.__setattr__(self, "opacity", float(self.opacity))

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    def but(self, **changes: Any) -> Layer:
        """The same layer with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Layers(Value):
    """Layers on a canvas of ``width`` x ``height`` pixels, from the bottom up; at least one."""

    width: int
    height: int
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("a stack has at least one layer")
        if len(self.layers) > MOST_LAYERS:
            raise ValueError(f"a stack has at most {MOST_LAYERS} layers, not {len(self.layers)}")
        sides = (self.width, self.height)
        if min(sides) < 1 or max(sides) > LARGEST_SIDE or self.width * self.height > MOST_PIXELS:
            raise ValueError(f"a canvas of {self.width}x{self.height} pixels is out of range")
        if sum(each.width * each.height for each in self.layers) > MOST_PIXELS:
            raise ValueError(f"the layers of a stack have at most {MOST_PIXELS} pixels together")

    @property
    def count(self) -> int:
        return len(self.layers)

    @property
    def names(self) -> tuple[str, ...]:
        """The layers' names, from the bottom up."""
        return tuple(each.name for each in self.layers)

    def but(self, **changes: Any) -> Layers:
        """The same stack with some fields changed."""
        return replace(self, **changes)
