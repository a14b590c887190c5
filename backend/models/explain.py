"""Errors of the lower rooms as what a node shows its user."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backend.catalog.errors import CatalogError
from backend.diffusion.errors import DiffusionError
from backend.sdk import UserError


@contextmanager
def explained() -> Iterator[None]:
    """Turn a ``CatalogError`` or ``DiffusionError`` inside into a ``UserError``: both are sentences
    meant for the user already."""
    try:
        yield
    except (CatalogError, DiffusionError) as error:
        raise UserError(str(error)) from error
