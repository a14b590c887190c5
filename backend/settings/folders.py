"""Weft's own folders on this machine. Nothing is made here; whoever writes makes what it needs.

They are the one exception from the rule that only the beginning of a process reads settings: many
rooms have something to keep, and a folder that was not handed on somewhere would be another folder.
So each function, called without settings, reads them anew, from the file and the environment, which
the processes of one user share. What is set on a command line is handed on as an argument.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from platformdirs import PlatformDirs

from backend.settings.declared import Settings
from backend.settings.load import load, own_folder
from backend.settings.values import SettingError


def cache_folder(settings: Settings | None = None) -> Path:
    """Results, frames and previews; may be deleted at any time.

    Raises:
        SettingError: the user has no home folder; without ``settings``: the file is broken, or a
            value is wrong.
    """
    return _own((settings or load().settings).folders.cache, lambda dirs: dirs.user_cache_path)


def data_folder(settings: Settings | None = None) -> Path:
    """The queue, the history, downloaded models and node packs.

    Raises:
        SettingError: as ``cache_folder``.
    """
    return _own((settings or load().settings).folders.data, lambda dirs: dirs.user_data_path)


def log_folder(settings: Settings | None = None) -> Path:
    """Log files.

    Raises:
        SettingError: as ``cache_folder``.
    """
    return _own((settings or load().settings).folders.logs, lambda dirs: dirs.user_log_path)


def expanded(path: str | Path) -> Path:
    """A path in which a leading ``~`` is the home folder it stands for.

    Raises:
        SettingError: there is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise SettingError(f"{path}: there is no such home folder. Write the whole path.") from None


def _own(text: str, usual: Callable[[PlatformDirs], Path]) -> Path:
    return expanded(text).absolute() if text else own_folder(usual)
