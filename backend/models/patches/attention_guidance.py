"""Layout guidance by attention: the latent goes where the words' attention lies in their boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from backend.diffusion.around import Around, Moment, Mover
from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import number
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import Attention, additive, grid, layers_of, on_attention
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

    from backend.models.card import Site

KIND: Final = "attention_guidance"

BOXES, TOKENS = "boxes", "tokens"
"""The patch's tensors: ``[boxes, 4]`` left, top, width and height as shares, and ``[boxes, text
tokens]``, 1 where a token speaks of the box."""

MOST_PLACES: Final = 12
"""Attentions that are looked at; of more, as many in even steps. Each keeps its scores for the
gradient."""

SELECTED: Final = 0.5
"""The share of a box's tokens that stand for it: those that look at its words most."""


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Attention redistribution: in each step of the range scores of a box's words are raised by
    ``redistribute`` for the image's tokens in it, and lowered by it for those outside.

    Params: see ``move``.

    Raises:
        DiffusionError: the family's attention has no text tokens. In a call: latents go through
            the model in tiles, each of which would take the boxes for its own.
    """
    amount = number(patch.params, "redistribute", 0.0) * patch.strength
    chosen = _cross(stage)
    tokens, boxes = _tensors(patch)

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        flags = tuple(term.role == "positive" for term in moment.terms)
        flags = tuple(flag for flag in flags for _ in range(moment.count))
        if not amount or not within(patch, moment) or not any(flags):
            yield
            return
        if moment.window is not None:
            raise DiffusionError(
                "Layout guidance says where things lie in the whole picture, and these latents go "
                "through the model in tiles. Make them without tiles, or take the guidance off."
            )

        def hook(call: Attention) -> Tensor:
            return _raised(call, boxes, tokens, amount, flags)

        with on_attention(stage.net, stage.card, hook, stage.layout, chosen)(moment):
            yield

    return around


def move(stage: Stage, patch: Patch) -> Mover:
    """Move the latent down the gradient of what the attention of the positive text says of boxes
    (Training-free Composite Scene Generation for Layout-to-Image Synthesis, section 3).

    With ``A_i`` the attention of the image's tokens to the words of box ``i``, the mean over heads,
    layers and words, the energy is the sum of

    - ``intra``: ``(1 - in / (in + out))^2``, the means of the largest ``A_i`` in and outside of the
      box (selective sampling: half as many tokens as the box has stand for it),
    - ``inter``: the cosine of the maps of each two boxes that say different things,
    - ``within``: the share of the attention among image tokens that leads out of a box.

    The latent moves by ``strength * pace * sigma`` times the gradient, brought to a root mean
    square of 1, ``repeats`` times before each step from ``begin`` to ``end``.

    Raises:
        DiffusionError: the family's attention has no text tokens.
    """
    chosen = _cross(stage)
    tokens, boxes = _tensors(patch)
    repeats = int(number(patch.params, "repeats", 1))
    pace = number(patch.params, "pace", 0.1)

    def mover(x: Tensor, moment: Moment, around: Sequence[Around]) -> Tensor:
        import torch

        given = [t for t in moment.terms if t.role == "positive"]
        if not within(patch, moment) or not given or patch.strength <= 0:
            return x
        for _ in range(repeats):
            grade = _gradient(stage, patch, chosen, (boxes, tokens), x, moment, around)
            size = grade.square().mean(tuple(range(1, x.ndim)), keepdim=True).sqrt()
            x = x - patch.strength * pace * moment.sigma * grade / size.clamp(min=1e-12)
            if not bool(torch.isfinite(x).all()):
                raise DiffusionError(
                    "Layout guidance ran into values that are no numbers. Lower its strength."
                )
        return x

    return mover


@dataclass
class _Maps:
    """What the attentions of one call say: ``words`` ``[b, boxes, t]`` and ``leaving`` ``[b]``,
    summed over ``count`` layers of one grid."""

    words: list[Tensor] = field(default_factory=list)
    leaving: list[Tensor] = field(default_factory=list)


def _gradient(
    stage: Stage,
    patch: Patch,
    sites: tuple[Site, ...],
    given: tuple[Tensor, Tensor],
    x: Tensor,
    moment: Moment,
    around: Sequence[Around],
) -> Tensor:
    """The gradient of the energy at a latent."""
    import torch

    term = next(term for term in moment.terms if term.role == "positive")
    told = term.conditioning.at(moment.done)
    told = told.row(moment.first) if told.count > moment.count else told
    place = Moment(moment.sigma, moment.step, moment.steps, tuple(x.shape), (term,), moment.count,
                   moment.image, moment.first)  # fmt: skip
    seen = _Maps()
    weights = {n: number(patch.params, n, 1.0) for n in ("intra", "inter", "within")}

    def hook(call: Attention) -> Tensor:
        if _counts(call):
            _look(call, given, weights["within"] > 0, seen)
        return call.attend()

    with torch.enable_grad():
        moved = x.detach().requires_grad_()
        prepared = stage.denoiser.prepare([told], moment.count)
        with ExitStack() as stack:
            for each in around:
                stack.enter_context(each(place))
            stack.enter_context(
                on_attention(stage.net, stage.card, hook, stage.layout, sites)(place)
            )
            stage.denoiser(moved, moment.sigma, prepared)
        if not seen.words:
            raise DiffusionError(
                "Nothing in this model looks at the words of the boxes over a picture of this "
                "size. Take the layout guidance off."
            )
        energy = _energy(seen, given[0], weights, place)
        (found,) = torch.autograd.grad(energy.sum(), moved, allow_unused=True)
    if found is None:
        raise DiffusionError(
            "The model's weights are streamed in a way that keeps no gradients. Give the run more "
            "memory, or use regional prompts."
        )
    return found.detach()


def _counts(call: Attention) -> bool:
    stride = max(1, -(-call.layers // MOST_PLACES))
    return call.layer % stride == 0


def _look(call: Attention, given: tuple[Tensor, Tensor], leave: bool, seen: _Maps) -> None:
    """Add one attention's maps."""
    import torch
    from torch.nn.functional import interpolate

    boxes, tokens = given
    asked = call.spans.image_queries
    places = grid(call.moment.shape, asked.stop - asked.start)
    text = call.spans.text_keys
    if places is None or text.stop - text.start < tokens.shape[1]:
        return
    shares = _shares(call)
    words = tokens.to(shares)
    read = shares[..., text][..., : tokens.shape[1]]
    maps = torch.einsum("btk,nk->bnt", read, words / words.sum(-1, keepdim=True))
    rows, columns = _sides(places)
    fine = _finest(call.moment.shape, call.moment.image)
    if (rows, columns) != fine:
        maps = interpolate(maps.reshape(*maps.shape[:-1], rows, columns), fine, mode="bilinear")
        maps = maps.flatten(-2)
    seen.words.append(maps)
    image = call.spans.image_keys
    if leave and image.stop - image.start == asked.stop - asked.start:
        own = shares[..., image]
        inside = _inside(boxes.to(own), places.to(own))
        kept = torch.einsum("btk,nk->bnt", own, inside) / own.sum(-1)[:, None].clamp(min=1e-9)
        out = ((1 - kept) * inside).sum(-1) / inside.sum(-1).clamp(min=1e-6)
        seen.leaving.append(out.mean(1))


