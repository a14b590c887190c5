"""Weft's own folders on this machine. Nothing is made here; whoever writes makes what it needs.

They are the one exception from the rule that only the beginning of a process reads settings: many
rooms have something to keep, and a folder that was not handed on somewhere would be another folder.
So each function, called without settings, reads them anew, from the file and the environment, which
the processes of one user share. What is set on a command line is handed on as an argument.
"""

from __future__ import annotations

from pathlib import Path

import platformdirs

from backend.settings.declared import Settings
from backend.settings.load import load


def cache_folder(settings: Settings | None = None) -> Path:
    """Results, frames and previews; may be deleted at any time.

    Raises:
        SettingError: without ``settings``: the file is broken, or a value is wrong.
    """
    return _own((settings or load().settings).folders.cache) or Path(
        platformdirs.user_cache_dir("weft", appauthor=False)
    )


def data_folder(settings: Settings | None = None) -> Path:
    """The queue, the history, downloaded models and node packs.

    Raises:
        SettingError: as ``cache_folder``.
    """
    return _own((settings or load().settings).folders.data) or Path(
        platformdirs.user_data_dir("weft", appauthor=False)
    )


def log_folder(settings: Settings | None = None) -> Path:
    """Log files.

    Raises:
        SettingError: as ``cache_folder``.
    """
    return _own((settings or load().settings).folders.logs) or Path(
        platformdirs.user_log_dir("weft", appauthor=False)
    )


def _own(text: str) -> Path | None:
    return Path(text).expanduser().absolute() if text else None
