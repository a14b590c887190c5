"""Which Weft this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def weft_version() -> str:
    """The version of the installed Weft, or nothing where it was not installed."""
    try:
        return version("weft")
    except PackageNotFoundError:
        return ""