def _shares(call: Attention) -> Tensor:
    """What image queries look at, mean over heads, ``[b, image tokens, keys]``."""
    query = call.query[..., call.spans.image_queries, :].float()
    key = call.key.float()
    if key.shape[1] != query.shape[1]:
        key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
    scale = call.options.get("scale") or query.shape[-1] ** -0.5
    scores = query @ key.transpose(-1, -2) * scale
    if call.mask is not None:
        mask = additive(call.mask, len(query), call.query.shape[-2], key.shape[-2], query)
        scores = scores + mask[..., call.spans.image_queries, :]
    shares: Tensor = scores.softmax(-1).mean(1)
    return shares


def _energy(seen: _Maps, boxes: Tensor, weights: dict[str, float], moment: Moment) -> Tensor:
    """The energy of each sample, ``[b]``."""
    import torch

    maps = torch.stack(seen.words).mean(0)
    places = grid(moment.shape, maps.shape[-1])
    assert places is not None
    inside = _inside(boxes.to(maps), places.to(maps)) > 0.5
    total = maps.new_zeros(len(maps))
    for number_, each in enumerate(inside):
        within_box, outside = maps[:, number_, each], maps[:, number_, ~each]
        most = max(1, int(SELECTED * int(each.sum())))
        kept = within_box.topk(min(most, within_box.shape[-1]), -1).values.mean(-1)
        if outside.shape[-1]:
            lost = outside.topk(min(most, outside.shape[-1]), -1).values.mean(-1)
            total = total + weights["intra"] * (1 - kept / (kept + lost)).square() / len(inside)
    if len(inside) > 1:
        level = torch.nn.functional.normalize(maps, dim=-1)
        alike = level @ level.transpose(-1, -2)
        upper = torch.triu(torch.ones_like(alike[0]), 1) > 0
        total = total + weights["inter"] * alike[:, upper].mean(-1)
    if seen.leaving:
        total = total + weights["within"] * torch.stack(seen.leaving).mean(0)
    return total


