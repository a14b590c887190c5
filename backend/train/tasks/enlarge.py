"""Enlarging: a scene, and the same as it comes out of a small, noisy JPEG of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.media.pixels.resample import Filter, plan_resize, resize
from backend.train.adapter.sets import Drawn
from backend.train.scene import Bytes, picture
from backend.train.task import Task
from backend.train.world import Split, draw_spec
from backend.values import Image

FACTOR: Final = 4
"""Pixels a side of the scene that become one of the small picture."""


@dataclass(frozen=True)
class Wear:
    """What a picture goes through: the radius of the blur in pixels of the scene, the noise in
    levels of 255, and the quality of the JPEG."""

    blur: float
    noise: float
    quality: int


def draw_wear(rng: np.random.Generator) -> Wear:
    """From nearly none to much."""
    return Wear(
        float(rng.uniform(0.0, 2.0)), float(rng.uniform(0.0, 6.0)), int(rng.integers(60, 96))
    )


def worn(pixels: Bytes, wear: Wear, rng: np.random.Generator) -> Bytes:
    """The small picture uint8 ``[h / 4, w / 4, 3]`` of one: blurred, shrunk, noisy, coded."""
    import cv2

    seen = pixels.astype(np.float32)
    if wear.blur > 0:
        seen = cv2.GaussianBlur(seen, (0, 0), wear.blur)
    rows, columns = (side // FACTOR for side in pixels.shape[:2])
    small = cv2.resize(seen, (columns, rows), interpolation=cv2.INTER_AREA)
    small = small + rng.normal(0.0, wear.noise, small.shape)
    codes = np.ascontiguousarray(np.clip(np.rint(small), 0, 255).astype(np.uint8)[..., ::-1])
    done, data = cv2.imencode(".jpg", codes, [cv2.IMWRITE_JPEG_QUALITY, wear.quality])
    if not done:
        raise ValueError("the picture could not be coded as JPEG")
    found = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(found[..., ::-1])


def enlarged(small: Bytes, filter: Filter = "lanczos") -> Bytes:
    """A picture uint8 ``[h, w, 3]`` four times as wide and as high, by a filter alone."""
    image = Image(np.asarray(small[None] / 255, np.float32))
    target = (small.shape[1] * FACTOR, small.shape[0] * FACTOR)
    grown = resize(image, plan_resize((small.shape[1], small.shape[0]), target), filter)
    return np.asarray(np.rint(np.clip(grown.pixels[0], 0, 1) * 255), np.uint8)


@dataclass(frozen=True, eq=False)
class Pair:
    """A scene uint8 ``[128, 128, 3]``, its caption, and its small picture ``[32, 32, 3]``."""

    whole: Bytes
    caption: str
    small: Bytes


def draw_pair(seed: int, index: int, split: Split = "train") -> Pair:
    """Pair number ``index`` of a seed."""
    rng = np.random.default_rng([seed, index, 83, ("train", "held", "any").index(split)])
    spec = draw_spec(seed, index, split)
    whole = picture(spec)
    return Pair(whole, spec.caption, worn(whole, draw_wear(rng), rng))


def example(seed: int, index: int) -> Drawn:
    """A pair to learn from: the scene, with the small picture enlarged by Lanczos beside it."""
    pair = draw_pair(seed, index)
    return Drawn(pair.whole, pair.caption, (enlarged(pair.small),))


ENLARGE: Final = Task("enlarge", "a scene from its small, worn picture", "enlarge", example)
