"""How well and in how much memory pictures are enlarged, beside doing it by a filter.

``python -m tests.benchmarks.upscale --count 300 [--file FILE]`` runs all parts; ``--only pairs``,
``seams`` or ``memory`` one of them. Pairs are unseen scenes of the world that went through blur,
shrinking by 4, noise and JPEG; means with 95 % intervals, differences of the same pairs.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import re
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from backend.catalog.header import read_header
from backend.models.family import describe, family_of
from backend.models.run import denoise
from backend.models.tiling.latents import LatentTiles
from backend.models.tiling.tiles import Coding
from backend.models.upscale.diffusion import grown, guider_of
from backend.models.upscale.enlarging import enlarged
from backend.models.upscale.pieces import Pieces
from backend.sdk import Image
from backend.train.figures import machine
from backend.train.scene import Bytes
from backend.train.tasks.enlarge import draw_pair
from backend.train.tasks.enlarge import enlarged as filtered
from backend.values import Latent, Noise, Schedule, Solver
from nodes.latents import vae_decode, vae_encode
from nodes.upscale_diffusion import enlarge_by_model, upscale_by_tiles
from tests.backend.models.test_latent_tiles import Fixed, seam_energy
from tests.backend.models.upscale.test_pieces import REACH, Toy
from tests.benchmarks.creative import PRIMER, Desk, codes, decibels, edge_match, floats, parts

SCENES = 10
"""Scenes that are enlarged in tiles at most, since each takes 16 calls a step."""


def shown(values: Sequence[float]) -> str:
    half = 1.96 * float(np.std(values)) / max(len(values), 1) ** 0.5
    return f"{np.mean(values):6.2f} +- {half:.2f} dB"


def without(file: Path, part: str, home: Path) -> Path:
    """The adapter with some of its tensors at zero."""
    tensors = {n: t * 0 if part in n else t for n, t in load_file(file).items()}
    save_file(tensors, home / f"{part}.safetensors", metadata=dict(read_header(file).metadata))
    return home / f"{part}.safetensors"


def ways(desk: Desk, file: str, home: Path) -> dict[str, Callable[[Image], Sequence[Bytes]]]:
    """The ways of enlarging, by name."""

    def by(which: str, **more: Any) -> Callable[[Image], Sequence[Bytes]]:
        def made(small: Image) -> Sequence[Bytes]:
            found = desk.found
            return codes(
                enlarge_by_model(
                    desk, found.model, desk.empty, found.vae, small, file=which, **more
                )
            )

        return made

    def through(small: Image) -> Sequence[Bytes]:
        grown = floats([filtered(each) for each in codes(small)])
        return codes(vae_decode(desk, desk.found.vae, vae_encode(desk, desk.found.vae, grown)))

    found: dict[str, Callable[[Image], Sequence[Bytes]]] = {
        "bicubic": lambda small: [filtered(each, "bicubic") for each in codes(small)],
        "lanczos, coded": through,
    }
    if file:
        bare = without(Path(file), "convolution", home)
        found |= {
            "adapter": by(file),
            "adapter, 1 step": by(file, steps=1),
            "adapter, 8 steps": by(file, steps=8),
            "its own colours": by(file, colours=False),
            "no convolution": by(str(bare)),
        }
    return found


def pairs(desk: Desk, file: str, count: int, seed: int) -> None:
    """PSNR against the scene, and its edges, for each way; gains over Lanczos pair by pair."""
    with TemporaryDirectory() as home:
        names = ways(desk, file, Path(home))
        psnr: dict[str, list[float]] = {"lanczos": [], **{name: [] for name in names}}
        outlined: dict[str, list[float]] = {name: [] for name in psnr}
        for numbers in parts(count):
            drawn = [draw_pair(seed, i, "held") for i in numbers]
            small = floats([each.small for each in drawn])
            made = {"lanczos": [filtered(each.small) for each in drawn]}
            made |= {name: list(way(small)) for name, way in names.items()}
            for name, pictures in made.items():
                for picture, pair in zip(pictures, drawn, strict=True):
                    psnr[name].append(decibels(picture, pair.whole))
                    outlined[name].append(edge_match(picture, edges_of(pair.whole)))
    for name, values in psnr.items():
        gains = [a - b for a, b in zip(values, psnr["lanczos"], strict=True)]
        print(f"{name:17} {shown(values)}   over lanczos {shown(gains)}   "
              f"edge F1 {np.mean(outlined[name]):.3f}", flush=True)  # fmt: skip


def edges_of(picture: Bytes) -> Bytes:
    from backend.train.tasks.controls import guide

    return guide(picture, "edges")


def seams(desk: Desk, count: int, seed: int) -> None:
    """Tiles against the whole, and what stays of a grid of tiles that share nothing."""
    image = Image(np.random.default_rng(seed).random((1, 126, 126, 3), np.float32))
    whole = enlarged(Toy(), image, Pieces(0, 1)).pixels
    for overlap in (2, 4 * REACH):
        parted = enlarged(Toy(), image, Pieces(64, overlap)).pixels
        far = np.abs(whole - parted).max() * 255
        print(f"learned upscaler, overlap {overlap:2}: tiles differ by {far:.4f} of 255 at most")
    for name, kind, how in TILES:
        calls = kind(16, 8, how, 0, 2).count(64, 64)
        made = [drawn_in_tiles(desk, kind(16, 8, how, seed + n, 2), n, seed) for n in range(count)]
        given = [enlarged_scene(n, seed).pixels[0] for n in range(count)]
        energies = [seam_energy([each.mean(-1) for each in row], 128) for row in (made, given)]
        energy = energies[0] / energies[1]
        print(f"{name:8} tiles of Primer, 128 to 512 pixels: {calls} calls a step, steps at the "
              f"grid's borders {energy:.3f} times as before", flush=True)  # fmt: skip


TILES: Sequence[tuple[str, type[LatentTiles], Any]] = (
    ("fixed", Fixed, "shifted"),
    ("shifted", LatentTiles, "shifted"),
    ("blended", LatentTiles, "blended"),
)


def enlarged_scene(number: int, seed: int) -> Image:
    """A scene of the world, four times as large by Lanczos."""
    return grown(floats([draw_pair(seed, number, "held").whole]), 4.0, 16)


def drawn_in_tiles(desk: Desk, tiles: LatentTiles, number: int, seed: int) -> Any:
    """A scene four times as large, drawn anew from 0.6 of the noise on, ``[512, 512, 3]``."""
    found, family = desk.found, family_of(desk.found.vae)
    large = enlarged_scene(number, seed)
    coding, place = Coding(128, 32), (desk.load, desk.device)
    latent = family.encode_image(found.vae, large, *place, None, coding)
    made = denoise(
        desk, guider_of(found.model, [desk.empty], 1.0), Solver("euler"),
        Schedule("native", steps=20, start=0.4), Noise("gaussian", seed=number), latent,
        tiles=tiles,
    )  # fmt: skip
    return family.decode_latent(found.vae, made, *place, Coding(256, 128)).pixels[0]


class Wide:
    """A network of the width of a SPAN: 48 channels, then four times as large."""

    scale, channels, whole, title = 4, 3, False, "wide"

    def __init__(self) -> None:
        widths = [3, 48, 48, 48]
        self.layers = [torch.randn(b, a, 3, 3) / (9 * a) ** 0.5
                       for a, b in pairwise(widths)]  # fmt: skip

    def __call__(self, pixels: Any) -> Any:
        x = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
        with torch.no_grad():
            for weight in self.layers:
                x = torch.relu(torch.nn.functional.conv2d(x, weight, padding=1))
            made = torch.nn.functional.pixel_shuffle(x, 4)[0].clamp(0, 1)
        return made.permute(1, 2, 0).numpy()


def held(name: str) -> int:
    """Bytes of this process: ``VmRSS`` now, ``VmHWM`` the most since it was last reset."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def grew(work: Callable[[], Any]) -> tuple[int, float]:
    """The most bytes by which a call lets the process grow, its result counted, and seconds."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before, began = held("VmRSS"), time.monotonic()
    kept = work()
    seconds = time.monotonic() - began
    del kept
    return held("VmHWM") - before, seconds


def learned_memory(side: int, tell: Any) -> None:
    torch.set_num_threads(1)
    network, rng = Wide(), np.random.default_rng(0)
    network(np.zeros((64, 64, 3), np.float32))

    def work() -> Any:
        image = Image(rng.random((1, side, side, 3), np.float32))
        return image, enlarged(network, image, Pieces(256, 32))

    tell.put(grew(work))


def tiled_memory(asked: tuple[float, str], tell: Any) -> None:
    """Of the node, or of its ``sampling`` alone."""
    torch.set_num_threads(1)
    desk, (scale, part) = Desk(PRIMER), asked
    found = desk.found
    rng = np.random.default_rng(0)

    def whole(scale: float) -> Any:
        image = Image(rng.random((1, 128, 128, 3), np.float32))
        return upscale_by_tiles(
            desk, found.model, desk.empty, found.vae, image, scale=scale, denoise=0.5, steps=4
        )

    def sampling(scale: float) -> Any:
        side = round(16 * scale)
        samples = rng.standard_normal((1, 16, side, side), np.float32)
        return denoise(
            desk, guider_of(found.model, [desk.empty], 1.0), Solver("euler"),
            Schedule("native", steps=2), Noise("gaussian"),
            Latent(samples, describe(found.model).latent_space), tiles=LatentTiles(16, 1, patch=2),
        )  # fmt: skip

    work = whole if part == "whole" else sampling
    work(2.0)
    tell.put(grew(lambda: work(scale)))


def apart(work: Callable[[Any, Any], None], argument: Any) -> tuple[int, float]:
    """In a process of its own."""
    context = multiprocessing.get_context("spawn")
    tell = context.Queue()
    process = context.Process(target=work, args=(argument, tell))
    process.start()
    found: tuple[int, float] = tell.get(timeout=3600)
    process.join()
    return found


def memory() -> None:
    """Bytes above the model, input and output counted."""
    for side in (512, 2048):
        taken, seconds = apart(learned_memory, side)
        print(f"learned, {side} to {4 * side}: {taken / 1e9:.2f} GB, {seconds:.0f} s", flush=True)
    for part in ("sampling", "whole"):
        for scale in (2.0, 8.0):
            taken, seconds = apart(tiled_memory, (scale, part))
            output = 12 * (128 * scale) ** 2 if part == "whole" else 64 * (16 * scale) ** 2
            print(f"diffusion in tiles, {scale:g} times, {part}: {taken / 1e6:.1f} MB, its result "
                  f"{output / 1e6:.1f} MB, {seconds:.0f} s", flush=True)  # fmt: skip


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--only", choices=["pairs", "seams", "memory"])
    reader.add_argument("--file", default="", help="an upscale adapter for Primer")
    reader.add_argument("--model", type=Path, default=PRIMER)
    reader.add_argument("--count", type=int, default=300)
    reader.add_argument("--seed", type=int, default=2027)
    given = reader.parse_args()
    began = time.monotonic()
    if given.only in (None, "pairs"):
        pairs(Desk(given.model), given.file, given.count, given.seed)
    if given.only in (None, "seams"):
        seams(Desk(given.model), min(given.count, SCENES), given.seed)
    if given.only in (None, "memory"):
        memory()
    seconds = time.monotonic() - began
    print(f"{given.count} pairs, seed {given.seed}, {seconds:.0f} s, {machine()}")


if __name__ == "__main__":
    main()
