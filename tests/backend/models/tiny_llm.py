"""Tiny language models with random weights, and tokenizers of single bytes."""

from __future__ import annotations

import string
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from transformers import (
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
)

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif %}"
)


def qwen_tokenizer(longest: int) -> Qwen2Tokenizer:
    """One token for each byte and special word, with the form of Qwen3's chat template."""
    pieces = [*sorted(ByteLevel.alphabet()), *SPECIAL]
    tokenizer = Qwen2Tokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], model_max_length=longest
    )
    tokenizer.add_special_tokens({"additional_special_tokens": SPECIAL[1:3]})
    tokenizer.chat_template = CHAT
    return tokenizer


def qwen(layers: int = 3, scored: bool = False, width: int = 32) -> Any:
    """A tiny Qwen3 with outlying weights; ``scored`` with its head."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(qwen_tokenizer(8)),
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=1024,
        initializer_range=0.2,
    )
    return (Qwen3ForCausalLM if scored else Qwen3Model)(config).eval()


def gemma_tokenizer(longest: int) -> GemmaTokenizer:
    """One token for each letter, and one for the beginning."""
    letters = "▁" + string.ascii_letters + string.digits + ".,<>-"
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *letters]
    tokenizer = GemmaTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=[], model_max_length=longest
    )
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", 2)]
    )
    return tokenizer


def gemma() -> Gemma2Model:
    """A tiny Gemma 2 with outlying weights."""
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=len(gemma_tokenizer(8)),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=1024,
        initializer_range=0.2,
        bos_token_id=2,
        eos_token_id=1,
        pad_token_id=0,
    )
    return Gemma2Model(config).eval()
