"""The layers of what the viewer looks at: hidden, shown or looked at one by one, never changed."""

from app.panels.layers.panel import LayersPanel

__all__ = ["LayersPanel"]
