"""Names that no file may have somewhere."""

from __future__ import annotations

from backend.values.filenames import is_reserved


def test_device_names_of_windows() -> None:
    assert all(is_reserved(name) for name in ("CON", "nul.txt", "lpt9", "aux .png"))
    assert not any(is_reserved(name) for name in ("console", "nuls", "com10", "comb.png"))
