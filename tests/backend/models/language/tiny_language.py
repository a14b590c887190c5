"""Tiny language models with random weights and a tokenizer of bytes, saved as transformers does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SPECIAL = ("<s>", "</s>", "<image>", "<video>", "<|image_pad|>", "<|vision_start|>",
           "<|vision_end|>", "<fake_token_around_image>", "<global-img>",
           "<end_of_utterance>", "<row_1_col_1>")  # fmt: skip
MERGES = ('{"', '":', '",', "th", "he", "in", '"}', "aa", "an", "the")
TEMPLATE = (
    "<s>{% for m in messages %}{{ m.role }}: "
    "{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for part in m.content %}{% if part.type == 'image' %}<image>{% else %}{{ part.text }}"
    "{% endif %}{% endfor %}{% endif %}\n{% endfor %}assistant:"
)


def tokenizer(template: str | None = TEMPLATE) -> Any:
    """A token per byte, a few pairs of them, and the special tokens at the end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(a[:-1], a[-1]) for a in MERGES]
    vocabulary = {token: i for i, token in enumerate([*letters, *MERGES])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="</s>",
        chat_template=template, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def special(name: str) -> int:
    return 256 + len(MERGES) + SPECIAL.index(name)


VOCABULARY = 256 + len(MERGES) + len(SPECIAL) + 6
"""More rows than tokens, as real models have."""

TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512,
    "bos_token_id": special("<s>"), "eos_token_id": special("</s>"), "pad_token_id": 0,
}  # fmt: skip


def network(kind: str) -> Any:
    """A random causal model; its scores differ enough that no two are alike."""
    import torch
    import transformers as t

    torch.manual_seed(7)
    configs: dict[str, Any] = {
        "llama": lambda: t.LlamaConfig(**TEXT, tie_word_embeddings=True),
        "qwen2": lambda: t.Qwen2Config(**TEXT),
        "gpt_neox": lambda: t.GPTNeoXConfig(
            **{k: v for k, v in TEXT.items() if k != "num_key_value_heads"}
        ),
        "gpt2": lambda: t.GPT2Config(
            vocab_size=VOCABULARY, n_positions=512, n_embd=32, n_layer=2, n_head=4,
            bos_token_id=special("<s>"), eos_token_id=special("</s>"),
        ),
        "mamba": lambda: t.MambaConfig(
            vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, state_size=4,
            bos_token_id=special("<s>"), eos_token_id=special("</s>"), pad_token_id=0,
        ),
    }  # fmt: skip
    return _spread(t.AutoModelForCausalLM.from_config(configs[kind]()))


def _spread(model: Any) -> Any:
    import torch

    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.6)
    return model.eval()


def write(folder: Path, kind: str = "llama", template: str | None = TEMPLATE) -> Path:
    """A language model folder."""
    network(kind).save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def write_seeing(folder: Path, kind: str = "llava") -> Path:
    """An image-text model folder."""
    import torch
    import transformers as t

    torch.manual_seed(7)
    make = {"llava": _llava, "qwen2_vl": _qwen2_vl, "idefics3": _idefics3}[kind]
    config, images, name = make(t)
    _spread(t.AutoModelForImageTextToText.from_config(config)).save_pretrained(folder)
    words = tokenizer()
    if kind == "qwen2_vl":
        mark = "<|vision_start|><|image_pad|><|vision_end|>"
        words.chat_template = TEMPLATE.replace("<image>", mark)
    words.save_pretrained(folder)
    images.save_pretrained(folder)
    _more(folder / "preprocessor_config.json", processor_class=name)
    about: dict[str, Any] = {
        "llava": {"patch_size": 8, "image_token": "<image>", "num_additional_image_tokens": 1,
                  "vision_feature_select_strategy": "default"},
        "idefics3": {"image_seq_len": 1},
        "qwen2_vl": {},
    }[kind]  # fmt: skip
    if about:
        about["processor_class"] = name
        (folder / "processor_config.json").write_text(json.dumps(about))
    return folder


def _more(path: Path, **settings: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


_VISION: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": 16, "patch_size": 8,
}  # fmt: skip


def _llava(t: Any) -> tuple[Any, Any, str]:
    config = t.LlavaConfig(
        vision_config=t.CLIPVisionConfig(**_VISION, projection_dim=16),
        text_config=t.LlamaConfig(**TEXT), image_token_index=special("<image>"),
    )  # fmt: skip
    sizes = {"size": {"shortest_edge": 16}, "crop_size": {"height": 16, "width": 16}}
    return config, t.CLIPImageProcessorPil(**sizes), "LlavaProcessor"


def _qwen2_vl(t: Any) -> tuple[Any, Any, str]:
    text = {**TEXT, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4,
                                        "mrope_section": [1, 1, 2]}}  # fmt: skip
    config = t.Qwen2VLConfig(
        text_config=text,
        vision_config={"depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2,
                       "mlp_ratio": 2, "patch_size": 4, "spatial_merge_size": 2},
        image_token_id=special("<|image_pad|>"), video_token_id=special("<video>"),
        vision_start_token_id=special("<|vision_start|>"),
        vision_end_token_id=special("<|vision_end|>"),
    )  # fmt: skip
    images = t.Qwen2VLImageProcessorPil(patch_size=4, min_pixels=64, max_pixels=1024)
    return config, images, "Qwen2VLProcessor"


def _idefics3(t: Any) -> tuple[Any, Any, str]:
    config = t.Idefics3Config(
        vision_config=dict(_VISION), text_config=t.LlamaConfig(**TEXT).to_dict(),
        image_token_id=special("<image>"), scale_factor=2,
    )  # fmt: skip
    images = t.Idefics3ImageProcessorPil(
        size={"longest_edge": 16}, max_image_size={"longest_edge": 16}, do_image_splitting=False
    )
    return config, images, "Idefics3Processor"
