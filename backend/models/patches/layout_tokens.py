"""Layout tokens: a model puts things into boxes, which it sees through a branch of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.catalog.errors import CatalogError
from backend.diffusion.around import Around, Moment
from backend.diffusion.errors import DiffusionError
from backend.models.lora.adapter import LAYOUT, reference
from backend.models.patch import PatchKind, Rows, Stage, within
from backend.models.seams.sites import (
    Attention,
    Place,
    image_sites,
    on_attention,
    places_in,
    places_of,
)
from backend.values import Patch

if TYPE_CHECKING:
    from torch import Tensor

    from backend.models.card import Site

BOXES, WORDS = "boxes", "words"
"""The patch's tensors: ``[1 or count, boxes, 4]`` left, top, width and height as shares, of which
an empty one has no width; ``[1 or count, boxes, width]`` a vector for each caption."""

PREFIX = "layout_tokens."
"""What the names of the branch's tensors in a file begin with."""

HEADS, WIDTH, TOKEN, HIDDEN = 8, 16, 256, 256
"""Heads of the branch and the width of each, the width of a layout token, and of what is made of
the heads before it joins the model's own."""

_TURNS = 6
_NEAR = 3.0

Branch = Mapping[str, "Tensor"]
"""The branch's tensors by their names without ``PREFIX``."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The boxes of a batch: tokens ``[b, n, TOKEN]``, boxes ``[b, n, 4]``, and which of them there
    are ``[b, n]``."""

    tokens: Tensor
    boxes: Tensor
    there: Tensor


def make(stage: Stage, patch: Patch, rows: Rows) -> Around:
    """Let the picture's tokens look at boxes and their captions (SiamLayout, arXiv:2412.03859).

    Each box becomes a token: Fourier features of its edges, middle and size with the vector of its
    caption, through two layers. In each attention of the model, which itself stays as it is, the
    image's tokens look at these in a second, siamese one with projections of its own, and what they
    find is added, ``A(img, txt) + s Zero(A'(img, layout))`` (section 3.2), where ``Zero`` begins at
    nothing. Beyond the paper, scores and values also know where a token lies in a box (relative
    positions, arXiv:1803.02155), one key stands for no box, and low-rank factors beside the model's
    layers may go along (the paper's LoRA variant), which count with ``s`` too. Boxes are those of
    the whole picture, also where latents go through the model in tiles.

    Params: ``begin`` and ``end``, the range of steps as fractions.

    Raises:
        DiffusionError: the strength is not above 0, or the family has no self attention of images.
        CatalogError: the file is broken, or was made for another model.
    """
    import torch

    from backend.models.lora.attach import attached
    from backend.models.lora.resolve import resolve

    if patch.strength <= 0:
        raise DiffusionError(
            f"The strength of a layout is {patch.strength:g}. Give one from 0 on; 0 leaves it out."
        )
    adapter = stage.load(reference(patch))
    deltas = resolve(adapter, stage.net, "", stage.card.title)
    branch = {n.removeprefix(PREFIX): t for n, t in adapter.tensors.items() if n.startswith(PREFIX)}
    _check_whole(branch, stage, adapter.path.name)
    boxes, words = (torch.from_numpy(patch.tensors[name].copy()) for name in (BOXES, WORDS))
    check_words(branch, words)

    @contextmanager
    def around(moment: Moment) -> Iterator[None]:
        if not within(patch, moment):
            yield
            return
        given = (_spread(each, moment) for each in (boxes, words))
        seen = read(branch, *given)
        flags = rows(moment)
        with (
            attached(deltas, patch.strength, flags),
            looked(stage, branch, seen, patch.strength, flags)(moment),
        ):
            yield

    return around


def _check_whole(branch: Branch, stage: Stage, name: str) -> None:
    """Refuse a file that lacks a tensor of the branch.

    Raises:
        CatalogError: one is not there, or is of another shape.
    """
    widths: dict[Place, tuple[int, int]] = {}
    for site, layer in places_of(stage.net, stage.card):
        query, zero = (branch.get(f"{site}.{layer}.{n}.weight") for n in ("query", "zero"))
        value = query.shape[-1] - 4 * _TURNS if query is not None else 0
        widths[site, layer] = (value, zero.shape[0] if zero is not None else 0)
    said = branch.get("words.weight")
    wanted = sizes(said.shape[-1] if said is not None else 0, widths)
    for key, shape in wanted.items():
        if key not in branch or tuple(branch[key].shape) != shape:
            raise CatalogError(
                f"{name} is no whole layout adapter for this model: {PREFIX}{key} is not there or "
                "of another shape. Get the file again, or train one for this model."
            )


