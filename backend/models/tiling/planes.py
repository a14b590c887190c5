"""A network on a plane or on its overlapping tiles, for VAEs that norm nothing over a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from backend.models.tiling.tiles import Coding, join


def in_tiles(
    work: Callable[[Tensor], Tensor],
    plane: Tensor,
    size: Sequence[int],
    scales: tuple[int, int],
    device: str,
    coding: Coding,
) -> Tensor:
    """``work`` on a plane ``[1, c, height, width]`` or on its tiles, on the CPU in float32.

    ``size`` is the plane's height and width in latent cells; a cell is ``scales[0]`` wide before
    and ``scales[1]`` after.
    """
    before, after = scales
    height, width = int(size[0]), int(size[1])
    tiling = coding.tiling(height, width, before * after)
    with torch.no_grad():
        if tiling is None:
            return work(plane.to(device)).float().cpu()
        places, made, side = tiling.places(height, width), [], tiling.size * before
        for done, (row, column) in enumerate(places):
            coding.told(done, len(places))
            top, left = row * before, column * before
            tile = plane[..., top : top + side, left : left + side].to(device)
            made.append(work(tile).float().cpu().numpy())
    return torch.from_numpy(join(made, tiling, (height, width), (after, 1)))
