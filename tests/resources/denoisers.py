"""The tensors of denoisers as their authors released them."""

from __future__ import annotations

from tests.resources.shapes import Config, Shapes, conv, gathered, linear, norm


def flux(c: Config) -> Shapes:
    """FLUX.1 (dev, schnell, Kontext, Fill)."""
    d = width(c)
    embedded = ["time_in", "vector_in"] + (["guidance_in"] if c["guidance_embeds"] else [])
    into = {"vector_in": c["pooled_projection_dim"]}
    return gathered(
        *(linear(f"{name}.in_layer", into.get(name, 256), d) for name in embedded),
        *(linear(f"{name}.out_layer", d, d) for name in embedded),
        *(modulation(i, d) for i in range(c["num_layers"])),
        *(linear(f"single_blocks.{i}.modulation.lin", d, 3 * d) for i in singles(c)),
        linear("final_layer.adaLN_modulation.1", d, 2 * d),
        flux_trunk(c),
    )


def chroma(c: Config) -> Shapes:
    """Chroma: FLUX.1 whose modulations come from one small network instead of from each block."""
    hidden, distilled = c["approximator_hidden_dim"], "distilled_guidance_layer"
    layers = range(c["approximator_layers"])
    return gathered(
        linear(f"{distilled}.in_proj", c["approximator_num_channels"], hidden),
        linear(f"{distilled}.out_proj", hidden, width(c)),
        *(linear(f"{distilled}.layers.{i}.in_layer", hidden, hidden) for i in layers),
        *(linear(f"{distilled}.layers.{i}.out_layer", hidden, hidden) for i in layers),
        {f"{distilled}.norms.{i}.scale": (hidden,) for i in layers},
        flux_trunk(c),
    )


def flux_trunk(c: Config) -> Shapes:
    """What FLUX.1 and Chroma have in common."""
    d = width(c)
    return gathered(
        linear("img_in", c["in_channels"], d),
        linear("txt_in", c["joint_attention_dim"], d),
        *(double_block(i, d, 4 * d, 4 * d, c, bias=True) for i in range(c["num_layers"])),
        *(single_block(i, d, 4 * d, 4 * d, c, bias=True) for i in singles(c)),
        linear("final_layer.linear", d, c.get("out_channels") or c["in_channels"]),
    )


def flux2(c: Config) -> Shapes:
    """FLUX.2: modulations shared by all blocks, gated MLPs, no biases."""
    d = width(c)
    hidden = int(d * c["mlp_ratio"])
    embedded = ["time_in"] + (["guidance_in"] if c["guidance_embeds"] else [])
    return gathered(
        linear("img_in", c["in_channels"], d, bias=False),
        linear("txt_in", c["joint_attention_dim"], d, bias=False),
        *(linear(f"{n}.in_layer", 256, d, bias=False) for n in embedded),
        *(linear(f"{n}.out_layer", d, d, bias=False) for n in embedded),
        linear("double_stream_modulation_img.lin", d, 6 * d, bias=False),
        linear("double_stream_modulation_txt.lin", d, 6 * d, bias=False),
        linear("single_stream_modulation.lin", d, 3 * d, bias=False),
        *(double_block(i, d, 2 * hidden, hidden, c, bias=False) for i in range(c["num_layers"])),
        *(single_block(i, d, 2 * hidden, hidden, c, bias=False) for i in singles(c)),
        linear("final_layer.linear", d, c["in_channels"], bias=False),
        linear("final_layer.adaLN_modulation.1", d, 2 * d, bias=False),
    )


def width(c: Config) -> int:
    """The model width of a transformer whose config gives heads and their size."""
    return int(c["num_attention_heads"] * c["attention_head_dim"])


def singles(c: Config) -> range:
    """The numbers of the single-stream blocks."""
    return range(c["num_single_layers"])


def modulation(i: int, d: int) -> Shapes:
    """A FLUX.1 double block's own modulations."""
    streams = ("img", "txt")
    return gathered(*(linear(f"double_blocks.{i}.{s}_mod.lin", d, 6 * d) for s in streams))


