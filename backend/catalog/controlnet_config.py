"""The config of a ControlNet from the names and shapes of its weights. Light.

A bare file has no config. All of it follows from the tensors but the number of attention heads,
for which there are two rules: 8 in the models whose attention enters by a convolution, one for each
64 channels where it enters by a matrix (as in Stable Diffusion 1 and in version 2 and SDXL).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

Shapes = Mapping[str, tuple[int, ...]]

HEAD = 128
"""The width of an attention head of FLUX.1, whose positions are split as the class has it."""


@dataclass(frozen=True)
class Level:
    """The layers at one size: their width, how many there are, and the blocks of each one's
    attention (0: it has none)."""

    width: int
    layers: int
    depth: int
    linear: bool


def unet_config(shapes: Shapes, form: str) -> dict[str, Any]:
    """The config of a ``ControlNetModel`` or ``ControlNetUnionModel``; ``form`` is ``diffusers`` or
    ``original``.

    Raises:
        LookupError, ValueError: tensors that each has are not there.
    """
    ours = form == "diffusers"
    levels, middle = (_levels if ours else _original_levels)(shapes)
    depths = [level.depth or 1 for level in levels]
    if not levels[-1].depth:
        depths[-1] = middle or 1  # the middle's, where the last size has none of its own
    linear = any(level.linear for level in levels)
    name = "down_blocks.{}.attentions.0" if ours else "input_blocks.{}.1"
    width = _cross(shapes, name)
    found: dict[str, Any] = {
        "in_channels": shapes["conv_in.weight" if ours else "input_blocks.0.0.weight"][1],
        "block_out_channels": [level.width for level in levels],
        "layers_per_block": levels[0].layers,
        "down_block_types": [
            "CrossAttnDownBlock2D" if level.depth else "DownBlock2D" for level in levels
        ],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
        "transformer_layers_per_block": depths,
        "attention_head_dim": [max(level.width // 64, 1) for level in levels] if linear else 8,
        "use_linear_projection": linear,
        "cross_attention_dim": width or 1280,
        **_hints(shapes, ours),
    }
    added = shapes.get("add_embedding.linear_1.weight" if ours else "label_emb.0.0.weight")
    if added:
        found |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": added[1],
        }
    if "task_embedding" in shapes:
        kinds, channels = shapes["task_embedding"]
        found |= {
            "num_control_type": kinds,
            "num_trans_channel": channels,
            "num_trans_layer": _counted(shapes, "transformer_layes.{}.ln_1.weight"),
            "num_proj_channel": shapes["spatial_ch_projs.weight"][0],
        }
        found.pop("mid_block_type")  # the class has one kind
    return found


def transformer_config(shapes: Shapes) -> dict[str, Any]:
    """The config of a ``FluxControlNetModel`` under diffusers' names.

    Raises:
        LookupError, ValueError: tensors that each has are not there, or are of another size.
    """
    inner = shapes["x_embedder.weight"][0]
    head = shapes["transformer_blocks.0.attn.norm_q.weight"][0]
    if head != HEAD or shapes["controlnet_x_embedder.weight"] != shapes["x_embedder.weight"]:
        raise ValueError("it takes other channels than FLUX.1")
    modes = shapes.get("controlnet_mode_embedder.weight")
    return {
        "in_channels": shapes["x_embedder.weight"][1],
        "num_layers": _counted(shapes, "transformer_blocks.{}.attn.norm_q.weight"),
        "num_single_layers": _counted(shapes, "single_transformer_blocks.{}.attn.norm_q.weight"),
        "attention_head_dim": head,
        "num_attention_heads": inner // head,
        "joint_attention_dim": shapes["context_embedder.weight"][1],
        "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
        "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in shapes,
        "num_mode": modes[0] if modes else None,
    }


def _counted(shapes: Shapes, name: str) -> int:
    return next(i for i in count() if name.format(i) not in shapes)


def _depth(shapes: Shapes, path: str) -> int:
    return _counted(shapes, f"{path}.transformer_blocks.{{}}.attn2.to_k.weight")


def _cross(shapes: Shapes, path: str) -> int:
    """The width of the texts that the attentions look at, 0 where there is none."""
    name = f"{path}.transformer_blocks.0.attn2.to_k.weight"
    found = (shapes.get(name.format(i)) for i in range(16))
    return next((shape[1] for shape in found if shape), 0)


def _levels(shapes: Shapes) -> tuple[list[Level], int]:
    levels = []
    for i in range(_counted(shapes, "down_blocks.{}.resnets.0.conv1.weight")):
        entry = shapes.get(f"down_blocks.{i}.attentions.0.proj_in.weight", ())
        levels.append(
            Level(
                shapes[f"down_blocks.{i}.resnets.0.conv1.weight"][0],
                _counted(shapes, f"down_blocks.{i}.resnets.{{}}.conv1.weight"),
                _depth(shapes, f"down_blocks.{i}.attentions.0"),
                len(entry) == 2,
            )
        )
    return _some(levels), _depth(shapes, "mid_block.attentions.0")


def _original_levels(shapes: Shapes) -> tuple[list[Level], int]:
    """Blocks of the input are counted through; one that only shrinks ends a size."""
    levels: list[Level] = []
    layers: list[Level] = []
    for i in range(1, 64):
        resnet = shapes.get(f"input_blocks.{i}.0.in_layers.2.weight")
        if resnet is None:
            if layers:
                levels.append(_joined(layers))
            layers = []
            continue
        entry = shapes.get(f"input_blocks.{i}.1.proj_in.weight", ())
        depth = _depth(shapes, f"input_blocks.{i}.1")
        layers.append(Level(resnet[0], 1, depth, len(entry) == 2))
    return _some(levels), _depth(shapes, "middle_block.1")


def _joined(layers: list[Level]) -> Level:
    first = layers[0]
    return Level(first.width, len(layers), first.depth, first.linear)


def _some(levels: list[Level]) -> list[Level]:
    if not levels:
        raise ValueError("it has no blocks")
    return levels


def _hints(shapes: Shapes, ours: bool) -> dict[str, Any]:
    """What the picture goes through: its channels, and those between."""
    start = "controlnet_cond_embedding." if ours else "input_hint_block."
    first = shapes[f"{start}conv_in.weight" if ours else f"{start}0.weight"]
    pattern = re.compile(re.escape(start) + (r"blocks\.(\d+)" if ours else r"(\d+)") + r"\.weight")
    numbers = sorted(int(m[1]) for name in shapes if (m := pattern.fullmatch(name)))
    name = f"{start}blocks.{{}}.weight" if ours else f"{start}{{}}.weight"
    between = numbers if ours else numbers[1:-1]
    widths = [shapes[name.format(n)][0] for n in between[1::2]]
    return {
        "conditioning_channels": first[1],
        "conditioning_embedding_out_channels": [first[0], *widths],
    }
