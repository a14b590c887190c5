"""The queue: what runs, what waits and what has just ended, as cards."""

from app.panels.queue.panel import QueuePanel

__all__ = ["QueuePanel"]
