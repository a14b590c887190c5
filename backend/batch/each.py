"""The files that a pattern stands for, in the order in which a person would count them."""

from __future__ import annotations

import glob
import os

from backend.batch.errors import BatchError
from backend.batch.rows import MOST_JOBS
from backend.media.folders import natural


def matching(
    where: str, pattern: str, folder: str = "", *, folders: bool = False, hint: str = ""
) -> list[str]:
    """The files that match a pattern, img2 before img10, as paths that begin as the pattern does.

    Args:
        where: What sentences begin with.
        pattern: With ``*``, ``?``, ``[a-z]``, and ``**`` for any folders. Hidden files match only
            where the pattern says the dot.
        folder: What a relative pattern is relative to; the current folder where nothing is said.
        folders: Whether folders are looked for instead.
        hint: What a sentence ends with where nothing matches.

    Raises:
        BatchError: nothing matches, or too much.
    """
    found: list[str] = []
    wanted = os.path.isdir if folders else os.path.isfile
    what = "folder" if folders else "file"
    try:
        for path in glob.iglob(pattern, root_dir=folder or None, recursive=True):
            if wanted(os.path.join(folder, path)):
                found.append(path)
            if len(found) > MOST_JOBS:
                raise BatchError(f"{where}: more than {MOST_JOBS} {what}s match. Split it.")
    except (OSError, ValueError) as error:
        raise BatchError(f"{where}: this is no pattern: {error}.") from None
    if not found:
        raise BatchError(f"{where}: no {what} matches. {hint}".rstrip())
    return sorted(dict.fromkeys(found), key=_counted)


def _counted(path: str) -> tuple[tuple[tuple[int, str], ...], ...]:
    """Numbers by their value, folder by folder."""
    return tuple(natural(part) for part in path.replace(os.sep, "/").split("/"))
