"""Importing what most jobs need, before one asks for it."""

from __future__ import annotations

import contextlib
import importlib

STAGES: tuple[str, ...] = (
    "numpy",
    "PIL.Image",
    "cv2",
    "torch",
    "safetensors.torch",
    "transformers.models.clip.modeling_clip",
    "transformers.models.t5.modeling_t5",
    "transformers.models.auto.tokenization_auto",
    "diffusers.models.modeling_utils",
    "diffusers.models.autoencoders.autoencoder_kl",
    "diffusers.models.transformers.transformer_flux",
    "backend.models.store",
    "backend.models.loaders",
)
"""Modules in the order in which they build on each other; each takes a second or two at most."""


def warm(stage: str) -> None:
    """Import one module. What cannot be imported will be told by the job that needs it."""
    with contextlib.suppress(Exception):
        importlib.import_module(stage)
