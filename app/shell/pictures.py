"""Small pictures of files, made beside the window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QSize
from PySide6.QtGui import QImage, QImageWriter

from app.viewer.background import Background

if TYPE_CHECKING:
    from backend.media.apart import Decoder

ROOM = QSize(256, 256)
QUALITY = 85


class FilePictures(QObject):
    """Gives a small JPEG of a picture file, decoded in a process apart; nothing of one that cannot
    be read."""

    def __init__(self, decoder: Decoder, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._decoder = decoder
        self._background = Background(self)

    def __call__(self, path: Path, then: Callable[[bytes], None]) -> None:
        """Have ``then`` called with the JPEG, later."""
        self._background.ask(lambda: self._make(path), lambda jpeg: then(jpeg) if jpeg else None)

    def close(self) -> None:
        """Make no more."""
        self._background.close()

    def _make(self, path: Path) -> bytes:
        from app.viewer.develop import Development
        from app.viewer.layer import small_picture
        from app.viewer.picture import pictures_of
        from backend.sdk import UserError

        try:
            found = self._decoder.thumbnail(path)
        except UserError:
            return b""
        return encoded(small_picture(pictures_of(found)[0], Development(), ROOM), "JPEG", QUALITY)


def encoded(image: QImage, form: str, quality: int = -1) -> bytes:
    """A picture as a file of a form such as ``PNG``; ``quality`` from 0 to 100, -1 for Qt's own."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(form.encode()))
    writer.setQuality(quality)
    writer.write(image)
    return bytes(data.data())
