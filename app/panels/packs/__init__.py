"""Node packs: which are there, and which may run."""

from app.panels.packs.panel import PacksPanel
from app.panels.packs.shelf import PackShelf

__all__ = ["PackShelf", "PacksPanel"]
