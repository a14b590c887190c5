"""What the panel says of a layer, and its small picture."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QBuffer, QIODevice
from PySide6.QtGui import QImage

from app.widgets.card import Act, Card
from app.widgets.card_paint import PICTURE
from app.words import tr
from backend.values import Float32, Layer

_SQUARE = 8
"""Pixels of a thumbnail to a square of the checkers."""


def layer_card(number: int, layer: Layer, shown: bool, alone: bool, picture: bytes) -> Card:
    """The card of a layer, ``number`` from 0 at the bottom; ``shown`` in the viewer, or ``alone``
    there."""
    act = (
        Act(tr("Hide in the viewer"), "eye") if shown else Act(tr("Show in the viewer"), "eye-off")
    )
    said = sentence_of(layer)
    state = tr("Hidden in the graph") if not layer.visible else ""
    words = [layer.name or tr("Layer {n}", n=number + 1), said, "" if shown else tr("not shown")]
    return Card(
        key=str(number), title=words[0], sentence=" · ".join(filter(None, (state, said))),
        icon="layers", framed=True, picture=picture, outlined=alone, act=act,
        tip=tr("Click to look at this layer alone, and again to see all."),
        spoken=". ".join(filter(None, (*words, state))),
    )  # fmt: skip


def sentence_of(layer: Layer) -> str:
    """Mode, opacity, size and place: ``Multiply · 60 % · 48 x 40 at -5, 12``."""
    size = f"{layer.width} x {layer.height}"
    place = tr("{size} at {x}, {y}", size=size, x=layer.x, y=layer.y)
    return " · ".join(
        (tr(layer.mode.capitalize()), f"{layer.opacity:.0%}".replace("%", " %"), place)
    )


def thumbnail(layer: Layer, ratio: float) -> bytes:
    """A small picture of a layer on checkers, as PNG, for a screen of ``ratio`` pixels to one."""
    width, height = (round(side * ratio) for side in (PICTURE.width(), PICTURE.height()))
    small = _reduced(layer.pixels, width, height)
    tall, wide = small.shape[:2]
    top, left = (height - tall) // 2, (width - wide) // 2
    rows, columns = np.indices((height, width)) // max(round(_SQUARE * ratio), 1)
    ground = np.where((rows + columns) % 2, 0.62, 0.78).astype(np.float32)
    canvas = np.repeat(ground[..., None], 3, 2)
    area = canvas[top : top + tall, left : left + wide]
    alpha = small[..., 3:]
    area[:] = small[..., :3] * alpha + area * (1 - alpha)
    codes = np.ascontiguousarray(np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8))
    image = QImage(codes.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]  # the stubs know bytes only
    return bytes(buffer.data().data())


def _reduced(pixels: Float32, width: int, height: int) -> Float32:
    """Pixels made to fit a size, never larger than they are; colours weighted by alpha."""
    import cv2

    tall, wide = pixels.shape[:2]
    share = min(width / wide, height / tall, 1.0)
    size = max(round(wide * share), 1), max(round(tall * share), 1)
    step = max(int(0.25 / share), 1)  # a huge layer need not be read in full for this
    some = pixels[::step, ::step]
    solid = np.concatenate([some[..., :3] * some[..., 3:], some[..., 3:]], 2)
    small = cv2.resize(solid, size, interpolation=cv2.INTER_AREA)
    alpha = np.maximum(small[..., 3:], 1e-6)
    return np.concatenate([small[..., :3] / alpha, small[..., 3:]], 2).astype(np.float32)
