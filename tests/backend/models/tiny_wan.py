"""Tiny Wan models with random weights that matter, written as ordinary model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from transformers import UMT5Config, UMT5EncoderModel

from tests.backend.models.tiny import save, shake, t5_tokenizer

CHANNELS, WIDTH = 4, 24


def transformer(seed: int) -> WanTransformer3DModel:
    torch.manual_seed(0)
    net = WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=WIDTH // 2,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        text_dim=32,
        freq_dim=64,
        ffn_dim=48,
        num_layers=2,
        rope_max_seq_len=32,
    )
    return shake(net, seed)


def vae(coarse: bool = False) -> AutoencoderKLWan:
    """Wan 2.1's layout; ``coarse`` is that of Wan 2.2 5B, with residual blocks and 2x2 pixels."""
    torch.manual_seed(0)
    own: dict[str, Any] = {}
    if coarse:
        own = {"is_residual": True, "patch_size": 2, "in_channels": 12, "out_channels": 12,
               "scale_factor_spatial": 16, "decoder_base_dim": 12}  # fmt: skip
    net = AutoencoderKLWan(
        base_dim=8,
        z_dim=CHANNELS,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[-0.3, 0.2, 0.05, -0.1],
        latents_std=[0.7, 1.4, 0.5, 0.9],
        **own,
    )
    return shake(net, 2)


def text_encoder(vocabulary: int) -> UMT5EncoderModel:
    torch.manual_seed(0)
    config = UMT5Config(
        vocab_size=vocabulary, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2
    )
    return shake(UMT5EncoderModel(config), 3)


def unipc(**changes: Any) -> UniPCMultistepScheduler:
    """Wan's own scheduler settings."""
    settings = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 3.0}
    return UniPCMultistepScheduler(**{**settings, **changes})


def euler(**changes: Any) -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **changes})


def write(
    folder: Path,
    scheduler: Any = None,
    boundary: float | None = None,
    coarse: bool = False,
) -> Path:
    """Write a model folder: with ``boundary`` one of two experts, ``coarse`` one as Wan 2.2 5B."""
    tokenizer = t5_tokenizer()
    parts = {
        "scheduler": scheduler or unipc(),
        "text_encoder": text_encoder(len(tokenizer)),
        "tokenizer": tokenizer,
        "transformer": transformer(1),
        "transformer_2": None if boundary is None else transformer(4),
        "vae": vae(coarse),
    }
    told = {"boundary_ratio": boundary, "expand_timesteps": coarse}
    return save(folder, "WanPipeline", parts, **told)
