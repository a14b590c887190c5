"""Components of tiny pipelines whose texts go through a vision-language model."""

from __future__ import annotations

from typing import Any

import diffusers as df
import transformers as hf

from tests.backend.models.pipelines import parts
from tests.backend.models.pipelines.animal import flow, net
from tests.backend.models.pipelines.moving import hunyuan_codec
from tests.backend.models.tiny import clip_tokenizer


def qwen_vl() -> tuple[Any, Any]:
    """A tiny Qwen2.5-VL and its processor, without the part for videos."""
    special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|image_pad|>", "<|video_pad|>",
               "<|vision_start|>", "<|vision_end|>")  # fmt: skip
    tokenizer = parts.letters(special, padding_side="left", model_max_length=1024)
    size = len(tokenizer)
    config = hf.Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 2, "vocab_size": size,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
        },
        vision_config={
            "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2,
            "out_hidden_size": 16,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )  # fmt: skip
    kept = ["image_processor", "tokenizer"]
    plain = {"get_attributes": classmethod(lambda cls: kept)}
    processor = type("Qwen2VLProcessor", (hf.Qwen2VLProcessor,), plain)(
        hf.Qwen2VLImageProcessor(), tokenizer
    )
    return parts.seeded(hf.Qwen2_5_VLForConditionalGeneration, config), processor


def kandinsky5() -> dict[str, Any]:
    model, processor = qwen_vl()
    return {
        "transformer": net(
            df.Kandinsky5Transformer3DModel,
            in_visual_dim=4, in_text_dim=16, in_text_dim2=parts.CLIP_WIDTH, time_dim=32,
            out_visual_dim=4, patch_size=(1, 2, 2), model_dim=48, ff_dim=64, num_text_blocks=1,
            num_visual_blocks=1, axes_dims=(8, 8, 8), visual_cond=False,
        ),
        "vae": hunyuan_codec(),
        "text_encoder": model,
        "tokenizer": processor,
        "text_encoder_2": parts.clip_text(tokens=77),
        "tokenizer_2": clip_tokenizer(),
        "scheduler": flow(shift=7.0),
    }  # fmt: skip


def kandinsky5_image() -> dict[str, Any]:
    return {**kandinsky5(), "vae": parts.vae(block_out_channels=(4, 4, 8, 8))}


def byt5() -> tuple[Any, Any]:
    """A T5 on bytes and its tokenizer."""
    config = hf.T5Config(vocab_size=384, d_model=32, d_kv=8, d_ff=16, num_layers=2, num_heads=2)
    return parts.seeded(hf.T5EncoderModel, config), hf.ByT5Tokenizer(extra_ids=0)


def _talking(tokenizer: Any) -> Any:
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    return tokenizer


def hunyuan_image() -> dict[str, Any]:
    model, processor = qwen_vl()
    glyphs, letters = byt5()
    return {
        "transformer": net(
            df.HunyuanImageTransformer2DModel,
            in_channels=4, out_channels=4, num_attention_heads=4, attention_head_dim=8,
            num_layers=1, num_single_layers=1, num_refiner_layers=1, patch_size=(1, 1),
            text_embed_dim=16, text_embed_2_dim=32, rope_axes_dim=(4, 4),
        ),
        "vae": parts.seeded(
            df.AutoencoderKLHunyuanImage,
            in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(32, 64, 64, 64),
            layers_per_block=1, scaling_factor=0.476986, spatial_compression_ratio=8,
            sample_size=128,
        ),
        "text_encoder": model,
        "tokenizer": processor.tokenizer,
        "text_encoder_2": glyphs,
        "tokenizer_2": letters,
        "scheduler": flow(shift=7.0),
        "guider": df.AdaptiveProjectedMixGuidance(adaptive_projected_guidance_start_step=2),
        "ocr_guider": df.AdaptiveProjectedMixGuidance(adaptive_projected_guidance_start_step=3),
    }  # fmt: skip


def hunyuan_video_15() -> dict[str, Any]:
    model, processor = qwen_vl()
    glyphs, letters = byt5()
    return {
        "transformer": net(
            df.HunyuanVideo15Transformer3DModel,
            in_channels=9, out_channels=4, num_attention_heads=2, attention_head_dim=8,
            num_layers=2, num_refiner_layers=1, text_embed_dim=16, text_embed_2_dim=32,
            image_embed_dim=12, rope_axes_dim=(2, 2, 4), target_size=16, task_type="t2v",
        ),
        "vae": parts.seeded(
            df.AutoencoderKLHunyuanVideo15,
            latent_channels=4, block_out_channels=(16, 16, 16), layers_per_block=1,
            spatial_compression_ratio=4, temporal_compression_ratio=2,
        ),
        "text_encoder": model.model.language_model,
        "tokenizer": _talking(processor.tokenizer),
        "text_encoder_2": glyphs,
        "tokenizer_2": letters,
        "scheduler": flow(shift=7.0),
        "guider": df.ClassifierFreeGuidance(),
    }  # fmt: skip


def qwen_image_edit() -> dict[str, Any]:
    model, processor = qwen_vl()
    return {
        "transformer": net(
            df.QwenImageTransformer2DModel,
            in_channels=16, out_channels=4, num_layers=2, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
        ),
        "vae": parts.seeded(
            df.AutoencoderKLQwenImage,
            base_dim=8, z_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            temperal_downsample=[False, True, True], latents_mean=[0.0] * 4,
            latents_std=[1.0] * 4,
        ),
        "text_encoder": model,
        "tokenizer": processor.tokenizer,
        "processor": processor,
        "scheduler": flow(),
    }  # fmt: skip


def longcat_image() -> dict[str, Any]:
    model, processor = qwen_vl()
    return {
        "transformer": net(
            df.LongCatImageTransformer2DModel,
            in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
            num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16,
            axes_dims_rope=[8, 4, 4],
        ),
        "vae": parts.vae(16, shift_factor=0.1),
        "text_encoder": model,
        "tokenizer": processor.tokenizer,
        "text_processor": processor,
        "scheduler": flow(use_dynamic_shifting=True),
    }  # fmt: skip


def ovis_image() -> dict[str, Any]:
    letters = _talking(parts.letters(("<|im_start|>", "<|im_end|>"), model_max_length=1024))
    config = hf.Qwen3Config(
        vocab_size=len(letters), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, head_dim=8, max_position_embeddings=512,
    )  # fmt: skip
    return {
        "transformer": net(
            df.OvisImageTransformer2DModel,
            in_channels=16, out_channels=16, num_layers=1, num_single_layers=1,
            attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16,
            axes_dims_rope=(8, 4, 4),
        ),
        "vae": parts.vae(shift_factor=0.1),
        "text_encoder": parts.seeded(hf.Qwen3Model, config),
        "tokenizer": letters,
        "scheduler": flow(use_dynamic_shifting=True),
    }  # fmt: skip
