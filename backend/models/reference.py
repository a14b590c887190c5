"""Reference pictures in a conditioning: latents that a denoiser reads beside the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from backend.diffusion.around import Window
from backend.diffusion.errors import DiffusionError
from backend.models.family import describe
from backend.values import Conditioning, Latent, Model

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = "reference_"
ABILITY = "references"
"""The capability of models that heed reference pictures, and what adapters that teach it give."""


def names(conditioning: Conditioning) -> list[str]:
    """The names of a conditioning's reference tensors, in the order in which they were added."""
    found = [name for name in conditioning.tensors if name.startswith(PREFIX)]
    return sorted(found, key=lambda name: int(name.removeprefix(PREFIX)))


def heeded(model: Model) -> bool:
    """Whether a model heeds reference pictures, by itself or by an adapter that is laid on.

    Raises:
        CatalogError: its files are gone or broken.
    """
    taught = any(p.strength and p.params.get("gives") == ABILITY for p in model.patches)
    return taught or ABILITY in describe(model).capabilities


def add(conditioning: Conditioning, latent: Latent) -> Conditioning:
    """The conditioning, and those that take its place later, with one more reference picture, as
    the model's own VAE encoded it.

    Raises:
        DiffusionError: the latent still holds noise, or there are several texts and latents, but
            not as many.
    """
    if latent.sigma > 0:
        raise DiffusionError(
            "A reference must be a clean latent. Give it one that VAE encode made."
        )
    count = max(latent.count, conditioning.count)
    if {latent.count, conditioning.count} - {1, count}:
        raise DiffusionError(
            f"There are {latent.count} reference latents for {conditioning.count} texts. Give one, "
            "or as many."
        )
    given = {
        **conditioning.tensors,
        f"{PREFIX}{len(names(conditioning)) + 1}": latent.samples,
    }
    spread = {name: array.repeat(count // len(array), 0) for name, array in given.items()}
    later = tuple(replace(p, conditioning=add(p.conditioning, latent)) for p in conditioning.later)
    return replace(conditioning, tensors=spread, later=later)


def cropped(conditioning: Conditioning, window: Window) -> Conditioning:
    """The conditioning as a tile of the latents sees it: of references that are as large as the
    whole it sees its own part, of others all. The very same where there are none of the first."""
    part = {
        name: conditioning.tensors[name][..., list(window.rows), :][..., list(window.columns)]
        for name in names(conditioning)
        if tuple(conditioning.tensors[name].shape[-2:]) == window.size
    }
    if not part:
        return conditioning
    return replace(conditioning, tensors={**conditioning.tensors, **part})


def gathered(conditionings: Sequence[Conditioning], count: int) -> list[Tensor]:
    """Each reference of one batch, ``[conditionings * count, c, h, w]``.

    Raises:
        DiffusionError: the conditionings have different numbers or sizes of references.
    """
    import torch

    kinds = [[given.tensors[name].shape[1:] for name in names(given)] for given in conditionings]
    if any(kind != kinds[0] for kind in kinds):
        raise DiffusionError(
            "All conditionings of one run need the same number of references, of the same sizes. "
            "Add the reference to the negative conditioning too."
        )
    return [
        torch.cat(
            [
                torch.from_numpy(given.tensors[name].copy()).expand(count, *kind)
                for given in conditionings
            ]
        )
        for name, kind in zip(names(conditionings[0]), kinds[0], strict=True)
    ]


def check(latents: Sequence[Tensor], channels: int, title: str) -> None:
    """Refuse references of another VAE, or with odd sides; ``title`` is the family's.

    Raises:
        DiffusionError: there are such.
    """
    for each in latents:
        if each.shape[1] != channels or each.shape[-2] % 2 or each.shape[-1] % 2:
            raise DiffusionError(
                f"A reference latent has {each.shape[1]} channels of {each.shape[-1]}x"
                f"{each.shape[-2]} cells; {title} takes {channels} channels with even sides. "
                "Encode the picture with this model's VAE."
            )
