"""Language models: loading, generation, JSON by schema, and captions."""

from backend.models.language.load import LOADER

__all__ = ["LOADER"]
