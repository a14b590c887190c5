"""Weft's own folders on this machine. Nothing is made here; whoever writes makes what it needs."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from backend.settings.declared import Settings


def cache_folder(settings: Settings) -> Path:
    """Results, frames and previews; may be deleted at any time."""
    return _own(settings.folders.cache) or Path(
        platformdirs.user_cache_dir("weft", appauthor=False)
    )


def data_folder(settings: Settings) -> Path:
    """The queue, the history, downloaded models and node packs."""
    return _own(settings.folders.data) or Path(platformdirs.user_data_dir("weft", appauthor=False))


def log_folder(settings: Settings) -> Path:
    """Log files."""
    return _own(settings.folders.logs) or Path(platformdirs.user_log_dir("weft", appauthor=False))


def _own(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None
