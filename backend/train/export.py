"""From checkpoints to the ordinary diffusers folder that everything else reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline

from backend.train.flow import Networks

# The schedule's shift that scored best with 28 Euler steps; see docs/primer.md.
SHIFT = 1.0


def pipeline_of(networks: Networks, vae: AutoencoderKL, shift: float, scale: float) -> FluxPipeline:
    """A FluxPipeline of trained parts; ``shift`` and ``scale`` take its latents to N(0, 1)."""
    vae.register_to_config(shift_factor=shift, scaling_factor=scale, sample_size=128)
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=SHIFT),
        vae=vae,
        text_encoder=networks.encoders.clip,
        tokenizer=networks.encoders.clip_tokenizer,
        text_encoder_2=networks.encoders.t5,
        tokenizer_2=networks.encoders.t5_tokenizer,
        transformer=networks.transformer,
    )


def export(pipeline: FluxPipeline, folder: Path) -> None:
    """Write a pipeline to ``folder`` in bf16; what lay there is replaced once all is written.

    The pipeline's modules are bf16 afterwards.
    """
    for name in ("vae", "text_encoder", "text_encoder_2", "transformer"):
        getattr(pipeline, name).to(torch.bfloat16).to(memory_format=torch.contiguous_format)
    temporary = folder.with_name(folder.name + ".part")
    shutil.rmtree(temporary, ignore_errors=True)
    pipeline.save_pretrained(temporary, safe_serialization=True)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)


def weight_bytes(folder: Path) -> int:
    """Bytes of all weights of an exported folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
