"""The model manager: what models there are, what is missing, and getting more."""

from app.panels.models.panel import ModelsPanel
from app.panels.models.shelf import ModelShelf

__all__ = ["ModelShelf", "ModelsPanel"]
