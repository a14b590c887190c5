"""Control tokens: a model follows the lines or colours of a picture that an adapter reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.lora.adapter import CONTROL, reference
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import (
    Attention,
    Place,
    additive,
    image_sites,
    on_attention,
    places_of,
)
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

PICTURE = "picture"
"""The patch's tensor: the clean latent of the picture to follow, ``[1 or count, c, h, w]``."""

Kept = Mapping[Place, tuple["Tensor", "Tensor"]]
"""By place: keys and values ``[batch, heads, tokens, width]`` of the picture's tokens."""

BIAS = "control_tokens.{site}.{layer}.bias"
"""The tensor of an adapter file that is added to the scores of the picture's keys at a place."""

Lay = Callable[[], AbstractContextManager[None]]
"""Lays the adapter's factors on."""


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Let every image and text token look at those of a picture (EasyControl, arXiv:2503.07027).

    The picture's tokens pass through the network by themselves, at noise level 0 and with the
    adapter's factors on (section 3.1: the condition branch alone is adapted), and look only at one
    another (section 3.2, causal attention). So their keys and values are the same in each step;
    they are kept for the length of a run (section 3.3) unless ``cache`` is 0, which changes the
    time alone. Then each attention of the model, which itself stays as it is, is
    ``Attention(Q, [K; K_c], [V; V_c])``, where the picture's keys count with ``strength``:
    ``log(strength)`` is added to their scores, and a bias that the file may have for each place.
    Without one, 1 is the plain concatenation, as in the paper.

    Params: ``begin`` and ``end``, the range of steps as fractions; ``cache`` 1 or 0.

    Raises:
        DiffusionError: the strength is not above 0, the family has no self attention of images, or
            the picture has another size or is of another latent space.
        CatalogError: the file is broken, or was made for another model.
    """
    import torch

    from backend.models.lora.attach import attached
    from backend.models.lora.resolve import resolve

    if patch.strength <= 0:
        raise DiffusionError(
            f"The strength of a control is {patch.strength:g}. Give one from 0 on; 0 leaves it out."
        )
    picture = torch.from_numpy(patch.tensors[PICTURE].copy())
    adapter = stage.load(reference(patch))
    deltas = resolve(adapter, stage.net, "", stage.card.title)
    biases = {
        place: adapter.tensors[name]
        for place in places_of(stage.net, stage.card)
        if (name := BIAS.format(site=place[0], layer=place[1])) in adapter.tensors
    }
    held: list[tuple[tuple[Any, ...], Kept]] = []

    def kept(moment: Moment) -> Kept:
        given = tuple(term.conditioning.at(moment.done) for term in moment.terms)
        told = (*given, moment.count, moment.first)
        for key, found in held:
            if len(key) == len(told) and all(map(_same, key, told)):
                return found
        found = remembered(stage, lambda: attached(deltas, 1.0), picture, moment)
        if patch.params.get("cache", 1):
            held.append((told, found))
        return found

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        if not within(patch, moment):
            yield
            return
        check_picture(picture, moment)
        with followed(stage, kept(moment), patch.strength, rows(moment), biases)(moment):
            yield

    return around


def _same(a: Any, b: Any) -> bool:
    """The very same conditioning, or an equal number."""
    return a is b or (isinstance(a, int) and a == b)


def check_picture(picture: Tensor, moment: Moment) -> None:
    """Refuse a picture that does not lie over the latent.

    Raises:
        DiffusionError: another size, other channels, or several pictures but not one for each.
    """
    if tuple(picture.shape[1:]) != tuple(moment.shape[1:]):
        have, want = (f"{s[-1]}x{s[-2]} cells of {s[1]} channels" for s in
                      (picture.shape, moment.shape))  # fmt: skip
        raise DiffusionError(
            f"The control picture has {have}, and the latent {want}. Resize the picture to the "
            "size that is made, and encode it with this model's own VAE."
        )
    apart = moment.count == 1 and moment.first < len(picture)  # one sample after the other
    if len(picture) not in (1, moment.count) and not apart:
        raise DiffusionError(
            f"There are {len(picture)} control pictures for {moment.count}. Give one, or as many."
        )


def remembered(stage: Stage, lay: Lay, picture: Tensor, moment: Moment) -> Kept:
    """The keys and values of a picture's tokens, ``[batch, ...]`` as in the moment's batch."""
    found: dict[Place, tuple[Tensor, Tensor]] = {}

    def alone(call: Attention) -> Tensor:
        seen, asked = call.spans.image_keys, call.spans.image_queries
        key, value = call.key[..., seen, :], call.value[..., seen, :]
        found[call.site.name, call.layer] = key, value
        among = call.but(query=call.query[..., asked, :], key=key, value=value, mask=None)
        return _over(call.alone(), among.alone(), asked)

    terms, denoiser = moment.terms, stage.denoiser
    rows = picture[moment.first : moment.first + moment.count] if len(picture) > 1 else picture
    rows = rows.expand(moment.count, *rows.shape[1:]).repeat(len(terms), 1, 1, 1)
    given = [term.conditioning.at(moment.done) for term in terms]
    given = [c.row(moment.first) if c.count > moment.count else c for c in given]
    shape = tuple(rows.shape)
    told = replace(moment, sigma=0.0, shape=shape, image=denoiser.tokens(shape))
    sites = image_sites(stage.card)
    if not sites:
        raise DiffusionError(
            f"{stage.card.title} models have no attention among image tokens, so that they follow "
            "no picture this way. Use a ControlNet."
        )
    watched = on_attention(stage.net, stage.card, alone, stage.layout, sites)
    prepared = denoiser.prepare(given, moment.count)
    device = next(stage.net.parameters()).device
    with lay(), watched(told):
        denoiser(rows.to(device), 0.0, prepared)
    return found


def followed(
    stage: Stage,
    kept: Kept,
    strength: float,
    rows: tuple[bool, ...],
    biases: Mapping[Place, Tensor],
) -> Around:
    """What shows the kept keys and values to every attention, in some rows of the batch."""

    def hook(call: Attention) -> Tensor:
        place = call.site.name, call.layer
        found = kept.get(place)
        if found is None or found[0].shape[0] != call.key.shape[0]:
            return call.attend()
        key, value = (each.to(call.key) for each in found)
        mask = _mask(call, key.shape[-2], strength, rows, biases.get(place))
        return call.but(
            key=_joined(call.key, key), value=_joined(call.value, value), mask=mask
        ).attend()

    sites = image_sites(stage.card)
    return on_attention(stage.net, stage.card, hook, stage.layout, sites)


def _joined(own: Tensor, more: Tensor) -> Tensor:
    import torch

    return torch.cat([own, more], -2)


def _over(whole: Tensor, part: Tensor, where: slice) -> Tensor:
    """``whole`` with some tokens replaced."""
    import torch

    return torch.cat([whole[..., : where.start, :], part, whole[..., where.stop :, :]], -2)


def _mask(
    call: Attention,
    tokens: int,
    strength: float,
    rows: tuple[bool, ...],
    bias: Tensor | None,
) -> Tensor | None:
    """The scores to add: what the model says of its own keys, ``log(strength)`` and the bias at the
    picture's, and minus infinity in rows that it is not for."""
    import torch

    if call.mask is None and strength == 1 and all(rows) and bias is None:
        return None
    batch, asked, own = call.query.shape[0], call.query.shape[-2], call.key.shape[-2]
    first = additive(call.mask, batch, asked, own, call.query)
    score = torch.full((batch, 1, 1, 1), float(torch.tensor(strength).log()))
    if bias is not None:
        score = score.to(bias) + bias
    if len(rows) == batch and not all(rows):
        unasked = ~torch.tensor(rows, device=score.device)
        score = score.masked_fill(unasked[:, None, None, None], float("-inf"))
    shape = (batch, first.shape[1], asked, tokens)
    return torch.cat([first, score.to(first).expand(shape)], -1)


CONTROL_TOKENS = PatchKind(CONTROL, "Control", make, rank=3)
