"""The low-resolution stream: a model enlarges a picture whose tokens go through it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models import reference
from backend.models.family import describe
from backend.models.lora.adapter import reference as weights_of
from backend.models.patch import PatchKind, Rows, Stage
from backend.models.seams.sites import (
    Attention,
    Place,
    additive,
    image_sites,
    layers_of,
    on_attention,
)
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

KIND = "low_resolution"
"""The kind of this patch."""

NAME = "low_resolution.{site}.{layer}.{part}"
"""The tensors of an adapter file at a place: ``PROJECTIONS`` with ``_down`` and ``_up`` behind,
``convolution`` and ``bias``."""

PROJECTIONS = ("query", "key", "value")
_LINEAR = ("to_q", "to_k", "to_v")
_HIDDEN = (
    ("ff.net.0", "ff.net.2", "in_features"),
    ("img_mlp.net.0", "img_mlp.net.2", "in_features"),
    ("act_mlp", "proj_mlp", "out_features"),
)
"""What gives the hidden map of a block's feed-forward part, by the names of diffusers' classes, and
the layer beside it that tells its width."""


@dataclass(frozen=True, eq=False)
class Own:
    """What the stream has of its own at one attention and in the feed-forward part behind it.

    ``projections`` are pairs ``[rank, width]`` and ``[width, rank]`` for query, key and value;
    ``convolution`` is ``[hidden, 1, 3, 3]``; ``bias`` ``[1]`` is added to the scores of its keys.
    """

    projections: tuple[tuple[Tensor, Tensor], ...]
    convolution: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class Seat:
    """Where one ``Own`` sits: the linear layers of the attention, the hidden map's module, and the
    map's width."""

    linear: tuple[Any, ...]
    hidden: Any
    width: int


@dataclass(frozen=True)
class Extent:
    """Tokens of one call: ``tokens`` of the picture in ``rows`` of tokens, and as many of the
    image, which begin ``back`` tokens before the end of the sequence."""

    tokens: int
    rows: int
    back: int


def seats(stage: Stage) -> dict[Place, Seat]:
    """All places of a network that the stream goes through.

    Raises:
        CatalogError: the family's models read no other pictures, or are built otherwise.
    """
    card, found = stage.card, dict[Place, Seat]()
    if not card.references:
        raise CatalogError(
            f"{card.title} models have no place for the tokens of another picture, so that they "
            "cannot enlarge this way. Choose a Flux, or upscale_by_tiles."
        )
    for site in image_sites(card):
        blocks = layers_of(stage.net, site.path.rpartition(".")[0])
        for layer, (attention, block) in enumerate(
            zip(layers_of(stage.net, site.path), blocks, strict=True)
        ):
            inside = dict(block.named_modules())
            linear = tuple(getattr(attention, name, None) for name in _LINEAR)
            hidden = next((names for names in _HIDDEN if names[0] in inside), None)
            if hidden is None or any(each is None for each in linear):
                raise CatalogError(
                    f"{card.title} models compute queries, keys and values or their feed-forward "
                    "part in one layer, where this adapter has no place. Choose a Flux or a "
                    "Qwen-Image."
                )
            width = int(getattr(inside[hidden[1]], hidden[2]))
            found[site.name, layer] = Seat(linear, inside[hidden[0]], width)
    return found


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Let a model enlarge the picture that its conditioning shows last (DiT4SR, arXiv:2503.23580).

    The picture's tokens stand behind the image's in every block and go through the model's own
    layers; image, text and picture look at one another in every attention, so that both streams
    change together (section 3.2). Behind the model's own projections the picture has low-rank ones
    of its own, and its hidden map in the feed-forward part is added to the image's through a 3 x 3
    depth-wise convolution (section 3.3); both begin at zero. Other than in the paper the model's
    layers have the factors of a LoRA, for all tokens, and a learnt number is added to the scores
    of the picture's keys. ``strength`` scales all of it; its logarithm goes to those scores.

    Raises:
        DiffusionError: the strength is not above 0, or a conditioning shows no such picture.
        CatalogError: the file is broken, or was made for another model.
    """
    from backend.models.lora.attach import attached
    from backend.models.lora.resolve import resolve

    if patch.strength <= 0:
        raise DiffusionError(
            f"The strength of an upscale adapter is {patch.strength:g}. Give one from 0 on; 0 "
            "leaves it out."
        )
    adapter = stage.load(weights_of(patch))
    deltas = resolve(adapter, stage.net, "", stage.card.title)
    own = read_own(stage, adapter.tensors, adapter.path.name)

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        with (
            attached(deltas, patch.strength, rows(moment)),
            streamed(stage, own, patch.strength, rows(moment))(moment),
        ):
            yield

    return around


def read_own(stage: Stage, tensors: Mapping[str, Tensor], name: str) -> dict[Place, Own]:
    """What a file holds for each place of a network.

    Raises:
        CatalogError: something is not there, or has another shape.
    """
    found = {}
    for (site, layer), seat in seats(stage).items():

        def given(part: str, place: Place = (site, layer)) -> Tensor:
            wanted = NAME.format(site=place[0], layer=place[1], part=part)
            if wanted not in tensors:
                raise CatalogError(
                    f"{name} lacks {wanted}, which this model needs. Choose an upscale adapter "
                    "that was trained for it."
                )
            return tensors[wanted]

        pairs = tuple((given(f"{p}_down"), given(f"{p}_up")) for p in PROJECTIONS)
        one = Own(pairs, given("convolution"), given("bias"))
        widths = {layer.out_features for layer in seat.linear}
        fits = all(
            down.ndim == up.ndim == 2
            and {down.shape[1], up.shape[0]} == widths
            and down.shape[0] == up.shape[1]
            for down, up in pairs
        )
        fits = fits and tuple(one.convolution.shape) == (seat.width, 1, 3, 3)
        if not fits or one.bias.numel() != 1:
            raise CatalogError(
                f"{name} does not fit this model: its layers at {site} {layer} have another width. "
                "Choose an upscale adapter that was trained for it."
            )
        found[site, layer] = one
    return found


def streamed(
    stage: Stage, own: Mapping[Place, Own], strength: float, rows: tuple[bool, ...]
) -> Around:
    """What lays the stream's own parts on for a call, in some rows of the batch."""
    places = seats(stage)

    def hook(call: Attention) -> Tensor:
        bias = own[call.site.name, call.layer].bias
        return _attend(call, extent(stage, call.moment).tokens, strength, rows, bias)

    watched = on_attention(stage.net, stage.card, hook, stage.layout, image_sites(stage.card))

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        reach = extent(stage, moment)
        with ExitStack() as stack:
            stack.enter_context(watched(moment))
            for place, seat in places.items():
                for layer, pair in zip(seat.linear, own[place].projections, strict=True):
                    handle = layer.register_forward_hook(_project(pair, reach, strength, rows))
                    stack.callback(handle.remove)
                over = _convolve(own[place].convolution, reach, strength, rows)
                handle = seat.hidden.register_forward_hook(over)
                stack.callback(handle.remove)
            yield

    return around


