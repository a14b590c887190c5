"""``weft`` and ``weft studio``: the window. The one place from which the command reaches it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from backend.cli.errors import FAILED, USAGE, Stop


def open_studio(files: Sequence[Path]) -> int:
    """Open the window with these files and wait until it is closed; its exit status.

    Raises:
        Stop: a file is not there, there is no screen, or the window's libraries cannot be loaded.
    """
    for path in files:
        if not path.is_file():
            raise Stop(f"There is no file {path}. Look at its name.", USAGE, place=str(path))
    if sys.platform == "linux" and not any(map(os.environ.get, _SCREENS)):
        raise Stop("There is no screen here. The studio needs one; `weft run` needs none.", FAILED)
    try:
        from app.main import main
    except ImportError as error:
        raise Stop(
            f"The studio cannot start: {error}. On Linux it needs libegl1, libgl1 and "
            "libxkbcommon0; `weft run` needs none of them.",
            FAILED,
        ) from None
    return main([str(path.absolute()) for path in files])


_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
