"""A tiny Flux with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.transformers.transformer_flux import FluxTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

TOKENS = 24


def shake(module: Any, seed: int, gain: float = 1.0) -> Any:
    """Random weights of a size at which every block changes the result."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan = parameter[0].numel() if parameter.ndim > 1 else 4
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.ndim == 1:
                parameter.add_(0.3 * noise)
            else:
                parameter.copy_(gain * noise / fan**0.5)
    return module.eval()


def clip_tokenizer() -> CLIPTokenizer:
    letters = string.ascii_lowercase + string.digits + " .,"
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    return CLIPTokenizer(
        vocab={p: i for i, p in enumerate(pieces)}, merges=[], model_max_length=TOKENS
    )


def t5_tokenizer(longest: int = TOKENS) -> T5Tokenizer:
    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    letters = [(c, -5.0) for c in "▁" + string.ascii_lowercase + string.digits + ".,"]
    return T5Tokenizer(vocab=[*specials, *letters], extra_ids=0, model_max_length=longest)


def t5(width: int = 32) -> T5EncoderModel:
    """An encoder for the tokenizer's tokens."""
    config = T5Config(
        vocab_size=len(t5_tokenizer()), d_model=width, d_kv=16, d_ff=64, num_layers=2, num_heads=2
    )
    return T5EncoderModel(config).eval()


def clip() -> CLIPTextModel:
    """An encoder for the tokenizer's tokens."""
    config = CLIPTextConfig(
        vocab_size=len(clip_tokenizer()),
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return CLIPTextModel(config).eval()


def transformer(guidance: bool) -> FluxTransformer2DModel:
    torch.manual_seed(0)
    net = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=(4, 6, 6),
        guidance_embeds=guidance,
    )
    return shake(net, 1)


def vae(**changes: Any) -> AutoencoderKL:
    """A VAE that halves the picture once."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "block_out_channels": (4, 8),
        "latent_channels": 4,
        "norm_num_groups": 2,
        "sample_size": 32,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "scaling_factor": 0.7,
        "shift_factor": 0.15,
        **changes,
    }
    return AutoencoderKL(**settings).eval()


def write(folder: Path, guidance: bool = True, **scheduler: Any) -> Path:
    """Write the model folder; ``scheduler`` overrides FLUX.1-dev's settings."""
    torch.manual_seed(0)
    pooled = clip()
    settings = {"shift": 3.0, "use_dynamic_shifting": True, **scheduler}
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**settings),
        "text_encoder": pooled,
        "text_encoder_2": t5(),
        "tokenizer": clip_tokenizer(),
        "tokenizer_2": t5_tokenizer(),
        "transformer": transformer(guidance),
        "vae": vae(),
    }
    return save(folder, "FluxPipeline", parts)


def save(folder: Path, pipeline: str, parts: dict[str, Any], **more: Any) -> Path:
    """Write components and their index; ``None`` is a component that a model does without."""
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": "0.42.1", **more}
    for name, part in parts.items():
        library = "transformers" if name.startswith(("text", "token")) else "diffusers"
        index[name] = [None, None] if part is None else [library, type(part).__name__]
        if part is not None:
            part.save_pretrained(folder / name)
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder
