"""Listing the pictures of a folder, within bounds."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.media.caps import ImageCaps
from backend.media.images import probe_image
from backend.sdk import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
MOST_ENTRIES = 200_000


def list_images(folder: Path, pattern: str, sort: str) -> list[str]:
    """The names of the picture files in a folder that fit ``pattern``, sorted.

    Args:
        folder: A folder that may be read.
        pattern: Shell patterns (``*``, ``?``) separated by ``;``; case does not count.
        sort: ``name`` (numbers by their value), ``newest`` or ``oldest`` (by change time).

    Raises:
        UserError: it is no folder, cannot be listed, or holds more than 200 000 entries.
    """
    patterns = [part.strip().lower() for part in pattern.split(";") if part.strip()] or ["*"]
    found: list[tuple[str, float]] = []
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries):
                if seen >= MOST_ENTRIES:
                    raise UserError(f"{folder.name!r} holds more than {MOST_ENTRIES} files.")
                name = entry.name.lower()
                fits = any(fnmatch.fnmatchcase(name, part) for part in patterns)
                if fits and name.endswith(SUFFIXES) and name[0] != "." and entry.is_file():
                    found.append((entry.name, entry.stat().st_mtime))
    except NotADirectoryError as error:
        raise UserError(f"{folder.name!r} is a file. Choose a folder.") from error
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"The folder {folder.name!r} cannot be listed: {reason}.") from error
    found.sort(key=lambda item: natural(item[0]))
    if sort != "name":
        found.sort(key=lambda item: item[1], reverse=sort == "newest")
    return [name for name, _ in found]


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that takes runs of digits by their value, so that img2 stands before img10."""
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name.casefold())
    return (*((int(p), "") if p[0] in "0123456789" else (-1, p) for p in parts), (-2, name))


def check_total(folder: str, paths: Sequence[Path], check: Callable[[], None]) -> None:
    """See by the headers that the pictures fit together in memory, before any is decoded.

    Raises:
        UserError: one of them is no picture, or all together are above the limit of pixels.
    """
    most, total = ImageCaps().pixels, 0
    for path in paths:
        check()
        facts = probe_image(path)
        total += (facts.width or 0) * (facts.height or 0) * (facts.count or 1)
        if total > most:
            raise UserError(
                f"The pictures of {folder!r} have more than {most} pixels together. Lower the "
                "limit, or narrow the pattern."
            )
