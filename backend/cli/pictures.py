"""What a picture tells of how it was made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.cli.errors import Stop


def is_picture(path: Path) -> bool:
    """Whether a file begins like a PNG, JPEG, WebP or TIFF; its name does not count."""
    from backend.media.errors import Damaged, Unsupported
    from backend.media.grants import open_regular
    from backend.media.header import sniff
    from backend.sdk import UserError

    try:
        with open_regular(path, path.name) as file:
            sniff(file.read(32))
    except (OSError, ValueError, UserError, Damaged, Unsupported):
        return False
    return True


def embedded(path: Path, status: int) -> dict[str, Any]:
    """The provenance that a picture carries.

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
            f"{path} carries no Weft workflow: Weft did not write it, its sidecar is gone, or "
            "another program has dropped what it carried.",
            status,
            place=str(path),
        )
    return found
