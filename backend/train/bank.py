"""The bank: training's scenes, drawn once, in files of a few thousand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.train.recipe import Recipe
from backend.train.scene import SIZE, Bytes, picture
from backend.train.world import draw_spec


def _shard_paths(folder: Path, number: int) -> tuple[Path, Path]:
    return folder / f"pixels-{number:03d}.npy", folder / f"captions-{number:03d}.json"


def _draw_shard(folder: Path, number: int, seed: int, first: int, count: int) -> None:
    pixels_path, captions_path = _shard_paths(folder, number)
    specs = [draw_spec(seed, first + i, "train") for i in range(count)]
    pixels = np.empty((count, SIZE, SIZE, 3), np.uint8)
    for i, spec in enumerate(specs):
        pixels[i] = picture(spec)
    captions_path.write_text(json.dumps([spec.caption for spec in specs]))
    temporary = pixels_path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, pixels)
    temporary.replace(pixels_path)  # last, so that a shard with pixels is a whole shard


def draw_bank(folder: Path, recipe: Recipe, workers: int = 2) -> None:
    """Draw what is missing of the bank into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    size, total = recipe.bank.shard, recipe.bank.scenes
    with ProcessPoolExecutor(workers) as pool:
        waiting = [
            pool.submit(_draw_shard, folder, number, recipe.seed, first, min(size, total - first))
            for number, first in enumerate(range(0, total, size))
            if not _shard_paths(folder, number)[0].exists()
        ]
        for job in waiting:
            job.result()


class Bank:
    """The drawn scenes, read from disk as they are asked for."""

    def __init__(self, folder: Path) -> None:
        paths = sorted(folder.glob("pixels-*.npy"))
        if not paths:
            raise FileNotFoundError(f"no scenes in {folder}: run the bank step first")
        self._shards: list[Bytes] = [np.load(path, mmap_mode="r") for path in paths]
        self._ends = np.cumsum([len(shard) for shard in self._shards])
        self.captions: tuple[str, ...] = tuple(
            caption
            for path in sorted(folder.glob("captions-*.json"))[: len(paths)]
            for caption in json.loads(path.read_text())
        )

    def __len__(self) -> int:
        return int(self._ends[-1])

    def pixels(self, indices: Sequence[int] | NDArray[np.int64]) -> Bytes:
        """Pictures uint8 [n, h, w, 3] of the scenes with these numbers."""
        return np.stack([self._one(int(i)) for i in indices])

    def _one(self, index: int) -> Bytes:
        shard = int(np.searchsorted(self._ends, index, side="right"))
        start = int(self._ends[shard - 1]) if shard else 0
        picture: Bytes = self._shards[shard][index - start]
        return picture
