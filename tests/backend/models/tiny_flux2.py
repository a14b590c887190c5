"""A tiny FLUX.2 Klein with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_flux2 import AutoencoderKLFlux2
from diffusers.models.transformers.transformer_flux2 import Flux2Transformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)

from tests.backend.models import tiny, tiny_llm

TOKENS = 64


def transformer(**changes: Any) -> Flux2Transformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 16,
        "num_layers": 2,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 3 * 32,
        "timestep_guidance_channels": 32,
        "axes_dims_rope": (4, 4, 4, 4),
        "guidance_embeds": False,
        **changes,
    }
    return tiny.shake(Flux2Transformer2DModel(**settings), 1)


def vae() -> AutoencoderKLFlux2:
    """A VAE whose batch norm has seen latents of many means and spreads."""
    torch.manual_seed(0)
    net = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(4, 8),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=32,
    )
    generator = torch.Generator().manual_seed(5)
    net.bn.running_mean.copy_(0.3 * torch.randn(16, generator=generator))
    net.bn.running_var.copy_(0.3 + torch.rand(16, generator=generator))
    return net.eval()


def write(folder: Path, distilled: bool = False, **scheduler: Any) -> Path:
    """Write the model folder; ``scheduler`` overrides its settings."""
    settings = {"shift": 3.0, "use_dynamic_shifting": True, **scheduler}
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**settings),
        "text_encoder": tiny_llm.qwen(layers=28, scored=True),
        "tokenizer": tiny_llm.qwen_tokenizer(TOKENS),
        "transformer": transformer(),
        "vae": vae(),
    }
    return tiny.save(folder, "Flux2KleinPipeline", parts, is_distilled=distilled)