def double_block(i: int, d: int, up: int, down: int, c: Config, bias: bool) -> Shapes:
    """A double-stream block without modulation; the MLP goes to ``up`` and comes from ``down``."""
    found: Shapes = {}
    for stream in ("img", "txt"):
        at = f"double_blocks.{i}.{stream}"
        found |= gathered(
            linear(f"{at}_attn.qkv", d, 3 * d, bias),
            {
                f"{at}_attn.norm.{n}_norm.scale": (c["attention_head_dim"],)
                for n in ("query", "key")
            },
            linear(f"{at}_attn.proj", d, d, bias),
            linear(f"{at}_mlp.0", d, up, bias),
            linear(f"{at}_mlp.2", down, d, bias),
        )
    return found


def single_block(i: int, d: int, up: int, down: int, c: Config, bias: bool) -> Shapes:
    """A single-stream block without modulation: attention and MLP in the same two layers."""
    at = f"single_blocks.{i}"
    return gathered(
        linear(f"{at}.linear1", d, 3 * d + up, bias),
        linear(f"{at}.linear2", d + down, d, bias),
        {f"{at}.norm.{n}_norm.scale": (c["attention_head_dim"],) for n in ("query", "key")},
    )


def sd3(c: Config) -> Shapes:
    """Stable Diffusion 3 and 3.5 (MMDiT, MMDiT-X)."""
    d, size, last = c["caption_projection_dim"], c["attention_head_dim"], c["num_layers"] - 1
    dual = c.get("dual_attention_layers", ())
    found = gathered(
        {"pos_embed": (1, c["pos_embed_max_size"] ** 2, d)},
        conv("x_embedder.proj", c["in_channels"], d, c["patch_size"], c["patch_size"]),
        linear("context_embedder", c["joint_attention_dim"], d),
        linear("t_embedder.mlp.0", 256, d),
        linear("t_embedder.mlp.2", d, d),
        linear("y_embedder.mlp.0", c["pooled_projection_dim"], d),
        linear("y_embedder.mlp.2", d, d),
        linear("final_layer.linear", d, c["patch_size"] ** 2 * c["out_channels"]),
        linear("final_layer.adaLN_modulation.1", d, 2 * d),
    )
    for i in range(last + 1):
        for stream in ("x_block", "context_block"):
            at = f"joint_blocks.{i}.{stream}"
            ends = i == last and stream == "context_block"
            twice = i in dual and stream == "x_block"
            found |= linear(f"{at}.adaLN_modulation.1", d, d * (2 if ends else 9 if twice else 6))
            for attention in ("attn", "attn2") if twice else ("attn",):
                found |= linear(f"{at}.{attention}.qkv", d, 3 * d)
                if c.get("qk_norm"):
                    found |= {f"{at}.{attention}.ln_{n}.weight": (size,) for n in "qk"}
                if not ends:
                    found |= linear(f"{at}.{attention}.proj", d, d)
            if not ends:
                found |= linear(f"{at}.mlp.fc1", d, 4 * d) | linear(f"{at}.mlp.fc2", 4 * d, d)
    return found


def wan(c: Config) -> Shapes:
    """Wan 2.1 and 2.2, text to video."""
    d = width(c)
    found = gathered(
        conv("patch_embedding", c["in_channels"], d, *c["patch_size"]),
        linear("text_embedding.0", c["text_dim"], d),
        linear("text_embedding.2", d, d),
        linear("time_embedding.0", c["freq_dim"], d),
        linear("time_embedding.2", d, d),
        linear("time_projection.1", d, 6 * d),
        linear("head.head", d, c["out_channels"] * 4),
        {"head.modulation": (1, 2, d)},
    )
    for i in range(c["num_layers"]):
        at = f"blocks.{i}"
        for attention in ("self_attn", "cross_attn"):
            found |= gathered(*(linear(f"{at}.{attention}.{n}", d, d) for n in "qkvo"))
            found |= {f"{at}.{attention}.norm_{n}.weight": (d,) for n in "qk"}
        found |= gathered(
            norm(f"{at}.norm3", d),
            linear(f"{at}.ffn.0", d, c["ffn_dim"]),
            linear(f"{at}.ffn.2", c["ffn_dim"], d),
            {f"{at}.modulation": (1, 6, d)},
        )
    return found


