"""In-painting by keeping the rest: outside the mask the original is put back at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from backend.diffusion.edit import Edit, Start
from backend.diffusion.errors import DiffusionError
from backend.values import Float32

if TYPE_CHECKING:
    from torch import Tensor


def keep(start: Start, mask: Tensor) -> Edit:
    """An edit that puts the original, noised to the level just reached, back where mask is 0.

    ``mask`` is ``[batch or 1, height, width]`` at latent size, 1 = new. The noise is the one that
    the run began with, so kept and new parts lie on one path; at the last level (sigma 0) the
    original itself is blended in. arXiv:2201.09865 eq. 8 in the form of image pipelines: no
    resampling.

    Raises:
        DiffusionError: the mask does not have the latent's size.
    """
    original = start.original
    if mask.shape[-2:] != original.shape[-2:] or mask.shape[0] not in (1, original.shape[0]):
        raise DiffusionError(
            f"The mask is {tuple(mask.shape)}, the latent {tuple(original.shape)}: they must agree "
            "in height, width and count. Make the mask from the same picture."
        )
    new = mask.reshape(mask.shape[0], *[1] * (original.ndim - 3), *mask.shape[-2:])

    def edit(x: Tensor, sigma: float, left: float) -> Tensor:
        return (1 - new) * start.path.noisy(original, start.noise, sigma) + new * x

    return edit


def latent_mask(coverage: Float32, height: int, width: int, soft: bool = False) -> Float32:
    """A mask in pixels, ``[batch, h, w]`` 0..1, brought to latent size, 1 = new.

    Each cell takes the pixel at its corner, cut to 0 or 1 at one half, as image pipelines do;
    ``soft`` takes the mean coverage of the cell's pixels instead and keeps it.

    Raises:
        DiffusionError: a soft mask does not divide into whole cells.
    """
    rows, columns = coverage.shape[1:]
    if not soft:
        down = coverage[:, np.arange(height) * rows // height][
            :, :, np.arange(width) * columns // width
        ]
        return (down >= 0.5).astype(np.float32)
    if rows % height or columns % width:
        raise DiffusionError(
            f"A soft mask of {columns}x{rows} pixels does not divide into {width}x{height} cells. "
            "Resize the mask to the size of the picture."
        )
    cells = coverage.reshape(-1, height, rows // height, width, columns // width)
    return np.asarray(cells.mean((2, 4)), dtype=np.float32)
