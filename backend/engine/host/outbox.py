"""Values on their way to a client, as files in the cache folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
from pathlib import Path

from backend.engine.client.values import write_value
from backend.media.journal import Intent, clean, new_token
from backend.values import Data, FrameFile, Video


class Outbox:
    """Writes a file per value; the client removes it. What neither removed goes with the next
    host, by the same journal as outputs."""

    def __init__(self, root: Path) -> None:
        """Nothing is made on disk before the first value."""
        self._root = root
        self._intent: Intent | None = None
        self._given: list[Path] = []

    def put(self, value: Data) -> Path:
        """The file of a value; the frames of a video lie in files of their own beside it.

        Raises:
            OSError: it cannot be written.
        """
        path = self._new(".value")
        try:
            write_value(self._moved(value), path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def close(self) -> None:
        """Remove what no client took, and the journal."""
        for path in self._given:
            if path.suffix == ".value":
                path.unlink(missing_ok=True)
        # Frames belong to a client that may still show them. Should it die, the journal that stays
        # names them to the next host.
        if self._intent is not None and not any(path.exists() for path in self._given):
            self._intent.forget()

    def _moved(self, value: Data) -> Data:
        """The same with frames that stay when this process lets go of its own."""
        if isinstance(value, list):
            return [self._moved(item) for item in value]
        return value.moved(self._kept) if isinstance(value, Video) else value

    def _kept(self, file: FrameFile) -> FrameFile:
        path = self._new(".frames")
        try:
            os.link(file.path, path)
        except OSError:
            shutil.copyfile(file.path, path)
        return dataclasses.replace(file, path=str(path))

    def _new(self, suffix: str) -> Path:
        if self._intent is None or not self._root.is_dir():
            self._root.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):
                clean(self._root)
            self._intent = Intent(self._root, new_token())
        path = self._root / f".weft-{new_token()}.tmp{suffix}"
        self._intent.note([path.name])
        self._given = [*(each for each in self._given if each.exists()), path]
        return path
