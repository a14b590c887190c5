"""Regional guidance: each text acts in its own part of the picture, with soft edges."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.diffusion.guide import Call, GuidanceKind
from backend.diffusion.paths import Estimate
from backend.diffusion.schedule import number
from backend.values import Conditioning, Float32

if TYPE_CHECKING:
    from torch import Tensor

REGION: Final = "region"
"""The role of a term that acts in a part of the picture, and the tensor of its conditioning that
says where: ``[count, height, width]``, 0..1, of any size, spread over the latent."""


def in_region(conditioning: Conditioning, mask: Float32) -> Conditioning:
    """The same text for a part of the picture: ``mask`` ``[height, width]``, 0..1."""
    spread = np.broadcast_to(mask[None], (max(conditioning.count, 1), *mask.shape))
    return replace(conditioning, tensors={**conditioning.tensors, REGION: spread})


def apply(call: Call) -> Estimate:
    """``base + cfg (mix - base)``, where each place of ``mix`` is what the texts there predict.

    With masks ``m_i`` (of overlapping ones each has its share) and the whole picture's text ``p``,
    ``mix = (1 - sum m_i) p + sum m_i ((1 - whole) r_i + whole p)`` (MultiDiffusion,
    arXiv:2302.08113 eq. 3, with one view for each region and the text of the whole as background).
    Outside the range of steps ``begin`` to ``end`` it is CFG with ``p`` alone.
    N regions cost N + 2 evaluations in one batch.

    Raises:
        DiffusionError: there is no region, or one has no mask.
    """
    import torch

    base_term, whole_term = call.role("negative"), call.role("positive")
    regions = [term for term in call.terms if term.role == REGION]
    if not regions:
        raise DiffusionError("Regional prompts need at least one region. Give one.")
    cfg, share = number(call.params, "cfg", 2.0), number(call.params, "whole", 0.0)
    begin, end = number(call.params, "begin", 0.0), number(call.params, "end", 1.0)
    if not begin <= call.done < end:
        whole, base = call.predict([whole_term, base_term])
        return call.split(base + cfg * (whole - base))
    *found, whole, base = call.predict([*regions, whole_term, base_term])
    masks = [_mask(term.conditioning.at(call.done), call.x) for term in regions]
    total = torch.stack(masks).sum(0)
    over = total.clamp(min=1.0)
    mixed = (1 - total / over) * whole
    for mask, prediction in zip(masks, found, strict=True):
        mixed = mixed + mask / over * ((1 - share) * prediction + share * whole)
    return call.split(base + cfg * (mixed - base))


def _mask(conditioning: Conditioning, x: Tensor) -> Tensor:
    """A term's mask over the latent, ``[count or 1, 1, h, w]`` (``[.., 1, 1, h, w]`` of videos)."""
    import torch
    from torch.nn.functional import interpolate

    given = conditioning.tensors.get(REGION)
    if given is None:
        raise DiffusionError("A region has no mask. Make it with the node Regional prompts.")
    mask = torch.from_numpy(given.copy()).to(x)[:, None]
    height, width = x.shape[-2:]
    if mask.shape[-2] >= height and mask.shape[-1] >= width:
        mask = interpolate(mask, (height, width), mode="area")
    else:
        mask = interpolate(mask, (height, width), mode="bilinear", align_corners=False)
    return mask.reshape(mask.shape[0], *[1] * (x.ndim - 3), height, width)


REGIONAL = GuidanceKind(
    "regional", "Regional prompts", apply, branches=lambda terms: terms, rank=61
)
