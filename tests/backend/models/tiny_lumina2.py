"""A tiny Lumina 2 with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.transformer_lumina2 import Lumina2Transformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from tests.backend.models import tiny, tiny_llm

TOKENS = 200


def transformer(**changes: Any) -> Lumina2Transformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "sample_size": 16,
        "in_channels": 4,
        "hidden_size": 32,
        "num_layers": 2,
        "num_refiner_layers": 1,
        "num_attention_heads": 2,
        "num_kv_heads": 1,
        "multiple_of": 16,
        "axes_dim_rope": (4, 6, 6),
        "axes_lens": (256, 32, 32),
        "cap_feat_dim": 32,
        **changes,
    }
    return tiny.shake(Lumina2Transformer2DModel(**settings), 1)


def write(folder: Path, **scheduler: Any) -> Path:
    """Write the model folder; ``scheduler`` overrides its settings."""
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**{"shift": 6.0, **scheduler}),
        "text_encoder": tiny_llm.gemma(),
        "tokenizer": tiny_llm.gemma_tokenizer(TOKENS),
        "transformer": transformer(),
        "vae": tiny.vae(),
    }
    return tiny.save(folder, "Lumina2Pipeline", parts)
