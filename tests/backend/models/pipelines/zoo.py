"""Every tiny pipeline by its class: what its node is told, and what the direct call is told."""

from __future__ import annotations

from collections.abc import Mapping

from tests.backend.models.pipelines import moving, still
from tests.backend.models.pipelines.animal import Animal, half_mask, photo

TEXT = {"prompt": "a red kite"}
SMALL = {"width": 32, "height": 32, "steps": 2}
SMALL_CALL = {"width": 32, "height": 32, "num_inference_steps": 2}

ZOO: Mapping[str, Animal] = {
    animal.kind: animal
    for animal in (
        Animal("LatentConsistencyModelPipeline", "image", still.latent_consistency,
               {**TEXT, **SMALL, "cfg": 4.0}, {**TEXT, **SMALL_CALL, "guidance_scale": 4.0}),
        Animal("StableDiffusionXLPipeline", "image", still.stable_diffusion_xl,
               {**TEXT, **SMALL, "negative_prompt": "dull", "count": 2,
                "extra": "original_size = [48, 32]\nguidance_rescale = 0.5"},
               {**TEXT, **SMALL_CALL, "negative_prompt": "dull", "original_size": (48, 32),
                "guidance_rescale": 0.5}),
        Animal("HiDreamImagePipeline", "image", still.hidream, {**TEXT, **SMALL},
               {**TEXT, **SMALL_CALL}, quick=False),
        Animal("CogView4Pipeline", "image", still.cogview4,
               {**TEXT, **SMALL, "extra": "max_sequence_length = 16"},
               {**TEXT, **SMALL_CALL, "max_sequence_length": 16}),
        Animal("AuraFlowPipeline", "image", still.aura_flow, {**TEXT, **SMALL},
               {**TEXT, **SMALL_CALL}),
        Animal("HunyuanDiTPipeline", "image", still.hunyuan_dit,
               {**TEXT, **SMALL, "extra": "use_resolution_binning = false"},
               {**TEXT, **SMALL_CALL, "use_resolution_binning": False}),
        Animal("PixArtSigmaPipeline", "image", still.pixart_sigma,
               {**TEXT, **SMALL, "extra": "use_resolution_binning = false\nclean_caption = false"},
               {**TEXT, **SMALL_CALL, "use_resolution_binning": False, "clean_caption": False}),
        Animal("SanaPipeline", "image", still.sana,
               {**TEXT, **SMALL, "extra": "use_resolution_binning = false\n"
                "complex_human_instruction = null\nmax_sequence_length = 16"},
               {**TEXT, **SMALL_CALL, "use_resolution_binning": False,
                "complex_human_instruction": None, "max_sequence_length": 16}),
        Animal("StableDiffusionImg2ImgPipeline", "edit", still.stable_diffusion,
               {**TEXT, "steps": 4, "strength": 0.5},
               {**TEXT, "num_inference_steps": 4, "strength": 0.5}),
        Animal("StableDiffusionInpaintPipeline", "edit",
               lambda: still.stable_diffusion(unet={"in_channels": 9}),
               {**TEXT, **SMALL, "mask": half_mask()}, {**TEXT, **SMALL_CALL}),
        Animal("StableVideoDiffusionPipeline", "video", moving.stable_video,
               {**SMALL, "frames": 3, "rate": 7.0, "image": photo(),
                "extra": "decode_chunk_size = 2"},
               {**SMALL_CALL, "num_frames": 3, "fps": 7, "decode_chunk_size": 2}),
        Animal("LTXPipeline", "video", moving.ltx,
               {**TEXT, **SMALL, "frames": 9, "extra": "max_sequence_length = 16"},
               {**TEXT, **SMALL_CALL, "num_frames": 9, "max_sequence_length": 16}),
        Animal("CogVideoXPipeline", "video", moving.cogvideox,
               {**TEXT, "steps": 2, "width": 16, "height": 16, "frames": 8,
                "extra": "max_sequence_length = 16"},
               {**TEXT, "num_inference_steps": 2, "width": 16, "height": 16, "num_frames": 8,
                "max_sequence_length": 16}),
        Animal("StableAudioPipeline", "audio", moving.stable_audio,
               {**TEXT, "steps": 3, "seconds": 1.5}, {**TEXT, "num_inference_steps": 3,
                "audio_end_in_s": 1.5}),
        Animal("AceStepPipeline", "audio", moving.ace_step,
               {**TEXT, "steps": 2, "seconds": 0.4,
                "extra": 'lyrics = "[verse]\\nSoft notes"\nmax_text_length = 32'},
               {**TEXT, "num_inference_steps": 2, "audio_duration": 0.4,
                "lyrics": "[verse]\nSoft notes", "max_text_length": 32}),
        Animal("Lumina2Pipeline", "image", still.lumina2,
               {**TEXT, **SMALL, "extra": "max_sequence_length = 32"},
               {**TEXT, **SMALL_CALL, "max_sequence_length": 32}),
        Animal("KolorsPipeline", "image", still.kolors,
               {**TEXT, **SMALL, "extra": "max_sequence_length = 32"},
               {**TEXT, **SMALL_CALL, "max_sequence_length": 32}),
        Animal("Kandinsky5T2VPipeline", "video", moving.kandinsky5,
               {**TEXT, **SMALL, "frames": 5, "extra": "max_sequence_length = 16"},
               {**TEXT, **SMALL_CALL, "num_frames": 5, "max_sequence_length": 16},
               folder_only={"tokenizer": "Qwen2VLProcessor"}),
        Animal("WanImageToVideoPipeline", "video", moving.wan_image_to_video,
               {**TEXT, "steps": 2, "width": 16, "height": 16, "frames": 9, "image": photo(16),
                "extra": "max_sequence_length = 16"},
               {**TEXT, "num_inference_steps": 2, "width": 16, "height": 16, "num_frames": 9,
                "max_sequence_length": 16}),
        Animal("LTX2Pipeline", "video", moving.ltx2,
               {**TEXT, **SMALL, "frames": 5, "rate": 25.0, "extra": "max_sequence_length = 16\n"
                "spatio_temporal_guidance_blocks = [0]"},
               {**TEXT, **SMALL_CALL, "num_frames": 5, "frame_rate": 25.0,
                "max_sequence_length": 16, "spatio_temporal_guidance_blocks": [0]}),
    )
}  # fmt: skip
