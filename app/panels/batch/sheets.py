"""The contact sheet of a batch, drawn beside the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from backend.batch.manifest import Ended
from backend.batch.plan import Batch


def free_place(manifest: Path) -> Path:
    """Where the contact sheet of a batch goes: beside its manifest, where nothing is yet."""
    found, number = manifest.with_suffix(".png"), 2
    while found.exists():
        found, number = manifest.with_name(f"{manifest.stem}-sheet-{number}.png"), number + 1
    return found


def draw_sheet(
    place: Path, batch: Batch, ends: Mapping[int, Ended], check: Callable[[], None]
) -> Path | None:
    """Draw it; its first page, or nothing where no job has left a picture.

    Raises:
        BatchError: it cannot be written.
    """
    from backend.batch.sheet import shown_of, write_sheet

    shown = shown_of(batch, ends)
    return write_sheet(place, shown, check)[0] if shown else None
