"""Where things lie: what is shipped with Weft, and the user's own folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import backend
from backend.cli.errors import wrong_usage

if TYPE_CHECKING:
    from backend.settings import Settings

SUFFIX = ".weft.json"


def root() -> Path:
    """The folder that holds ``backend``: a checkout, or the site-packages of an installation."""
    return Path(backend.__file__).resolve().parent.parent


def is_checkout() -> bool:
    """Whether this Weft runs from its source tree."""
    return (root() / "pyproject.toml").is_file() and (root() / "tests").is_dir()


def workflows_folder() -> Path:
    """The shipped example workflows."""
    return root() / "workflows"


def models_folder() -> Path:
    """The built-in models."""
    return root() / "resources" / "models"


def built_in_models() -> list[str]:
    """The names of the built-in models."""
    folder = models_folder()
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    )


def user_settings(flags: Mapping[str, Any] = MappingProxyType({})) -> Settings:
    """The settings of this process; ``flags`` are those that the command line says, by key;
    ``None`` where it does not.

    Raises:
        Stop: the settings file is broken, or a value is wrong.
    """
    from backend.settings import SettingError, load

    try:
        return load(flags={k: v for k, v in flags.items() if v is not None}).settings
    except SettingError as error:
        raise wrong_usage(str(error)) from None


def examples() -> dict[str, Path]:
    """The shipped workflows by name, such as ``text-to-image``."""
    found = sorted(workflows_folder().glob(f"*{SUFFIX}"))
    return {path.name.removesuffix(SUFFIX): path for path in found}


def weft_version() -> str:
    """The version of the installed Weft, or nothing where it was not installed."""
    from backend.settings import version

    return version.weft_version()
