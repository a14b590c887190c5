"""Where a subject lies, by a model's own attention: its words' maps, spread by what looks alike.

The first half of Alfie (arXiv:2408.14826): cross-attention of the prompt's nouns says
roughly where the subject is, and self-attention which places belong together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from backend.diffusion.around import Around
from backend.models.patch import Stage
from backend.models.seams.maps import SIDES, Recorder
from backend.models.seams.sites import Attention, on_attention
from backend.values import Float32

if TYPE_CHECKING:
    from torch import Tensor

FINEST = 1024
"""Tokens of the finest grid whose places are compared; their table has the square of it."""


@dataclass
class Kinship(Recorder):
    """Adds up the attention of image queries to image keys, over layers and the steps of ``span``,
    for the rows of the positive term; grids above ``FINEST`` tokens are left out."""

    bonds: dict[tuple[int, int], tuple[Tensor, int]] = field(default_factory=dict)
    """By the number of the first sample and the tokens of a grid."""

    def around(self, stage: Stage) -> Around:
        """What records a run of this model; it changes nothing in it.

        Raises:
            DiffusionError: the family has no such attention.
        """
        sites = tuple(site for site in stage.card.sites if site.stream != "cross")
        return on_attention(stage.net, stage.card, self._bind, stage.layout, sites)

    def _bind(self, call: Attention) -> Tensor:
        rows = [i for i, term in enumerate(call.moment.terms) if term.role == self.role]
        begin, end = self.span
        timely = begin <= call.moment.done < end or end == 1 <= call.moment.done
        whole = len(call.moment.rows(None)) == call.query.shape[0]
        if timely and rows and whole and _length(call.spans.image_queries) <= FINEST:
            first = rows[0] * call.moment.count
            self._keep(call, slice(first, first + call.moment.count))
        return call.attend()

    def _keep(self, call: Attention, rows: slice) -> None:
        """Softmax over the image keys, mean over heads."""
        query = call.query[rows][..., call.spans.image_queries, :].float()
        key = call.key[rows][..., call.spans.image_keys, :].float()
        if key.shape[1] != query.shape[1]:  # grouped heads share their keys
            key = key.repeat_interleave(query.shape[1] // key.shape[1], 1)
        if query.shape[-2] != key.shape[-2]:
            return  # keys were packed together, so they are no places of the picture
        scale = call.options.get("scale") or query.shape[-1] ** -0.5
        found = (query @ key.transpose(-1, -2) * scale).softmax(-1).mean(1)
        place = call.moment.first, found.shape[1]
        total, number = self.bonds.get(place, (found * 0, 0))
        self.bonds[place] = (total + found, number + 1)

    def spread(self, maps: Float32) -> Float32:
        """Maps ``[samples, height, width]`` of tokens, each place the mean of those that it looks
        at. Maps come back as they are where nothing was recorded."""
        done: list[Float32] = []
        for first in sorted({first for first, _ in self.bonds}):
            done.append(self._spread_from(first, maps[len_of(done) :]))
        return np.concatenate(done) if done and len_of(done) == len(maps) else maps

    def _spread_from(self, first: int, maps: Float32) -> Float32:
        height, width = maps.shape[1:]
        sizes = sorted((n for begin, n in self.bonds if begin == first), reverse=True)
        for tokens in sizes:
            side = next((s for s in SIDES if tokens == -(-height // s) * -(-width // s)), 0)
            if not side:
                continue
            total, number = self.bonds[first, tokens]
            bonds = (total / number).cpu().numpy()
            coarse = _coarser(maps[: len(bonds)], side)
            flat = np.einsum("bqk,bk->bq", bonds, coarse.reshape(len(bonds), -1))
            grid = flat.reshape(coarse.shape).repeat(side, 1).repeat(side, 2)
            return np.asarray(grid[:, :height, :width], np.float32)
        return maps


def len_of(parts: list[Float32]) -> int:
    """Entries of several arrays together."""
    return sum(len(each) for each in parts)


def _length(span: slice) -> int:
    return int(span.stop) - int(span.start)


def _coarser(maps: Float32, side: int) -> Float32:
    """Means of squares of ``side`` cells; the last ones may be smaller."""
    if side == 1:
        return maps
    height, width = maps.shape[1:]
    tall, wide = -(-height // side) * side, -(-width // side) * side
    padded = np.pad(maps, [(0, 0), (0, tall - height), (0, wide - width)], mode="edge")
    squares = padded.reshape(len(maps), tall // side, side, wide // side, side)
    return np.asarray(squares.mean((2, 4)), np.float32)
