"""What is known of a ControlNet before it is loaded, and how it is named on links. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from backend.catalog.controlnets import PART, TRANSFORMER, UNION, read_controlnet
from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.models.family import identity
from backend.values import ControlNet, Weights

FAMILY_NAME = "controlnet"
FOREIGN = ("class_embed_type", "num_class_embeds", "encoder_hid_dim_type", "encoder_hid_dim")
"""Config keys that give a net inputs which neither texts, sizes nor pictures are."""


@dataclass(frozen=True)
class NetFacts:
    """What config and header tell of a ControlNet.

    ``kind`` is its class in diffusers, ``family`` the one of the models that it is for and
    ``title`` how people call these. It ``sees`` a picture's pixels, or its latent by the model's
    VAE; of pixels ``factor`` make a side of a latent cell. ``modes`` is how many kinds of picture
    it tells apart by a number, 0 for a net of one kind. ``pooled``: it says the same of all places,
    and is for positive texts alone. ``token_bytes`` are those of its residuals for each token of a
    sample, in float32.
    """

    kind: str
    family: str
    title: str
    sees: Literal["pixels", "latent"]
    factor: int
    modes: int
    pooled: bool
    token_bytes: int
    config: Mapping[str, Any]
    folder: ModelFolder


def reference(folder: ModelFolder) -> ControlNet:
    """The link to the ControlNet that ``read_controlnet`` described.

    Raises:
        CatalogError: it is of a kind that is not run, or its config holds something senseless.
    """
    net_facts(folder)
    return ControlNet(FAMILY_NAME, PART, identity(folder, (PART,)), folder.source)


def facts_of_net(weights: Weights) -> NetFacts:
    """What is known of the ControlNet behind a reference; kept per identity.

    Raises:
        CatalogError: its files are gone or broken.
    """
    return _kept(weights.identity, weights.source)


@cache
def _kept(_: str, source: str) -> NetFacts:
    return net_facts(read_controlnet(Path(source)))


def net_facts(folder: ModelFolder) -> NetFacts:
    """What config and header tell of a ControlNet.

    Raises:
        CatalogError: it is of a kind that is not run, or its config holds something senseless.
    """
    config = folder.component(PART).config
    try:
        return (
            _of_flux(folder, config) if folder.pipeline == TRANSFORMER else _of_unet(folder, config)
        )
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        if isinstance(error, CatalogError):
            raise
        raise CatalogError(
            f"The config of {_name(folder)} holds a value that no ControlNet has "
            f"({str(error)[:120]}). Get config and weights again, from the same source."
        ) from error


def _name(folder: ModelFolder) -> str:
    return Path(folder.source).name


def _of_flux(folder: ModelFolder, config: Mapping[str, Any]) -> NetFacts:
    if config.get("conditioning_embedding_channels") is not None:
        raise CatalogError(
            f"{_name(folder)} is a ControlNet of XLabs' form, which is not run here. Choose one of "
            "InstantX's form, such as a union ControlNet."
        )
    width = int(config.get("num_attention_heads", 24)) * int(config.get("attention_head_dim", 128))
    layers = int(config.get("num_layers", 19)) + int(config.get("num_single_layers", 38))
    modes, held = int(config.get("num_mode") or 0), 4 * layers * width
    return NetFacts(TRANSFORMER, "flux", "FLUX.1", "latent", 0, modes, False, held, config, folder)


def _of_unet(folder: ModelFolder, config: Mapping[str, Any]) -> NetFacts:
    channels = int(config.get("conditioning_channels") or 3)
    if channels != 3:
        raise CatalogError(
            f"{_name(folder)} is a ControlNet that takes {channels} channels of a picture; those "
            "of 3 (red, green and blue) are run here. Choose another one."
        )
    odd = [name for name in FOREIGN if config.get(name) is not None]
    if config.get("addition_embed_type") not in (None, "text_time"):
        odd.append("addition_embed_type")
    if odd:
        raise CatalogError(
            f"{_name(folder)} has {odd[0]} {config[odd[0]]!r}, which no ControlNet has that can be "
            "run here. Choose another one."
        )
    family, title = _unet_family(config)
    kind = folder.pipeline
    factor = 2 ** (len(config.get("conditioning_embedding_out_channels") or (16, 32, 96, 256)) - 1)
    modes = int(config.get("num_control_type") or 6) if kind == UNION else 0
    pooled = bool(config.get("global_pool_conditions"))
    held = 4 * _residual_widths(config)
    return NetFacts(kind, family, title, "pixels", factor, modes, pooled, held, config, folder)


def _unet_family(config: Mapping[str, Any]) -> tuple[str, str]:
    if config.get("addition_embed_type") == "text_time":
        return "sdxl", "SDXL"
    if config.get("cross_attention_dim") == 1024:
        return "sd15", "Stable Diffusion 2"
    return "sd15", "Stable Diffusion 1"


def _residual_widths(config: Mapping[str, Any]) -> int:
    """Numbers that all residuals have together for each latent cell."""
    widths = [int(width) for width in config.get("block_out_channels") or (320, 640, 1280, 1280)]
    layers = int(config.get("layers_per_block") or 2)
    total = float(widths[0])  # that of the first convolution
    for level, width in enumerate(widths):
        total += layers * width / 4**level
        total += width / 4 ** min(level + 1, len(widths) - 1)  # what shrinks; at last the middle
    return int(total) + 1
