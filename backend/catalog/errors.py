"""The one error of this room."""

from __future__ import annotations


class CatalogError(ValueError):
    """A model file or folder cannot be used; the message says what, where and what to do."""