def extent(stage: Stage, moment: Moment) -> Extent:
    """Where image and picture lie in a call.

    Raises:
        DiffusionError: a conditioning shows no picture, or one of another size than the latent.
    """
    patch = describe(stage.model).geometry.patch
    for term in moment.terms:
        told = term.conditioning.at(moment.done)
        shapes = [told.tensors[name].shape for name in reference.names(told)]
        if not shapes or tuple(shapes[-1][1:]) != tuple(moment.whole[1:]):
            have = f"one of {shapes[-1][-1]}x{shapes[-1][-2]}" if shapes else "none"
            raise DiffusionError(
                "An upscale adapter reads a picture of the latent's size, "
                f"{moment.whole[-1]}x{moment.whole[-2]} cells, from every conditioning, and the "
                f"{term.role} has {have}. Link all outputs of the node upscale_adapter, and "
                "a latent of its picture's size."
            )
    beside = sum(
        moment.image
        if tuple(shape[-2:]) == tuple(moment.whole[-2:])  # a tile sees its own part
        else stage.denoiser.tokens(tuple(shape))
        for shape in shapes
    )
    return Extent(moment.image, moment.shape[-2] // patch, beside + moment.image)


def _share(rows: tuple[bool, ...], like: Tensor) -> Tensor | None:
    """1 and 0 for the rows of a batch, over all its other axes; None where all count."""
    import torch

    if all(rows):
        return None
    flags = torch.tensor(rows, device=like.device).repeat_interleave(like.shape[0] // len(rows))
    return flags.view(-1, *[1] * (like.ndim - 1)).to(like)


def _scaled(more: Tensor, strength: float, rows: tuple[bool, ...]) -> Tensor:
    share = _share(rows, more)
    more = more if strength == 1 else more * strength
    return more if share is None else more * share


def _project(
    pair: tuple[Tensor, Tensor], reach: Extent, strength: float, rows: tuple[bool, ...]
) -> Callable[..., Tensor]:
    """Adds the picture's own projection of what the model's own gave for it."""
    import torch
    from torch.nn.functional import linear

    down, up = pair

    def add(_: Any, __: Any, made: Tensor) -> Tensor:
        seen = made[:, -reach.tokens :]
        more = linear(linear(seen.to(down.dtype), down), up)
        new = seen + _scaled(more, strength, rows).to(made.dtype)
        return torch.cat([made[:, : -reach.tokens], new], 1)

    return add


def _convolve(
    weight: Tensor, reach: Extent, strength: float, rows: tuple[bool, ...]
) -> Callable[..., Tensor]:
    """Adds the picture's hidden map, convolved, to the image's."""
    import torch
    from torch.nn.functional import conv2d

    def add(_: Any, __: Any, made: Tensor) -> Tensor:
        length, width = made.shape[1:]
        start = length - reach.back
        seen = made[:, length - reach.tokens :].mT
        seen = seen.reshape(len(made), width, reach.rows, -1)
        more = conv2d(seen.to(weight.dtype), weight, padding=1, groups=width).flatten(2).mT
        image = made[:, start : start + reach.tokens]
        image = image + _scaled(more, strength, rows).to(made.dtype)
        return torch.cat([made[:, :start], image, made[:, start + reach.tokens :]], 1)

    return add


def _attend(
    call: Attention, tokens: int, strength: float, rows: tuple[bool, ...], bias: Tensor
) -> Tensor:
    """The model's attention, where all but the picture itself see the picture's keys by their
    bias."""
    import math

    batch, asked, keys = call.query.shape[0], call.query.shape[-2], call.key.shape[-2]
    score = additive(call.mask, batch, asked, keys, call.query).clone()
    more = (bias + math.log(strength)).to(score).expand(batch, 1, 1, 1)
    share = _share(rows, more)
    more = more if share is None else more * share
    score[..., : asked - tokens, keys - tokens :] += more
    return call.but(mask=score).attend()


LOW_RESOLUTION = PatchKind(KIND, "Upscale adapter", make, rank=12)
"""An adapter that learnt to enlarge pictures."""
