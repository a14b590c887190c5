"""Compressed keys: deep attentions look at one token for each square of image tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.models.keys_file import CONVOLUTION
from backend.models.lora.adapter import reference
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import Attention, Place, image_sites, on_attention, places_of
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

RATIOS = (1, 2, 4, 8)
"""How many tokens a side may become one. Larger ones leave nothing to look at."""

Kernels = Mapping[Place, tuple["Tensor", "Tensor"]]
"""By place: what keys and values are convolved with, each ``[heads * width, ratio, ratio]``."""


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Give some attentions fewer image keys and values.

    As PixArt-Sigma's key-value token compression (arXiv:2403.04692 eq. 1),
    ``Attention(Q, f(K), f(V))``, where ``f`` convolves each channel with a stride of ``ratio``.
    Its weights are those in the patch's file, which also holds what was added to the model's
    matrices (``backend.train.keys``); without a file ``f`` is as it is before any training, the
    mean of ``ratio x ratio`` tokens. Keys and values of texts stay as they are. Where keys carry
    rotary positions these are convolved with them.

    Params: ``ratio`` 1, 2, 4 or 8, where 1 changes no bit; ``layers``, the numbers of the
    attentions, counted from 0 through all of the card's that look at the image, or none for their
    deeper half; ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        DiffusionError: there is no such ratio or layer, or the model makes videos.
        CatalogError: the file is broken, or was tuned for another model, ratio or layers.
    """
    ratio = number(patch.params, "ratio", 2)
    if ratio not in RATIOS:
        known = ", ".join(map(str, RATIOS))
        raise DiffusionError(f"Keys are compressed by {known}, not by {ratio:g}.")
    if patch.strength != 1:
        raise DiffusionError(
            f"Keys are compressed or not: the strength is 1 or 0, not {patch.strength:g}."
        )
    places = places_of(stage.net, stage.card)
    chosen = _chosen(places, patch.params.get("layers"), stage.card.title)
    kernels: Kernels = {}
    deltas: list[Any] = []
    if patch.source and ratio > 1:
        from backend.models.lora.resolve import resolve

        adapter = stage.load(reference(patch))
        kernels = _kernels(adapter, places, chosen, int(ratio))
        deltas = resolve(adapter, stage.net, "", stage.card.title)
    inner = compressed(stage, int(ratio), chosen, rows, kernels)

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        with ExitStack() as stack:
            if within(patch, moment) and ratio > 1:
                if deltas:
                    from backend.models.lora.attach import attached

                    stack.enter_context(attached(deltas, 1.0, rows(moment)))
                stack.enter_context(inner(moment))
            yield

    return around


