"""Where things lie: what is shipped with Weft, and the user's own folders."""

from __future__ import annotations

from pathlib import Path

import backend

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


def log_folder() -> Path:
    """Where logs of unexpected errors go."""
    import platformdirs

    return Path(platformdirs.user_log_dir("weft", appauthor=False))


def examples() -> dict[str, Path]:
    """The shipped workflows by name, such as ``text-to-image``."""
    found = sorted(workflows_folder().glob(f"*{SUFFIX}"))
    return {path.name.removesuffix(SUFFIX): path for path in found}


def weft_version() -> str:
    """The version of the installed Weft, or nothing where it was not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("weft")
    except PackageNotFoundError:
        return ""
