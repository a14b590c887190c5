"""A media file that may be read becomes a video and its sound; nothing of it is copied."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import blake3
import msgspec

from backend.media.film.kinds import kind_of
from backend.media.film.told import Told, believed
from backend.media.grants import open_regular
from backend.sdk import UserError
from backend.values import Audio, FramesGone, MediaFile, PictureTrack, SoundTrack, Video
from backend.values.worker import Worker

_PART = 1 << 22


@dataclass(frozen=True, slots=True)
class Film:
    """What a file holds: ``video`` is ``None`` where it has sound only; ``audio`` stands for
    silence that is an error to read where the file has none; ``notes`` tell what is odd."""

    video: Video | None
    audio: Audio
    notes: tuple[str, ...] = ()


def is_film(path: Path) -> bool:
    """Whether a file is one whose sound is read where it lies: a container of video, or of AAC.

    Raises:
        UserError: it cannot be opened.
    """
    try:
        with open_regular(path, path.name) as file:
            return kind_of(file.read(16)) in ("MP4", "Matroska", "AVI")
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error


def load_film(path: Path, repair: bool = False, check: Callable[[], None] = lambda: None) -> Film:
    """Find out what a file of video or sound holds, in a process apart.

    Args:
        path: MP4, MOV, MKV, WebM, AVI, GIF, animated PNG or WebP; for sound also Ogg and MP3.
        repair: A frame that cannot be decoded is the one before it; else reading it is an error.
        check: Called again and again; may raise.

    Raises:
        UserError: it cannot be read, is none of these, is damaged, HDR or above the caps.
    """
    media, kind = _pinned(path, check)
    if not kind or kind in ("WAV", "FLAC"):
        told = "It is a sound; Load audio reads it." if kind else (
            "Weft reads MP4, MOV, MKV, WebM, AVI, GIF, and PNG and WebP that move. Its name does "
            "not count, only what is in it."
        )  # fmt: skip
        raise UserError(f"{path.name!r} is no video. {told}")
    try:
        found = _asked(media, repair, check)
    except FramesGone as error:
        raise UserError(str(error)) from error
    video = None
    if found.picture is not None:
        track = PictureTrack(media, **msgspec.structs.asdict(found.picture))
        video = Video(track, track.rate)
    audio = Audio(SoundTrack(media, 0, 0, 0, 0.0), 48_000)
    if found.sound is not None:
        sound = msgspec.structs.asdict(found.sound)
        rate = sound.pop("rate")
        audio = Audio(SoundTrack(media, **sound), rate)
    notes = tuple(f"{path.name!r} {note}." for note in found.notes)
    return Film(video, audio, notes)


def _asked(media: MediaFile, repair: bool, check: Callable[[], None]) -> Told:
    opening = {"task": "probe", "repair": repair}
    worker = Worker(media.path, opening, check, (media.size, media.changed))
    try:
        return believed(worker.answer(), Path(media.path).name)
    finally:
        worker.close()


def _pinned(path: Path, check: Callable[[], None]) -> tuple[MediaFile, str]:
    """The file by its content, and its kind."""
    name = path.name
    try:
        with open_regular(path, name) as file:
            found = os.fstat(file.fileno())
            kind = kind_of(file.read(16))
            if not found.st_size:
                raise UserError(f"{name!r} is empty. Get the file again.")
            hasher = blake3.blake3()
            file.seek(0)
            while part := file.read(_PART):
                check()
                hasher.update(part)
    except OSError as error:
        raise UserError(f"{name!r} cannot be read: {error.strerror or error}.") from error
    content = "blake3:" + hasher.hexdigest()
    return MediaFile(content, str(path), found.st_size, found.st_mtime_ns), kind
