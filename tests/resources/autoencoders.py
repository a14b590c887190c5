"""The tensors of autoencoders as their authors released them."""

from __future__ import annotations

from tests.resources.shapes import Config, Shapes, conv, gathered, norm


def vae(c: Config) -> Shapes:
    """The image autoencoder of Stable Diffusion and FLUX.1 under the names of the CompVis code."""
    channels, latent, per = c["block_out_channels"], c["latent_channels"], c["layers_per_block"]
    top, last = channels[-1], len(channels) - 1
    found = gathered(
        conv("encoder.conv_in", 3, channels[0], 3, 3),
        norm("encoder.norm_out", top),
        conv("encoder.conv_out", top, 2 * latent, 3, 3),
        conv("decoder.conv_in", latent, top, 3, 3),
        norm("decoder.norm_out", channels[0]),
        conv("decoder.conv_out", channels[0], 3, 3, 3),
        conv("quant_conv", 2 * latent, 2 * latent, 1, 1) if c.get("use_quant_conv", True) else {},
        conv("post_quant_conv", latent, latent, 1, 1) if c.get("use_post_quant_conv", True) else {},
    )
    for side in ("encoder", "decoder"):
        found |= vae_residual(f"{side}.mid.block_1", top, top)
        found |= vae_residual(f"{side}.mid.block_2", top, top)
        found |= norm(f"{side}.mid.attn_1.norm", top)
        for name in ("q", "k", "v", "proj_out"):
            found |= conv(f"{side}.mid.attn_1.{name}", top, top, 1, 1)
    have = channels[0]
    for level, out in enumerate(channels):
        for i in range(per):
            found |= vae_residual(f"encoder.down.{level}.block.{i}", have, out)
            have = out
        if level < last:
            found |= conv(f"encoder.down.{level}.downsample.conv", out, out, 3, 3)
    for level in reversed(range(last + 1)):
        out = channels[level]
        for i in range(per + 1):
            found |= vae_residual(f"decoder.up.{level}.block.{i}", have, out)
            have = out
        if level:
            found |= conv(f"decoder.up.{level}.upsample.conv", out, out, 3, 3)
    return found


def vae_residual(at: str, into: int, out: int) -> Shapes:
    """A residual block of the image autoencoder."""
    return gathered(
        norm(f"{at}.norm1", into),
        conv(f"{at}.conv1", into, out, 3, 3),
        norm(f"{at}.norm2", out),
        conv(f"{at}.conv2", out, out, 3, 3),
        conv(f"{at}.nin_shortcut", into, out, 1, 1) if into != out else {},
    )


