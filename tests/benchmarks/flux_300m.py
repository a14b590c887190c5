"""A Flux of about 300 million random parameters, as a whole model folder; its texts are tiny."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from tests.backend.models import tiny

WIDTH, HEADS = 128, 8
"""Of an attention head, as FLUX.1 has them, and how many there are."""


def transformer() -> FluxTransformer2DModel:
    """The blocks in FLUX.1's own proportion: about two single ones for each double one."""
    torch.manual_seed(0)
    net = FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=4,
        num_single_layers=9,
        attention_head_dim=WIDTH,
        num_attention_heads=HEADS,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(16, 56, 56),
        guidance_embeds=True,
    )
    return net.eval()


def write_flux(folder: Path) -> Path:
    """Write the folder, about 1.2 GB in float32."""
    folder.mkdir(parents=True)
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "text_encoder": tiny.clip(),
        "text_encoder_2": tiny.t5(),
        "tokenizer": tiny.clip_tokenizer(),
        "tokenizer_2": tiny.t5_tokenizer(),
        "transformer": transformer(),
        "vae": tiny.vae(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(4, 8, 8, 8),
            latent_channels=16,
        ),
    }
    return tiny.save(folder, "FluxPipeline", parts)
