"""A tiny Sana with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_dc import AutoencoderDC
from diffusers.models.transformers.sana_transformer import SanaTransformer2DModel
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from tests.backend.models import tiny, tiny_llm

TOKENS = 48


def transformer(**changes: Any) -> SanaTransformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "num_layers": 2,
        "num_attention_heads": 4,
        "attention_head_dim": 8,
        "num_cross_attention_heads": 2,
        "cross_attention_head_dim": 16,
        "cross_attention_dim": 32,
        "caption_channels": 32,
        "sample_size": 16,
        **changes,
    }
    return tiny.shake(SanaTransformer2DModel(**settings), 1)


def vae(width: int = 4) -> AutoencoderDC:
    torch.manual_seed(0)
    both: dict[str, Any] = {}
    for side in ("encoder", "decoder"):
        both |= {
            f"{side}_block_types": ("ResBlock", "EfficientViTBlock"),
            f"{side}_block_out_channels": (width, 2 * width),
            f"{side}_layers_per_block": (1, 1),
            f"{side}_qkv_multiscales": ((), (5,)),
        }
    net = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        downsample_block_type="Conv",
        upsample_block_type="interpolate",
        decoder_act_fns="silu",
        decoder_norm_types="rms_norm",
        scaling_factor=0.7,
        **both,
    )
    return tiny.shake(net, 2)


def write(folder: Path, **scheduler: Any) -> Path:
    """Write the model folder; ``scheduler`` overrides Sana's settings."""
    settings: dict[str, Any] = {
        "algorithm_type": "dpmsolver++",
        "prediction_type": "flow_prediction",
        "use_flow_sigmas": True,
        "flow_shift": 3.0,
        **scheduler,
    }
    parts = {
        "scheduler": DPMSolverMultistepScheduler(**settings),
        "text_encoder": tiny_llm.gemma(),
        "tokenizer": tiny_llm.gemma_tokenizer(TOKENS),
        "transformer": transformer(),
        "vae": vae(),
    }
    return tiny.save(folder, "SanaPipeline", parts)
