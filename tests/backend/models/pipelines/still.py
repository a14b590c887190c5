"""Components of tiny pipelines that make pictures."""

from __future__ import annotations

from typing import Any

import diffusers as df
import transformers as hf

from tests.backend.models.pipelines import parts
from tests.backend.models.pipelines.animal import flow, net
from tests.backend.models.tiny import clip_tokenizer, shake, t5_tokenizer


def stable_diffusion(**more: Any) -> dict[str, Any]:
    return {
        "unet": parts.unet(**more.pop("unet", {})),
        "vae": parts.vae(),
        "text_encoder": parts.clip_text(),
        "tokenizer": clip_tokenizer(),
        "scheduler": df.DDIMScheduler(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
        **more,
    }


def latent_consistency() -> dict[str, Any]:
    made = stable_diffusion(unet={"time_cond_proj_dim": 32}, scheduler=df.LCMScheduler())
    return made


def stable_diffusion_xl() -> dict[str, Any]:
    second = parts.clip_text(hf.CLIPTextModelWithProjection)
    return {
        "unet": parts.unet(
            cross_attention_dim=2 * parts.CLIP_WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + parts.CLIP_WIDTH,
        ),
        "vae": parts.vae(),
        "text_encoder": parts.clip_text(),
        "tokenizer": clip_tokenizer(),
        "text_encoder_2": second,
        "tokenizer_2": clip_tokenizer(),
        "scheduler": df.EulerDiscreteScheduler(timestep_spacing="leading"),
    }


def hidream() -> dict[str, Any]:
    llama = letters = parts.letters()
    config = hf.LlamaConfig(
        vocab_size=len(letters), hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, pad_token_id=0,
    )  # fmt: skip
    return {
        "transformer": net(
            df.HiDreamImageTransformer2DModel,
            patch_size=2, in_channels=4, out_channels=4, num_layers=1, num_single_layers=1,
            attention_head_dim=8, num_attention_heads=4, caption_channels=[parts.T5_WIDTH, 16],
            text_emb_dim=2 * parts.CLIP_WIDTH, num_routed_experts=4, num_activated_experts=2,
            axes_dims_rope=(4, 2, 2), max_resolution=(32, 32), llama_layers=(0, 1),
        ),
        "vae": parts.vae(block_out_channels=(8,), scaling_factor=0.3611, shift_factor=0.1159),
        "text_encoder": parts.clip_text(hf.CLIPTextModelWithProjection, 128),
        "tokenizer": clip_tokenizer(),
        "text_encoder_2": parts.clip_text(hf.CLIPTextModelWithProjection, 128),
        "tokenizer_2": clip_tokenizer(),
        "text_encoder_3": parts.t5(),
        "tokenizer_3": t5_tokenizer(),
        "text_encoder_4": parts.seeded(hf.LlamaForCausalLM, config),
        "tokenizer_4": llama,
        "scheduler": flow(),
    }  # fmt: skip


def cogview4() -> dict[str, Any]:
    letters = parts.letters(padding_side="left")
    config = hf.GlmConfig(
        vocab_size=len(letters), hidden_size=32, intermediate_size=8, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=4, head_dim=8, pad_token_id=0, eos_token_id=2,
    )  # fmt: skip
    return {
        "transformer": net(
            df.CogView4Transformer2DModel,
            patch_size=2, in_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=4,
            out_channels=4, text_embed_dim=32, time_embed_dim=8, condition_dim=4,
        ),
        "vae": parts.vae(sample_size=128),
        "text_encoder": parts.seeded(hf.GlmModel, config),
        "tokenizer": letters,
        "scheduler": flow(
            base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True,
            time_shift_type="linear",
        ),
    }  # fmt: skip


def aura_flow() -> dict[str, Any]:
    return {
        "transformer": net(
            df.AuraFlowTransformer2DModel,
            sample_size=32, patch_size=2, in_channels=4, num_mmdit_layers=1,
            num_single_dit_layers=1, attention_head_dim=8, num_attention_heads=4,
            caption_projection_dim=32, joint_attention_dim=parts.T5_WIDTH, out_channels=4,
            pos_embed_max_size=256,
        ),
        "vae": parts.vae(),
        "text_encoder": parts.umt5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": flow(),
    }  # fmt: skip


def hunyuan_dit() -> dict[str, Any]:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *parts.LETTERS]
    tokenizer = hf.BertTokenizer(vocab={p: i for i, p in enumerate(pieces)})
    config = hf.BertConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=37, max_position_embeddings=128,
    )  # fmt: skip
    return {
        "transformer": net(
            df.HunyuanDiT2DModel,
            sample_size=16, num_layers=2, patch_size=2, attention_head_dim=8,
            num_attention_heads=3, in_channels=4, cross_attention_dim=32,
            cross_attention_dim_t5=parts.T5_WIDTH, pooled_projection_dim=16, hidden_size=24,
            activation_fn="gelu-approximate", text_len=77, text_len_t5=256,
        ),
        "vae": parts.vae(block_out_channels=(4, 4, 8, 8)),
        "text_encoder": parts.seeded(hf.BertModel, config),
        "tokenizer": tokenizer,
        "text_encoder_2": parts.t5(),
        "tokenizer_2": t5_tokenizer(),
        "scheduler": df.DDPMScheduler(),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }  # fmt: skip


