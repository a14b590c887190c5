"""Pictures from captions, by diffusers' own FluxPipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import FluxPipeline
from numpy.typing import NDArray

from backend.train.scene import Bytes

Generate = Callable[[Sequence[str], int], Bytes]
"""From captions and a seed to pictures uint8 [n, h, w, 3]."""


@dataclass(frozen=True)
class Settings:
    """How to sample: the product's defaults."""

    steps: int = 28
    cfg: float = 2.0
    tokens: int = 32
    size: int = 128
    batch: int = 25


def load(folder: Path, device: torch.device) -> FluxPipeline:
    """The pipeline of an exported folder, in fp32, without a progress bar."""
    pipeline = FluxPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True).to(
        device
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def with_pipeline(pipeline: FluxPipeline, settings: Settings = Settings()) -> Generate:
    """A ``Generate`` that samples with a loaded pipeline.

    Picture number i has its own noise from seed + i, so the batch size does not change it.
    """

    def generate(captions: Sequence[str], seed: int) -> Bytes:
        parts: list[NDArray[np.float32]] = []
        for first in range(0, len(captions), settings.batch):
            texts = list(captions[first : first + settings.batch])
            parts.append(
                pipeline(
                    prompt=texts,
                    negative_prompt=[""] * len(texts) if settings.cfg != 1 else None,
                    true_cfg_scale=settings.cfg,
                    num_inference_steps=settings.steps,
                    height=settings.size,
                    width=settings.size,
                    max_sequence_length=settings.tokens,
                    generator=[
                        torch.Generator().manual_seed(seed + first + i) for i in range(len(texts))
                    ],
                    output_type="np",
                ).images
            )
        return np.rint(np.concatenate(parts) * 255).astype(np.uint8)

    return generate
