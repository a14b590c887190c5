"""Training the world's image-text model: a small LLaVA that describes a scene.

First the eye alone learns what lies in each field of the picture, which the truth of the scene
tells, then eye and tongue learn together from pictures and descriptions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from backend.train.language import causal, corpus, tokenizer
from backend.train.language.loop import LoopPlan, train
from backend.train.palette import BACKGROUNDS, COLOURS, SHAPES, TEXTURES
from backend.train.scene import SIZE, Scene, render
from backend.train.vae import Log
from backend.train.world import draw_spec

_WORDS: tuple[tuple[str, ...], ...] = (SHAPES, tuple(COLOURS), TEXTURES, tuple(BACKGROUNDS))
_UNKNOWN = -100
_COVERED = 0.2
"""Share of a field that an object covers at least to be what lies there."""


@dataclass(frozen=True)
class CaptionerPlan:
    """Sizes and training: ``looking`` steps for the eye alone, with ``fields`` pictures each, then
    steps with ``pictures``."""

    width: int = 160
    layers: int = 4
    heads: int = 5
    patch: int = 16
    looking: int = 600
    fields: int = 24
    pictures: int = 16
    tongue: causal.CausalPlan = field(default_factory=lambda: causal.CausalPlan(160, 4, 5, 432))
    loop: LoopPlan = field(default_factory=lambda: LoopPlan(1600, hold=0.625, seed=2))

    @property
    def side(self) -> int:
        """Fields along a side of the picture."""
        return SIZE // self.patch


class Pupil(nn.Module):
    """The model, and readers of what its eye says of each field, which are not kept."""

    def __init__(self, model: LlavaForConditionalGeneration, width: int) -> None:
        super().__init__()
        self.model = model
        self.norm = nn.LayerNorm(width)
        self.readers = nn.ModuleList(nn.Linear(width, len(words) + 1) for words in _WORDS)

    def look(self, pictures: Tensor) -> Tensor:
        """What the eye makes of pictures ``[n, 3, h, w]``: ``[n, fields, width]``."""
        seen: Tensor = self.model.model.vision_tower(pictures, output_hidden_states=True)
        return seen.hidden_states[-1][:, 1:]  # type: ignore[attr-defined,no-any-return]

    def field_loss(self, seen: Tensor, truth: Tensor) -> Tensor:
        """Cross entropy of shape, colour, texture and background of each field."""
        seen = self.norm(seen)
        losses = [
            functional.cross_entropy(
                reader(seen).float().flatten(0, 1),
                truth[..., kind].flatten(),
                ignore_index=_UNKNOWN,
            )
            for kind, reader in enumerate(self.readers)
        ]
        return torch.stack(losses).mean()

    def told(self, seen: Tensor, ids: Tensor) -> Tensor:
        """Scores ``[n, tokens, vocabulary]`` for token numbers with places for the fields."""
        inner = self.model.model
        words = inner.language_model.embed_tokens(ids)
        fields = inner.multi_modal_projector(seen).to(words.dtype)
        words = torch.cat([words[:, :1], fields, words[:, 1 + fields.shape[1] :]], 1)
        found = inner.language_model(inputs_embeds=words, use_cache=False).last_hidden_state
        scores: Tensor = self.model.lm_head(found)
        return scores


def build(plan: CaptionerPlan) -> tuple[Pupil, Any]:
    """An untrained model and its tokenizer."""
    words = tokenizer.build(plan.tongue.length, tokenizer.SEEING_TEMPLATE)
    torch.manual_seed(plan.loop.seed)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=plan.width,
            intermediate_size=plan.width * 3,
            num_hidden_layers=plan.layers,
            num_attention_heads=plan.heads,
            image_size=SIZE,
            patch_size=plan.patch,
            projection_dim=plan.width,
        ),
        text_config=causal.config(plan.tongue, words),
        image_token_index=words.convert_tokens_to_ids(tokenizer.IMAGE),
        image_seq_length=plan.side**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=True,
    )
    model = LlavaForConditionalGeneration(config)
    model.set_attn_implementation("eager")
    return Pupil(model, plan.width), words


def images() -> CLIPImageProcessorPil:
    """How pictures of any size and form become what the eye sees."""
    side = {"height": SIZE, "width": SIZE}
    middle = [0.5, 0.5, 0.5]
    return CLIPImageProcessorPil(
        size=side, do_center_crop=False, image_mean=middle, image_std=middle
    )


def pixels_of(scenes: Sequence[Scene]) -> Tensor:
    """Pictures ``[n, 3, h, w]`` in -1..1."""
    found = np.stack([scene.pixels for scene in scenes])
    return torch.from_numpy(found).permute(0, 3, 1, 2).float() / 127.5 - 1


def fields_of(scenes: Sequence[Scene], side: int) -> Tensor:
    """What lies in each field: the numbers of shape, colour, texture and background among their
    words, int64 ``[n, side * side, 4]``; one more than the last for a field of bare ground."""
    found = np.empty((len(scenes), side * side, len(_WORDS)), np.int64)
    for row, scene in zip(found, scenes, strict=True):
        row[:] = [len(SHAPES), len(COLOURS), len(TEXTURES), 0]
        row[:, 3] = _WORDS[3].index(scene.spec.background)
        shares = [_shares(thing.visible, side) for thing in scene.objects]
        best = np.max(shares, 0)
        for thing, share in zip(scene.objects, shares, strict=True):
            item = thing.item
            told = [words.index(w) for words, w in
                    zip(_WORDS, (item.shape, item.colour, item.texture), strict=False)]  # fmt: skip
            row[(share >= _COVERED) & (share == best), :3] = told
            row[(share > 0.02) & (share < _COVERED) & (share == best), :3] = _UNKNOWN
    return torch.from_numpy(found)


def _shares(mask: np.ndarray, side: int) -> np.ndarray:
    size = mask.shape[0] // side
    shares: np.ndarray = mask.reshape(side, size, side, size).mean((1, 3)).ravel()
    return shares


def train_captioner(
    folder: Path, plan: CaptionerPlan, log: Log = print, stop_at: int | None = None
) -> Path:
    """Train the model in ``folder``, or go on there; gives the exported model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pupil, words = build(plan)
    pupil.train()
    given = tokenizer.START + tokenizer.IMAGE * plan.side**2 + tokenizer.ANSWER

    def step_loss(step: int) -> Tensor:
        looking = step < plan.looking
        count = plan.fields if looking else plan.pictures
        scenes = [render(draw_spec(plan.loop.seed, step * count + i)) for i in range(count)]
        with torch.autocast("cpu", torch.bfloat16):
            seen = pupil.look(pixels_of(scenes))
            loss = pupil.field_loss(seen, fields_of(scenes, plan.side))
            if looking:
                return loss
            texts = [(given, corpus.description(scene.spec) + tokenizer.END) for scene in scenes]
            ids, targets = causal.batch(words, texts)
            first = plan.side**2 + 1
            scores = pupil.told(seen, ids)[:, first:]
        told = functional.cross_entropy(
            scores.float().flatten(0, 1), targets[:, first:].flatten(), ignore_index=_UNKNOWN
        )
        return told + 0.5 * loss

    train(pupil, step_loss, plan.loop, folder / "captioner.pt", log, stop_at)
    return export(pupil, words, folder / "model", plan)


def export(pupil: Pupil, words: Any, folder: Path, plan: CaptionerPlan) -> Path:
    """Write the model with tokenizer and processor, whole or not at all; it is bf16 after."""
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    pupil.model.to(torch.bfloat16).save_pretrained(temporary)
    words.save_pretrained(temporary)
    images().save_pretrained(temporary)
    about = {
        "processor_class": "LlavaProcessor",
        "patch_size": plan.patch,
        "image_token": tokenizer.IMAGE,
        "num_additional_image_tokens": 1,
        "vision_feature_select_strategy": "default",
    }
    (temporary / "processor_config.json").write_text(json.dumps(about, indent=2) + "\n")
    settings = json.loads((temporary / "preprocessor_config.json").read_text())
    told = json.dumps({**settings, "processor_class": "LlavaProcessor"}, indent=2)
    (temporary / "preprocessor_config.json").write_text(told + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    return folder
