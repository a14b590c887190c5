"""A tiny Chroma with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.transformer_chroma import ChromaTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from transformers import T5Config, T5EncoderModel

from tests.backend.models import tiny, tiny_llm

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
    tokenizer = tiny.t5_tokenizer()
    tokenizer.model_max_length = TOKENS
    torch.manual_seed(0)
    t5 = T5EncoderModel(
        T5Config(vocab_size=len(tokenizer), d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2)
    )
    settings = {"shift": 3.0, "use_dynamic_shifting": True, **scheduler}
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**settings),
        "text_encoder": t5.eval(),
        "tokenizer": tokenizer,
        "transformer": transformer(),
        "vae": tiny.vae(),
    }
    return tiny_llm.write(folder, "ChromaPipeline", parts)
