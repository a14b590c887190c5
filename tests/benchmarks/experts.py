"""Two experts against one net at equal steps, on Primer: training and figures in one command.

Run it with ``python -m tests.benchmarks.experts --out FOLDER``. It tunes three copies of Primer,
one on all noise levels and two on half of them each (``python -m backend.train experts`` does that
part alone), goes on where it was broken off, and compares what they make.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from backend.train import checkpoint
from backend.train.experts import ExpertsPlan, train
from backend.train.figures import machine
from backend.train.tuning import Pupil, TunePlan, draw_levels, lessons, loss_of
from nodes.experts import expert_switch
from tests.benchmarks.primer import PRIMER, Painter

FRESH = 202
"""Seed of the scenes that losses are measured on; no training sees it."""


def fresh_loss(pupil: Pupil, folder: Path, course: TunePlan, count: int = 512) -> float:
    """The mean flow loss over the course's noise levels, on the same scenes, levels and noise for
    every model."""
    given = lessons(pupil, folder, FRESH, count, print)
    chance = checkpoint.step_generator(FRESH, 0)
    batch = 16
    total = 0.0
    levels = draw_levels(course, count // batch, chance)
    for i, sigma in enumerate(levels):
        chosen = slice(i * batch, (i + 1) * batch)
        clean = torch.from_numpy(given.latents[chosen]).float()
        said = pupil.read(given.captions[chosen])
        with torch.no_grad():
            total += loss_of(pupil.stage, (), clean, sigma, said, chance).item()
    return total / len(levels)


def main() -> None:
    """Train what is missing, then print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints and copies")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--boundary", type=float, default=0.65)
    parser.add_argument("--count", type=int, default=150, help="captions")
    parser.add_argument("--seed", type=int, default=2026)
    given = parser.parse_args()
    course = replace(ExpertsPlan().course, steps=given.steps)
    plan = ExpertsPlan(boundary=given.boundary, course=course)
    copies = train(PRIMER, given.out, plan, "cpu", lambda line: print(line, flush=True))
    print(f"{machine()}, seed {given.seed}, {given.steps} steps each, boundary {given.boundary}")
    halves = {name: plan.courses()[name] for name in ("high", "low")}
    for name, folder in {"primer": PRIMER, **copies}.items():
        pupil = Pupil(folder, "cpu")
        found = {half: fresh_loss(pupil, given.out, course) for half, course in halves.items()}
        told = ", ".join(f"{half} {loss:.4f}" for half, loss in found.items())
        print(f"flow loss of {name:7} {told}", flush=True)
    painter = Painter(given.count, given.seed, **copies)
    models = {name: painter.model(name) for name in ("primer", "single")}
    models["experts"] = expert_switch(
        painter.ctx, painter.model("high"), painter.model("low"), given.boundary
    )
    for name, model in models.items():
        began = time.monotonic()
        print(f"{name:8} {painter.judge(model)}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
