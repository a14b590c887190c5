"""What an output tells of how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.cli.errors import Stop


def is_output(path: Path) -> bool:
    """Whether a file is of a kind that carries its workflow, inside or in a sidecar; its name does
    not count."""
    from backend.media.grants import open_regular
    from backend.media.metadata import kind_of
    from backend.media.outputs import sidecar_of
    from backend.sdk import UserError

    try:
        with open_regular(path, path.name) as file:
            return bool(kind_of(file)) or sidecar_of(path).is_file()
    except (OSError, ValueError, UserError):
        return False


def embedded(path: Path, status: int) -> dict[str, Any]:
    """The provenance that an output carries.

    Raises:
        Stop: it carries none, or cannot be read; the command ends with ``status``.
    """
    from backend.media.metadata import read_provenance
    from backend.sdk import UserError

    try:
        found = read_provenance(path)
    except UserError as error:
        raise Stop(str(error), status, place=str(path)) from None
    if found is None:
        raise Stop(
            f"{path} carries no Weft workflow: Weft did not write it, was told not to embed it, "
            "its sidecar is gone, it is cut short, or another program has dropped what it carried.",
            status,
            place=str(path),
        )
    return found
