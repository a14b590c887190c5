"""Two small transformers that are trained from nothing, in latent spaces of their own.

Both see the shapes and colours of the procedural world. One is told the shape of a picture and
never its colour, the other the colour and never the shape, so of a picture that is asked for each
knows one half.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
from torch import Tensor
from torch.nn.functional import fold, unfold

from backend.diffusion.coop import Partner
from backend.diffusion.noise import gaussian
from backend.diffusion.paths import FLOW, VP, Estimate, split
from backend.diffusion.process import Process
from backend.train.palette import BACKGROUNDS, COLOURS
from backend.train.palette import SHAPES as EVERY_SHAPE
from backend.train.shapes import coverage, signed_distance
from backend.values import Float32

SIDE = 24
SHAPES = ("circle", "square", "triangle", "ring")
INKS = ("red", "green", "blue", "yellow")
GROUND = "grey"


def cover(shape: str, y: float, x: float, radius: float) -> Float32:
    """How much of each pixel a shape covers, ``[24, 24]``."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32) + np.float32(0.5)
    return coverage(signed_distance(shape, rows - np.float32(y), columns - np.float32(x), radius))


@dataclass(frozen=True)
class Scenes:
    """Pictures ``[n, 3, 24, 24]`` from -1 to 1, and the numbers of their shapes and colours."""

    pixels: Tensor
    shapes: Tensor
    inks: Tensor


def scenes(count: int, seed: int) -> Scenes:
    """One shape each, of any colour, near the middle of a plain ground."""
    rng = np.random.default_rng(seed)
    shapes, inks = rng.integers(len(SHAPES), size=count), rng.integers(len(INKS), size=count)
    made = []
    for shape, colour in zip(shapes, inks, strict=True):
        y, x = SIDE / 2 + rng.uniform(-1.5, 1.5, 2)
        mask = cover(SHAPES[shape], float(y), float(x), float(rng.uniform(6.5, 8)))[..., None]
        ground = np.array(BACKGROUNDS[GROUND]) + rng.integers(-4, 5, 3)
        ink = np.clip(np.array(COLOURS[INKS[colour]]) + rng.integers(-8, 9, 3), 0, 255)
        made.append(mask * ink + (1 - mask) * ground)
    pixels = torch.from_numpy(np.stack(made).astype(np.float32)).permute(0, 3, 1, 2)
    return Scenes(pixels / 127.5 - 1, torch.from_numpy(shapes), torch.from_numpy(inks))


@cache
def _templates() -> tuple[tuple[str, ...], Float32]:
    """Every shape of the world at many places and sizes, each of mean 0 and length 1."""
    steps = np.arange(-3, 4)
    places = [(SIDE / 2 + dy, SIDE / 2 + dx) for dy, dx in product(steps, steps)]
    made = [(s, cover(s, *p, r)) for s, p, r in product(EVERY_SHAPE, places, (6.0, 7.0, 8.0))]
    flat = np.stack([mask.ravel() - mask.mean() for _, mask in made])
    return tuple(s for s, _ in made), flat / np.linalg.norm(flat, axis=1, keepdims=True)


def looks(pixels: Tensor) -> list[tuple[str, str]]:
    """Shape and colour, of all that the world has, that each picture shows.

    What differs from the ground, whose colour is the border's, is the object: its outline decides
    the shape, its mean colour the colour.
    """
    names, templates = _templates()
    values = (pixels.clamp(-1, 1).permute(0, 2, 3, 1).numpy() + 1) * 127.5
    table = np.array(list(COLOURS.values()), np.float32)
    found = []
    for picture in values:
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        away = np.linalg.norm(picture - np.median(border, axis=0), axis=-1)
        share = np.clip(away / max(float(np.quantile(away, 0.9)), 1e-6), 0, 1)
        shape = names[int((templates @ share.ravel()).argmax())]
        inside = share > 0.85
        rgb = picture[inside].mean(0) if inside.any() else np.zeros(3, np.float32)
        found.append((shape, list(COLOURS)[int(np.linalg.norm(table - rgb, axis=1).argmin())]))
    return found


