"""Compressed keys: deep attentions look at the mean of neighbouring image tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import Attention, layers_of, on_attention
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

RATIOS = (1, 2, 4, 8)
"""How many tokens a side may become one. Larger ones leave nothing to look at."""


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Give some attentions the means of image keys and values instead of each of them.

    As PixArt-Sigma's key-value token compression (arXiv:2403.04692 eq. 1),
    ``Attention(Q, f(K), f(V))``, where ``f`` is its convolution of stride ``ratio`` as it is before
    any training: the mean of ``ratio x ratio`` tokens (of those that are there, at an edge). Keys
    and values of texts stay as they are. Where keys carry rotary positions these are averaged
    with them.

    Params: ``ratio`` 1, 2, 4 or 8, where 1 changes no bit; ``layers``, the numbers of the
    attentions, counted from 0 through all of the card's that look at the image, or none for their
    deeper half; ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        DiffusionError: there is no such ratio or layer, or the model makes videos.
    """
    ratio = number(patch.params, "ratio", 2)
    if ratio not in RATIOS:
        known = ", ".join(map(str, RATIOS))
        raise DiffusionError(f"Keys are compressed by {known}, not by {ratio:g}.")
    if stage.card.geometry.frame_factor:
        raise DiffusionError(
            f"{stage.card.title} models make videos, whose keys are not compressed here. Take the "
            "patch off."
        )
    sites = tuple(site for site in stage.card.sites if site.stream != "cross")
    places = [(site.name, i) for site in sites for i in range(len(layers_of(stage.net, site.path)))]
    chosen = _chosen(places, patch.params.get("layers"), stage.card.title)
    side = stage.card.geometry.patch

    def hook(call: Attention) -> Tensor:
        if (call.site.name, call.layer) not in chosen:
            return call.attend()
        return compress(call, int(ratio), side, rows(call.moment))

    inner = on_attention(stage.net, stage.card, hook, stage.layout, sites)

    def around(moment: Moment) -> AbstractContextManager[None]:
        return inner(moment) if within(patch, moment) and ratio > 1 else nullcontext()

    return around


def compress(call: Attention, ratio: int, patch: int, rows: tuple[bool, ...]) -> Tensor:
    """The attention with fewer image keys, in some rows; ``patch`` cells a side are one token.

    Raises:
        DiffusionError: the attention has a mask, or its image tokens are no grid.
    """
    import torch

    if call.mask is not None:
        raise DiffusionError(
            "This model masks some of its keys, and those are not compressed here. Name other "
            "layers, or take the patch off."
        )
    grid = _grid(call, patch)
    taken = call.spans.image_keys
    fewer = call.but(
        key=_with_means(call.key, taken, grid, ratio),
        value=_with_means(call.value, taken, grid, ratio),
    )
    if len(rows) != call.query.shape[0] or all(rows):
        return fewer.attend()
    wanted = torch.tensor(rows, device=call.query.device)
    return torch.where(wanted[:, None, None, None], fewer.attend(), call.attend())


def _chosen(
    places: Sequence[tuple[str, int]], given: Any, title: str
) -> frozenset[tuple[str, int]]:
    """The places of the wanted layers.

    Raises:
        DiffusionError: one of them is not there.
    """
    if not given:
        return frozenset(places[len(places) // 2 :])
    wanted = given if isinstance(given, tuple) else (given,)
    if any(isinstance(n, str) or n != int(n) or not 0 <= n < len(places) for n in wanted):
        raise DiffusionError(
            f"The layers {', '.join(map(str, wanted))} cannot be compressed: this {title} model "
            f"has {len(places)}, numbered from 0. Name some of these."
        )
    return frozenset(places[int(n)] for n in wanted)


def _grid(call: Attention, patch: int) -> tuple[int, int]:
    """Rows and columns of the image tokens: those of the latent, or halved a few times."""
    taken = call.spans.image_keys
    height, width = call.moment.shape[-2:]
    for halved in (1, 2, 4, 8, 16):
        rows, columns = (-(-side // (patch * halved)) for side in (height, width))
        if rows * columns == taken.stop - taken.start:
            return rows, columns
    raise DiffusionError(
        f"The {taken.stop - taken.start} image tokens of this model are no grid over its latent of "
        f"{width}x{height} cells, so that none are neighbours. Take the patch off."
    )


def _with_means(tokens: Tensor, taken: slice, grid: tuple[int, int], ratio: int) -> Tensor:
    """Tokens ``[batch, heads, tokens, width]``, those in ``taken`` as means of squares."""
    import torch

    batch, heads, _, width = tokens.shape
    image = tokens[:, :, taken].reshape(batch * heads, *grid, width).permute(0, 3, 1, 2)
    means = torch.nn.functional.avg_pool2d(
        image, ratio, ceil_mode=True, count_include_pad=False
    ).flatten(2)
    means = means.transpose(1, 2).reshape(batch, heads, -1, width)
    return torch.cat([tokens[:, :, : taken.start], means, tokens[:, :, taken.stop :]], 2)


COMPRESSED_KEYS = PatchKind("compressed_keys", "Compressed keys", make, rank=25)
