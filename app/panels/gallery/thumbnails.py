"""Small pictures of outputs, decoded in a process apart when they come into view."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize, Signal
from PySide6.QtGui import QImage

from app.panels.gallery.outputs import Output
from app.viewer.background import Background
from app.viewer.develop import Development
from app.viewer.layer import small_picture
from app.viewer.picture import pictures_of

if TYPE_CHECKING:
    from backend.media.apart import Decoder

KEPT = 400
"""Thumbnails in memory."""

_WAITING = 120
"""Files that wait at most: who scrolls far has passed by the others."""

Key = tuple[str, int]


class Thumbnails(QObject):
    """Gives what is there; makes the rest one by one, what was asked for last first."""

    ready = Signal(str)
    """The name of the output whose thumbnail is there, or cannot be."""

    def __init__(self, decoder: Decoder, room: QSize, parent: QObject | None = None) -> None:
        """``room`` is in device pixels."""
        super().__init__(parent)
        self._decoder, self._room = decoder, room
        self._background = Background(self)
        self._made: OrderedDict[Key, QImage | None] = OrderedDict()
        self._waiting: OrderedDict[Key, Output] = OrderedDict()
        self._at: Key | None = None

    def get(self, output: Output) -> QImage | None:
        """The thumbnail; ``None`` where it is still to come or cannot be made."""
        key = (output.name, output.time_ns)
        if key in self._made:
            self._made.move_to_end(key)
            return self._made[key]
        if output.is_picture and key != self._at:
            self._waiting[key] = output
            self._waiting.move_to_end(key)
            if len(self._waiting) > _WAITING:
                self._waiting.popitem(last=False)
            self._next()
        return None

    def failed(self, output: Output) -> bool:
        """Whether it was tried and is no picture that can be read."""
        key = (output.name, output.time_ns)
        return key in self._made and self._made[key] is None

    def close(self) -> None:
        """Make no more."""
        self._waiting.clear()
        self._background.close()

    def _next(self) -> None:
        if self._at is not None or not self._waiting:
            return
        self._at, output = self._waiting.popitem()
        key = self._at
        self._background.ask(lambda: self._make(output), lambda image: self._take(key, image))

    def _make(self, output: Output) -> QImage | None:
        from backend.sdk import UserError

        try:
            found = self._decoder.thumbnail(output.path)
        except UserError:
            return None
        return small_picture(pictures_of(found)[0], Development(), self._room)

    def _take(self, key: Key, image: QImage | None) -> None:
        self._at = None
        self._made[key] = image
        if len(self._made) > KEPT:
            self._made.popitem(last=False)
        self.ready.emit(key[0])
        self._next()
