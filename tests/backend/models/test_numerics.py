"""In which precision a network computes."""

from __future__ import annotations

import pytest
import torch
from diffusers.models.transformers.transformer_sd3 import SD3Transformer2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from backend.models.numerics import dtype_of


def unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(8,), layers_per_block=1, norm_num_groups=4,
        down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",), cross_attention_dim=8,
    )  # fmt: skip


def sd3() -> SD3Transformer2DModel:
    return SD3Transformer2DModel(
        sample_size=8, num_layers=1, attention_head_dim=8, num_attention_heads=1,
        caption_projection_dim=8, joint_attention_dim=8, pooled_projection_dim=8,
        pos_embed_max_size=8,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [unet, sd3])
def test_it_is_what_the_network_itself_says(make, dtype):
    network = make().to(dtype)
    assert dtype_of(network) == network.dtype == dtype


def test_what_is_kept_in_full_does_not_count():
    network = unet().to(torch.bfloat16)
    first = next(name for name, _ in network.named_parameters()).split(".")[0]
    network.get_submodule(first).to(torch.float32)
    assert dtype_of(network) == torch.float32
    network._keep_in_fp32_modules = [first]
    assert dtype_of(network) == network.dtype == torch.bfloat16
