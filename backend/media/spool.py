"""The spool: frames of videos in files of a cache folder, under a budget, removed when unused.

Several processes may share a folder. Each file lives as long as its ``FrameFile`` object; what a
killed process leaves is removed by the next that spools there, by the same journal as outputs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path

import blake3

from backend.media.journal import Intent, clean, new_token
from backend.sdk import UserError
from backend.settings import SettingError, cache_folder
from backend.values import FrameDepth, FrameFile, Image, Video
from backend.values.motion import to_codes

DEFAULT_BUDGET = 64 * 2**30
"""Bytes of all frame files of one process together."""


def default_root() -> Path:
    """A folder in the user's cache.

    Raises:
        UserError: the settings are broken.
    """
    try:
        return cache_folder() / "spool"
    except SettingError as error:
        raise UserError(str(error)) from error


class Spool:
    """Writes frame files and gives them back to the disk. Threads may share it."""

    def __init__(self, root: Path | None = None, budget: int = DEFAULT_BUDGET) -> None:
        """Nothing is made on disk before the first video. ``root`` defaults to the user's cache."""
        self._root = root
        self._budget = budget
        self._held = 0
        self._intent: Intent | None = None
        self._lock = threading.RLock()  # a file may be dropped while it is held

    @property
    def nbytes(self) -> int:
        """Bytes of the files that are held now."""
        return self._held

    def video(
        self,
        frames: Iterable[Image],
        rate: float,
        depth: FrameDepth = "16",
        check: Callable[[], None] = lambda: None,
    ) -> Video:
        """Write frames as they come; ``check`` is called before each frame and may raise.

        Raises:
            UserError: there are no frames, they differ in size or curve, the rate is none, or the
                budget or the disk is full. Whatever ``frames`` or ``check`` raises passes. In
                every case nothing is left behind.
        """
        if not 0 < rate < 10_000:
            raise UserError(f"A video has a rate above 0 frames a second, not {rate:g}.")
        path = self._new()
        held = 0
        try:
            hasher, count, first = blake3.blake3(), 0, None
            with path.open("wb") as file:
                for batch in frames:
                    first = first or _Look(batch)
                    first.same(batch)
                    for index in range(batch.count):
                        check()
                        codes = to_codes(batch.pixels[index : index + 1], depth)
                        self._take(len(codes))
                        held += len(codes)
                        file.write(codes)
                        hasher.update(codes)
                    count += batch.count
            if first is None:
                raise UserError("A video needs at least one frame, but there was none.")
        except BaseException as error:
            path.unlink(missing_ok=True)
            self._give_back(held)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"The cache folder {path.parent} is full. Free some space on that disk."
                ) from error
            raise
        content = "blake3:" + hasher.hexdigest()
        height, width, channels = first.shape
        known = FrameFile(content, count, height, width, channels, depth, str(path))
        weakref.finalize(known, self._drop, path, held)
        return Video(known, rate, first.space)

    def link(self, source: Path) -> Path:
        """A second name for a file of frames that lies elsewhere, so that it outlasts the first.

        A hard link where the file system has them, else a copy. ``own`` says for how long.

        Raises:
            OSError: ``source`` is gone, or the folder cannot be written to.
        """
        try:
            path = self._new()
        except UserError as error:
            raise OSError(str(error)) from error
        try:
            os.link(source, path)
        except FileNotFoundError:
            raise
        except OSError:
            try:
                shutil.copyfile(source, path)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        return path

    def own(self, file: FrameFile) -> None:
        """Remove the file, which ``link`` named, when this object is gone."""
        with self._lock:
            self._held += file.nbytes
        weakref.finalize(file, self._drop, Path(file.path), file.nbytes)

    def _new(self) -> Path:
        with self._lock:
            root = self._root if self._root is not None else default_root()
            try:
                root.mkdir(parents=True, exist_ok=True)
                if self._intent is not None and not self._intent.path.exists():
                    self._intent.forget()  # somebody removed the folder
                    self._intent = None
                if self._intent is None:
                    clean(root)
                    self._intent = Intent(root, new_token())
                path = root / f".weft-{new_token()}.tmp.frames"
                self._intent.note([path.name])
            except OSError as error:
                raise UserError(
                    f"The cache folder {root} cannot be written to ({error.strerror or error})."
                ) from error
            return path

    def _take(self, count: int) -> None:
        with self._lock:
            if self._held + count > self._budget:
                raise UserError(
                    f"The videos of this run are above the {self._budget / 2**30:.3g} GiB that "
                    "they may take in the cache folder. Make them shorter or smaller, or use a "
                    "depth of 8 bits."
                )
            self._held += count

    def _give_back(self, count: int) -> None:
        with self._lock:
            self._held -= count

    def _drop(self, path: Path, count: int) -> None:
        with contextlib.suppress(OSError):  # at exit on Windows a reader may still have it open
            path.unlink(missing_ok=True)
        self._give_back(count)

    def close(self) -> None:
        """Forget the journal, where nothing is held any more."""
        with self._lock:
            if self._intent is not None and not self._held:
                self._intent.forget()
                self._intent = None


class _Look:
    """Size and curve of the first batch, which all others must share."""

    def __init__(self, batch: Image) -> None:
        self.shape = (batch.height, batch.width, batch.channels)
        self.space = batch.space

    def same(self, batch: Image) -> None:
        if (batch.height, batch.width, batch.channels) != self.shape:
            height, width, channels = self.shape
            raise UserError(
                f"The frames of a video have one size: the first is {width}x{height} with "
                f"{channels} channels, another is {batch.width}x{batch.height} with "
                f"{batch.channels}. Resize them first."
            )
        if batch.space != self.space:
            raise UserError("The frames of a video are all sRGB or all linear, not both.")