def wan_vae(c: Config) -> Shapes:
    """The video autoencoder of Wan 2.1, which Qwen-Image's is built like."""
    base, latent, per = c["base_dim"], c["z_dim"], c["num_res_blocks"]
    widths = [base * m for m in c["dim_mult"]]
    top, last, timely = widths[-1], len(widths) - 1, c["temperal_downsample"]
    found = gathered(
        conv("encoder.conv1", 3, base, 3, 3, 3),
        conv("decoder.conv1", latent, top, 3, 3, 3),
        {"encoder.head.0.gamma": (top, 1, 1, 1), "decoder.head.0.gamma": (base, 1, 1, 1)},
        conv("encoder.head.2", top, 2 * latent, 3, 3, 3),
        conv("decoder.head.2", base, 3, 3, 3, 3),
        conv("conv1", 2 * latent, 2 * latent, 1, 1, 1),
        conv("conv2", latent, latent, 1, 1, 1),
    )
    for side in ("encoder", "decoder"):
        for i in (0, 2):
            found |= wan_residual(f"{side}.middle.{i}", top, top)
        found |= {f"{side}.middle.1.norm.gamma": (top, 1, 1)}
        found |= conv(f"{side}.middle.1.to_qkv", top, 3 * top, 1, 1)
        found |= conv(f"{side}.middle.1.proj", top, top, 1, 1)
    at, have = 0, base
    for level, out in enumerate(widths):
        for _ in range(per):
            found |= wan_residual(f"encoder.downsamples.{at}", have, out)
            at, have = at + 1, out
        if level < last:
            found |= conv(f"encoder.downsamples.{at}.resample.1", out, out, 3, 3)
            if timely[level]:
                found |= conv(f"encoder.downsamples.{at}.time_conv", out, out, 3, 1, 1)
            at += 1
    at = 0
    for level in reversed(range(last + 1)):
        out = widths[level]
        for _ in range(per + 1):
            found |= wan_residual(f"decoder.upsamples.{at}", have, out)
            at, have = at + 1, out
        if level:
            found |= conv(f"decoder.upsamples.{at}.resample.1", out, out // 2, 3, 3)
            if timely[level - 1]:
                found |= conv(f"decoder.upsamples.{at}.time_conv", out, 2 * out, 3, 1, 1)
            at, have = at + 1, out // 2
    return found


def wan_residual(at: str, into: int, out: int) -> Shapes:
    """A residual block of the video autoencoder."""
    return gathered(
        {f"{at}.residual.0.gamma": (into, 1, 1, 1), f"{at}.residual.3.gamma": (out, 1, 1, 1)},
        conv(f"{at}.residual.2", into, out, 3, 3, 3),
        conv(f"{at}.residual.6", out, out, 3, 3, 3),
        conv(f"{at}.shortcut", into, out, 1, 1, 1) if into != out else {},
    )


def wan22_vae(c: Config) -> Shapes:
    """The video autoencoder of Wan 2.2 5B, whose residual blocks lie in groups."""
    latent, per, timely = c["z_dim"], c["num_res_blocks"], c["temperal_downsample"]
    last = len(c["dim_mult"]) - 1
    found = conv("conv1", 2 * latent, 2 * latent, 1, 1, 1) | conv("conv2", latent, latent, 1, 1, 1)
    for side, base in (("encoder", c["base_dim"]), ("decoder", c["decoder_base_dim"])):
        top = base * c["dim_mult"][-1]
        for i in (0, 2):
            found |= wan_residual(f"{side}.middle.{i}", top, top)
        found |= {f"{side}.middle.1.norm.gamma": (top, 1, 1)}
        found |= conv(f"{side}.middle.1.to_qkv", top, 3 * top, 1, 1)
        found |= conv(f"{side}.middle.1.proj", top, top, 1, 1)
        into = (c["in_channels"], base) if side == "encoder" else (latent, top)
        out = (top, 2 * latent) if side == "encoder" else (base, c["out_channels"])
        found |= conv(f"{side}.conv1", *into, 3, 3, 3)
        found |= conv(f"{side}.head.2", *out, 3, 3, 3)
        found |= {f"{side}.head.0.gamma": (out[0], 1, 1, 1)}
    have = c["base_dim"]
    for level, times in enumerate(c["dim_mult"]):
        at, out_width = f"encoder.downsamples.{level}.downsamples", c["base_dim"] * times
        for i in range(per):
            found |= wan_residual(f"{at}.{i}", have, out_width)
            have = out_width
        if level < last:
            found |= conv(f"{at}.{per}.resample.1", have, have, 3, 3)
            found |= conv(f"{at}.{per}.time_conv", have, have, 3, 1, 1) if timely[level] else {}
    have = c["decoder_base_dim"] * c["dim_mult"][-1]
    for level, times in enumerate(reversed(c["dim_mult"])):
        at, out_width = f"decoder.upsamples.{level}.upsamples", c["decoder_base_dim"] * times
        for i in range(per + 1):
            found |= wan_residual(f"{at}.{i}", have, out_width)
            have = out_width
        if level < last:
            slow = timely[last - 1 - level]
            found |= conv(f"{at}.{per + 1}.resample.1", have, have, 3, 3)
            found |= conv(f"{at}.{per + 1}.time_conv", have, 2 * have, 3, 1, 1) if slow else {}
    return found


def flux2_vae(c: Config) -> Shapes:
    """The image autoencoder of FLUX.2: with normalised latents and moved convolutions."""
    moved = {"quant_conv": "encoder.quant_conv", "post_quant_conv": "decoder.post_quant_conv"}
    channels = 4 * c["latent_channels"]
    return {f"bn.running_{name}": (channels,) for name in ("mean", "var")} | {
        moved.get(key.split(".")[0], key.split(".")[0]) + key[key.index(".") :]: shape
        for key, shape in vae(c).items()
    }
