"""Training a refiner: a frozen language model's states to a frozen model's own text conditioning.

By regression: the refiner is to say of a caption what the model's own text encoder says of it, so
the denoiser is never asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from backend.catalog.errors import CatalogError
from backend.catalog.folder import read_folder
from backend.models.family import part_of
from backend.models.language.reference import reference as language_reference
from backend.models.refiner.encode import Way, check_fits, states_of
from backend.models.refiner.file import Join, Settings
from backend.models.refiner.load import save
from backend.models.refiner.network import Refiner
from backend.train.language import corpus
from backend.train.language.loop import LoopPlan, train
from backend.train.tuning import Pupil
from backend.train.vae import Log
from backend.values import Conditioning


@dataclass(frozen=True)
class RefinerPlan:
    """What is taken of the language model, the size of the refiner, and its training."""

    layers: tuple[int, ...] = (1, 3)
    join: Join = "concat"
    template: str = "{text}"
    blocks: int = 3
    width: int = 160
    batch: int = 40
    captions: int = 8_000
    empty: float = 0.04
    loop: LoopPlan = field(
        default_factory=lambda: LoopPlan(500, rate=2e-3, muon_rate=2e-3, hold=0.3, seed=3)
    )


class Teacher(Protocol):
    """What says of captions what the refiner is to say."""

    def read(self, captions: Sequence[str]) -> Conditioning:
        """Captions as a conditioning with an entry for each."""


@dataclass(frozen=True)
class Scholar:
    """A frozen language model and its tokenizer."""

    module: Any
    tokenizer: Any


def scholar(pupil: Pupil, folder: Path) -> Scholar:
    """The language model in a folder, held by a pupil's store.

    Raises:
        CatalogError: there is none, or it cannot be used.
    """
    found = language_reference(read_folder(folder))
    module: Any = pupil.load(found)
    tokenizer: Any = pupil.load(part_of(found, "tokenizer"))
    return Scholar(module.requires_grad_(False).eval(), tokenizer.hf)


def settings_for(told: Conditioning, states: int, plan: RefinerPlan) -> Settings:
    """The settings of a refiner that gives conditionings such as ``told``.

    Raises:
        CatalogError: a refiner cannot give such.
    """
    others = sorted(set(told.tensors) - {"sequence", "pooled"})
    if others or "sequence" not in told.tensors:
        raise CatalogError(
            f"The text conditioning of this model has the parts {', '.join(sorted(told.tensors))}, "
            "and a refiner gives a sequence and a pooled vector. Choose a model of the Flux family."
        )
    sequence, pooled = told.tensors["sequence"], told.tensors.get("pooled")
    return Settings(
        states=states,
        space=told.space,
        tokens=int(sequence.shape[1]),
        sequence=int(sequence.shape[2]),
        pooled=0 if pooled is None else int(pooled.shape[1]),
        layers=plan.layers,
        join=plan.join,
        template=plan.template,
        width=plan.width,
        blocks=plan.blocks,
    )


@dataclass(frozen=True)
class Lessons:
    """What captions are to become, and by how much their numbers vary."""

    captions: tuple[str, ...]
    sequence: Tensor
    pooled: Tensor
    spread: Tensor
    pooled_spread: Tensor


def lessons(teacher: Teacher, captions: Sequence[str], at_once: int = 250) -> Lessons:
    """Ask the teacher for every caption once; kept in 16 bits."""
    sequences, pools = [], []
    for first in range(0, len(captions), at_once):
        told = teacher.read(captions[first : first + at_once]).tensors
        count = len(captions[first : first + at_once])
        sequences.append(torch.from_numpy(told["sequence"].astype(np.float16)))
        none = np.zeros((count, 0), np.float32)
        pools.append(torch.from_numpy(np.array(told.get("pooled", none))))
    sequence, pooled = torch.cat(sequences), torch.cat(pools)
    sample = sequence[:2000].float()
    return Lessons(
        tuple(captions),
        sequence,
        pooled,
        sample.flatten(0, 1).std(0).clamp(min=1e-3),
        pooled.std(0).clamp(min=1e-3),
    )


def train_refiner(
    model: Path, language: Path, out: Path, plan: RefinerPlan, log: Log = print,
    stop_at: int | None = None,
) -> Path:  # fmt: skip
    """Train a refiner in the folder ``out``, or go on there; gives the file of it.

    Raises:
        CatalogError: the model or the language model cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    pupil = Pupil(model, "cpu")
    wise = scholar(pupil, language)
    states = int(wise.module.config.get_text_config(decoder=True).hidden_size)
    told = pupil.read([""])
    settings = settings_for(told, states, plan)
    check_fits(wise.module, Way().of(settings))
    captions = [*corpus.captions(plan.loop.seed, plan.captions), ""]
    every = lessons(pupil, captions)
    log(f"refiner {len(captions)} captions read")
    torch.manual_seed(plan.loop.seed)
    refiner = Refiner(settings)

    def step_loss(step: int) -> Tensor:
        rng = np.random.default_rng([plan.loop.seed, step])
        rows = rng.integers(plan.captions, size=plan.batch)
        rows[rng.random(plan.batch) < plan.empty] = plan.captions
        return loss_of(refiner, wise, every, rows)

    train(refiner, step_loss, plan.loop, out / "refiner.pt", log, stop_at)
    pupil.close()
    path = out / "refiner.safetensors"
    save(refiner, path)
    return path


def loss_of(refiner: Refiner, wise: Scholar, every: Lessons, rows: np.ndarray) -> Tensor:
    """The mean squared error of sequence and pooled vector, each number by its own spread."""
    texts = [every.captions[row] for row in rows]
    with torch.autocast("cpu", torch.bfloat16):
        found = states_of(wise.module, wise.tokenizer, texts, refiner.settings)
        sequence, pooled = refiner(found.values, found.mask)
    error = (sequence.float() - every.sequence[rows].float()) / every.spread
    loss: Tensor = error.square().mean()
    if refiner.settings.pooled:
        other = (pooled.float() - every.pooled[rows]) / every.pooled_spread
        loss = loss + 0.2 * other.square().mean()
    return loss


def shortened(plan: RefinerPlan, steps: int) -> RefinerPlan:
    """The plan with another length."""
    return replace(plan, loop=replace(plan.loop, steps=steps))