def pixart_sigma() -> dict[str, Any]:
    return {
        "transformer": net(
            df.PixArtTransformer2DModel,
            sample_size=8, num_layers=2, patch_size=2, attention_head_dim=8,
            num_attention_heads=3, caption_channels=parts.T5_WIDTH, in_channels=4,
            cross_attention_dim=24, out_channels=8, attention_bias=True,
            activation_fn="gelu-approximate", num_embeds_ada_norm=1000,
            norm_type="ada_norm_single", norm_elementwise_affine=False, norm_eps=1e-6,
        ),
        "vae": parts.vae(),
        "text_encoder": parts.t5(),
        "tokenizer": t5_tokenizer(),
        "scheduler": df.DPMSolverMultistepScheduler(),
    }  # fmt: skip


def sana() -> dict[str, Any]:
    letters = parts.letters()
    config = hf.Gemma2Config(
        vocab_size=len(letters), hidden_size=8, head_dim=16, intermediate_size=64,
        num_attention_heads=2, num_hidden_layers=1, num_key_value_heads=2, pad_token_id=0,
        attn_implementation="eager",
    )  # fmt: skip
    return {
        "transformer": net(
            df.SanaTransformer2DModel,
            patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
            attention_head_dim=4, num_cross_attention_heads=2, cross_attention_head_dim=4,
            cross_attention_dim=8, caption_channels=8, sample_size=32,
        ),
        "vae": parts.seeded(
            df.AutoencoderDC,
            in_channels=3, latent_channels=4, attention_head_dim=2,
            encoder_block_types=("ResBlock", "EfficientViTBlock"),
            decoder_block_types=("ResBlock", "EfficientViTBlock"),
            encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
            encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)),
            encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1),
            downsample_block_type="conv", upsample_block_type="interpolate",
            decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.41407,
        ),
        "text_encoder": parts.seeded(hf.Gemma2Model, config),
        "tokenizer": letters,
        "scheduler": flow(shift=7.0),
    }  # fmt: skip


def lumina2() -> dict[str, Any]:
    letters = parts.letters()
    config = hf.Gemma2Config(
        vocab_size=len(letters), hidden_size=8, head_dim=4, intermediate_size=37,
        num_attention_heads=2, num_hidden_layers=2, num_key_value_heads=2, pad_token_id=0,
    )  # fmt: skip
    return {
        "transformer": net(
            df.Lumina2Transformer2DModel,
            sample_size=4, patch_size=2, in_channels=4, hidden_size=8, num_layers=2,
            num_attention_heads=1, num_kv_heads=1, multiple_of=16, ffn_dim_multiplier=None,
            norm_eps=1e-5, scaling_factor=1.0, axes_dim_rope=[4, 2, 2], cap_feat_dim=8,
        ),
        "vae": parts.vae(shift_factor=0.0609, scaling_factor=1.5035),
        "text_encoder": parts.seeded(hf.Gemma2Model, config),
        "tokenizer": letters,
        "scheduler": flow(),
    }  # fmt: skip


def filled(module: Any) -> Any:
    """A module that leaves its memory as it found it, with ones instead."""
    for parameter in module.parameters():
        parameter.data.fill_(1)
    return module


def kolors() -> dict[str, Any]:
    import io
    import tempfile
    from pathlib import Path

    import sentencepiece
    from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer
    from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

    words, file = io.BytesIO(), Path(tempfile.mkdtemp()) / "tokenizer.model"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a red kite over the hill"] * 20), model_writer=words,
        vocab_size=40, hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    file.write_bytes(words.getvalue())
    tokenizer = ChatGLMTokenizer(str(file), padding_side="left")
    config = ChatGLMConfig(
        num_layers=2, padded_vocab_size=len(tokenizer) + 10, hidden_size=8, ffn_hidden_size=16,
        kv_channels=4, num_attention_heads=2, seq_length=512, multi_query_attention=True,
        multi_query_group_num=1, rmsnorm=True, add_qkv_bias=True,
        original_rope=True,
    )  # fmt: skip
    return {
        "unet": parts.unet(
            cross_attention_dim=8, addition_embed_type="text_time", addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + 8, use_linear_projection=True,
        ),
        "vae": parts.vae(),
        "text_encoder": shake(filled(ChatGLMModel(config)), 1),
        "tokenizer": tokenizer,
        "scheduler": df.EulerDiscreteScheduler(timestep_spacing="leading", steps_offset=1),
    }  # fmt: skip


