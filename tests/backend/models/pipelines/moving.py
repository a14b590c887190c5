"""Components of tiny pipelines that make videos and sounds."""

from __future__ import annotations

from typing import Any

import diffusers as df
import transformers as hf

from tests.backend.models.pipelines import parts
from tests.backend.models.pipelines.animal import flow, net
from tests.backend.models.tiny import clip_tokenizer, t5_tokenizer


def stable_video() -> dict[str, Any]:
    vision = hf.CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=2, num_attention_heads=4,
        image_size=224, intermediate_size=37, patch_size=56,
    )  # fmt: skip
    return {
        "unet": net(
            df.UNetSpatioTemporalConditionModel,
            block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=8,
            out_channels=4, down_block_types=("CrossAttnDownBlockSpatioTemporal",
            "DownBlockSpatioTemporal"), up_block_types=("UpBlockSpatioTemporal",
            "CrossAttnUpBlockSpatioTemporal"), cross_attention_dim=32, num_attention_heads=(4, 4),
            projection_class_embeddings_input_dim=96, addition_time_embed_dim=32,
        ),
        "image_encoder": parts.seeded(hf.CLIPVisionModelWithProjection, vision),
        "vae": parts.seeded(
            df.AutoencoderKLTemporalDecoder,
            block_out_channels=(32, 64), in_channels=3, out_channels=3,
            down_block_types=("DownEncoderBlock2D",) * 2, latent_channels=4,
        ),
        "scheduler": df.EulerDiscreteScheduler(
            prediction_type="v_prediction", use_karras_sigmas=True, sigma_min=0.002,
            sigma_max=700.0, timestep_spacing="leading", timestep_type="continuous",
            interpolation_type="linear",
        ),
        "feature_extractor": hf.CLIPImageProcessor(),
    }  # fmt: skip


def ltx() -> dict[str, Any]:
    codec = parts.seeded(
        df.AutoencoderKLLTXVideo,
        latent_channels=8, block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8), layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        spatio_temporal_scaling=(True, True, False, False),
        decoder_spatio_temporal_scaling=(True, True, False, False),
        decoder_inject_noise=(False,) * 5, upsample_residual=(False,) * 4,
        upsample_factor=(1,) * 4, timestep_conditioning=False, patch_size=1, patch_size_t=1,
        encoder_causal=True, decoder_causal=False,
    )  # fmt: skip
    return {
        "transformer": net(
            df.LTXVideoTransformer3DModel,
            in_channels=8, out_channels=8, patch_size=1, patch_size_t=1, num_attention_heads=4,
            attention_head_dim=8, cross_attention_dim=32, num_layers=1,
            caption_channels=parts.T5_WIDTH,
        ),
        "vae": codec,
        "text_encoder": parts.t5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": flow(),
    }  # fmt: skip


def cogvideox() -> dict[str, Any]:
    return {
        "transformer": net(
            df.CogVideoXTransformer3DModel,
            num_attention_heads=4, attention_head_dim=8, in_channels=4, out_channels=4,
            time_embed_dim=2, text_embed_dim=parts.T5_WIDTH, num_layers=1, sample_width=2,
            sample_height=2, sample_frames=9, patch_size=2, temporal_compression_ratio=4,
            max_text_seq_length=16,
        ),
        "vae": parts.seeded(
            df.AutoencoderKLCogVideoX,
            in_channels=3, out_channels=3, down_block_types=("CogVideoXDownBlock3D",) * 4,
            up_block_types=("CogVideoXUpBlock3D",) * 4, block_out_channels=(8, 8, 8, 8),
            latent_channels=4, layers_per_block=1, norm_num_groups=2,
            temporal_compression_ratio=4,
        ),
        "text_encoder": parts.t5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": df.CogVideoXDDIMScheduler(),
    }  # fmt: skip


def oobleck(latents: int) -> Any:
    return parts.seeded(
        df.AutoencoderOobleck,
        encoder_hidden_size=6, downsampling_ratios=[1, 2], decoder_channels=3,
        decoder_input_channels=latents, audio_channels=2, channel_multiples=[2, 4],
        sampling_rate=8,
    )  # fmt: skip


def stable_audio() -> dict[str, Any]:
    return {
        "transformer": net(
            df.StableAudioDiTModel,
            sample_size=16, in_channels=3, num_layers=2, attention_head_dim=4,
            num_key_value_attention_heads=2, out_channels=3, cross_attention_dim=4,
            time_proj_dim=8, global_states_input_dim=8, cross_attention_input_dim=4,
        ),
        "vae": oobleck(3),
        "text_encoder": parts.t5(),
        "tokenizer": t5_tokenizer(),
        "projection_model": parts.seeded(
            df.StableAudioProjectionModel,
            text_encoder_dim=parts.T5_WIDTH, conditioning_dim=4, min_value=0, max_value=32,
        ),
        "scheduler": df.CosineDPMSolverMultistepScheduler(
            solver_order=2, prediction_type="v_prediction", sigma_data=1.0,
            sigma_schedule="exponential",
        ),
    }  # fmt: skip


