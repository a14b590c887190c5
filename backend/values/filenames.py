"""What a file can be called on every system that Weft runs on."""

from __future__ import annotations

import re

_RESERVED = re.compile(
    r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\..*)?", re.I
)


def is_reserved(part: str) -> bool:
    """Whether Windows takes this file name for a device (``CON``, ``nul.png``, ``COM1``...)."""
    return _RESERVED.fullmatch(part) is not None
