"""Components of tiny pipelines that make sounds."""

from __future__ import annotations

from typing import Any

import diffusers as df
import transformers as hf

from tests.backend.models.pipelines import parts
from tests.backend.models.pipelines.animal import flow, net
from tests.backend.models.tiny import shake, t5_tokenizer


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


def audio_ldm2() -> dict[str, Any]:
    text = hf.ClapTextConfig(
        vocab_size=300, hidden_size=16, intermediate_size=37, num_attention_heads=2,
        num_hidden_layers=2, projection_dim=16, pad_token_id=1,
    )  # fmt: skip
    ears = hf.ClapAudioConfig(
        spec_size=64, window_size=4, num_mel_bins=64, intermediate_size=37, depths=[2, 2],
        num_attention_heads=[2, 2], hidden_size=192, projection_dim=16, patch_size=2,
        patch_stride=2, patch_embed_input_channels=4, num_hidden_layers=2,
    )  # fmt: skip
    clap = hf.ClapConfig(text_config=text.to_dict(), audio_config=ears.to_dict(), projection_dim=16)
    speaker = hf.GPT2Config(
        n_embd=16, n_head=2, n_layer=2, vocab_size=300, n_positions=99, bos_token_id=0,
        eos_token_id=2,
    )  # fmt: skip
    model = parts.seeded(hf.GPT2LMHeadModel, speaker)
    model.config.max_new_tokens = 4
    return {
        "unet": net(
            df.AudioLDM2UNet2DConditionModel,
            block_out_channels=(8, 16), layers_per_block=1, sample_size=32, in_channels=4,
            out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=([None, 16, parts.T5_WIDTH],) * 2, norm_num_groups=2,
            attention_head_dim=4,
        ),
        "vae": parts.vae(in_channels=1, out_channels=1),
        "text_encoder": parts.seeded(hf.ClapModel, clap),
        "tokenizer": hf.RobertaTokenizer(
            vocab={p: i for i, p in enumerate(("<s>", "<pad>", "</s>", "<unk>", *parts.LETTERS))},
            merges=[], model_max_length=16,
        ),
        "feature_extractor": hf.ClapFeatureExtractor(hop_length=7900),
        "text_encoder_2": parts.t5(),
        "tokenizer_2": t5_tokenizer(),
        "language_model": model,
        "projection_model": parts.seeded(
            df.AudioLDM2ProjectionModel,
            text_encoder_dim=16, text_encoder_1_dim=parts.T5_WIDTH, langauge_model_dim=16,
        ),
        "scheduler": df.DDIMScheduler(clip_sample=False),
        "vocoder": shake(
            hf.SpeechT5HifiGan(
                hf.SpeechT5HifiGanConfig(
                    model_in_dim=8, sampling_rate=16000, upsample_initial_channel=16,
                    upsample_rates=[2, 2], upsample_kernel_sizes=[4, 4],
                    resblock_kernel_sizes=[3, 7],
                    resblock_dilation_sizes=[[1, 3, 5], [1, 3, 5]], normalize_before=False,
                )
            ), 1,
        ),
    }  # fmt: skip


def longcat_audio() -> dict[str, Any]:
    return {
        "transformer": net(
            df.LongCatAudioDiTTransformer,
            dit_dim=32, dit_depth=2, dit_heads=4, dit_text_dim=parts.T5_WIDTH, latent_dim=8,
            text_conv=False,
        ),
        "vae": parts.seeded(
            df.LongCatAudioDiTVae,
            in_channels=1, channels=8, c_mults=[1, 2], strides=[2], latent_dim=8,
            encoder_latent_dim=16, downsampling_ratio=2, sample_rate=80,
        ),
        "text_encoder": parts.umt5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": flow(shift=1.0, invert_sigmas=True),
    }  # fmt: skip


def stable_audio_3() -> dict[str, Any]:
    from diffusers.pipelines.stable_audio_3 import StableAudio3DurationEmbedder

    letters = parts.letters()
    shape: dict[str, Any] = {
        "vocab_size": len(letters), "hidden_size": 16, "intermediate_size": 32,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
    }  # fmt: skip
    config = hf.T5GemmaConfig(encoder=shape, decoder=shape, is_encoder_decoder=False)
    return {
        "transformer": net(
            df.StableAudio3DiTModel,
            io_channels=4, embed_dim=16, depth=2, num_heads=2, cond_token_dim=16,
            global_cond_dim=16, local_add_cond_dim=5, timestep_features_dim=8,
            num_memory_tokens=4,
        ),
        "vae": net(
            df.AutoencoderSAME,
            patch_size=8, encoder_channels=16, encoder_c_mults=(1,), encoder_strides=(2,),
            encoder_transformer_depths=(1,), latent_dim=4, dim_heads=8, sampling_rate=160,
        ),
        "text_encoder": parts.seeded(hf.T5GemmaEncoderModel, config),
        "tokenizer": letters,
        "duration_embedder": parts.seeded(
            StableAudio3DurationEmbedder, output_dim=16, fourier_dim=8
        ),
        "scheduler": flow(),
    }  # fmt: skip
