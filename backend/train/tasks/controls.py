"""Controls: a scene, its caption, and the picture that it follows."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from backend.media.pixels.outlines import colour_grid, edges
from backend.train.adapter.sets import Drawn
from backend.train.scene import Bytes, picture
from backend.train.task import Task
from backend.train.world import draw_spec
from backend.values import Image

KINDS: Final = ("edges", "colours")


def guide(pixels: Bytes, kind: str) -> Bytes:
    """What of a picture uint8 ``[h, w, 3]`` is followed, in the same form."""
    image = Image(np.asarray(pixels[None] / 255, np.float32))
    made = edges(image) if kind == "edges" else colour_grid(image)
    return np.asarray(np.rint(made.pixels[0] * 255), np.uint8)


def example(seed: int, index: int, kind: str = "edges") -> Drawn:
    """A scene with its caption, and its guide beside it."""
    spec = draw_spec(seed, index)
    pixels = picture(spec)
    return Drawn(pixels, spec.caption, (guide(pixels, kind),))


EDGES: Final = Task("edges", "a scene that follows its edges", "control", example)
COLOURS: Final = Task(
    "colours",
    "a scene that follows its grid of colours",
    "control",
    partial(example, kind="colours"),
)
