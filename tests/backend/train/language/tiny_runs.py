"""Trainings of a few seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backend.train.language.captioner import CaptionerPlan, train_captioner
from backend.train.language.causal import CausalPlan, Polish, train_causal
from backend.train.language.loop import LoopPlan

LOOP = LoopPlan(4, warmup=2, checkpoint_every=2)
CAUSAL = CausalPlan(48, 2, 3, 64, 256, (2, 2, 2, 0), LOOP, (Polish((1, 1, 1, 1), LOOP),))
CAPTIONER = CaptionerPlan(
    32, 1, 2, 32, looking=2, fields=2, pictures=2,
    tongue=replace(CAUSAL, width=48, length=80), loop=LOOP,
)  # fmt: skip


def quiet(line: str) -> None:
    del line


def language(folder: Path, stop_at: int | None = None) -> Path:
    return train_causal(folder, CAUSAL, quiet, stop_at)


def captioner(folder: Path, stop_at: int | None = None) -> Path:
    return train_captioner(folder, CAPTIONER, quiet, stop_at)
