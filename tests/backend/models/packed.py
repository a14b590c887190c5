"""Families whose latents go through the pipelines as rows of 2x2 patches."""

from __future__ import annotations

from typing import Any

import torch

from backend.models import patches2x2
from backend.models.patches2x2 import image_ids, pack, unpack
from tests.backend.models.mistakes import instead
from tests.backend.models.parity import HEIGHT, WIDTH


def unpacked(result: Any) -> torch.Tensor:
    """The latents ``[b, c, h, w]`` in a pipeline's result."""
    return unpack(result[0], HEIGHT // 2, WIDTH // 2)


class Packed:
    """How such a pipeline is asked."""

    @classmethod
    def packed(cls, latents: torch.Tensor) -> torch.Tensor:
        return pack(latents)

    @classmethod
    def latents(cls, result: Any) -> torch.Tensor:
        return unpacked(result)


SIDES_SWAPPED = instead(
    patches2x2, "image_ids", lambda _: lambda rows, columns: image_ids(rows, columns)[:, [0, 2, 1]]
)
PATCH_ORDER = instead(patches2x2, "pack", lambda _: lambda x: pack(x.transpose(2, 3)).contiguous())
