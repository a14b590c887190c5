"""What a file of video or sound is, by its first bytes, and which reader opens it.

A format is named by what was found here and never guessed by the library: some of its formats are
lists of other files, which a stranger's file must not have read.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from backend.media.errors import Damaged, Unsupported

_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")
DEMUXERS = {"MP4": "mov", "Matroska": "matroska", "AVI": "avi", "Ogg": "ogg", "MP3": "mp3"}
"""The library's reader of each kind; those of pictures that move have none."""
MOVING = ("GIF", "PNG", "WebP")


def kind_of(head: bytes) -> str:
    """The kind by the first 16 bytes; empty where it is none that is known."""
    if head[4:8] in _BOXES:
        return "MP4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "Matroska"
    if head.startswith(b"RIFF"):
        return {b"AVI ": "AVI", b"WEBP": "WebP", b"WAVE": "WAV"}.get(head[8:12], "")
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"fLaC"):
        return "FLAC"
    if head.startswith(b"OggS"):
        return "Ogg"
    return "MP3" if is_mp3(head) else ""


def is_mp3(head: bytes) -> bool:
    """Whether a file begins as an MP3: with a tag, or a frame of layer III."""
    if head.startswith(b"ID3"):
        return True
    return len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] & 0xF0 != 0xF0


def open_container(file: BinaryIO, kind: str) -> Any:
    """The library's view of an open file.

    Raises:
        Damaged, Unsupported: it cannot be read, or is no video or sound.
    """
    import av

    demuxer = DEMUXERS.get(kind)
    if demuxer is None:
        raise Unsupported("it is no video that Weft reads")
    file.seek(0)
    try:
        return av.open(file, format=demuxer, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise Damaged(why(error)) from error


def why(error: BaseException) -> str:
    """What the library says, in a few words and without the path it adds."""
    said = getattr(error, "strerror", None) or str(error)
    return str(said).split("\n", maxsplit=1)[0][:120].rstrip(". ")
