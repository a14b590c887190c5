"""What in-paint models read beside the noisy latent: a picture with a hole, and where the hole is.

Such a model saw both in training, so it fits what it makes into the rest better than a mask laid
over another model's run does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.diffusion.errors import DiffusionError
from backend.values import Conditioning, Float32, Image, Latent

if TYPE_CHECKING:
    from torch import Tensor

MASK, PICTURE = "fill_mask", "fill_picture"
"""Names of the tensors: the mask ``[b, height, width]`` in pixels, 1 = to be filled, and the latent
``[b, c, h, w]`` of the picture with its hole."""

MIDDLE = {"srgb": 0.5, "linear": ((0.5 + 0.055) / 1.055) ** 2.4}
"""Middle grey, which is 0 to a VAE."""


def with_hole(image: Image, coverage: Float32) -> Image:
    """The picture in middle grey where the mask ``[1 or b, height, width]`` is at least one half.

    Raises:
        DiffusionError: the mask has another size, or the numbers of masks and pictures differ.
    """
    fits = coverage.shape[1:] == (image.height, image.width)
    if not fits or coverage.shape[0] not in (1, image.count):
        raise DiffusionError(
            f"There are {coverage.shape[0]} masks of {coverage.shape[2]}x{coverage.shape[1]} for "
            f"{image.count} pictures of {image.width}x{image.height}. Make them of one size, and "
            "give one mask or as many."
        )
    hole = (coverage >= 0.5)[..., None]
    return image.but(pixels=np.where(hole, np.float32(MIDDLE[image.space]), image.pixels))


def add(conditioning: Conditioning, latent: Latent, coverage: Float32) -> Conditioning:
    """The conditioning, and those that take its place later, with a picture to be filled.

    Raises:
        DiffusionError: there are several texts and pictures, but not as many.
    """
    count = max(latent.count, conditioning.count)
    if {latent.count, conditioning.count} - {1, count}:
        raise DiffusionError(
            f"There are {latent.count} pictures for {conditioning.count} texts. Give one, or as "
            "many."
        )
    mask = np.broadcast_to(
        (coverage >= 0.5).astype(np.float32), (latent.count, *coverage.shape[1:])
    )
    given = {**conditioning.tensors, MASK: mask, PICTURE: latent.samples}
    spread = {name: array.repeat(count // len(array), 0) for name, array in given.items()}
    later = tuple(
        replace(p, conditioning=add(p.conditioning, latent, coverage)) for p in conditioning.later
    )
    return replace(conditioning, tensors=spread, later=later)


def gathered(conditionings: Sequence[Conditioning], count: int) -> tuple[Tensor, Tensor]:
    """Masks and pictures of one batch, ``[conditionings * count, ...]``, on the CPU.

    Raises:
        DiffusionError: a conditioning has none, or their sizes differ.
    """
    import torch

    found: dict[str, list[Any]] = {MASK: [], PICTURE: []}
    for given in conditionings:
        for name, parts in found.items():
            if name not in given.tensors:
                raise DiffusionError(
                    "This is an in-paint model: it needs to see the picture to be filled. Put the "
                    "node In-paint model condition behind every text, the negative too."
                )
            whole = torch.from_numpy(given.tensors[name].copy())
            parts.append(whole.expand(count, *whole.shape[1:]))
    for parts in found.values():
        if len({part.shape[1:] for part in parts}) > 1:
            raise DiffusionError(
                "The pictures to be filled differ in size between the conditionings of this run. "
                "Give all of them the same picture and mask."
            )
    return torch.cat(found[MASK]), torch.cat(found[PICTURE])


def check_size(x: Tensor, picture: Tensor) -> None:
    """Refuse latents ``x`` of another size than the picture to be filled.

    Raises:
        DiffusionError: they are.
    """
    if x.shape[-2:] != picture.shape[-2:]:
        sizes = [f"{t.shape[-1]}x{t.shape[-2]}" for t in (picture, x)]
        raise DiffusionError(
            f"The picture to be filled has {sizes[0]} cells, the latent {sizes[1]}. Make them of "
            "the same size."
        )


def refuse(conditionings: Sequence[Conditioning]) -> None:
    """Refuse pictures to be filled where a model cannot see them.

    Raises:
        DiffusionError: there are such.
    """
    if any(PICTURE in given.tensors for given in conditionings):
        raise DiffusionError(
            "This model is no in-paint model, so it cannot see the picture to be filled. Take the "
            "node In-paint model condition out, and put an In-paint mask on the latent instead."
        )