def ace_step() -> dict[str, Any]:
    from diffusers.pipelines.ace_step import AceStepConditionEncoder

    letters = parts.letters(("<|endoftext|>",))
    shape: dict[str, Any] = {
        "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8,
    }  # fmt: skip
    config = hf.Qwen3Config(
        **shape, num_hidden_layers=2, vocab_size=len(letters), max_position_embeddings=256,
    )  # fmt: skip
    return {
        "transformer": net(
            df.AceStepTransformer1DModel,
            **shape, num_hidden_layers=2, in_channels=24, audio_acoustic_hidden_dim=8,
            patch_size=2, rope_theta=10000.0, sliding_window=16,
        ),
        "condition_encoder": net(
            AceStepConditionEncoder,
            **shape, text_hidden_dim=32, timbre_hidden_dim=8, num_lyric_encoder_hidden_layers=2,
            num_timbre_encoder_hidden_layers=2, rope_theta=10000.0, sliding_window=16,
        ),
        "vae": oobleck(8),
        "text_encoder": parts.seeded(hf.Qwen3Model, config),
        "tokenizer": letters,
        "scheduler": flow(num_train_timesteps=1, shift=1.0),
    }  # fmt: skip


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
        "vae": parts.seeded(
            df.AutoencoderKLHunyuanVideo,
            in_channels=3, out_channels=3, spatial_compression_ratio=8,
            temporal_compression_ratio=4, latent_channels=4, block_out_channels=(8, 8, 8, 8),
            layers_per_block=1, norm_num_groups=4,
        ),
        "text_encoder": model,
        "tokenizer": processor,
        "text_encoder_2": parts.clip_text(tokens=77),
        "tokenizer_2": clip_tokenizer(),
        "scheduler": flow(shift=7.0),
    }  # fmt: skip


def wan_image_to_video() -> dict[str, Any]:
    vision = hf.CLIPVisionConfig(
        hidden_size=4, projection_dim=4, num_hidden_layers=2, num_attention_heads=2,
        image_size=32, intermediate_size=16, patch_size=8,
    )  # fmt: skip
    return {
        "transformer": net(
            df.WanTransformer3DModel,
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=36,
            out_channels=16, text_dim=parts.T5_WIDTH, freq_dim=64, ffn_dim=32, num_layers=2,
            cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32,
            image_dim=4,
        ),
        "vae": parts.seeded(
            df.AutoencoderKLWan,
            base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ),
        "text_encoder": parts.umt5(),
        "tokenizer": t5_tokenizer(),
        "image_encoder": parts.seeded(hf.CLIPVisionModel, vision),
        "image_processor": hf.CLIPImageProcessor(crop_size=32, size=32),
        "scheduler": flow(shift=7.0),
    }  # fmt: skip


def ltx2() -> dict[str, Any]:
    """A pipeline that gives frames and sound."""
    from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder

    letters = parts.letters(padding_side="left")
    text = {
        "vocab_size": len(letters), "hidden_size": 32, "intermediate_size": 37,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "image_size": 28, "patch_size": 14,
    }  # fmt: skip
    config = hf.Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    codec = parts.seeded(
        df.AutoencoderKLLTX2Video,
        in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(8,),
        decoder_block_out_channels=(8,), layers_per_block=(1,), decoder_layers_per_block=(1, 1),
        spatio_temporal_scaling=(True,), decoder_spatio_temporal_scaling=(True,),
        decoder_inject_noise=(False, False), downsample_type=("spatial",),
        upsample_residual=(False,), upsample_factor=(1,), timestep_conditioning=False,
        patch_size=1, patch_size_t=1, encoder_causal=True, decoder_causal=False,
    )  # fmt: skip
    return {
        "transformer": net(
            df.LTX2VideoTransformer3DModel,
            in_channels=4, out_channels=4, patch_size=1, patch_size_t=1, num_attention_heads=2,
            attention_head_dim=8, cross_attention_dim=16, audio_in_channels=4,
            audio_out_channels=4, audio_num_attention_heads=2, audio_attention_head_dim=4,
            audio_cross_attention_dim=8, num_layers=1, qk_norm="rms_norm_across_heads",
            caption_channels=32, rope_double_precision=False, rope_type="split",
        ),
        "connectors": parts.seeded(
            LTX2TextConnectors,
            caption_channels=32, text_proj_in_factor=3, video_connector_num_attention_heads=4,
            video_connector_attention_head_dim=8, video_connector_num_layers=1,
            video_connector_num_learnable_registers=None, audio_connector_num_attention_heads=4,
            audio_connector_attention_head_dim=8, audio_connector_num_layers=1,
            audio_connector_num_learnable_registers=None, connector_rope_base_seq_len=32,
            rope_theta=10000.0, rope_double_precision=False, causal_temporal_positioning=False,
            rope_type="split",
        ),
        "vae": codec,
        "audio_vae": parts.seeded(
            df.AutoencoderKLLTX2Audio,
            base_channels=4, output_channels=2, ch_mult=(1,), num_res_blocks=1,
            attn_resolutions=None, in_channels=2, resolution=32, latent_channels=2,
            norm_type="pixel", causality_axis="height", dropout=0.0,
            mid_block_add_attention=False, sample_rate=16000, mel_hop_length=160, is_causal=True,
            mel_bins=8,
        ),
        "vocoder": parts.seeded(
            LTX2Vocoder,
            in_channels=16, hidden_channels=32, out_channels=2, upsample_kernel_sizes=[4, 4],
            upsample_factors=[2, 2], resnet_kernel_sizes=[3], resnet_dilations=[[1, 3, 5]],
            leaky_relu_negative_slope=0.1, output_sampling_rate=16000,
        ),
        "text_encoder": parts.seeded(hf.Gemma3ForConditionalGeneration, config),
        "tokenizer": letters,
        "scheduler": flow(),
    }  # fmt: skip