def deeper(places: Sequence[Place]) -> tuple[int, ...]:
    """The numbers of the deeper half, which bears compression best."""
    return tuple(range(len(places) // 2, len(places)))


def compressed(
    stage: Stage, ratio: int, chosen: frozenset[Place], rows: Rows, kernels: Kernels
) -> Around:
    """What compresses the keys of the chosen attentions; without kernels by plain means.

    Raises:
        DiffusionError: the model makes videos.
    """
    if stage.card.geometry.frame_factor:
        raise DiffusionError(
            f"{stage.card.title} models make videos, whose keys are not compressed here. Take the "
            "patch off."
        )
    sites = image_sites(stage.card)
    side = stage.card.geometry.patch

    def hook(call: Attention) -> Tensor:
        place = call.site.name, call.layer
        if place not in chosen:
            return call.attend()
        return compress(call, ratio, side, rows(call.moment), kernels.get(place))

    return on_attention(stage.net, stage.card, hook, stage.layout, sites)


def compress(
    call: Attention,
    ratio: int,
    patch: int,
    rows: tuple[bool, ...],
    kernels: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The attention with fewer image keys, in some rows; ``patch`` cells a side are one token.

    ``kernels`` are those of keys and of values, ``None`` for plain means.

    Raises:
        DiffusionError: the attention has a mask, or its image tokens are no grid.
        CatalogError: the kernels have other channels than the attention.
    """
    import torch

    if call.mask is not None:
        raise DiffusionError(
            "This model masks some of its keys, and those are not compressed here. Name other "
            "layers, or take the patch off."
        )
    grid, taken = _grid(call, patch), call.spans.image_keys
    of_keys, of_values = kernels or (None, None)
    fewer = call.but(
        key=_convolved(call.key, taken, grid, ratio, of_keys),
        value=_convolved(call.value, taken, grid, ratio, of_values),
    )
    if len(rows) != call.query.shape[0] or all(rows):
        return fewer.attend()
    wanted = torch.tensor(rows, device=call.query.device)
    return torch.where(wanted[:, None, None, None], fewer.attend(), call.attend())


def _chosen(places: Sequence[Place], given: Any, title: str) -> frozenset[Place]:
    """The places of the wanted layers.

    Raises:
        DiffusionError: one of them is not there.
    """
    wanted = given if isinstance(given, tuple) else (given,) if given is not None else ()
    wanted = wanted or deeper(places)
    if any(isinstance(n, str) or n != int(n) or not 0 <= n < len(places) for n in wanted):
        raise DiffusionError(
            f"The layers {', '.join(map(str, wanted))} cannot be compressed: this {title} model "
            f"has {len(places)}, numbered from 0. Name some of these."
        )
    return frozenset(places[int(n)] for n in wanted)


def _kernels(
    adapter: Any, places: Sequence[Place], chosen: frozenset[Place], ratio: int
) -> Kernels:
    """The kernels in a tuned file.

    Raises:
        CatalogError: it holds others than the chosen layers ask for.
    """
    found: dict[Place, tuple[Tensor, Tensor]] = {}
    for n, place in enumerate(places):
        names = [CONVOLUTION.format(n=n, what=what) for what in ("key", "value")]
        if place in chosen and all(name in adapter.tensors for name in names):
            key, value = (adapter.tensors[name] for name in names)
            if key.ndim == 3 and key.shape == value.shape and key.shape[1:] == (ratio, ratio):
                found[place] = key, value
    if found.keys() != chosen:
        raise CatalogError(
            f"{adapter.path.name} was not tuned for a ratio of {ratio} in these "
            f"{len(chosen)} layers. Choose the ratio and the layers that it was tuned for."
        )
    return found


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


def _convolved(
    tokens: Tensor, taken: slice, grid: tuple[int, int], ratio: int, kernel: Tensor | None
) -> Tensor:
    """Tokens ``[batch, heads, tokens, width]``, those in ``taken`` one for each square."""
    import torch
    from torch.nn.functional import avg_pool2d, conv2d, pad

    batch, heads, _, width = tokens.shape
    image = tokens[:, :, taken].transpose(2, 3).reshape(batch, heads * width, *grid)
    if kernel is None:
        made = avg_pool2d(image, ratio, ceil_mode=True, count_include_pad=False)
    else:
        if kernel.shape[0] != heads * width:
            raise CatalogError(
                f"The file compresses keys of {kernel.shape[0]} channels, but this model's have "
                f"{heads * width}. Choose a file that was tuned for this model."
            )
        down, right = (-side % ratio for side in grid)
        made = conv2d(
            pad(image, (0, right, 0, down)),
            kernel[:, None].to(image),
            stride=ratio,
            groups=heads * width,
        )
        if down or right:  # at an edge what is there counts for what is not, as in a mean
            there = pad(image.new_ones(1, 1, *grid), (0, right, 0, down))
            made = made / avg_pool2d(there, ratio)
    fewer = made.reshape(batch, heads, width, -1).transpose(2, 3)
    return torch.cat([tokens[:, :, : taken.start], fewer, tokens[:, :, taken.stop :]], 2)


COMPRESSED_KEYS = PatchKind("compressed_keys", "Compressed keys", make, rank=25)
