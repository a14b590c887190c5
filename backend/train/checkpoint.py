"""Checkpoints: written whole or not at all, and everything a run needs to go on bit by bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that an interruption leaves the old one or the new one."""
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    """The checkpoint at ``path``, or None where there is none."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def average(module: nn.Module) -> dict[str, torch.Tensor]:
    """A fresh average of a module's parameters, to be moved by ``follow``."""
    return {name: value.detach().clone() for name, value in module.named_parameters()}


@torch.no_grad()
def follow(shadow: dict[str, torch.Tensor], module: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the module; early steps count more, so no start-up bias stays."""
    share = 1 - min(decay, (step + 1) / (step + 10))
    names = list(shadow)
    values = dict(module.named_parameters())
    torch._foreach_lerp_([shadow[n] for n in names], [values[n].detach() for n in names], share)


def step_generator(seed: int, step: int) -> torch.Generator:
    """The source of one step's chances: a resumed run draws what an unbroken one would."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)