def _inside(boxes: Tensor, places: Tensor) -> Tensor:
    """Which places lie in which boxes, ``[boxes, places]``, 0 or 1; the nearest one at least."""
    import torch

    low, high = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    found = ((places >= low) & (places < high)).all(-1)
    middle = (low + high) / 2
    nearest = (places - middle).square().sum(-1).argmin(-1)
    found = found | (torch.arange(len(places), device=found.device) == nearest[:, None])
    return found.to(boxes)


def _raised(
    call: Attention, boxes: Tensor, tokens: Tensor, amount: float, flags: tuple[bool, ...]
) -> Tensor:
    """Attention with the scores of the boxes' words moved."""
    import torch

    asked, text = call.spans.image_queries, call.spans.text_keys
    places = grid(call.moment.shape, asked.stop - asked.start)
    batch, queries, keys = call.query.shape[0], call.query.shape[-2], call.key.shape[-2]
    if places is None or text.stop - text.start < tokens.shape[1] or len(flags) != batch:
        return call.attend()
    inside = _inside(boxes, places)  # [n, t]
    by_word = torch.einsum("nt,nk->tk", 2 * inside - 1, tokens) * amount
    more = torch.zeros(queries, keys)
    first = text.start
    more[asked, first : first + tokens.shape[1]] = by_word
    rows = torch.tensor(flags, dtype=torch.float32)[:, None, None, None]
    mask = additive(call.mask, batch, queries, keys, call.query)
    return call.but(mask=mask + (more * rows).to(mask)).attend()


def _tensors(patch: Patch) -> tuple[Tensor, Tensor]:
    import torch

    tokens, boxes = (torch.from_numpy(patch.tensors[n].copy()) for n in (TOKENS, BOXES))
    return tokens, boxes


def _cross(stage: Stage) -> tuple[Site, ...]:
    """The sites at which the image looks at the text.

    Raises:
        DiffusionError: there is none.
    """
    found = tuple(s for s in stage.card.sites if s.stream != "self")
    if not any(layers_of(stage.net, site.path) for site in found):
        raise DiffusionError(
            f"{stage.card.title} models offer no attention of the picture to its words, so that no "
            "layout guides them this way. Use regional prompts."
        )
    return found


def _sides(places: Tensor) -> tuple[int, int]:
    """Rows and columns of a grid."""
    columns = len(set(places[:, 0].tolist()))
    return len(places) // columns, columns


def _finest(shape: tuple[int, ...], tokens: int) -> tuple[int, int]:
    found = grid(shape, tokens)
    return _sides(found) if found is not None else (shape[-2], shape[-1])


ATTENTION_GUIDANCE = PatchKind(KIND, "Layout guidance", make, rank=4, move=move)