def check_words(branch: Branch, words: Tensor) -> None:
    """Refuse captions of another text encoder than the branch was trained with.

    Raises:
        DiffusionError: they have another width.
    """
    wide = branch["words.weight"].shape[1]
    if words.shape[-1] != wide:
        raise DiffusionError(
            f"The captions of the boxes have {words.shape[-1]} numbers each, and this adapter was "
            f"trained with {wide}. Link the text encoder that came with the model."
        )


def _spread(each: Tensor, moment: Moment) -> Tensor:
    """The entries for the rows of a batch.

    Raises:
        DiffusionError: there are several layouts, but not one for each picture.
    """
    if len(each) > 1 and moment.count == 1 and moment.first < len(each):
        each = each[moment.first : moment.first + 1]
    if len(each) not in (1, moment.count):
        raise DiffusionError(
            f"There are {len(each)} layouts for {moment.count} pictures. Give one, or as many."
        )
    return each.expand(moment.count, *each.shape[1:]).repeat(len(moment.terms), 1, 1)


def sizes(words: int, places: Mapping[Place, tuple[int, int]]) -> dict[str, tuple[int, ...]]:
    """The shapes of a branch's tensors; ``places`` says how wide values and queries are there."""
    inner, near = HEADS * WIDTH, _near_width()
    found: dict[str, tuple[int, ...]] = {
        "box.weight": (TOKEN, 8 * 2 * _TURNS),
        "words.weight": (TOKEN, words),
        "token.bias": (TOKEN,),
        "out.weight": (TOKEN, TOKEN),
        "out.bias": (TOKEN,),
    }
    for (site, layer), (value, query) in places.items():
        name = f"{site}.{layer}"
        found |= {
            f"{name}.query.weight": (inner, value + 4 * _TURNS),
            f"{name}.query.bias": (inner,),
            f"{name}.key.weight": (inner, TOKEN),
            f"{name}.value.weight": (inner, TOKEN),
            f"{name}.none.weight": (2, inner),
            f"{name}.near.weight": (HEADS, near),
            f"{name}.mix.weight": (HIDDEN, inner + HEADS * near + value),
            f"{name}.mix.bias": (HIDDEN,),
            f"{name}.zero.weight": (query, HIDDEN),
        }
    return found


def read(branch: Branch, boxes: Tensor, words: Tensor) -> Seen:
    """The layout tokens of boxes ``[b, n, 4]`` with captions ``[b, n, w]``."""
    import torch
    from torch.nn.functional import gelu, linear

    weight = branch["box.weight"]
    boxes, words = boxes.to(weight.device), words.to(weight)
    x, y, wide, high = boxes.float().unbind(-1)
    told = torch.stack([x, y, x + wide, y + high, x + wide / 2, y + high / 2, wide, high], -1)
    first = linear(fourier(told).to(weight), weight) + linear(words, branch["words.weight"])
    hidden = gelu(first + branch["token.bias"])
    tokens = linear(hidden, branch["out.weight"], branch["out.bias"])
    return Seen(tokens, boxes.float(), boxes[..., 2] > 0)


def fourier(values: Tensor) -> Tensor:
    """``sin`` and ``cos`` of ``2^k pi v / 2`` for each of the last axis, flattened there."""
    import torch

    turns = torch.pi / 2 * 2.0 ** torch.arange(_TURNS, device=values.device)
    angles = values.float()[..., None] * turns
    return torch.cat([angles.sin(), angles.cos()], -1).flatten(-2)


def _near_width() -> int:
    return 2 * 2 * 4 + 3


def near(boxes: Tensor, places: Tensor) -> Tensor:
    """Where places ``[t, 2]`` (x, y) lie in boxes ``[b, n, 4]``: ``[b, t, n, features]``."""
    import torch

    middle, half = boxes[..., :2] + boxes[..., 2:] / 2, boxes[..., 2:].clamp(min=1e-3) / 2
    gap = places[None, :, None] - middle[:, None]
    within_box = (gap / half[:, None]).clamp(-_NEAR, _NEAR)
    turns = torch.pi / 6 * 2.0 ** torch.arange(4, device=boxes.device)
    angles = within_box[..., None] * turns
    far = within_box.abs().amax(-1, keepdim=True)
    inside = torch.sigmoid(6 * (1 - far))
    return torch.cat([angles.sin().flatten(-2), angles.cos().flatten(-2), inside, gap], -1)


