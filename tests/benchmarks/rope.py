"""Scaled rotary positions on a small transformer that is trained for nothing else.

Run it with ``python -m tests.benchmarks.rope --out FOLDER``. It trains a pixel-space transformer on
scenes of 32x32 pixels with one to three objects (16 tokens a side), told their number alone, and
counts the objects that it draws at larger sizes, under each method of ``backend.models.rotary``,
laid on as the patch does it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn

from backend.diffusion.around import Moment
from backend.models.card import Rope
from backend.models.patches.rope import axes_of
from backend.models.patches2x2 import image_ids, pack, unpack
from backend.models.rotary import METHODS
from backend.models.seams.turning import maker_of, turning
from backend.train import checkpoint
from backend.train.figures import machine
from backend.train.flow import optimisers
from backend.train.palette import BACKGROUNDS, COLOURS
from backend.train.recipe import FlowRecipe, rate_share
from backend.train.scene import Bytes
from backend.train.shapes import coverage, signed_distance

SIDE, MOST = 32, 3
ROPE = Rope("pos_embed", ("picture", "height", "width"))
SIZES = ((32, 32), (48, 48), (64, 64), (96, 32))
"""Width and height: the trained size, 1.5 and 2 times that, and a strip of 3:1."""

RIGHT, MORE = "right number", "more"


@dataclass(frozen=True)
class Plan:
    """The network's size and its training."""

    steps: int = 1200
    batch: int = 32
    blocks: int = 4
    heads: int = 4
    axes: tuple[int, int, int] = (4, 14, 14)
    told: int = 32
    theta: float = 10_000.0
    dropout: float = 0.1
    ema: float = 0.998
    seed: int = 7
    rate: float = 2e-3
    muon_rate: float = 2.5e-3


