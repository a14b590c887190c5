"""A file of a picture, a video or a sound, as something to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.viewer.files import read_picture
from app.viewer.subject import Subject

if TYPE_CHECKING:
    from backend.media.apart import Decoder

_FILMS = ("MP4", "Matroska", "AVI", "GIF")
_SOUNDS = ("WAV", "FLAC", "Ogg", "MP3")


def read_file(path: Path, decoder: Decoder) -> Subject:
    """What a file holds, told by its content: nothing of it is decoded in this process.

    A video stays in its file, and its frames are decoded when they are seen.

    Raises:
        UserError: it cannot be read, or is nothing to look at.
    """
    from backend.media.film.kinds import kind_of
    from backend.media.film.load import load_film
    from backend.media.grants import open_regular
    from backend.sdk import UserError

    try:
        with open_regular(path, path.name) as file:
            kind = kind_of(file.read(16))
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error
    if kind in _SOUNDS:
        return Subject(decoder.sound(path), path.name, "Audio", file=path)
    if kind not in _FILMS:
        return Subject(read_picture(path, decoder), path.name, "Image", file=path)
    film = load_film(path)
    if film.video is None:
        return Subject(film.audio, path.name, "Audio", file=path)
    return Subject(film.video, path.name, "Video", file=path, sound=film.audio)
