"""A tiny Z-Image with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.transformer_z_image import ZImageTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from tests.backend.models import tiny, tiny_llm

TOKENS = 96


def transformer(**changes: Any) -> ZImageTransformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 4,
        "dim": 32,
        "n_layers": 2,
        "n_refiner_layers": 1,
        "n_heads": 2,
        "n_kv_heads": 2,
        "cap_feat_dim": 32,
        "axes_dims": [4, 6, 6],
        "axes_lens": [128, 32, 32],
        **changes,
    }
    return tiny.shake(ZImageTransformer2DModel(**settings), 1)


def write(folder: Path, shift: float = 3.0) -> Path:
    """Write the model folder; with ``shift`` 3 it is like Turbo, with 6 like the base model."""
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=shift),
        "text_encoder": tiny_llm.qwen(),
        "tokenizer": tiny_llm.qwen_tokenizer(TOKENS),
        "transformer": transformer(),
        "vae": tiny.vae(),
    }
    return tiny.save(folder, "ZImagePipeline", parts)