class Code:
    """A linear autoencoder of square patches, fitted to pictures: their ``kept`` strongest parts,
    brought to unit variance together. ``turn`` gives the channels another order and sign."""

    def __init__(self, pixels: Tensor, patch: int, kept: int, turn: int) -> None:
        rows = unfold(pixels, patch, stride=patch).transpose(1, 2).flatten(0, 1)
        self.patch, self.mean = patch, rows.mean(0)
        basis = torch.linalg.svd(rows[:20000] - self.mean, full_matrices=False)[2][:kept]
        signs = torch.tensor([(-1.0) ** (i // 2) for i in range(kept)])
        self.basis = (signs[:, None] * basis).roll(turn, 0)
        self.scale = float(1 / ((rows - self.mean) @ self.basis.T).std())

    def encode(self, pixels: Tensor) -> Tensor:
        """Latents ``[n, kept, side / patch, side / patch]``."""
        parts = unfold(pixels, self.patch, stride=self.patch) - self.mean[:, None]
        side = pixels.shape[-1] // self.patch
        return (self.scale * (self.basis @ parts)).unflatten(-1, (side, side))

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures of latents."""
        parts = self.basis.T @ (latents.flatten(2) / self.scale) + self.mean[:, None]
        side = latents.shape[-1] * self.patch
        return fold(parts, side, self.patch, stride=self.patch)


@dataclass(frozen=True)
class Toy:
    """A transformer of one latent space that is told one of ``words``, or nothing."""

    code: Code
    process: Process
    net: Any
    words: tuple[str, ...]

    def predict(self, x: Tensor, sigma: Tensor, told: Tensor) -> Tensor:
        """What it predicts at the noise levels ``sigma`` ``[n]``."""
        # Both kinds of level as a share of noise, 0..1: a network reads that more easily.
        share = sigma if self.process.path is FLOW else sigma / (1 + sigma)
        out: Tensor = self.net(x, 1000 * share, told, return_dict=False)[0]
        return out

    def asked(self, wanted: Sequence[str], cfg: float) -> Callable[..., Estimate]:
        """The guided model for so many pictures, each of its word."""
        told = torch.tensor([self.words.index(word) for word in wanted])
        nothing = torch.full_like(told, len(self.words))

        @torch.no_grad()
        def ask(x: Tensor, sigma: float, step: int, steps: int) -> Estimate:
            levels = torch.full((2 * len(x),), sigma)
            both = self.predict(x.repeat(2, 1, 1, 1), levels, torch.cat([told, nothing]))
            out = both[len(x) :] + cfg * (both[: len(x)] - both[len(x) :])
            return split(self.process.path, self.process.prediction, x, sigma, out)

        return ask

    def partner(self, other: Toy, wanted: Sequence[str], cfg: float, seed: int) -> Partner:
        """As one of two that make the pictures together."""
        clean = self.code.encode(torch.zeros(len(wanted), 3, SIDE, SIDE))
        return Partner(
            self.process,
            self.asked(wanted, cfg),
            lambda latents: other.code.encode(self.code.decode(latents)),
            gaussian(seed, clean.shape),
            clean.shape[-1] ** 2,
        )


def trained(
    data: Scenes, of_shapes: bool, steps: int, width: int = 64, layers: int = 3, batch: int = 64
) -> Toy:
    """Train one of the two, from nothing and always the same."""
    torch.manual_seed(1 if of_shapes else 2)
    code = Code(data.pixels, 4, 16, 1) if of_shapes else Code(data.pixels, 2, 8, 3)
    process = (
        Process(FLOW, "velocity") if of_shapes else Process(VP, "v", ends=(40.0, 0.02), full=False)
    )
    words, numbers = (SHAPES, data.shapes) if of_shapes else (INKS, data.inks)
    clean = code.encode(data.pixels)
    net = DiTTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=width // 4,
        in_channels=clean.shape[1],
        num_layers=layers,
        sample_size=clean.shape[-1],
        patch_size=clean.shape[-1] // 6,
        num_embeds_ada_norm=len(words),
    )
    toy = Toy(code, process, net.train(), words)
    mover = torch.optim.AdamW(net.parameters(), lr=2e-3, betas=(0.9, 0.98), weight_decay=0.0)
    rates = torch.optim.lr_scheduler.OneCycleLR(mover, 2e-3, total_steps=steps, pct_start=0.1)
    for _ in range(steps):
        rows = torch.randint(len(clean), (batch,))
        loss = _loss(toy, clean[rows], numbers[rows])
        mover.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        mover.step()
        rates.step()
    net.eval()
    return toy


def _loss(toy: Toy, clean: Tensor, told: Tensor) -> Tensor:
    """The mean squared error of what it predicts, at levels of which most are in the middle."""
    eps = torch.randn_like(clean)
    share = torch.sigmoid(1.2 * torch.randn(len(clean))).clamp(0.01, 0.975)
    sigma = share if toy.process.path is FLOW else share / (1 - share)
    scales = torch.tensor([toy.process.path.scales(float(level)) for level in sigma])
    alpha, scale = (part[:, None, None, None] for part in scales.unbind(1))
    aim = eps - clean if toy.process.prediction == "velocity" else alpha * eps - scale * clean
    error = toy.predict(alpha * clean + scale * eps, sigma, told) - aim
    return error.square().mean()


def decibels(one: Tensor, two: Tensor) -> float:
    """Peak signal to noise of pictures from -1 to 1."""
    return -10 * math.log10(float((one - two).square().mean()) / 4)
