"""Tuning copies of a model for a part of the noise levels each, and one for all of them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from backend.train.flow import optimisers
from backend.train.recipe import FlowRecipe
from backend.train.tuning import Pupil, TunePlan, check_flow, lessons, scene_batches, tune
from backend.train.vae import Log


@dataclass(frozen=True)
class ExpertsPlan:
    """Where the low expert takes over, the course of each copy, and the rates of its two movers.

    The boundary halves the noise levels that training sees (their median is 0.646).
    """

    boundary: float = 0.65
    course: TunePlan = field(default_factory=lambda: TunePlan(steps=250))
    muon_rate: float = 8e-4
    adam_rate: float = 6e-4

    def courses(self) -> dict[str, TunePlan]:
        """By name of the copy, its course; all take as many steps."""
        return {
            "single": self.course,
            "high": replace(self.course, low=self.boundary),
            "low": replace(self.course, high=self.boundary),
        }


def train(
    model: Path,
    folder: Path,
    plan: ExpertsPlan,
    device: str,
    log: Log = print,
    stop_at: int | None = None,
) -> dict[str, Path]:
    """Tune, or go on tuning, the copies of ``plan.courses``; the model folders by name.

    eDiff-I, arXiv:2211.01324 section 4.2: experts begin as the model that was trained on all noise
    levels, and go on with those of their own interval alone. All weights of the denoiser move; the
    text encoders and the VAE stay, and so does ``model``.

    Raises:
        CatalogError: the model is no flow model of a native family.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, course in plan.courses().items():
        found[name] = target = folder / name
        if target.exists():
            continue
        torch.manual_seed(course.seed)
        pupil = Pupil(model, device)
        check_flow(pupil)
        given = lessons(pupil, folder, course.seed, course.scenes, log)
        net = pupil.stage.net.requires_grad_(True)
        learnt = nn.ModuleDict({pupil.refs.model.part: net})
        rates = FlowRecipe(rate=plan.adam_rate, muon_rate=plan.muon_rate)
        batches = scene_batches(pupil, given, course)
        tune(pupil.stage, batches, learnt, optimisers(learnt, rates), (), course,
             folder / f"{name}.pt", log, stop_at)  # fmt: skip
        if stop_at is None:
            _export(model, target, pupil.refs.model.part, net)
    return found


def _export(model: Path, target: Path, part: str, net: nn.Module) -> None:
    """A copy of the model folder with another network, in bf16; written whole or not at all."""
    temporary = target.with_name(target.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(model, temporary)
    shutil.rmtree(temporary / part)
    save = getattr(net.to(torch.bfloat16), "save_pretrained")  # noqa: B009 - untyped in diffusers
    save(temporary / part, safe_serialization=True)
    temporary.rename(target)
