"""Tiny ControlNets with random weights that matter, as ordinary folders of diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    ControlNetModel,
    ControlNetUnionModel,
    FluxControlNetModel,
    FluxTransformer2DModel,
    UNet2DConditionModel,
)

from tests.backend.models.tiny import shake


def for_unet(model: Path, folder: Path, seed: int = 7, **changes: Any) -> Path:
    """Write a net for the UNet of a tiny model, whose VAE halves the picture once."""
    unet = UNet2DConditionModel.from_pretrained(model / "unet", local_files_only=True)
    torch.manual_seed(0)
    net = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16))
    if changes:
        known = {n: value for n, value in net.config.items() if n != "_use_default_values"}
        net = ControlNetModel.from_config({**known, **changes})
    _seeing(shake(net, seed, 0.7)).save_pretrained(folder)
    return folder


def _seeing(net: Any) -> Any:
    """The same with a stronger say of the picture, which random weights would hardly show."""
    with torch.no_grad():
        for layer in (
            net.controlnet_cond_embedding.conv_in,
            net.controlnet_cond_embedding.conv_out,
        ):
            layer.weight.mul_(5)
    return net


def union(model: Path, folder: Path, seed: int = 9) -> Path:
    """Write a net of three kinds of picture for the UNet of a tiny model."""
    unet = UNet2DConditionModel.from_pretrained(model / "unet", local_files_only=True)
    torch.manual_seed(0)
    config = {
        **ControlNetModel.from_unet(unet).config,
        "conditioning_embedding_out_channels": (8, 16),
        "num_control_type": 3,
        "num_trans_channel": 32,
        "num_trans_head": 4,
        "num_proj_channel": 32,
    }
    size = config["addition_time_embed_dim"] or 8
    config["projection_class_embeddings_input_dim"] = (
        config["projection_class_embeddings_input_dim"] or 3 * size
    )
    config.pop("_use_default_values", None)
    net = ControlNetUnionModel.from_config({**config, "addition_time_embed_dim": size})
    _seeing(shake(net, seed, 0.7)).save_pretrained(folder)
    return folder


def for_flux(model: Path, folder: Path, seed: int = 8, **changes: Any) -> Path:
    """Write a net of one double and one single block for the transformer of a tiny Flux."""
    base = FluxTransformer2DModel.from_pretrained(model / "transformer", local_files_only=True)
    torch.manual_seed(0)
    names = ("in_channels", "attention_head_dim", "num_attention_heads", "joint_attention_dim")
    same = {name: base.config[name] for name in (*names, "pooled_projection_dim")}
    same |= {"axes_dims_rope": base.config["axes_dims_rope"], "num_layers": 1}
    net = FluxControlNetModel(**{**same, "num_single_layers": 1, **changes})
    shake(net, seed, 0.7).save_pretrained(folder)
    return folder
