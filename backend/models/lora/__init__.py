"""Low-rank adapters: their files, their names, and how they are laid over a network."""

from backend.models.lora.adapter import LOADER as LOADER
