"""The UNet of Stable Diffusion: its sites, the checks of its config, and one call of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder
from backend.diffusion.inpaint import latent_mask
from backend.diffusion.process import Process
from backend.models import fill, kl
from backend.models.card import Block, Geometry, Site
from backend.models.conditions import gather, stack
from backend.models.noise_table import NoiseTable
from backend.models.numerics import dtype_of
from backend.values import Conditioning

if TYPE_CHECKING:
    from torch import Tensor

PLACES = (
    ("down", "down_blocks.{i}.attentions.{i}.transformer_blocks.{i}"),
    ("middle", "mid_block.attentions.{i}.transformer_blocks.{i}"),
    ("up", "up_blocks.{i}.attentions.{i}.transformer_blocks.{i}"),
)
SITES = tuple(
    site
    for name, path in PLACES
    for site in (
        Site(f"{name} self", f"{path}.attn1", "", "self"),
        Site(f"{name} cross", f"{path}.attn2", "", "cross"),
    )
)
BLOCKS = tuple(Block(name, path, ("hidden_states",)) for name, path in PLACES)

FOREIGN = ("class_embed_type", "num_class_embeds", "encoder_hid_dim_type", "time_cond_proj_dim")
"""Config keys that give a UNet inputs which neither text nor sizes are."""


def check_unet(
    folder: ModelFolder, title: str, geometry: Geometry, widths: Sequence[int], added: str | None
) -> Mapping[str, Any]:
    """The UNet's config, once it is sure that latents and texts fit it.

    ``widths`` are those of the text encoders, put side by side; ``added`` is the kind of its added
    embedding.

    Raises:
        CatalogError: the components are of different models, or the UNet of another kind.
    """
    net = folder.component("unet").config
    odd = [name for name in FOREIGN if net.get(name) is not None]
    if net.get("addition_embed_type") != added:
        odd.append("addition_embed_type")
    if net.get("attention_type", "default") != "default":
        odd.append("attention_type")
    if odd:
        raise CatalogError(
            f"{folder.path}: the UNet has {odd[0]} {net.get(odd[0])!r}, which no {title} has that "
            "can be run here. Choose a plain text-to-image model."
        )
    takes, makes = int(net.get("in_channels", 4)), geometry.channels
    if takes != makes and not fills(net, geometry):
        raise CatalogError(
            f"{folder.path}: the UNet takes {takes} channels, but the VAE makes {makes}. "
            "Choose a plain text-to-image model, with the VAE that belongs to it."
        )
    width = net.get("cross_attention_dim", 1280)
    if width != sum(widths):
        raise CatalogError(
            f"{folder.path}: the UNet takes text vectors of {width} numbers, but the text "
            f"encoders make {sum(widths)}. These components are of different models."
        )
    return net


def fills(net: Mapping[str, Any], geometry: Geometry) -> bool:
    """Whether a UNet is an in-paint model: it also takes a mask and a picture with a hole."""
    return int(net.get("in_channels", 4)) == 2 * geometry.channels + 1


def geometry_of(folder: ModelFolder) -> Geometry:
    """The geometry that the VAE's config says; a UNet takes every cell for itself."""
    return kl.geometry({"latent_channels": 4, **folder.component("vae").config}, patch=1)


class UnetDenoiser:
    """One call of the UNet: latents in the variance preserving form, a trained time, texts."""

    names: tuple[str, ...] = ("sequence",)
    title = "Stable Diffusion"

    def __init__(
        self, unet: Any, process: Process, table: NoiseTable, geometry: Geometry, device: str
    ) -> None:
        self.process = process
        self._fills = fills(unet.config, geometry)
        self._net = unet
        self._table = table
        self._geometry = geometry
        self._device = device

    def tokens(self, shape: Sequence[int]) -> int:
        """Latent cells of one sample."""
        return self._geometry.tokens(shape)

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        """The texts of one batch, by the names in ``names``; of an in-paint model also ``more``,
        the channels ``[b, c + 1, h, w]`` that stand behind those of the noisy latent.

        Raises:
            DiffusionError: entries or lengths do not agree, or a picture to be filled is missing,
                or too many.
        """
        parts = gather(conditionings, self.names, count, self.title)
        place: dict[str, Any] = {"device": self._device, "dtype": dtype_of(self._net)}
        ready = {name: stack(part).to(**place) for name, part in parts.items()}
        if self._fills:
            return {**ready, "more": _more(conditionings, count).to(**place)}
        fill.refuse(conditionings)
        return ready

    def arguments(self, prepared: Any, x: Tensor) -> dict[str, Any]:
        """The UNet's arguments beside latents and time."""
        return {"encoder_hidden_states": prepared["sequence"]}

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        """The prediction for latents ``[b, c, h, w]``."""
        import torch

        time = torch.full((x.shape[0],), self._table.time(sigma), device=x.device)
        seen = x.to(prepared["sequence"].dtype)
        if self._fills:
            fill.check_size(x, prepared["more"])
            seen = torch.cat([seen, prepared["more"]], 1)
        out: Tensor = self._net(seen, time, return_dict=False, **self.arguments(prepared, x))[0]
        return out.float()


def _more(conditionings: Sequence[Conditioning], count: int) -> Tensor:
    """The mask, at the latent's size, before the picture with its hole."""
    import torch

    masks, pictures = fill.gathered(conditionings, count)
    small = latent_mask(masks.numpy(), *pictures.shape[-2:])
    return torch.cat([torch.from_numpy(small)[:, None], pictures], 1)