def z_image(c: Config) -> Shapes:
    """Z-Image."""
    d, cap, timed = c["dim"], c["cap_feat_dim"], min(c["dim"], 256)
    tokens = 4 * c["in_channels"]
    found = gathered(
        linear("x_embedder", tokens, d),
        {"cap_embedder.0.weight": (cap,), "x_pad_token": (1, d), "cap_pad_token": (1, d)},
        linear("cap_embedder.1", cap, d),
        linear("t_embedder.mlp.0", 256, 1024),
        linear("t_embedder.mlp.2", 1024, timed),
        linear("final_layer.linear", d, tokens),
        linear("final_layer.adaLN_modulation.1", timed, d),
    )
    counts = {"layers": "n_layers", "noise_refiner": "n_refiner_layers"}
    for run in ("layers", "noise_refiner", "context_refiner"):
        for i in range(c[counts.get(run, "n_refiner_layers")]):
            found |= sandwich_block(f"{run}.{i}", d, c["n_heads"], c["n_kv_heads"], int(d / 3 * 8))
            if run != "context_refiner":
                found |= linear(f"{run}.{i}.adaLN_modulation.0", timed, 4 * d)
    return found


def lumina2(c: Config) -> Shapes:
    """Lumina-Image 2.0."""
    d, cap, timed = c["hidden_size"], c["cap_feat_dim"], 1024
    tokens = c["patch_size"] ** 2 * c["in_channels"]
    hidden = -(-4 * d // c["multiple_of"]) * c["multiple_of"]
    found = gathered(
        linear("x_embedder", tokens, d),
        {"cap_embedder.0.weight": (cap,), "norm_final.weight": (d,)},
        linear("cap_embedder.1", cap, d),
        linear("t_embedder.mlp.0", 256, timed),
        linear("t_embedder.mlp.2", timed, timed),
        linear("final_layer.linear", d, tokens),
        linear("final_layer.adaLN_modulation.1", timed, d),
    )
    counts = {"layers": "num_layers"}
    for run in ("layers", "noise_refiner", "context_refiner"):
        for i in range(c[counts.get(run, "num_refiner_layers")]):
            heads, shared = c["num_attention_heads"], c["num_kv_heads"]
            found |= sandwich_block(f"{run}.{i}", d, heads, shared, hidden)
            if run != "context_refiner":
                found |= linear(f"{run}.{i}.adaLN_modulation.1", timed, 4 * d)
    return found


def sandwich_block(at: str, d: int, heads: int, shared: int, hidden: int) -> Shapes:
    """A block of Lumina 2 and Z-Image: normalised before and after, with a gated MLP."""
    size = d // heads
    norms = ("attention_norm1", "attention_norm2", "ffn_norm1", "ffn_norm2")
    return gathered(
        linear(f"{at}.attention.qkv", d, d + 2 * shared * size, bias=False),
        linear(f"{at}.attention.out", d, d, bias=False),
        {f"{at}.attention.{n}_norm.weight": (size,) for n in "qk"},
        {f"{at}.{name}.weight": (d,) for name in norms},
        linear(f"{at}.feed_forward.w1", d, hidden, bias=False),
        linear(f"{at}.feed_forward.w2", hidden, d, bias=False),
        linear(f"{at}.feed_forward.w3", d, hidden, bias=False),
    )


def sana(c: Config) -> Shapes:
    """Sana."""
    d, hidden = width(c), int(width(c) * c["mlp_ratio"])
    found = gathered(
        {"pos_embed": (1, c["sample_size"] ** 2, d)},
        conv("x_embedder.proj", c["in_channels"], d, c["patch_size"], c["patch_size"]),
        linear("t_embedder.mlp.0", 256, d),
        linear("t_embedder.mlp.2", d, d),
        linear("t_block.1", d, 6 * d),
        {"y_embedder.y_embedding": (300, c["caption_channels"]), "attention_y_norm.weight": (d,)},
        linear("y_embedder.y_proj.fc1", c["caption_channels"], d),
        linear("y_embedder.y_proj.fc2", d, d),
        linear("final_layer.linear", d, c["out_channels"]),
        {"final_layer.scale_shift_table": (2, d)},
    )
    for i in range(c["num_layers"]):
        at = f"blocks.{i}"
        found |= gathered(
            {f"{at}.scale_shift_table": (6, d)},
            linear(f"{at}.attn.qkv", d, 3 * d, bias=False),
            linear(f"{at}.attn.proj", d, d),
            linear(f"{at}.cross_attn.q_linear", d, d),
            linear(f"{at}.cross_attn.kv_linear", d, 2 * d),
            linear(f"{at}.cross_attn.proj", d, d),
            conv(f"{at}.mlp.inverted_conv.conv", d, 2 * hidden, 1, 1),
            conv(f"{at}.mlp.depth_conv.conv", 1, 2 * hidden, 3, 3),
            conv(f"{at}.mlp.point_conv.conv", hidden, d, 1, 1, bias=False),
        )
    return found


def unet(c: Config) -> Shapes:
    """The U-Net of Stable Diffusion 1 and XL under the names of the CompVis code."""
    channels, per = c["block_out_channels"], c["layers_per_block"]
    depths = c.get("transformer_layers_per_block", 1)
    depths = [depths] * len(channels) if isinstance(depths, int) else depths
    timed = 4 * channels[0]
    found = gathered(
        linear("time_embed.0", channels[0], timed),
        linear("time_embed.2", timed, timed),
        conv("input_blocks.0.0", c["in_channels"], channels[0], 3, 3),
        norm("out.0", channels[0]),
        conv("out.2", channels[0], c["out_channels"], 3, 3),
    )
    if c.get("addition_embed_type") == "text_time":
        into = c["projection_class_embeddings_input_dim"]
        found |= linear("label_emb.0.0", into, timed) | linear("label_emb.0.2", timed, timed)
    skips, at, have = [channels[0]], 0, channels[0]
    for level, out in enumerate(channels):
        depth = depths[level] if c["down_block_types"][level].startswith("Cross") else 0
        for _ in range(per):
            at += 1
            found |= unet_layer(f"input_blocks.{at}", have, out, timed, depth, c)
            have = out
            skips.append(out)
        if level < len(channels) - 1:
            at += 1
            found |= conv(f"input_blocks.{at}.0.op", out, out, 3, 3)
            skips.append(out)
    for i in (0, 2):
        found |= residual(f"middle_block.{i}", have, have, timed)
    found |= attention_block("middle_block.1", have, depths[-1], c)
    at = 0
    for level in reversed(range(len(channels))):
        out = channels[level]
        up_types = list(reversed(c["up_block_types"]))
        depth = depths[level] if up_types[level].startswith("Cross") else 0
        for i in range(per + 1):
            into = have + skips.pop()
            found |= unet_layer(f"output_blocks.{at}", into, out, timed, depth, c)
            if i == per and level:
                found |= conv(f"output_blocks.{at}.{2 if depth else 1}.conv", out, out, 3, 3)
            have = out
            at += 1
    return found


def unet_layer(at: str, into: int, out: int, timed: int, depth: int, c: Config) -> Shapes:
    """A residual block and, where ``depth`` is not 0, the attention blocks behind it."""
    attended = attention_block(f"{at}.1", out, depth, c) if depth else {}
    return residual(f"{at}.0", into, out, timed) | attended


def residual(at: str, into: int, out: int, timed: int) -> Shapes:
    """A residual block of the CompVis U-Net."""
    return gathered(
        norm(f"{at}.in_layers.0", into),
        conv(f"{at}.in_layers.2", into, out, 3, 3),
        linear(f"{at}.emb_layers.1", timed, out),
        norm(f"{at}.out_layers.0", out),
        conv(f"{at}.out_layers.3", out, out, 3, 3),
        conv(f"{at}.skip_connection", into, out, 1, 1) if into != out else {},
    )


def attention_block(at: str, d: int, depth: int, c: Config) -> Shapes:
    """A spatial transformer with ``depth`` layers."""
    flat = c.get("use_linear_projection", False)
    project = linear if flat else lambda name, into, out: conv(name, into, out, 1, 1)
    found = norm(f"{at}.norm", d) | project(f"{at}.proj_in", d, d) | project(f"{at}.proj_out", d, d)
    for i in range(depth):
        layer = f"{at}.transformer_blocks.{i}"
        for name, context in (("attn1", d), ("attn2", c["cross_attention_dim"])):
            found |= gathered(
                linear(f"{layer}.{name}.to_q", d, d, bias=False),
                linear(f"{layer}.{name}.to_k", context, d, bias=False),
                linear(f"{layer}.{name}.to_v", context, d, bias=False),
                linear(f"{layer}.{name}.to_out.0", d, d),
            )
        found |= gathered(
            linear(f"{layer}.ff.net.0.proj", d, 8 * d),
            linear(f"{layer}.ff.net.2", 4 * d, d),
            *(norm(f"{layer}.norm{n}", d) for n in (1, 2, 3)),
        )
    return found