def controlled() -> dict[str, Any]:
    made = stable_diffusion()
    made["controlnet"] = net(
        df.ControlNetModel,
        block_out_channels=(8, 16), layers_per_block=1, in_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), attention_head_dim=4,
        cross_attention_dim=parts.CLIP_WIDTH, norm_num_groups=2,
        conditioning_embedding_out_channels=(4, 8),
    )  # fmt: skip
    return made


def marigold() -> dict[str, Any]:
    made = stable_diffusion(unet={"in_channels": 8}, scheduler=df.LCMScheduler(
        prediction_type="v_prediction", clip_sample=False,
    ))  # fmt: skip
    parted = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
    return {
        **{name: made[name] for name in parted},
        "default_denoising_steps": 2, "default_processing_resolution": 32,
    }  # fmt: skip


def upscaling() -> dict[str, Any]:
    made = stable_diffusion(unet={"in_channels": 7, "num_class_embeds": 1000})
    made.pop("requires_safety_checker")
    return {**made, "low_res_scheduler": df.DDPMScheduler(), "watermarker": None}


def kandinsky2() -> dict[str, Any]:
    """The combined pipeline of version 2.2: a prior, and a decoder that reads what it gives."""
    from diffusers.models.autoencoders.vq_model import VQModel

    vision = hf.CLIPVisionConfig(
        hidden_size=32, projection_dim=32, num_hidden_layers=2, num_attention_heads=4,
        image_size=224, intermediate_size=37, patch_size=56,
    )  # fmt: skip
    return {
        "unet": net(
            df.UNet2DConditionModel,
            in_channels=4, out_channels=8, addition_embed_type="image", block_out_channels=(32, 64),
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
            mid_block_type="UNetMidBlock2DSimpleCrossAttn", layers_per_block=1,
            encoder_hid_dim=32, encoder_hid_dim_type="image_proj", cross_attention_dim=32,
            attention_head_dim=4, resnet_time_scale_shift="scale_shift",
        ),
        "scheduler": df.DDIMScheduler(clip_sample=False, set_alpha_to_one=False),
        "movq": parts.seeded(
            VQModel,
            block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2, layers_per_block=1, latent_channels=4,
            norm_type="spatial", num_vq_embeddings=12, vq_embed_dim=4,
        ),
        "prior_prior": net(
            df.PriorTransformer,
            num_attention_heads=2, attention_head_dim=12, embedding_dim=32, num_layers=1,
            num_embeddings=24,
        ),
        "prior_image_encoder": parts.seeded(hf.CLIPVisionModelWithProjection, vision),
        "prior_text_encoder": parts.clip_text(hf.CLIPTextModelWithProjection, 77),
        "prior_tokenizer": clip_tokenizer(),
        "prior_scheduler": df.UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample",
            num_train_timesteps=1000, clip_sample_range=10.0,
        ),
        "prior_image_processor": hf.CLIPImageProcessor(),
    }  # fmt: skip


def lumina_next() -> dict[str, Any]:
    letters = parts.letters()
    config = hf.GemmaConfig(
        vocab_size=len(letters), hidden_size=8, head_dim=4, intermediate_size=37,
        num_attention_heads=2, num_hidden_layers=2, num_key_value_heads=2, pad_token_id=0,
    )  # fmt: skip
    return {
        "transformer": net(
            df.LuminaNextDiT2DModel,
            sample_size=4, patch_size=2, in_channels=4, hidden_size=8, num_layers=2,
            num_attention_heads=1, num_kv_heads=1, multiple_of=16, norm_eps=1e-5,
            learn_sigma=True, qk_norm=True, cross_attention_dim=8, scaling_factor=1.0,
        ),
        "vae": parts.vae(),
        "text_encoder": parts.seeded(hf.GemmaModel, config),
        "tokenizer": letters,
        "scheduler": flow(),
    }  # fmt: skip


def omnigen() -> dict[str, Any]:
    letters = parts.letters()
    return {
        "transformer": net(
            df.OmniGenTransformer2DModel,
            hidden_size=16, num_attention_heads=4, num_key_value_heads=4, intermediate_size=32,
            num_layers=1, in_channels=4, time_step_dim=4, vocab_size=len(letters), pad_token_id=0,
            rope_scaling={"long_factor": [1.0, 2.0], "short_factor": [1.0, 2.0]},
        ),
        "vae": parts.vae(block_out_channels=(4, 4, 4, 4)),
        "tokenizer": letters,
        "scheduler": flow(invert_sigmas=True),
    }  # fmt: skip
