"""A context for pipeline nodes, and a model folder run through its node and directly."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import diffusers as df
import numpy as np
import torch

from backend.diffusion.noise import sample_seed
from backend.media.spool import Spool
from backend.models.loaders import loaders
from backend.models.pipelines.given import pillow_pictures
from backend.models.pipelines.quiet import hush
from backend.models.store import Store
from backend.sdk import Image, Video
from nodes import pipelines as nodes
from tests.backend.models.pipelines.animal import Animal, photo
from tests.nodes.fake_device import FakeDevice

SEED = 7


class Bench(FakeDevice):
    """The fake device with a spool, loading through the store as the engine does."""

    def __init__(self, folder: Path, spool: Path, cancel_at_step: int = -1) -> None:
        super().__init__({"model": folder})
        self.store = Store({}, 2**30, loaders())
        self.videos = Spool(spool)
        self.cancel_at_step = cancel_at_step

    def check(self) -> None:
        if len(self.done) >= self.cancel_at_step >= 0:
            self.cancel_at = self.checks + 1
        super().check()

    def progress(self, done: float, total: float) -> None:
        super().progress(done, total)
        self.check()

    def spool(self, frames: Iterable[Image], rate: float, depth: Any = "16") -> Video:
        return self.videos.video(frames, rate, depth)

    def clip(self, frames: int, side: int) -> Video:
        """A video of noise."""
        return self.spool([photo(side, seed) for seed in range(frames)], 8.0)


def through_node(animal: Animal, bench: Bench, **more: Any) -> Any:
    """What the node for the animal's task gives."""
    model = nodes.load_pipeline(bench, "model")
    node = getattr(nodes, f"pipeline_{animal.task}")
    wish = dict(animal.wish)
    if animal.task == "edit":
        wish.setdefault("image", photo())
    if "clip" in wish:
        wish["video"] = bench.clip(*wish.pop("clip"))
    with animal.sized():
        return node(bench, model, **{"seed": SEED, **wish, **more})


def array_of(value: Any) -> Any:
    """Pixels, frames or samples of what a node gave."""
    if isinstance(value, tuple):
        value = value.video
    if isinstance(value, Video):
        return value.read().pixels
    return value.pixels if isinstance(value, Image) else value.samples


def directly(animal: Animal, folder: Path) -> Any:
    """What diffusers gives for the same, from the same folder by its own loader."""
    hush()
    kind = getattr(df, animal.kind)
    given = {name: _processor(folder, name, c) for name, c in animal.folder_only.items()}
    pipeline = kind.from_pretrained(folder, local_files_only=True, **given)
    pipeline.set_progress_bar_config(disable=True)
    call = dict(animal.call)
    if animal.task == "edit" or "image" in animal.wish:
        call["image"] = pillow_pictures(animal.wish.get("image", photo()), kind)
    if "mask" in animal.wish:
        call["mask_image"] = pillow_pictures(animal.wish["mask"], kind)
    if "clip" in animal.wish:
        frames, side = animal.wish["clip"]
        call["video"] = [pillow_pictures(photo(side, seed), kind) for seed in range(frames)]
    made = []
    for index in range(animal.wish.get("count", 1)):
        generator = torch.Generator().manual_seed(sample_seed(SEED, index))
        with animal.sized():
            output = pipeline(**call, generator=generator, output_type="np")
        found = next(iter(output.values()))
        found = found.float().numpy() if hasattr(found, "numpy") else np.asarray(found)
        found = found[:, None] if animal.task == "audio" and found.ndim == 2 else found
        made.append(found if animal.task in ("image", "edit") else found[0])
    return made[0] if len(made) == 1 else np.concatenate(made)


def _processor(folder: Path, name: str, kind: str) -> Any:
    """A processor that diffusers cannot load by itself without torchvision."""
    import transformers

    kept = ["image_processor", "tokenizer"]
    own = type(
        kind, (getattr(transformers, kind),), {"get_attributes": classmethod(lambda c: kept)}
    )
    return own.from_pretrained(folder / name)