class Small(nn.Module):
    """The transformer and what it is told: an entry per number of objects, 0 for no word."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.told = nn.Embedding(MOST + 1, plan.told)
        self.transformer = FluxTransformer2DModel(
            patch_size=1,
            in_channels=12,
            num_layers=0,
            num_single_layers=plan.blocks,
            attention_head_dim=sum(plan.axes),
            num_attention_heads=plan.heads,
            joint_attention_dim=plan.told,
            pooled_projection_dim=plan.told,
            axes_dims_rope=plan.axes,
        )
        self.transformer.pos_embed.theta = plan.theta

    def forward(self, x: Tensor, sigma: Tensor, numbers: Tensor) -> Tensor:
        """The velocity for pictures ``[b, 3, h, w]`` at noise levels ``[b]``."""
        height, width = x.shape[-2:]
        told = self.told(numbers)
        out = self.transformer(
            hidden_states=pack(x),
            timestep=sigma,
            encoder_hidden_states=told[:, None],
            pooled_projections=told,
            txt_ids=torch.zeros(1, 3),
            img_ids=image_ids(height // 2, width // 2),
            return_dict=False,
        )[0]
        return unpack(out.float(), height, width)


def scene(rng: np.random.Generator, number: int) -> Bytes:
    """A scene uint8 ``[32, 32, 3]`` of so many discs and squares that do not touch."""
    canvas = np.empty((SIDE, SIDE, 3), np.float32)
    canvas[:] = list(BACKGROUNDS.values())[int(rng.integers(len(BACKGROUNDS)))]
    grid = np.mgrid[:SIDE, :SIDE].astype(np.float32) + np.float32(0.5)
    things: list[tuple[float, float, float]] = []
    while len(things) < number:
        radius = float(rng.uniform(3.5, 5.5))
        y, x = (float(v) for v in rng.uniform(radius * 1.2 + 1, SIDE - radius * 1.2 - 1, 2))
        if all(np.hypot(y - b, x - a) > 1.25 * (radius + r) + 2 for b, a, r in things):
            things.append((y, x, radius))
    for y, x, radius in things:
        shape = ("circle", "square")[int(rng.integers(2))]
        colour = list(COLOURS.values())[int(rng.integers(len(COLOURS)))]
        alpha = coverage(signed_distance(shape, grid[0] - y, grid[1] - x, radius))[..., None]
        canvas += alpha * (np.array(colour, np.float32) - canvas)
    return np.rint(canvas).astype(np.uint8)


def count(picture: Bytes) -> int:
    """Objects in a picture uint8 ``[h, w, 3]``: connected regions that differ from the frame."""
    frame = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    apart = np.abs(picture.astype(int) - np.median(frame, 0)).max(2) > 48
    _, _, stats, _ = cv2.connectedComponentsWithStats(apart.astype(np.uint8), connectivity=4)
    return int((stats[1:, cv2.CC_STAT_AREA] >= 16).sum())


def _batch(plan: Plan, step: int) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng([plan.seed, step])
    numbers = rng.integers(1, MOST + 1, plan.batch)
    pixels = np.stack([scene(rng, int(n)) for n in numbers])
    clean = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    told = torch.from_numpy(np.where(rng.random(plan.batch) < plan.dropout, 0, numbers))
    return clean, told


def train(plan: Plan, path: Path) -> Small:
    """Train, or go on training; the averaged network."""
    torch.manual_seed(plan.seed)
    net = Small(plan)
    movers = optimisers(net, FlowRecipe(rate=plan.rate, muon_rate=plan.muon_rate))
    rates = [mover.param_groups[0]["lr"] for mover in movers]
    shadow, start = checkpoint.average(net), 0
    if state := checkpoint.load(path):
        start, shadow = int(state["step"]), state["average"]
        net.load_state_dict(state["model"])
        for mover, saved in zip(movers, state["optimisers"], strict=True):
            mover.load_state_dict(saved)
    began, seen = time.monotonic(), 0.0
    for step in range(start, plan.steps):
        for mover, rate in zip(movers, rates, strict=True):
            mover.param_groups[0]["lr"] = rate * rate_share(step, 100, plan.steps, 0.5)
            mover.zero_grad(set_to_none=True)
        chance = checkpoint.step_generator(plan.seed, step)
        clean, told = _batch(plan, step)
        places = (torch.arange(plan.batch) + torch.rand(plan.batch, generator=chance)) / plan.batch
        sigma = torch.sigmoid(0.4 + 1.1 * torch.special.ndtri(places.clamp(1e-5, 1 - 1e-5)))
        noise = torch.randn(clean.shape, generator=chance)
        share = sigma[:, None, None, None]
        with torch.autocast("cpu", torch.bfloat16):
            velocity = net((1 - share) * clean + share * noise, sigma, told)
        loss = (velocity - (noise - clean)).square().mean()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for mover in movers:
            mover.step()
        checkpoint.follow(shadow, net, plan.ema, step)
        seen = 0.98 * seen + 0.02 * loss.item() if seen else loss.item()
        done = step + 1
        if done % 100 == 0 or done == plan.steps:
            pace = (done - start) / (time.monotonic() - began)
            print(f"{done}/{plan.steps} loss {seen:.4f} {pace:.2f} steps/s", flush=True)
            optimised = [mover.state_dict() for mover in movers]
            checkpoint.save(path, {"model": net.state_dict(), "average": shadow, "step": done,
                                   "optimisers": optimised})  # fmt: skip
    net.load_state_dict(shadow, strict=False)
    return net.eval()


@torch.no_grad()
def draw(
    net: Small, numbers: Sequence[int], size: tuple[int, int], method: str, steps: int, seed: int
) -> Bytes:
    """Pictures uint8 ``[n, h, w, 3]`` by Euler's steps, with a method or without."""
    width, height = size
    noise = [torch.randn(3, height, width, generator=torch.Generator().manual_seed(seed + i))
             for i in range(len(numbers))]  # fmt: skip
    x, told = torch.stack(noise), torch.tensor(numbers)
    maker = maker_of(net.transformer, ROPE)
    trained = {"height": SIDE / 2, "width": SIDE / 2}
    levels = [1 - i / steps for i in range(steps + 1)]
    for i, (sigma, below) in enumerate(pairwise(levels)):
        moment = Moment(sigma, i, steps, tuple(x.shape), (), len(x), 0)
        axes = axes_of(maker, trained, 2, moment)
        rules = {n: r for n, a in axes.items() if method and (r := METHODS[method](a))}
        with turning(maker, rules, 1.0, 2) if rules else nullcontext():
            x = x + (below - sigma) * net(x, torch.full((len(x),), sigma), told)
    pixels = x.add(1).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
    return np.asarray(pixels.numpy())


def main() -> None:
    """Train what is missing, then print a line for each size and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the checkpoint")
    parser.add_argument("--steps", type=int, default=Plan().steps)
    parser.add_argument("--count", type=int, default=48, help="pictures of each kind")
    parser.add_argument("--seed", type=int, default=31)
    parser.add_argument("--sampling", type=int, default=16, help="Euler steps")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    net = train(Plan(steps=given.steps), given.out / "rope.pt")
    numbers = [i % MOST + 1 for i in range(given.count)]
    print(f"{machine()}, seed {given.seed}, {given.count} pictures, {given.sampling} steps")
    for size in SIZES:
        for method in ("", *METHODS) if size != (SIDE, SIDE) else ("",):
            parts = [
                draw(net, numbers[i : i + 8], size, method, given.sampling, given.seed + i)
                for i in range(0, given.count, 8)
            ]
            found = [count(picture) for picture in np.concatenate(parts)]
            right = sum(a == b for a, b in zip(found, numbers, strict=True))
            more = sum(a > b for a, b in zip(found, numbers, strict=True))
            shown = f"{size[0]}x{size[1]} {method or 'plain':9}"
            print(f"{shown} {RIGHT} {right}, {MORE} {more}, of {given.count}", flush=True)


if __name__ == "__main__":
    main()
