"""A tiny Qwen-Image with random weights that matter, written as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import AutoencoderKLQwenImage
from diffusers.models.transformers.transformer_qwenimage import QwenImageTransformer2DModel
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen2VLProcessor,
)

from tests.backend.models.tiny import save, shake

TOKENS = 260
"""Text tokens that are read: a byte each, so most of the instruction is among them."""

SPECIAL = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
]
CHANNELS = 4


def tokenizer(longest: int = TOKENS + 34) -> Qwen2Tokenizer:
    """One token for each byte and special word."""
    pieces = [*sorted(ByteLevel.alphabet()), *SPECIAL]
    made = Qwen2Tokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], model_max_length=longest
    )
    made.add_special_tokens({"additional_special_tokens": SPECIAL[1:]})
    return made


def text_encoder() -> Qwen2_5_VLForConditionalGeneration:
    """A tiny Qwen2.5-VL with outlying weights."""
    torch.manual_seed(0)
    numbers = {word: tokenizer().convert_tokens_to_ids(word) for word in SPECIAL}
    common = {"hidden_size": 32, "intermediate_size": 48, "initializer_range": 0.2}
    config = Qwen2_5_VLConfig(
        text_config={
            **common,
            "vocab_size": len(tokenizer()),
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 1024,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
            "bos_token_id": None,
            "eos_token_id": numbers["<|im_end|>"],
        },
        vision_config={
            **common,
            "depth": 1,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 4,
            "window_size": 16,
            "fullatt_block_indexes": [0],
        },
        image_token_id=numbers["<|image_pad|>"],
        video_token_id=numbers["<|video_pad|>"],
        vision_start_token_id=numbers["<|vision_start|>"],
        vision_end_token_id=numbers["<|vision_end|>"],
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def transformer(**changes: Any) -> QwenImageTransformer2DModel:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "in_channels": 4 * CHANNELS,
        "out_channels": CHANNELS,
        "num_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "axes_dims_rope": (4, 6, 6),
        **changes,
    }
    return shake(QwenImageTransformer2DModel(**settings), 1)


def vae(width: int = 8) -> AutoencoderKLQwenImage:
    torch.manual_seed(0)
    net = AutoencoderKLQwenImage(
        base_dim=width,
        z_dim=CHANNELS,
        dim_mult=[1, 2],
        num_res_blocks=1,
        temperal_downsample=[True],
        latents_mean=[-0.3, 0.2, 0.05, -0.1],
        latents_std=[0.7, 1.4, 0.5, 0.9],
    )
    return shake(net, 2)


def write(folder: Path, pipeline: str = "QwenImagePipeline", **scheduler: Any) -> Path:
    """Write the model folder; ``scheduler`` overrides Qwen-Image's settings."""
    settings = {
        "use_dynamic_shifting": True,
        "base_shift": 0.5,
        "max_shift": 0.9,
        "base_image_seq_len": 64,
        "max_image_seq_len": 512,
        "shift_terminal": 0.02,
        **scheduler,
    }
    parts = {
        "scheduler": FlowMatchEulerDiscreteScheduler(**settings),
        "text_encoder": text_encoder(),
        "tokenizer": tokenizer(),
        "transformer": transformer(),
        "vae": vae(),
    }
    index = {}
    if "Edit" in pipeline:  # with a longer instruction
        parts["tokenizer"] = tokenizer(1024)
        pictures().save_pretrained(folder / "processor")
        index["processor"] = ["transformers", "Qwen2VLProcessor"]
    return save(folder, pipeline, parts, **index)


def pictures() -> Qwen2VLImageProcessorPil:
    """What prepares pictures for an edit model: patches of 4 pixels, 2x2 of them a token."""
    return Qwen2VLImageProcessorPil(patch_size=4, min_pixels=64, max_pixels=4096)


class Processor(Qwen2VLProcessor):
    """The pipelines' processor without its part for videos, which needs torchvision."""

    @classmethod
    def get_attributes(cls) -> list[str]:
        return ["image_processor", "tokenizer"]
