"""Components of tiny pipelines that make videos."""

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
        "vae": wan_codec(),
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


def hunyuan_video() -> dict[str, Any]:
    special = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
    letters = parts.letters(special, model_max_length=1024)
    config = hf.LlamaConfig(
        vocab_size=len(letters), hidden_size=16, intermediate_size=37, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, pad_token_id=0, max_position_embeddings=1024,
    )  # fmt: skip
    return {
        "transformer": net(
            df.HunyuanVideoTransformer3DModel,
            in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10,
            num_layers=1, num_single_layers=1, num_refiner_layers=1, text_embed_dim=16,
            pooled_projection_dim=parts.CLIP_WIDTH, rope_axes_dim=(2, 4, 4),
        ),
        "vae": hunyuan_codec(),
        "text_encoder": parts.seeded(hf.LlamaModel, config),
        "tokenizer": letters,
        "text_encoder_2": parts.clip_text(tokens=77),
        "tokenizer_2": clip_tokenizer(),
        "scheduler": flow(shift=7.0),
    }  # fmt: skip


def mochi() -> dict[str, Any]:
    return {
        "transformer": net(
            df.MochiTransformer3DModel,
            num_attention_heads=2, attention_head_dim=8, num_layers=2, pooled_projection_dim=16,
            in_channels=12, text_embed_dim=parts.T5_WIDTH, time_embed_dim=4,
            max_sequence_length=16,
        ),
        "vae": parts.seeded(
            df.AutoencoderKLMochi,
            latent_channels=12, encoder_block_out_channels=(32, 32, 32, 32),
            decoder_block_out_channels=(32, 32, 32, 32), layers_per_block=(1, 1, 1, 1, 1),
        ),
        "text_encoder": parts.t5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": flow(),
    }  # fmt: skip


def animate_diff() -> dict[str, Any]:
    return {
        "unet": parts.unet(),
        "motion_adapter": net(
            df.MotionAdapter,
            block_out_channels=(8, 16), motion_layers_per_block=1, motion_norm_num_groups=2,
            motion_num_attention_heads=4,
        ),
        "vae": parts.vae(),
        "text_encoder": parts.clip_text(),
        "tokenizer": clip_tokenizer(),
        "scheduler": df.DDIMScheduler(beta_schedule="linear", clip_sample=False),
        "feature_extractor": None,
        "image_encoder": None,
    }  # fmt: skip


def sana_video() -> dict[str, Any]:
    letters = parts.letters()
    config = hf.Gemma2Config(
        vocab_size=len(letters), hidden_size=8, head_dim=4, intermediate_size=16,
        num_attention_heads=2, num_hidden_layers=1, num_key_value_heads=2, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return {
        "transformer": net(
            df.SanaVideoTransformer3DModel,
            in_channels=16, out_channels=16, num_attention_heads=2, attention_head_dim=12,
            num_layers=2, num_cross_attention_heads=2, cross_attention_head_dim=12,
            cross_attention_dim=24, caption_channels=8, sample_size=8, rope_max_seq_len=32,
        ),
        "vae": wan_codec(),
        "text_encoder": parts.seeded(hf.Gemma2Model, config),
        "tokenizer": letters,
        "scheduler": flow(shift=7.0),
    }  # fmt: skip


def wan_video_to_video() -> dict[str, Any]:
    return {
        "transformer": net(
            df.WanTransformer3DModel,
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16,
            out_channels=16, text_dim=parts.T5_WIDTH, freq_dim=64, ffn_dim=32, num_layers=2,
            cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32,
        ),
        "vae": wan_codec(),
        "text_encoder": parts.umt5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": df.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    }  # fmt: skip


def wan_vace() -> dict[str, Any]:
    return {
        **wan_video_to_video(),
        "transformer": net(
            df.WanVACETransformer3DModel,
            patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16,
            out_channels=16, text_dim=parts.T5_WIDTH, freq_dim=64, ffn_dim=32, num_layers=3,
            cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32,
            vace_layers=[0, 2], vace_in_channels=96,
        ),
    }  # fmt: skip


def cogvideox_image_to_video() -> dict[str, Any]:
    made = cogvideox()
    config = {**made["transformer"].config, "in_channels": 8}
    made["transformer"] = net(df.CogVideoXTransformer3DModel, **_own(config))
    return made


def _own(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}


def hunyuan_codec() -> Any:
    return parts.seeded(
        df.AutoencoderKLHunyuanVideo,
        in_channels=3, out_channels=3, spatial_compression_ratio=8, temporal_compression_ratio=4,
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, norm_num_groups=4,
    )  # fmt: skip


def wan_codec() -> Any:
    return parts.seeded(
        df.AutoencoderKLWan,
        base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )  # fmt: skip
