"""Pictures through a deep compression autoencoder (DC-AE, arXiv:2410.10733), one at a time.

It gives one code for a picture and no spread about it. Its small layers attend to the whole
picture, so tiles agree with it less well than those of other autoencoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.models.card import Geometry
from backend.models.numerics import dtype_of
from backend.models.pixels import to_image, to_tensor
from backend.models.tiling.tiles import WHOLE, Coding
from backend.values import Float32, Image, Latent

if TYPE_CHECKING:
    from torch import Tensor


def encode_codes(
    net: Any, image: Image, geometry: Geometry, space: str, device: str, coding: Coding = WHOLE
) -> Latent:
    """Codes ``[b, c, h, w]`` times the config's ``scaling_factor``.

    Raises:
        DiffusionError: the size is no multiple of what the model takes.
    """
    import torch

    from backend.models.tiling.planes import in_tiles

    size = geometry.shape(image.width, image.height, image.count)[-2:]

    def work(pixels: Tensor) -> Tensor:
        code: Tensor = net.encode(pixels).latent
        return code

    codes = [
        in_tiles(work, pixels[None].to(dtype_of(net)), size, (geometry.factor, 1), device, coding)
        for pixels in to_tensor(image)
    ]
    return Latent((torch.cat(codes) * float(net.config.scaling_factor)).numpy(), space)


def decode_codes(
    net: Any, samples: Float32, factor: int, device: str, coding: Coding = WHOLE
) -> Image:
    """``decode(latent / scaling_factor)``; a cell becomes ``factor`` pixels wide."""
    import torch

    from backend.models.tiling.planes import in_tiles

    codes = torch.from_numpy(samples.copy()) / float(net.config.scaling_factor)

    def work(code: Tensor) -> Tensor:
        pixels: Tensor = net.decode(code, return_dict=False)[0]
        return pixels

    size = (samples.shape[-2], samples.shape[-1])
    decoded = [
        in_tiles(work, code[None].to(dtype_of(net)), size, (1, factor), device, coding)
        for code in codes
    ]
    return to_image(torch.cat(decoded), coding.wide)
