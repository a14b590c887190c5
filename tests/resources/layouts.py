"""Original checkpoints as lists of tensor names and shapes, computed from the configs in the packs.

Each function writes down, from the published architecture, what the file holds that its authors
released (before anybody renamed its tensors for diffusers). The tests let diffusers convert such a
list and compare the outcome with the real module, so a wrong name or shape shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.resources.autoencoders import flux2_vae, vae, wan22_vae, wan_vae
from tests.resources.denoisers import chroma, flux, flux2, lumina2, sana, sd3, unet, wan, z_image
from tests.resources.encoders import open_clip, qwen3_llama_cpp, t5_llama_cpp, umt5
from tests.resources.shapes import Config, Shapes

LAYOUTS: Mapping[str, Callable[[Config], Shapes]] = {
    "FluxTransformer2DModel": flux,
    "ChromaTransformer2DModel": chroma,
    "Flux2Transformer2DModel": flux2,
    "SD3Transformer2DModel": sd3,
    "WanTransformer3DModel": wan,
    "ZImageTransformer2DModel": z_image,
    "Lumina2Transformer2DModel": lumina2,
    "SanaTransformer2DModel": sana,
    "UNet2DConditionModel": unet,
    "AutoencoderKL": vae,
    "AutoencoderKLWan": wan_vae,
    "AutoencoderKLQwenImage": wan_vae,
    "CLIPTextModelWithProjection": open_clip,
}
"""By the class that diffusers or transformers reads the converted tensors with."""

RENAMED: Mapping[tuple[str, str], Callable[[Config], Shapes]] = {
    ("AutoencoderKLWan", "original 2.2"): wan22_vae,
    ("AutoencoderKLFlux2", "original"): flux2_vae,
    ("T5EncoderModel", "llama.cpp"): t5_llama_cpp,
    ("UMT5EncoderModel", "llama.cpp"): t5_llama_cpp,
    ("UMT5EncoderModel", "original"): umt5,
    ("Qwen3Model", "llama.cpp"): qwen3_llama_cpp,
    ("Qwen3ForCausalLM", "llama.cpp"): qwen3_llama_cpp,
}
"""By class and form: what diffusers has no conversion for, and ``names.json`` has."""
