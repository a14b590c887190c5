"""A tiny PixArt, Sigma or Alpha, with random weights that matter, as ordinary model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.pixart_transformer_2d import PixArtTransformer2DModel
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from tests.backend.models import tiny, tiny_sdxl

TOKENS = 48
TRAINED: dict[str, Any] = {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}
"""The settings that the family's scheduler comes with."""


def transformer(**changes: Any) -> PixArtTransformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "sample_size": 16,
        "num_layers": 2,
        "attention_head_dim": 24,
        "num_attention_heads": 2,
        "cross_attention_dim": 48,
        "caption_channels": 32,
        "use_additional_conditions": False,
        **changes,
    }
    return tiny.shake(PixArtTransformer2DModel(**settings), 1)


def write(folder: Path, alpha: bool = False, scheduler: Any = None) -> Path:
    """Write a Sigma, or an Alpha that is told sizes, with a scheduler other than its own."""
    torch.manual_seed(0)
    parts = {
        "scheduler": scheduler or DPMSolverMultistepScheduler(**TRAINED),
        "text_encoder": tiny.t5(),
        "tokenizer": tiny.t5_tokenizer(TOKENS),
        "transformer": transformer(sample_size=128, use_additional_conditions=None)
        if alpha
        else transformer(),
        "vae": tiny_sdxl.vae(0.18215 if alpha else 0.13025),
    }
    return tiny.save(folder, f"PixArt{'Alpha' if alpha else 'Sigma'}Pipeline", parts)
