"""A tiny Chroma with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from tests.backend.models import tiny

TOKENS = tiny.TOKENS * 2


def transformer(**changes: Any) -> ChromaTransformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 16,
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "axes_dims_rope": (4, 6, 6),
        "approximator_num_channels": 8,
        "approximator_hidden_dim": 32,
        "approximator_layers": 1,
        **changes,
    }
    return tiny.shake(ChromaTransformer2DModel(**settings), 1)


def write(folder: Path, **scheduler: Any) -> Path:
    """Write the model folder; ``scheduler`` overrides its settings."""
    torch.manual_seed(0)
    settings = {"shift": 3.0, "use_dynamic_shifting": True, **scheduler}
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**settings),
        "text_encoder": tiny.t5(),
        "tokenizer": tiny.t5_tokenizer(TOKENS),
        "transformer": transformer(),
        "vae": tiny.vae(),
    }
    return tiny.save(folder, "ChromaPipeline", parts)
