"""The two tokenizers and text encoders of Primer, made here from the world's own words."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import torch
from tokenizers import pre_tokenizers
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from backend.train.caption import FORMS, Facts, ObjectFacts, write
from backend.train.palette import BACKGROUNDS, COLOURS, PLACES, SHAPES, TEXTURES
from backend.train.recipe import FlowRecipe

# Words that people put around a caption; training now and then does the same.
COMMON_WORDS = (
    "photo",
    "picture",
    "image",
    "drawing",
    "painting",
    "scene",
    "of",
    "with",
    "showing",
    "in",
    "small",
    "large",
    "big",
    "nice",
    "bright",
    "simple",
    "there",
    "is",
    "are",
    "two",
    "one",
    "object",
    "objects",
    "shape",
    "shapes",
    "and",
    "colour",
    "color",
    "style",
    "please",
)

_START, _END = "<|startoftext|>", "<|endoftext|>"


def grammar_words() -> tuple[str, ...]:
    """Every word that a caption of the world can hold, in alphabetical order."""
    texts: list[str] = [*SHAPES, *COLOURS, *TEXTURES, *PLACES, *BACKGROUNDS]
    thing = ObjectFacts("ring", "orange", "plain")
    for form, first, second in product(FORMS, PLACES, PLACES):
        objects = (
            ObjectFacts("circle", "red", "striped", first),
            ObjectFacts(thing.shape, thing.colour, thing.texture, second),
        )
        texts.append(write(Facts(objects, "white"), form))
    return tuple(sorted(set(re.findall(r"[a-z]+", " ".join(texts)))))


def _known_words() -> tuple[str, ...]:
    return tuple(sorted({*grammar_words(), *COMMON_WORDS}))


def _merges(words: Sequence[str]) -> list[tuple[str, str]]:
    """The merges that make each word one token with its end."""
    return pair_merges([[*word[:-1], word[-1] + "</w>"] for word in words])


def pair_merges(split: list[list[str]]) -> list[tuple[str, str]]:
    """The byte-pair merges that make each list of parts one token, the most frequent pair first.

    Pairs of equal count go in alphabetical order: the library's trainer leaves that to chance, and
    token numbers must be the same in every process.
    """
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for parts in split for pair in pairwise(parts)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        split = [_merged(parts, best) for parts in split]
    return merges


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    out: list[str] = []
    for part in parts:
        # What was joined is longer than a letter, so none is taken twice.
        if out and (out[-1], part) == pair:
            out[-1] += part
        else:
            out.append(part)
    return out


def clip_tokenizer(tokens: int) -> CLIPTokenizer:
    """A byte-level BPE in which each word of the grammar is one token.

    Every byte has a token, inside a word and at its end, so any text can be written in them.
    """
    merges = _merges(_known_words())
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [_START, _END, *alphabet, *(f"{letter}</w>" for letter in alphabet)]
    pieces += [first + second for first, second in merges]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=tokens)


def t5_tokenizer(tokens: int) -> T5Tokenizer:
    """A unigram vocabulary of the grammar's words, with single characters for the rest."""
    words = [(f"▁{word}", -4.0) for word in _known_words()]
    letters = string.ascii_letters + string.digits + string.punctuation
    single = [("▁", -6.0), *((letter, -10.0) for letter in letters)]
    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0)]
    # The class has no lower-casing of its own, so words stand here with a capital as well.
    words += [(f"▁{word.capitalize()}", -4.0) for word in _known_words()]
    return T5Tokenizer(vocab=[*specials, *words, *single], extra_ids=0, model_max_length=tokens)


@dataclass(frozen=True)
class Encoders:
    """Both tokenizers and both encoders."""

    clip_tokenizer: CLIPTokenizer
    t5_tokenizer: T5Tokenizer
    clip: CLIPTextModel
    t5: T5EncoderModel


def build(recipe: FlowRecipe) -> Encoders:
    """Untrained encoders with their tokenizers."""
    first, second = clip_tokenizer(recipe.tokens), t5_tokenizer(recipe.tokens)
    clip = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(first),
            hidden_size=recipe.pooled_width,
            intermediate_size=recipe.pooled_width * 4,
            projection_dim=recipe.pooled_width,
            num_hidden_layers=recipe.pooled_layers,
            num_attention_heads=4,
            max_position_embeddings=recipe.tokens,
            bos_token_id=first.bos_token_id,
            eos_token_id=first.eos_token_id,
            pad_token_id=first.pad_token_id,
        )
    )
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=len(second),
            d_model=recipe.text_width,
            d_kv=recipe.text_width // recipe.text_heads,
            d_ff=recipe.text_width * 5 // 2,
            num_layers=recipe.text_layers,
            num_heads=recipe.text_heads,
            relative_attention_max_distance=recipe.tokens,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            is_encoder_decoder=False,
            use_cache=False,
        )
    )
    _look_nearby(t5)
    _quiet_unseen(clip.get_input_embeddings(), first.get_vocab(), "</w>")
    _quiet_unseen(t5.get_input_embeddings(), second.get_vocab(), "▁")
    return Encoders(first, second, clip, t5)


@torch.no_grad()
def _look_nearby(t5: T5EncoderModel) -> None:
    """Start the heads looking at the words just before, just after, around and anywhere.

    Which colour belongs to which shape is said by nearness; from random biases that is found late.
    """
    attention = t5.encoder.block[0].layer[0].SelfAttention
    bias, half = (
        attention.relative_attention_bias.weight,
        attention.relative_attention_num_buckets // 2,
    )
    distance = torch.arange(half).float()
    before, after = 3 - 1.5 * (distance - 1).abs(), torch.full((half,), -4.0)
    for head in range(bias.shape[1]):
        kind = head % 4
        near = 2 - distance
        ahead = {0: after, 1: before, 2: near, 3: 0 * near}[kind]
        behind = {0: before, 1: after, 2: near, 3: 0 * near}[kind]
        bias[:half, head], bias[half:, head] = behind.clamp(min=-4), ahead.clamp(min=-4)


@torch.no_grad()
def _quiet_unseen(embedding: nn.Embedding, vocabulary: dict[str, int], mark: str) -> None:
    """Start tokens outside the grammar at zero: words never trained then add no noise."""
    words = grammar_words()
    known = {
        *words,
        *(word.capitalize() for word in words),
        _START,
        _END,
        "<pad>",
        "</s>",
        ",",
        ":",
    }
    for piece, index in vocabulary.items():
        if piece.replace(mark, "") not in known:
            embedding.weight[index] = 0


def token_ids(encoders: Encoders, captions: Sequence[str], tokens: int) -> tuple[Tensor, Tensor]:
    """Token numbers int64 [n, tokens] for the CLIP-style and the T5-style encoder."""
    texts = list(captions)
    settings = {
        "padding": "max_length",
        "max_length": tokens,
        "truncation": True,
        "return_tensors": "pt",
    }
    return (
        encoders.clip_tokenizer(texts, **settings).input_ids,
        encoders.t5_tokenizer(texts, **settings).input_ids,
    )


def encode(encoders: Encoders, clip_ids: Tensor, t5_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled [n, pooled width] and sequence [n, tokens, text width] embeddings.

    No mask is given, as in FluxPipeline, so that padding is part of what is learned.
    """
    return (
        encoders.clip(clip_ids).pooler_output,
        encoders.t5(t5_ids, attention_mask=torch.ones_like(t5_ids))[0],
    )
