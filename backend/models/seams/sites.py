"""The attention seam: every attention of a card's sites, with its place and its token ranges.

While a hook is laid on, each attention module of a site runs under a mode that sees its call of
``scaled_dot_product_attention``, on this thread alone; queries, keys and values reach the hook
after projections, norms and rotary positions, and the hook gives the result. No processor is
replaced and no code of a model is copied, so one rule serves every class of processor that ends in
torch's attention, and taking the hook off leaves nothing behind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.card import Card, Site

if TYPE_CHECKING:
    from torch import Tensor


Place: TypeAlias = tuple[str, int]
"""The name of a site and a layer in it."""


SIDES = (1, 2, 4, 8, 16, 32)
"""How much coarser than the latent a grid of tokens may be."""


@dataclass(frozen=True)
class Spans:
    """Where text and image tokens lie among the queries and among the keys of one attention."""

    text_queries: slice
    image_queries: slice
    text_keys: slice
    image_keys: slice


@dataclass(frozen=True)
class Attention:
    """One attention at a site.

    ``query``, ``key``, ``value`` are ``[batch, heads, tokens, width]``, ``mask`` what the model
    gave (additive or boolean, or None); ``layer`` of ``layers`` counts within the site.
    ``attend(attention)`` computes torch's attention of what it is given.
    """

    site: Site
    layer: int
    layers: int
    moment: Moment
    spans: Spans
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    options: dict[str, Any]

    def but(self, **changes: Any) -> Attention:
        """The same with some fields changed."""
        return replace(self, **changes)

    def attend(self) -> Tensor:
        """Torch's attention: softmax of the scaled products, times the values."""
        from torch.nn.functional import scaled_dot_product_attention

        return scaled_dot_product_attention(
            self.query, self.key, self.value, attn_mask=self.mask, **self.options
        )

    def alone(self) -> Tensor:
        """The same, and no hook beneath this one sees it."""
        import torch

        with torch._C.DisableTorchFunction():  # noqa: SLF001 - modes too, which nothing else does
            return self.attend()


Hook = Callable[[Attention], "Tensor"]


def additive(mask: Tensor | None, batch: int, queries: int, keys: int, like: Tensor) -> Tensor:
    """A mask as scores to add, ``[batch, 1 or heads, queries, keys]``."""
    import torch

    if mask is None:
        return torch.zeros(batch, 1, queries, keys, dtype=like.dtype, device=like.device)
    if mask.dtype == torch.bool:
        empty = torch.zeros(mask.shape, dtype=like.dtype, device=like.device)
        mask = empty.masked_fill(~mask, float("-inf"))
    while mask.ndim < 4:
        mask = mask.unsqueeze(-3 if mask.ndim >= 2 else 0)
    return mask.expand(batch, mask.shape[1], queries, keys)


def layers_of(net: Any, path: str) -> list[Any]:
    """The modules of a network whose name fits a path with ``{i}``, in order of their numbers."""
    pattern = re.compile(re.escape(path).replace(r"\{i\}", r"(\d+)"))
    found = [
        (m.groups(), module) for n, module in net.named_modules() if (m := pattern.fullmatch(n))
    ]
    return [module for _, module in sorted(found, key=lambda e: tuple(map(int, e[0])))]


def image_sites(card: Card) -> tuple[Site, ...]:
    """The sites whose attentions look at the image."""
    return tuple(site for site in card.sites if site.stream != "cross")


def places_of(net: Any, card: Card) -> list[Place]:
    """All attentions of a network that look at the image, in the order of their numbers."""
    sites = image_sites(card)
    return [(site.name, i) for site in sites for i in range(len(layers_of(net, site.path)))]


def on_attention(
    net: Any, card: Card, hook: Hook, layout: Layout | None = None, sites: Sequence[Site] = ()
) -> Around:
    """What sends every attention of some sites (all of the card's, if none are named) to a hook.

    ``layout`` finds the token ranges where the family knows better than ``spans``.

    Raises:
        DiffusionError: the family has no such sites.
    """
    chosen = tuple(sites) or card.sites
    places = [(site, layers_of(net, site.path)) for site in chosen]
    if not any(modules for _, modules in places):
        raise DiffusionError(
            f"{card.title} models offer no attention that could be changed. Take the patch off."
        )

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        from backend.models.seams.capture import capture

        handles = [
            handle
            for site, modules in places
            for layer, module in enumerate(modules)
            for handle in capture(
                module, _seen(site, layer, len(modules), moment, hook, layout or spans)
            )
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    return around


Layout = Callable[[Site, int, int, int], Spans]
"""``(site, queries, keys, image tokens) -> Spans``."""


def spans(site: Site, queries: int, keys: int, image: int) -> Spans:
    """The ranges that a site's stream says; in one sequence the image has ``image`` tokens."""
    none = slice(0, 0)
    if site.stream == "cross":
        return Spans(none, slice(0, queries), slice(0, keys), none)
    if site.stream == "self":
        return Spans(none, slice(0, queries), none, slice(0, keys))
    text = max(keys - image, 0)
    if site.stream == "text image":
        ranges = slice(0, text), slice(text, keys)
    else:
        ranges = slice(keys - text, keys), slice(0, keys - text)
    return Spans(*ranges, *ranges)


def spans_before(end: int, image: int) -> Spans:
    """The ranges in one sequence of text and then image up to ``end``; what stands behind, such as
    the tokens of references, is of neither."""
    text, seen = slice(0, end - image), slice(end - image, end)
    return Spans(text, seen, text, seen)


def grid(shape: tuple[int, ...], tokens: int) -> Tensor | None:
    """The middles ``[tokens, 2]`` (x, y) of a latent's tokens as shares, by rows; ``None`` where
    they are no grid of it."""
    import torch

    height, width = shape[-2:]
    for side in SIDES:
        rows, columns = -(-height // side), -(-width // side)
        if rows * columns == tokens and len(shape) == 4:
            y, x = torch.meshgrid(
                (torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns,
                indexing="ij",
            )  # fmt: skip
            return torch.stack([x, y], -1).reshape(-1, 2)
    return None


def places_in(moment: Moment, tokens: int) -> Tensor | None:
    """``grid`` of a call's latent as shares of the whole picture, also where the call sees only a
    tile of it; the cells of a tile need not lie in a row."""
    import torch

    found, window = grid(moment.shape, tokens), moment.window
    if found is None or window is None:
        return found
    across = []
    for axis, cells in ((0, window.columns), (1, window.rows)):
        place = found[:, axis] * len(cells)
        first = place.floor().clamp(max=len(cells) - 1)
        cell = torch.tensor(cells, dtype=place.dtype)[first.long()]
        across.append((cell + place - first) / window.size[1 - axis])
    return torch.stack(across, -1)


def _seen(
    site: Site, layer: int, layers: int, moment: Moment, hook: Hook, layout: Layout
) -> Callable[..., Tensor]:
    def attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        ranges = layout(site, query.shape[-2], key.shape[-2], moment.image)
        kept = {k: v for k, v in options.items() if v not in (None, False)}
        if is_causal:
            kept["is_causal"] = True
        call = Attention(site, layer, layers, moment, ranges, query, key, value, attn_mask, kept)
        return hook(call)

    return attention
