"""A language model as a text encoder: its hidden states, and the refiner that makes them fit."""

from backend.models.refiner.load import LOADER as LOADER
