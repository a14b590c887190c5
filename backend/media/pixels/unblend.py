"""From what a model says of each layer to layers that make the picture again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.media.pixels.batches import seal
from backend.values import Float32

GREY = 0.5
"""What lies behind a layer in the picture of its colours."""

CLEAR, SOLID = 0.1, 0.9
"""Alphas below and above which a layer is taken for clear and for solid."""

_LEAST = 0.05


def layer_of_panels(colours: Float32, coverage: Float32) -> Float32:
    """A layer with straight alpha ``[h, w, 4]`` from its colours over grey ``[h, w, 3]`` and its
    alpha as a grey picture ``[h, w, 3]``.

    Alphas near 0 and 1 are brought there, which takes off the haze that models leave. Colours are
    ``(p - grey (1 - a)) / a``, and where next to nothing is there those of the nearest place where
    something is.
    """
    import cv2

    alpha = np.clip((coverage.mean(-1) - CLEAR) / (SOLID - CLEAR), 0, 1).astype(np.float32)
    there = alpha > _LEAST
    if not there.any():
        return seal(np.zeros((*alpha.shape, 4), np.float32))
    held = np.maximum(alpha, _LEAST)[..., None]
    own = np.clip((colours - GREY * (1 - held)) / held, 0, 1).astype(np.float32)
    _, labels = cv2.distanceTransformWithLabels(
        (~there).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    places = np.flatnonzero(there.ravel())
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels.ravel()[places]] = places
    spread = own.reshape(-1, 3)[nearest[labels]]
    return seal(np.concatenate([spread, alpha[..., None]], -1))


def shares(layers: Sequence[Float32]) -> Float32:
    """How much of each layer shows at each place ``[layers, h, w]``; they lie from the back to the
    front: ``v_k = a_k prod_{j > k} (1 - a_j)``."""
    seen = np.ones(layers[0].shape[:2], np.float32)
    found = np.empty((len(layers), *seen.shape), np.float32)
    for number in range(len(layers) - 1, -1, -1):
        alpha = layers[number][..., 3]
        found[number] = seen * alpha
        seen = seen * (1 - alpha)
    return found


def fitted(layers: Sequence[Float32], picture: Float32) -> list[Float32]:
    """The layers, from the back to the front, with their colours changed as little as makes them
    the ``picture`` ``[h, w, 3]`` again where they lie on one another.

    The least change in the sense of squares: ``c_k += v_k r / sum_j v_j^2`` with what is missing
    ``r = picture - sum_j v_j c_j``. What is hidden (``v_k = 0``) stays as it is.
    """
    visible = shares(layers)
    made = np.zeros_like(picture)
    for v, layer in zip(visible, layers, strict=True):
        made += v[..., None] * layer[..., :3]
    missing = picture - made
    weight = np.maximum((visible**2).sum(0), 1e-6)
    found = []
    for v, layer in zip(visible, layers, strict=True):
        colours = np.clip(layer[..., :3] + (v / weight)[..., None] * missing, 0, 1)
        found.append(seal(np.concatenate([colours, layer[..., 3:]], -1)))
    return found
