"""The patch by which a model follows a picture through a ControlNet, as data. Light."""

from __future__ import annotations

from collections.abc import Mapping

from backend.catalog.controlnets import PART
from backend.models.controlnet.file import FAMILY_NAME
from backend.values import ControlNet, Float32, Patch, Weights

KIND = "controlnet"
PICTURE, MASK = "picture", "mask"
"""The patch's tensors: the picture, sRGB ``[1 or count, height, width, 3]`` 0..1 or for a net that
sees latents ``[1 or count, c, h, w]``; where it counts, ``[1 or count, height, width]`` 0..1."""


def controlnet_patch(
    net: ControlNet,
    strength: float,
    span: tuple[float, float],
    mode: int,
    tensors: Mapping[str, Float32],
) -> Patch:
    """The patch; ``span`` is the range of steps as fractions, ``mode`` the number of the kind of
    picture."""
    params = {"begin": span[0], "end": span[1], "mode": mode}
    return Patch(KIND, strength, params, net.identity, net.source, tensors)


def reference_of(patch: Patch) -> Weights:
    """The reference to a patch's ControlNet, for the loader."""
    return Weights(FAMILY_NAME, PART, patch.identity, patch.source)
