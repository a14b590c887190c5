"""Tuning a model for compressed keys: convolutions on keys and values, and the matrices beside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.diffusion.around import Around
from backend.models.family import describe
from backend.models.keys_file import CONVOLUTION, FAMILY, LAYERS, RATIO
from backend.models.patch import Stage
from backend.models.patches.compressed_keys import Kernels, compressed, deeper
from backend.models.seams.sites import Attention, layers_of, on_attention, places_of
from backend.train.tuning import (
    Pupil,
    TunePlan,
    check_flow,
    lessons,
    loss_of,
    scene_batches,
    tune,
)
from backend.train.vae import Log

ROOT = "transformer."
"""What stands before the names of modules in the file."""


@dataclass(frozen=True)
class KeysPlan:
    """What is tuned for: the ratio, the course, and the rates of matrices and of convolutions."""

    ratio: int = 2
    course: TunePlan = field(default_factory=TunePlan)
    muon_rate: float = 2e-3
    adam_rate: float = 5e-3


class Learnt(nn.Module):
    """Convolutions that begin as means, and the matrices inside the blocks of a network."""

    def __init__(self, stage: Stage, plan: KeysPlan, channels: Mapping[int, int]) -> None:
        """``channels`` are those of keys and values, by the number of the attention."""
        super().__init__()
        self.kernels = nn.ParameterDict(
            {
                _plain(CONVOLUTION.format(n=n, what=what)): nn.Parameter(
                    torch.full((width, plan.ratio, plan.ratio), 1 / plan.ratio**2)
                )
                for n, width in channels.items()
                for what in ("key", "value")
            }
        )
        weights = {name: module.weight for name, module in matrices(stage).items()}
        self.matrices = nn.ParameterDict(
            {_plain(name): weight.requires_grad_(True) for name, weight in weights.items()}
        )

    def kernel(self, n: int, what: str) -> Tensor:
        """The convolution of the ``key`` or ``value`` of attention number ``n``."""
        found: Tensor = self.kernels[_plain(CONVOLUTION.format(n=n, what=what))]
        return found

    def movers(self, plan: KeysPlan) -> list[torch.optim.Optimizer]:
        """Muon for the matrices, AdamW for the convolutions."""
        return [
            torch.optim.Muon(
                self.matrices.parameters(),
                lr=plan.muon_rate,
                weight_decay=0.0,
                momentum=0.95,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(self.kernels.parameters(), plan.adam_rate, weight_decay=0.0),
        ]


def _plain(name: str) -> str:
    """A name that torch takes for a parameter."""
    return name.replace(".", "_")


def matrices(stage: Stage) -> dict[str, nn.Linear]:
    """The linear layers inside the blocks of a network."""
    inside = {
        id(module)
        for run in stage.card.blocks
        for block in layers_of(stage.net, run.path)
        for module in block.modules()
    }
    return {
        name: module
        for name, module in stage.net.named_modules()
        if isinstance(module, nn.Linear) and id(module) in inside
    }


def around_of(stage: Stage, learnt: Learnt, ratio: int, layers: tuple[int, ...]) -> Around:
    """What the patch of the finished file will lay on, with convolutions that can learn."""
    places = places_of(stage.net, stage.card)
    kernels: Kernels = {
        places[n]: (learnt.kernel(n, "key"), learnt.kernel(n, "value")) for n in layers
    }
    return compressed(stage, ratio, frozenset(kernels), lambda moment: moment.rows(None), kernels)


def channels_of(pupil: Pupil, layers: tuple[int, ...]) -> dict[int, int]:
    """The channels that keys have in some attentions: seen in one call of the network."""
    stage, found = pupil.stage, dict[int, int]()
    places, geometry = places_of(stage.net, stage.card), describe(stage.model).geometry

    def look(call: Attention) -> Tensor:
        if (call.site.name, call.layer) in places:
            number = places.index((call.site.name, call.layer))
            found[number] = call.key.shape[1] * call.key.shape[3]
        return call.attend()

    clean = torch.zeros(geometry.shape(8 * geometry.multiple, 8 * geometry.multiple))
    around = [on_attention(stage.net, stage.card, look, stage.layout)]
    with torch.no_grad():
        loss_of(stage, around, clean.to(pupil.device), 0.5, pupil.read([""]), torch.Generator())
    return {n: found[n] for n in layers}


def train(
    model: Path,
    folder: Path,
    plan: KeysPlan,
    device: str,
    log: Log = print,
    stop_at: int | None = None,
) -> Path:
    """Tune, or go on tuning, in ``folder``; the file for the patch, ``folder/keys.safetensors``.

    With compressed keys the model learns to say what it says without: it is its own teacher, so
    that two copies of it are in memory. Its files stay as they are.

    Raises:
        CatalogError: the model is no flow model of a native family.
        DiffusionError: its keys cannot be compressed.
    """
    torch.manual_seed(plan.course.seed)
    folder.mkdir(parents=True, exist_ok=True)
    pupil, teacher = Pupil(model, device), Pupil(model, device)
    check_flow(pupil)
    layers = deeper(places_of(pupil.stage.net, pupil.stage.card))
    channels = channels_of(pupil, layers)
    learnt = Learnt(pupil.stage, plan, channels).to(device)
    given = lessons(pupil, folder, plan.course.seed, plan.course.scenes, log)
    around = [around_of(pupil.stage, learnt, plan.ratio, layers)]
    batches = scene_batches(pupil, given, plan.course)
    tune(pupil.stage, batches, learnt, learnt.movers(plan), around, plan.course,
         folder / "keys.pt", log, stop_at, teacher.stage.denoiser)  # fmt: skip
    path = folder / "keys.safetensors"
    said = {
        "format": "pt",
        RATIO: str(plan.ratio),
        LAYERS: ",".join(map(str, layers)),
        FAMILY: pupil.family.card.name,
        "weft.keys.steps": str(plan.course.steps),
        "weft.keys.seed": str(plan.course.seed),
    }
    _write(path, _tensors(learnt, pupil.stage, teacher.stage, layers), said)
    return path


def _tensors(
    learnt: Learnt, stage: Stage, before: Stage, layers: tuple[int, ...]
) -> dict[str, Tensor]:
    """What the file holds: the convolutions, and what was added to each matrix."""
    names = [(n, what) for n in layers for what in ("key", "value")]
    found: dict[str, Tensor] = {
        CONVOLUTION.format(n=n, what=what): learnt.kernel(n, what) for n, what in names
    }
    was = matrices(before)
    for name, module in matrices(stage).items():
        found[f"{ROOT}{name}.diff"] = module.weight - was[name].weight
    return found


def _write(path: Path, tensors: Mapping[str, Tensor], said: dict[str, str]) -> None:
    """Write the file in bf16, whole or not at all."""
    held = {n: value.detach().cpu().bfloat16().contiguous() for n, value in tensors.items()}
    temporary = path.with_suffix(".part")
    save_file(held, temporary, metadata=said)
    with temporary.open("rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
