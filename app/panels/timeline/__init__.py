"""The timeline of a run: lanes of steps, and the memory below them on the same axis."""

from app.panels.timeline.panel import TimelinePanel
from app.panels.timeline.record import Record, Sample, Span, record_of

__all__ = ["Record", "Sample", "Span", "TimelinePanel", "record_of"]
