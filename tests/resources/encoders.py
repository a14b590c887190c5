"""The tensors of text encoders under the names of OpenCLIP, of Wan's code and of llama.cpp."""

from __future__ import annotations

from tests.resources.shapes import Config, Shapes, gathered, linear, norm


def open_clip(c: Config) -> Shapes:
    """A CLIP text encoder under OpenCLIP's names, as SDXL's checkpoints hold the bigger one."""
    d = c["hidden_size"]
    found = gathered(
        {"positional_embedding": (c["max_position_embeddings"], d)},
        {"text_projection": (d, c["projection_dim"])},
        {"token_embedding.weight": (c["vocab_size"], d)},
        norm("ln_final", d),
    )
    for i in range(c["num_hidden_layers"]):
        at = f"transformer.resblocks.{i}"
        found |= gathered(
            norm(f"{at}.ln_1", d),
            norm(f"{at}.ln_2", d),
            {f"{at}.attn.in_proj_weight": (3 * d, d), f"{at}.attn.in_proj_bias": (3 * d,)},
            linear(f"{at}.attn.out_proj", d, d),
            linear(f"{at}.mlp.c_fc", d, c["intermediate_size"]),
            linear(f"{at}.mlp.c_proj", c["intermediate_size"], d),
        )
    return found


def t5_llama_cpp(c: Config) -> Shapes:
    """A T5 or UMT5 encoder in a GGUF file, whose names llama.cpp chose."""
    d, inner, hidden, heads = c["d_model"], c["num_heads"] * c["d_kv"], c["d_ff"], c["num_heads"]
    found = {"token_embd.weight": (c["vocab_size"], d), "enc.output_norm.weight": (d,)}
    for i in range(c["num_layers"]):
        at = f"enc.blk.{i}"
        if i == 0 or c["model_type"] == "umt5":
            found[f"{at}.attn_rel_b.weight"] = (c["relative_attention_num_buckets"], heads)
        found |= {f"{at}.{name}_norm.weight": (d,) for name in ("attn", "ffn")}
        found |= gathered(*(linear(f"{at}.attn_{n}", d, inner, bias=False) for n in "qkv"))
        found |= linear(f"{at}.attn_o", inner, d, bias=False)
        found |= linear(f"{at}.ffn_gate", d, hidden, bias=False)
        found |= linear(f"{at}.ffn_up", d, hidden, bias=False)
        found |= linear(f"{at}.ffn_down", hidden, d, bias=False)
    return found


def umt5(c: Config) -> Shapes:
    """The UMT5 encoder under the names of Wan's code."""
    d, inner, hidden, heads = c["d_model"], c["num_heads"] * c["d_kv"], c["d_ff"], c["num_heads"]
    found = {"token_embedding.weight": (c["vocab_size"], d), "norm.weight": (d,)}
    for i in range(c["num_layers"]):
        at = f"blocks.{i}"
        buckets = c["relative_attention_num_buckets"]
        found |= {f"{at}.norm1.weight": (d,), f"{at}.norm2.weight": (d,)}
        found |= {f"{at}.pos_embedding.embedding.weight": (buckets, heads)}
        found |= gathered(*(linear(f"{at}.attn.{n}", d, inner, bias=False) for n in "qkv"))
        found |= linear(f"{at}.attn.o", inner, d, bias=False)
        found |= linear(f"{at}.ffn.gate.0", d, hidden, bias=False)
        found |= linear(f"{at}.ffn.fc1", d, hidden, bias=False)
        found |= linear(f"{at}.ffn.fc2", hidden, d, bias=False)
    return found


def qwen3_llama_cpp(c: Config) -> Shapes:
    """A Qwen 3 language model with tied embeddings in a GGUF file."""
    d, hidden, size = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    found = {"token_embd.weight": (c["vocab_size"], d), "output_norm.weight": (d,)}
    own, shared = c["num_attention_heads"] * size, c["num_key_value_heads"] * size
    for i in range(c["num_hidden_layers"]):
        at = f"blk.{i}"
        found |= {f"{at}.attn_norm.weight": (d,), f"{at}.ffn_norm.weight": (d,)}
        found |= {f"{at}.attn_{n}_norm.weight": (size,) for n in "qk"}
        found |= linear(f"{at}.attn_q", d, own, bias=False)
        found |= linear(f"{at}.attn_k", d, shared, bias=False)
        found |= linear(f"{at}.attn_v", d, shared, bias=False)
        found |= linear(f"{at}.attn_output", own, d, bias=False)
        found |= linear(f"{at}.ffn_gate", d, hidden, bias=False)
        found |= linear(f"{at}.ffn_up", d, hidden, bias=False)
        found |= linear(f"{at}.ffn_down", hidden, d, bias=False)
    return found
