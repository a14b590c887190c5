"""Small components with random weights that matter, for pipelines of every kind."""

from __future__ import annotations

import string
from typing import Any

import torch
import transformers as hf
from diffusers import AutoencoderKL, UNet2DConditionModel

from tests.backend.models.tiny import clip_tokenizer, shake, t5_tokenizer

LETTERS = string.ascii_letters + string.digits + " .,:;'\"!?-_()[]{}<>#*|/\\\n"

CLIP_WIDTH = T5_WIDTH = 32


def seeded(make: Any, *args: Any, **options: Any) -> Any:
    """A module with weights that are the same each time."""
    torch.manual_seed(0)
    return make(*args, **options).eval()


def clip_text(kind: Any = hf.CLIPTextModel, tokens: int = 24) -> Any:
    config = hf.CLIPTextConfig(
        vocab_size=len(clip_tokenizer()),
        hidden_size=CLIP_WIDTH,
        intermediate_size=37,
        projection_dim=CLIP_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=tokens,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    return seeded(kind, config)


def t5() -> Any:
    size = len(t5_tokenizer())
    return seeded(
        hf.T5EncoderModel,
        hf.T5Config(vocab_size=size, d_model=T5_WIDTH, d_kv=8, d_ff=37, num_layers=2, num_heads=4),
    )


def umt5() -> Any:
    size = len(t5_tokenizer())
    return seeded(
        hf.UMT5EncoderModel,
        hf.UMT5Config(
            vocab_size=size, d_model=T5_WIDTH, d_kv=8, d_ff=37, num_layers=2, num_heads=4
        ),
    )


def letters(specials: tuple[str, ...] = (), **options: Any) -> Any:
    """A fast tokenizer of single letters; ``specials`` take the first ids."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    pieces = [*dict.fromkeys(("<pad>", "<unk>", "<eos>", "<bos>", *specials)), *LETTERS]
    inner = Tokenizer(models.WordLevel({p: i for i, p in enumerate(pieces)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")
    inner.decoder = decoders.Fuse()
    inner.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", pieces.index("<bos>"))]
    )
    settings: dict[str, Any] = {
        "pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "<eos>", "bos_token": "<bos>",
        "model_max_length": 64,
    }  # fmt: skip
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=inner,
        additional_special_tokens=list(specials),
        **{**settings, **options},
    )


def vae(latents: int = 4, **options: Any) -> Any:
    """A picture codec that makes 2x2 pixels one cell, or more with more ``block_out_channels``."""
    blocks = len(options.get("block_out_channels", (8, 16)))
    settings: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * blocks,
        "up_block_types": ("UpDecoderBlock2D",) * blocks,
        "layers_per_block": 1,
        "latent_channels": latents,
        "norm_num_groups": 2,
        "sample_size": 32,
    }
    return seeded(AutoencoderKL, **{**settings, **options})


def unet(**options: Any) -> Any:
    settings: dict[str, Any] = {
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "sample_size": 16,
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": CLIP_WIDTH,
        "attention_head_dim": 4,
        "norm_num_groups": 2,
    }
    return shake(seeded(UNet2DConditionModel, **{**settings, **options}), 1)