def looked(
    stage: Stage,
    branch: Branch,
    seen: Seen,
    strength: float,
    rows: tuple[bool, ...],
    attend: Callable[[Attention], Tensor] = Attention.attend,
) -> Around:
    """What adds to each attention what the image's tokens find among the layout's; ``attend`` is
    the model's own."""

    def hook(call: Attention) -> Tensor:
        made = attend(call)
        asked = call.spans.image_queries
        places = places_in(call.moment, asked.stop - asked.start)
        name = f"{call.site.name}.{call.layer}"
        if places is None or len(seen.tokens) != len(made) or f"{name}.zero.weight" not in branch:
            return made
        value = call.value[..., call.spans.image_keys, :]
        more = _found(branch, name, seen, value, places.to(seen.boxes)) * strength
        parted = (*more.shape[:2], made.shape[1], made.shape[3])
        more = _masked(more, rows).reshape(parted).transpose(1, 2)
        return _added(made, more.to(made.dtype), asked)

    return on_attention(stage.net, stage.card, hook, stage.layout, picture_sites(stage))


def picture_sites(stage: Stage) -> tuple[Site, ...]:
    """The sites at which the image's tokens look at one another.

    Raises:
        DiffusionError: the family has none.
    """
    sites = image_sites(stage.card)
    if not sites:
        raise DiffusionError(
            f"{stage.card.title} models have no attention among image tokens, so that they see no "
            "layout this way. Use regional prompts."
        )
    return sites


def _found(branch: Branch, name: str, seen: Seen, value: Tensor, places: Tensor) -> Tensor:
    """What each image token finds, ``[b, t, width of the model]``."""
    import torch
    from torch.nn.functional import gelu, linear

    def part(which: str) -> Tensor:
        return branch[f"{name}.{which}"]

    def headed(flat: Tensor) -> Tensor:
        return flat.reshape(*flat.shape[:-1], HEADS, WIDTH).transpose(-3, -2)

    own = value.transpose(1, 2).flatten(2).to(part("query.weight"))
    batch, count = own.shape[:2]
    where = fourier(places).to(own).expand(batch, count, -1)
    query = headed(linear(torch.cat([own, where], -1), part("query.weight"), part("query.bias")))
    none = part("none.weight").expand(batch, 2, -1)
    key = headed(torch.cat([none[:, :1], linear(seen.tokens, part("key.weight"))], 1))
    held = headed(torch.cat([none[:, 1:], linear(seen.tokens, part("value.weight"))], 1))
    close = near(seen.boxes, places).to(own)
    scores = query @ key.transpose(-1, -2) * WIDTH**-0.5
    more = linear(close, part("near.weight")).permute(0, 3, 1, 2)
    more = more.masked_fill(~seen.there[:, None, None], float("-inf"))
    scores = scores.float() + torch.cat([torch.zeros_like(more[..., :1]), more], -1)
    share = scores.softmax(-1).to(own)
    heads = (share @ held).transpose(1, 2).flatten(2)
    around = torch.einsum("bhtn,btnf->bthf", share[..., 1:], close).flatten(2)
    mixed = gelu(linear(torch.cat([heads, around, own], -1), part("mix.weight"), part("mix.bias")))
    return linear(mixed, part("zero.weight"))


def _masked(more: Tensor, rows: tuple[bool, ...]) -> Tensor:
    import torch

    if all(rows):
        return more
    return torch.where(torch.tensor(rows, device=more.device)[:, None, None], more, 0.0)


def _added(whole: Tensor, more: Tensor, where: slice) -> Tensor:
    """``whole`` with ``more`` added to some of its tokens."""
    import torch

    ends = whole[..., : where.start, :], whole[..., where.stop :, :]
    return torch.cat([ends[0], whole[..., where, :] + more, ends[1]], -2)


LAYOUT_TOKENS = PatchKind(LAYOUT, "Layout", make, rank=3)
