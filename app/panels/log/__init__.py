"""The log: what Weft wrote down, and what the engine's process printed."""

from app.panels.log.panel import LogPanel

__all__ = ["LogPanel"]
