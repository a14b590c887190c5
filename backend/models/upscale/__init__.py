"""Enlarging: learned upscalers, diffusion in tiles, and adapters that learnt to enlarge."""

from backend.models.upscale.learned import UpscalerLoader

LOADER = UpscalerLoader()
