"""A tiny Stable Diffusion 1 or 2 with random weights that matter, as an ordinary model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler

from tests.backend.models.tiny import clip_tokenizer, save
from tests.backend.models.tiny_sdxl import encoder, unet, vae

TRAINED: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
}
"""The settings that the schedulers of version 1 come with."""


def write(folder: Path, scheduler: Any = None, **changes: Any) -> Path:
    """Write a model of version 1, with a scheduler other than its own; ``changes`` are the
    UNet's."""
    older = {"use_linear_projection": False, "attention_head_dim": 4}
    return _save(folder, scheduler or PNDMScheduler(**TRAINED), {**older, **changes})


def write_v(folder: Path) -> Path:
    """Write a model of version 2 that predicts v."""
    settings = {**TRAINED, "prediction_type": "v_prediction", "clip_sample": False}
    settings.pop("skip_prk_steps")
    return _save(folder, DDIMScheduler(**{**settings, "set_alpha_to_one": True}), {})


def _save(folder: Path, scheduler: Any, changes: dict[str, Any]) -> Path:
    parts = {
        "scheduler": scheduler,
        "text_encoder": encoder(1, projected=False),
        "tokenizer": clip_tokenizer(),
        "unet": unet(32, 5, **changes),
        "vae": vae(0.18215),
        "safety_checker": None,
        "feature_extractor": None,
    }
    return save(folder, "StableDiffusionPipeline", parts, requires_safety_checker=False)
