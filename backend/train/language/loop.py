"""The loop that trains a small network: Muon and AdamW, an average, and checkpoints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from backend.train import checkpoint
from backend.train.recipe import rate_share
from backend.train.vae import Log

Loss = Callable[[int], Tensor]
"""The loss of a step, from its number alone: so a resumed run goes on to the same bits."""


@dataclass(frozen=True)
class LoopPlan:
    """How long and how fast. Lengths in steps; ``hold`` is the share before the rates fall."""

    steps: int
    rate: float = 3e-3
    muon_rate: float = 3e-3
    warmup: int = 100
    hold: float = 0.4
    ema: float = 0.998
    checkpoint_every: int = 250
    seed: int = 1


def train(
    module: nn.Module,
    loss_of: Loss,
    plan: LoopPlan,
    path: Path,
    log: Log = print,
    stop_at: int | None = None,
) -> None:
    """Train, or go on training from the checkpoint ``path``; the module then holds the average.

    ``stop_at`` ends early as an interruption would.
    """
    movers = optimisers(module, plan)
    rates = [mover.param_groups[0]["lr"] for mover in movers]
    shadow, start = checkpoint.average(module), 0
    if state := checkpoint.load(path):
        module.load_state_dict(state["model"])
        for mover, saved in zip(movers, state["optimisers"], strict=True):
            mover.load_state_dict(saved)
        shadow, start = state["average"], int(state["step"])
    began, seen = time.monotonic(), 0.0
    for step in range(start, min(plan.steps, stop_at or plan.steps)):
        share = rate_share(step, plan.warmup, plan.steps, plan.hold)
        for mover, rate in zip(movers, rates, strict=True):
            mover.param_groups[0]["lr"] = rate * share
            mover.zero_grad(set_to_none=True)
        loss = loss_of(step)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        for mover in movers:
            mover.step()
        checkpoint.follow(shadow, module, plan.ema, step)
        seen = 0.98 * seen + 0.02 * loss.item() if seen else loss.item()
        done = step + 1
        if done % 50 == 0 or done == plan.steps:
            pace = (done - start) / (time.monotonic() - began)
            log(f"{path.stem} {done}/{plan.steps} loss {seen:.4f} {pace:.2f} steps/s")
        if done % plan.checkpoint_every == 0 or done in (plan.steps, stop_at):
            checkpoint.save(
                path,
                {
                    "model": module.state_dict(),
                    "average": shadow,
                    "step": done,
                    "optimisers": [mover.state_dict() for mover in movers],
                },
            )
    _take(module, shadow)


@torch.no_grad()
def _take(module: nn.Module, average: dict[str, Tensor]) -> None:
    for name, value in module.named_parameters():
        value.copy_(average[name])


def optimisers(module: nn.Module, plan: LoopPlan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside blocks, AdamW for embeddings, heads, norms and the rest."""
    inner: list[Tensor] = []
    outer: list[Tensor] = []
    for name, value in module.named_parameters():
        if value.requires_grad:
            matrix = value.ndim == 2 and "embed" not in name and ".layers." in f".{name}"
            (inner if matrix else outer).append(value)
    return [
        torch.optim.Muon(
            inner,
            lr=plan.muon_rate,
            weight_decay=0.01,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(outer, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]
