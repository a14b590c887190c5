"""Batches: one graph run many times, over tables, values and files."""

from app.panels.batch.panel import BatchPanel

__all__ = ["BatchPanel"]
