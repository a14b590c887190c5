"""Attention maps: where in the picture each token of a text was looked at, over a whole run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from backend.diffusion.around import Around
from backend.models.patch import Stage
from backend.models.seams.sites import Attention, on_attention
from backend.values import Float32

if TYPE_CHECKING:
    from torch import Tensor


SIDES = (1, 2, 4, 8, 16)
"""How much coarser than the finest grid a network's other sizes are."""


@dataclass
class Recorder:
    """Adds up the attention of image queries to text keys, over layers and the steps of ``span``
    (fractions of the schedule), for the rows of the positive term. One recorder serves one run."""

    role: str = "positive"
    span: tuple[float, float] = (0.0, 1.0)
    seen: dict[tuple[int, int], tuple[Tensor, int]] = field(default_factory=dict)
    """By the number of the first sample and the tokens of a grid."""

    def around(self, stage: Stage) -> Around:
        """What records a run of this model; it changes nothing in it.

        Raises:
            DiffusionError: the family has no such attention.
        """
        sites = tuple(site for site in stage.card.sites if site.stream != "self")
        return on_attention(stage.net, stage.card, self._record, stage.layout, sites)

    def _record(self, call: Attention) -> Tensor:
        rows = [
            i for i, term in enumerate(call.moment.terms) if term.role == self.role
        ]  # fmt: skip
        text, (begin, end) = call.spans.text_keys, self.span
        timely = begin <= call.moment.done < end or end == 1 <= call.moment.done
        if (
            timely
            and rows
            and text.stop > text.start
            and len(call.moment.rows(None)) == call.query.shape[0]
        ):
            first = rows[0] * call.moment.count
            self._add(call, slice(first, first + call.moment.count))
        return call.attend()

    def _add(self, call: Attention, rows: slice) -> None:
        """Softmax over all keys, as the model's own; then the text columns, mean over heads."""
        query = call.query[rows][..., call.spans.image_queries, :].float()
        key = call.key[rows].float()
        if key.shape[1] != query.shape[1]:  # grouped heads share their keys
            key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
        scale = call.options.get("scale") or query.shape[-1] ** -0.5
        scores = query @ key.transpose(-1, -2) * scale
        if call.mask is not None:
            scores = _masked(scores, call, rows)
        found = scores.softmax(-1)[..., call.spans.text_keys].mean(1)
        place = call.moment.first, found.shape[1]
        total, number = self.seen.get(place, (found[..., :0], 0))
        self.seen[place] = (_sum(total, found), number + 1)

    def maps(self, height: int, width: int) -> Float32:
        """``[samples, text tokens, height, width]`` for a picture of so many tokens, the mean over
        layers and steps; what layers of coarser grids saw is spread over finer ones.

        Raises:
            ValueError: nothing was recorded.
        """
        firsts = sorted({first for first, _ in self.seen}) or [0]
        found = [self._maps_from(first, height, width) for first in firsts]
        most = max(each.shape[1] for each in found)
        return np.concatenate(
            [np.pad(m, [(0, 0), (0, most - m.shape[1]), (0, 0), (0, 0)]) for m in found]
        )

    def _maps_from(self, first: int, height: int, width: int) -> Float32:
        """The maps of the samples of one call, of which ``first`` is the first."""
        total, number = np.zeros((), np.float32), 0
        for (begin, tokens), (found, count) in self.seen.items():
            side = next((s for s in SIDES if tokens == -(-height // s) * -(-width // s)), 0)
            if begin != first or not side:
                continue  # other samples; several frames, or a grid that this picture has not
            rows, columns = -(-height // side), -(-width // side)
            grid = found.transpose(1, 2).reshape(*found.shape[::2], rows, columns).cpu().numpy()
            spread = grid.repeat(side, -1).repeat(side, -2)
            total = total + spread[..., :height, :width]
            number += count
        if not number:
            raise ValueError(f"no attention of a picture of {width}x{height} tokens was recorded")
        return np.asarray(total / number, np.float32)


def _sum(one: Tensor, two: Tensor) -> Tensor:
    """Maps added up; texts that take turns in a run may differ in length."""
    from torch.nn.functional import pad

    most = max(one.shape[-1], two.shape[-1])
    return pad(one, (0, most - one.shape[-1])) + pad(two, (0, most - two.shape[-1]))


def _masked(scores: Tensor, call: Attention, rows: slice) -> Tensor:
    """Scores ``[rows, heads, image queries, keys]`` under the mask that the model gave."""
    mask = call.mask
    assert mask is not None
    while mask.ndim < 4:
        mask = mask.unsqueeze(-3 if mask.ndim > 1 else 0)
    mask = mask.expand(call.query.shape[0], -1, -1, -1)[rows]
    if mask.shape[-2] == call.query.shape[-2]:
        mask = mask[..., call.spans.image_queries, :]
    if mask.dtype.is_floating_point:
        return scores + mask
    return scores.masked_fill(~mask, float("-inf"))
