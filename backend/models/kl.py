"""Families whose pictures go through an ``AutoencoderKL``: what its config says, and coding."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from backend.catalog.folder import ModelFolder
from backend.models.card import Card, Geometry, Space
from backend.models.codec import decode_stills, encode_stills, scaling_of
from backend.models.family import Load, describe
from backend.models.loading import load_part
from backend.models.tiling.tiles import WHOLE, Coding
from backend.values import VAE, Image, Latent

FLUX1 = Space(
    "flux1",
    "vae",
    MappingProxyType({"latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159}),
)
"""The latent space that FLUX.1's VAE made, which several families speak."""

WIDTHS = (128, 256, 512, 512)
"""Channels of the VAE at each size, where its config does not say."""


def widths(vae: Mapping[str, Any]) -> tuple[int, ...]:
    """Channels at each size, the full one first."""
    return tuple(int(width) for width in vae.get("block_out_channels", WIDTHS))


def geometry(vae: Mapping[str, Any], patch: int) -> Geometry:
    """Every size but the first halves the picture."""
    return Geometry(int(vae.get("latent_channels", 16)), 2 ** (len(widths(vae)) - 1), patch)


def decisive(vae: Mapping[str, Any]) -> list[Any]:
    """The values that make two latent spaces differ."""
    scaling = [vae.get("scaling_factor"), vae.get("shift_factor")]
    return [geometry(vae, 1).channels, list(widths(vae)), *scaling]


class KlPictures:
    """The part of a family's functions that follows from its card and the VAE; no state."""

    card: Card

    def load_part(self, folder: ModelFolder, part: str, device: str, dtype: str) -> Any:
        """One component; the scheduler comes as its settings."""
        return load_part(self.card, folder, part, device, dtype)

    def encode_image(
        self,
        vae: VAE,
        image: Image,
        load: Load,
        device: str,
        seed: int | None = None,
        coding: Coding = WHOLE,
    ) -> Latent:
        """``(posterior - shift) * scale``, one picture at a time.

        Raises:
            DiffusionError: the size is no multiple of what the model takes.
        """
        net, facts = load(vae), describe(vae)
        place = (facts.geometry, scaling_of(net.config), facts.latent_space, device)
        return encode_stills(net, image, *place, seed, coding)

    def decode_latent(
        self, vae: VAE, latent: Latent, load: Load, device: str, coding: Coding = WHOLE
    ) -> Image:
        """``decode(latent / scale + shift)``, one picture at a time."""
        net, factor = load(vae), describe(vae).geometry.factor
        return decode_stills(net, latent.samples, scaling_of(net.config), device, factor, coding)
