"""Latents larger than a model can take, denoised in tiles: whatever solver asks, at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from backend.diffusion.around import Around, Moment, Window
from backend.diffusion.errors import DiffusionError
from backend.diffusion.process import Denoiser, Process
from backend.models.reference import cropped
from backend.models.tiling.tiles import Tiling
from backend.values import Conditioning, Float32

if TYPE_CHECKING:
    from torch import Tensor

How = Literal["shifted", "blended"]
"""As few tiles as can be, that lie elsewhere at each step, or overlapping ones that are blended."""


@dataclass(frozen=True)
class Tile:
    """One tile: its cells in the whole, and how much each counts, ``[height, width]``."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    weight: Float32


@dataclass(frozen=True)
class LatentTiles:
    """Square tiles of ``size`` cells, a multiple of ``patch``, the cells a side of a token.

    ``blended``: tiles share ``overlap`` cells with each neighbour, and where several speak of a
    cell their mean counts, weighted by how far from its edge each sees it (MultiDiffusion,
    arXiv:2302.08113 eq. 5).

    ``shifted``: tiles lie side by side, as few as can be, but the grid lies elsewhere at each
    step, by an offset drawn from ``seed`` and the step (Any-Size-Diffusion, arXiv:2308.16582
    section 3.3): what was a seam lies inside a tile at the next. What the grid loses at one side it
    takes in at the other, so a tile at the rim holds cells of both. They share nothing where a side
    of the latents is a multiple of ``size``; else the last tile runs into the first, and what
    both say of a cell counts by half.
    """

    size: int
    overlap: int
    how: How = "shifted"
    seed: int = 0
    patch: int = 1

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % self.patch:
            raise DiffusionError(
                f"Tiles of {self.size} cells do not divide into tokens of {self.patch}. Choose a "
                "tile that is a multiple of what the model takes."
            )
        if self.how == "blended" and not 0 < self.overlap < self.size:
            raise DiffusionError(
                f"Tiles of {self.size} cells cannot overlap by {self.overlap}. Take an overlap "
                "above 0 and below the size of a tile."
            )

    def needed(self, height: int, width: int) -> bool:
        """Whether latents have more than one tile."""
        return height > self.size or width > self.size

    def count(self, height: int, width: int) -> int:
        """Tiles, and so calls of the model, at one step."""
        return len(self.tiles(height, width, 0))

    def tiles(self, height: int, width: int, step: int) -> list[Tile]:
        """The tiles of a step; together they cover every cell."""
        rng = np.random.default_rng([self.seed, step])
        sides = [self._side(height, rng), self._side(width, rng)]
        return [
            Tile(rows, columns, np.asarray(down[:, None] * across[None], np.float32))
            for (rows, down), (columns, across) in product(*sides)
        ]

    def _side(
        self, length: int, rng: np.random.Generator
    ) -> list[tuple[tuple[int, ...], np.ndarray]]:
        """The tiles along one side: their cells, and the weight of each."""
        if length <= self.size:
            return [(tuple(range(length)), np.ones(length))]
        if self.how == "blended":
            rise = np.minimum(np.arange(self.size) + 1.0, self.overlap + 1.0)
            weight = np.minimum(rise, rise[::-1])
            starts = [start // self.patch * self.patch
                      for start in Tiling(self.size, self.overlap).starts(length)]  # fmt: skip
            return [(tuple(range(start, start + self.size)), weight) for start in starts]
        offset = int(rng.integers(self.size // self.patch)) * self.patch
        count = -(-length // self.size)
        cells = np.arange(self.size)
        return [
            (tuple(((offset + k * self.size + cells) % length).tolist()), np.ones(self.size))
            for k in range(count)
        ]


@dataclass(frozen=True)
class Told:
    """Conditionings as they were given, and what the model made of them where tiles share it."""

    conditionings: Sequence[Conditioning]
    count: int
    shared: dict[str, Any]


class TiledDenoiser:
    """A denoiser that sees latents tile by tile, with what surrounds each call of its own.

    What a run needs of memory does not grow with the latents, but for these themselves. The noise
    levels are those for one tile, which is what the model sees. A patch is told its tile
    (``Moment.window``); reference pictures of the size of the whole are cut as the latents are.
    """

    def __init__(
        self,
        inner: Denoiser,
        around: Sequence[Around],
        tiles: LatentTiles,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.process: Process = inner.process
        self._inner = inner
        self._around = tuple(around)
        self._tiles = tiles
        self._check = check
        self._moment: Moment | None = None

    def tokens(self, shape: Sequence[int]) -> int:
        """Tokens of one tile."""
        sides = [min(side, self._tiles.size) for side in shape[-2:]]
        return self._inner.tokens((*shape[:-2], *sides))

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> Told:
        """Keep the conditionings until a tile needs them.

        Raises:
            DiffusionError: they do not go together.
        """
        self._inner.prepare(conditionings, count)  # what cannot share a batch is told at once
        return Told(conditionings, count, {})

    @contextmanager
    def around(self, moment: Moment) -> Iterator[None]:
        """Remember the moment of the call that follows."""
        self._moment = moment
        try:
            yield
        finally:
            self._moment = None

    def __call__(self, x: Tensor, sigma: float, prepared: Told) -> Tensor:
        """The prediction for the whole, from those for its tiles."""
        import torch

        if self._moment is None:
            raise RuntimeError("a tiled denoiser is called inside its own around")
        height, width = x.shape[-2:]
        total = torch.zeros_like(x)
        weights = torch.zeros(height, width, dtype=x.dtype, device=x.device)
        for tile in self._tiles.tiles(height, width, self._moment.step):
            self._check()
            rows = torch.tensor(tile.rows, device=x.device)[:, None]
            columns = torch.tensor(tile.columns, device=x.device)[None]
            weight = torch.from_numpy(tile.weight).to(weights)
            window = Window((height, width), tile.rows, tile.columns)
            made = self._one(x[..., rows, columns], sigma, prepared, window)
            total[..., rows, columns] += made.to(total) * weight
            weights[rows, columns] += weight
        return total / weights

    def _one(self, x: Tensor, sigma: float, prepared: Told, window: Window) -> Tensor:
        """The prediction for one tile."""
        assert self._moment is not None
        shape = tuple(x.shape)
        image = self._inner.tokens(shape)
        moment = replace(self._moment, shape=shape, image=image, window=window)
        with ExitStack() as stack:
            for each in self._around:
                stack.enter_context(each(moment))
            return self._inner(x, sigma, self._ready(prepared, window))

    def _ready(self, prepared: Told, window: Window) -> Any:
        """What the model makes of the conditionings: for one tile where some reference lies over
        the whole, else once for all."""
        cut = [cropped(given, window) for given in prepared.conditionings]
        if any(a is not b for a, b in zip(cut, prepared.conditionings, strict=True)):
            return self._inner.prepare(cut, prepared.count)
        if "all" not in prepared.shared:
            prepared.shared["all"] = self._inner.prepare(prepared.conditionings, prepared.count)
        return prepared.shared["all"]
