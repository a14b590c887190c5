"""Pictures through a causal video VAE of Wan's kind, each a video of one frame.

Without frames before it no convolution has anything to remember, so coder and decoder are called
without the memory that videos need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.noise import gaussian
from backend.models.card import Geometry
from backend.models.causal_video import channel_scaling
from backend.models.family import Load, describe
from backend.models.numerics import dtype_of
from backend.models.pixels import to_image, to_tensor
from backend.models.tiling.tiles import WHOLE, Coding
from backend.values import VAE, Float32, Image, Latent

if TYPE_CHECKING:
    from torch import Tensor


def geometry(folder: ModelFolder, patch: int) -> Geometry:
    """Channels and factor of the VAE, from its config.

    Raises:
        CatalogError: it halves pictures at other sizes than it says, or its statistics do not fit.
    """
    vae = folder.component("vae").config
    channels, halvings = int(vae.get("z_dim", 16)), len(vae.get("temperal_downsample", (0, 1, 1)))
    if len(vae.get("dim_mult", (1, 2, 4, 4))) != halvings + 1:
        raise CatalogError(
            f"{folder.path}: the VAE's dim_mult has {len(vae['dim_mult'])} sizes for {halvings} "
            "halvings, where it needs one more than those. Get the config of the VAE again."
        )
    _check_statistics(folder, vae, channels)
    return Geometry(channels, 2**halvings, patch)


def _check_statistics(folder: ModelFolder, vae: Mapping[str, Any], channels: int) -> None:
    for name, above in (("latents_mean", False), ("latents_std", True)):
        values = vae.get(name, (1.0,) * 16)
        if len(values) != channels or (above and min(values) <= 0):
            raise CatalogError(
                f"{folder.path}: the VAE's {name} should hold {channels} numbers"
                f"{' above 0' if above else ''}. Get the config of the VAE again."
            )


def encode_pictures(
    net: Any,
    image: Image,
    shape: Geometry,
    space: str,
    device: str,
    seed: int | None = None,
    coding: Coding = WHOLE,
) -> Latent:
    """Latents ``[b, c, h, w]``, normed channel by channel: the mean of the posterior, or with
    ``seed`` a sample of it. In the tiles of ``coding`` large pictures need the memory of one.

    Raises:
        DiffusionError: the size is no multiple of what the model takes.
    """
    import torch

    from backend.models.tiling.planes import in_tiles

    whole = shape.shape(image.width, image.height, image.count)
    noise = None if seed is None else gaussian(seed, whole)
    scaling = channel_scaling(net.config)

    def work(pixels: Tensor) -> Tensor:
        moments: Tensor = net.quant_conv(net.encoder(pixels[:, :, None]))
        return moments[:, :, 0]

    coded = []
    for index, pixels in enumerate(to_tensor(image).to(dtype_of(net))):
        moments = in_tiles(work, pixels[None], whole[-2:], (shape.factor, 1), device, coding)
        mean, log_variance = moments.chunk(2, 1)
        if noise is not None:
            deviation = torch.exp(0.5 * log_variance.clamp(-30, 20))
            mean = mean + deviation * noise[index : index + 1]
        coded.append(mean)
    latents = (torch.cat(coded)[:, :, None] - scaling.shift) * scaling.scale
    return Latent(latents[:, :, 0].numpy(), space)


def decode_pictures(
    net: Any, samples: Float32, factor: int, device: str, coding: Coding = WHOLE
) -> Image:
    """The pictures of latents ``[b, c, h, w]``, one at a time."""
    import torch

    from backend.models.tiling.planes import in_tiles

    scaling = channel_scaling(net.config)
    latents = torch.from_numpy(samples.copy())[:, :, None] / scaling.scale + scaling.shift

    def work(cells: Tensor) -> Tensor:
        pixels: Tensor = net.decoder(net.post_quant_conv(cells[:, :, None]))
        return pixels[:, :, 0]

    decoded = [
        in_tiles(
            work, latent[None].to(dtype_of(net)), samples.shape[-2:], (1, factor), device, coding
        )
        for latent in latents[:, :, 0]
    ]
    return to_image(torch.cat(decoded), coding.wide)


class OneFramePictures:
    """The part of a family's functions that follows from such a VAE; no state."""

    def encode_image(
        self,
        vae: VAE,
        image: Image,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """``(posterior - mean) / deviation`` of each channel, one picture at a time.

        Raises:
            DiffusionError: the size is no multiple of what the model takes.
        """
        facts = describe(vae)
        place = (facts.geometry, facts.latent_space, device)
        return encode_pictures(load(vae), image, *place, seed, coding)

    def decode_latent(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Image:
        """The way back, one picture at a time."""
        factor = describe(vae).geometry.factor
        return decode_pictures(load(vae), latent.samples, factor, device, coding)
