"""The history of jobs: what ran, found again by any part of a prompt, a name or a date."""

from app.panels.history.panel import HistoryPanel

__all__ = ["HistoryPanel"]
