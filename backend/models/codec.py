"""Pictures through a VAE, one at a time: what families share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.diffusion.noise import gaussian
from backend.models.card import Geometry
from backend.models.numerics import dtype_of
from backend.models.pixels import to_image, to_tensor
from backend.models.tiling.tiles import WHOLE, Coding
from backend.values import Float32, Image, Latent

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Scaling:
    """``latent = (raw - shift) * scale``: numbers, or tensors that fit the latent's axes."""

    scale: Any = 1.0
    shift: Any = 0.0


def scaling_of(config: Any) -> Scaling:
    """The scaling that a VAE's config names by ``scaling_factor`` and ``shift_factor``."""
    shift = getattr(config, "shift_factor", None)
    return Scaling(float(config.scaling_factor), float(shift or 0.0))


def encode_stills(
    net: Any,
    image: Image,
    geometry: Geometry,
    scaling: Scaling,
    space: str,
    device: str,
    seed: int | None = None,
    coding: Coding = WHOLE,
) -> Latent:
    """Latents ``[b, c, h, w]``: the mean of the posterior, or with ``seed`` a sample of it.

    In the tiles of ``coding`` large pictures need the memory of one.

    Raises:
        DiffusionError: the size is no multiple of what the model takes.
    """
    import torch

    shape = geometry.shape(image.width, image.height, image.count)
    noise = None if seed is None else gaussian(seed, shape)
    pixels, coded = to_tensor(image).to(device, dtype_of(net)), []
    with torch.no_grad():
        for index in range(image.count):
            posterior = _posterior(net, pixels[index : index + 1], geometry.factor, coding)
            latent = posterior.mean
            if noise is not None:
                latent = latent + posterior.std * noise[index : index + 1].to(latent)
            coded.append(latent.float())
    samples = (torch.cat(coded) - scaling.shift) * scaling.scale
    return Latent(samples.cpu().numpy(), space)


def decode_stills(
    net: Any,
    samples: Float32,
    scaling: Scaling,
    device: str,
    factor: int = 0,
    coding: Coding = WHOLE,
) -> Image:
    """``decode(latent / scale + shift)`` of latents ``[b, c, h, w]``.

    In the tiles of ``coding`` large latents need the memory of one; ``factor`` is then how many
    pixels a cell becomes.
    """
    import torch

    decoded: list[Tensor] = []
    with torch.no_grad():
        for sample in torch.from_numpy(samples.copy()):
            raw = (sample[None].to(device) / scaling.scale + scaling.shift).to(dtype_of(net))
            decoded.append(_pixels(net, raw, factor, coding))
    return to_image(torch.cat(decoded), coding.wide)


def _posterior(net: Any, pixels: Tensor, factor: int, coding: Coding) -> Any:
    tiling = coding.tiling(pixels.shape[-2] // factor, pixels.shape[-1] // factor, factor)
    if tiling is None:
        return net.encode(pixels).latent_dist
    from backend.models.tiling import kl as kl_tiles

    kl_tiles.check(net)
    return kl_tiles.encode(net, pixels, tiling, factor, coding.told)


def _pixels(net: Any, raw: Tensor, factor: int, coding: Coding) -> Tensor:
    import torch

    tiling = coding.tiling(raw.shape[-2], raw.shape[-1], factor)
    if tiling is None:
        whole: Tensor = net.decode(raw, return_dict=False)[0]
        return whole.float().cpu()
    from backend.models.tiling import kl as kl_tiles

    kl_tiles.check(net)
    return torch.from_numpy(kl_tiles.decode(net, raw, tiling, factor, coding.told))
