"""A tiny SDXL, base and refiner, with random weights that matter, as ordinary model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from tests.backend.models.tiny import TOKENS, clip_tokenizer, save, shake

TRAINED: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
"""SDXL's own scheduler settings."""


def unet(text: int, seed: int, **changes: Any) -> UNet2DConditionModel:
    """A UNet of two sizes, with attention at the smaller; ``text`` is the width of its texts."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "sample_size": 16,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "attention_head_dim": (2, 4),
        "use_linear_projection": True,
        "transformer_layers_per_block": (1, 2),
        "norm_num_groups": 8,
        "cross_attention_dim": text,
    }
    return shake(UNet2DConditionModel(**{**settings, **changes}), seed)


def sizes(count: int) -> dict[str, Any]:
    """The settings of a UNet that is told ``count`` sizes beside a pooled vector of 32."""
    return {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 32 + 8 * count,
    }


def vae(scale: float) -> AutoencoderKL:
    """A VAE that halves the picture once."""
    torch.manual_seed(0)
    net = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        sample_size=32,
        scaling_factor=scale,
    )
    return net.eval()


def encoder(seed: int, projected: bool, width: int = 32) -> Any:
    """One of CLIP's text encoders, with or without a projection."""
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=len(clip_tokenizer()),
        hidden_size=width,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    kind = CLIPTextModelWithProjection if projected else CLIPTextModel
    return shake(kind(config), seed)


def write(folder: Path, scheduler: Any = None, **changes: Any) -> Path:
    """Write a base model, with a scheduler other than its own; ``changes`` are the UNet's."""
    parts = {
        "scheduler": scheduler or EulerDiscreteScheduler(**TRAINED),
        "text_encoder": encoder(1, projected=False),
        "text_encoder_2": encoder(2, projected=True, width=48),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": clip_tokenizer(),
        "unet": unet(80, 3, **{**sizes(6), **changes}),
        "vae": vae(0.13025),
    }
    return save(folder, "StableDiffusionXLPipeline", parts, force_zeros_for_empty_prompt=True)


def write_refiner(folder: Path) -> Path:
    """Write a refiner, which has the larger encoder alone."""
    parts = {
        "scheduler": EulerDiscreteScheduler(**TRAINED),
        "text_encoder": None,
        "text_encoder_2": encoder(2, projected=True, width=48),
        "tokenizer": None,
        "tokenizer_2": clip_tokenizer(),
        "unet": unet(48, 4, **sizes(5)),
        "vae": vae(0.13025),
    }
    return save(folder, "StableDiffusionXLImg2ImgPipeline", parts, requires_aesthetics_score=True)
