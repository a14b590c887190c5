"""Checks that the components of a model folder fit together. Light."""

from __future__ import annotations

from backend.catalog.errors import CatalogError
from backend.catalog.folder import ModelFolder


def check_channels(folder: ModelFolder, takes: int, makes: int) -> None:
    """Refuse a transformer that takes other channels than the VAE makes.

    Raises:
        CatalogError: they differ.
    """
    if takes != makes:
        raise CatalogError(
            f"{folder.path}: the transformer takes {takes} channels, but the VAE makes {makes}. "
            "These components are of different models."
        )


def check_text_width(folder: ModelFolder, takes: int, makes: int) -> None:
    """Refuse a transformer that takes other text vectors than the text encoder makes.

    Raises:
        CatalogError: they differ.
    """
    if takes != makes:
        raise CatalogError(
            f"{folder.path}: the transformer takes text vectors of {takes} numbers, but the text "
            f"encoder makes {makes}. These components are of different models."
        )


def check_places(folder: ModelFolder, length: int, needed: int, places: int) -> None:
    """Refuse a transformer that has fewer positions than ``length`` text tokens need.

    Raises:
        CatalogError: it has.
    """
    if needed > places:
        raise CatalogError(
            f"{folder.path}: the tokenizer makes up to {length} tokens, but the transformer has "
            f"only {places} places for text. These components are of different models."
        )
