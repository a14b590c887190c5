"""Teaching the T5-style encoder to read: which colour, texture and place each noun has.

The flow's loss alone finds this binding late, since only noisy pictures ask for it. Here the
encoder learns it from captions alone, in minutes: from each word of a noun ("striped red circle")
it must tell the object's shape, colour, texture and place.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import T5EncoderModel

from backend.train import checkpoint, text
from backend.train.caption import nouns, parse
from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, SHAPES, TEXTURES
from backend.train.recipe import FlowRecipe, Recipe, rate_share
from backend.train.vae import Log

_UNKNOWN = -100  # the target that cross entropy leaves out
_WORDS: tuple[tuple[str, ...], ...] = (
    SHAPES,
    tuple(COLOURS),
    TEXTURES,
    PLACES,
    tuple(BACKGROUNDS),
)


@dataclass(frozen=True)
class Lessons:
    """Token numbers int64 [n, tokens], and targets int64 [n, tokens, 5] of each token."""

    ids: Tensor
    targets: Tensor


def lessons(encoders: text.Encoders, captions: Sequence[str], tokens: int) -> Lessons:
    """What each token of the captions should tell: shape, colour, texture, place, background."""
    made = encoders.t5_tokenizer(
        list(captions),
        padding="max_length",
        max_length=tokens,
        truncation=True,
        return_tensors="pt",
        return_offsets_mapping=True,
    )
    targets = torch.full((*made.input_ids.shape, len(_WORDS)), _UNKNOWN)
    for row, caption in enumerate(captions):
        facts = parse(caption)
        offsets = made.offset_mapping[row]
        filled = offsets[:, 1] > offsets[:, 0]
        if facts.background:
            targets[row, filled, 4] = _WORDS[4].index(facts.background)
        for (start, end), thing in zip(nouns(caption), facts.objects, strict=True):
            inside = filled & (offsets[:, 0] < end) & (offsets[:, 1] > start)
            said = (thing.shape, thing.colour, thing.texture, thing.place)
            for kind, word in enumerate(said):
                if word:
                    targets[row, inside, kind] = _WORDS[kind].index(word)
    return Lessons(made.input_ids, targets)


def heads(width: int) -> nn.ModuleList:
    """One linear reader per kind of fact; used in these lessons only."""
    return nn.ModuleList(nn.Linear(width, len(words)) for words in _WORDS)


def loss_of(
    encoder: T5EncoderModel, readers: nn.ModuleList, ids: Tensor, targets: Tensor
) -> tuple[Tensor, float]:
    """The mean cross entropy over the five kinds, and the share of right answers."""
    with torch.autocast(ids.device.type, torch.bfloat16):
        words = encoder(ids, attention_mask=torch.ones_like(ids))[0]
        answers = [reader(words).float() for reader in readers]
    losses, right, asked = [], 0, 0
    for kind, answer in enumerate(answers):
        wanted = targets[..., kind].reshape(-1)
        losses.append(
            functional.cross_entropy(answer.reshape(len(wanted), -1), wanted, ignore_index=_UNKNOWN)
        )
        known = wanted != _UNKNOWN
        right += int((answer.reshape(len(wanted), -1).argmax(-1) == wanted)[known].sum())
        asked += int(known.sum())
    return torch.stack(losses).mean(), right / max(1, asked)


def train(
    folder: Path, captions: Sequence[str], recipe: Recipe, device: torch.device, log: Log = print
) -> None:
    """Teach the T5-style encoder; writes ``folder/text.pt``. A few minutes, so not resumed."""
    plan, path = recipe.flow, folder / "text.pt"
    if path.exists():
        return
    torch.manual_seed(recipe.seed)
    encoders = text.build(plan)
    teach(encoders, captions, plan, recipe.seed, device, log)
    checkpoint.save(path, {"text_encoder_2": encoders.t5.state_dict()})


def teach(
    encoders: text.Encoders,
    captions: Sequence[str],
    plan: FlowRecipe,
    seed: int,
    device: torch.device,
    log: Log = print,
) -> float:
    """Teach the encoder in place; gives the share of right answers on the last batches."""
    encoder, readers = encoders.t5.to(device).train(), heads(plan.text_width).to(device)
    every = lessons(encoders, captions, plan.tokens)
    parameters = [*encoder.parameters(), *readers.parameters()]
    mover = torch.optim.AdamW(parameters, lr=plan.reading_rate, betas=(0.9, 0.98))
    began, seen = time.monotonic(), 0.0
    for step in range(plan.reading_steps):
        mover.param_groups[0]["lr"] = plan.reading_rate * rate_share(step, 50, plan.reading_steps)
        rows = np.random.default_rng([seed, 3, step]).integers(len(every.ids), size=64)
        loss, right = loss_of(
            encoder, readers, every.ids[rows].to(device), every.targets[rows].to(device)
        )
        mover.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(parameters, 1.0)
        mover.step()
        seen = 0.95 * seen + 0.05 * right if seen else right
        if (step + 1) % 50 == 0:
            pace = (step + 1) / (time.monotonic() - began)
            log(f"text {step + 1}/{plan.reading_steps} right {seen:.4f} {pace:.2f} steps/s")
    return seen
