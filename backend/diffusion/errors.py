"""The one error of this room."""

from __future__ import annotations


class DiffusionError(ValueError):
    """A sampling request that cannot be carried out; the message says what, and what to do."""


class UnequalTexts(DiffusionError):
    """Conditionings that cannot share one batch; each by itself can be served."""
