"""A tiny Stable Diffusion 3.5 with random weights that matter, as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from transformers import T5EncoderModel

from tests.backend.models import tiny, tiny_sdxl

TEXT_WIDTH = 96
"""Wider than both CLIPs together (80), as in the real one."""


def transformer(**changes: Any) -> SD3Transformer2DModel:
    """Three blocks, the first with a second attention, as Stable Diffusion 3.5 medium has it."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "sample_size": 16,
        "num_layers": 3,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": TEXT_WIDTH,
        "caption_projection_dim": 32,
        "pooled_projection_dim": 64,
        "pos_embed_max_size": 16,
        "dual_attention_layers": (0, 1),
        "qk_norm": "rms_norm",
        **changes,
    }
    return tiny.shake(SD3Transformer2DModel(**settings), 1)


def vae() -> AutoencoderKL:
    """A VAE that halves the picture once, with the channels and the scaling of the real one."""
    return tiny.vae(latent_channels=16, scaling_factor=1.5305, shift_factor=0.0609)


def t5() -> T5EncoderModel:
    torch.manual_seed(0)
    return tiny.t5(TEXT_WIDTH)


def write(folder: Path, with_t5: bool = True, net: Any = None, **scheduler: Any) -> Path:
    """Write the model folder, with or without T5; ``scheduler`` overrides the settings."""
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **scheduler}),
        "text_encoder": tiny_sdxl.encoder(1, projected=True),
        "text_encoder_2": tiny_sdxl.encoder(2, projected=True, width=48),
        "text_encoder_3": t5() if with_t5 else None,
        "tokenizer": tiny.clip_tokenizer(),
        "tokenizer_2": tiny.clip_tokenizer(),
        "tokenizer_3": tiny.t5_tokenizer() if with_t5 else None,
        "transformer": net or transformer(),
        "vae": vae(),
    }
    return tiny.save(folder, "StableDiffusion3Pipeline", parts)
