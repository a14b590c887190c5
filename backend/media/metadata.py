"""Provenance in output files: the workflow that made them, and what repeating it needs.

It is one JSON object, written as ASCII:

- PNG: an uncompressed iTXt chunk with the keyword ``weft``
- JPEG: EXIF UserComment, with ``weft:`` in front
- WebP: the EXIF chunk, the same
- TIFF: ImageDescription, the same
- WAV: a RIFF chunk ``weft``
- MP4, WebM, GIF, FLAC and MP3: see ``backend.media.film.carry``
- safetensors: the entry ``weft`` of the header's ``__metadata__``, whatever its length
- a file that has no room for it, such as a text: a sidecar ``NAME.txt.weft.json`` beside it

Above 60 kB the object stands in a sidecar ``NAME.png.weft.json`` beside the file, and the file
holds ``{"sidecar": {"bytes": N, "hash": "blake3:..."}}`` in its place.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import blake3

from backend.media import jpeg, png, tensors, tiff, wave, webp
from backend.media.errors import Damaged, Unsupported
from backend.media.film import carry, kinds
from backend.media.grants import open_regular
from backend.media.header import sniff
from backend.media.outputs import sidecar_of
from backend.sdk import UserError

KEYWORD = "weft"
MARK = "weft:"
LARGEST_EMBEDDED = 60_000
LARGEST_READ = 1 << 26
_FILMS: Mapping[str, Callable[[BinaryIO, int], str]] = {
    "MP4": carry.mp4_text,
    "Matroska": carry.matroska_text,
    "GIF": carry.gif_text,
    "FLAC": carry.flac_text,
    "MP3": carry.mp3_text,
}


def dump_provenance(provenance: Mapping[str, Any]) -> str:
    """The provenance as compact ASCII JSON with its keys in order.

    Raises:
        TypeError, ValueError: something in it is no JSON, or is NaN or infinite.
    """
    return json.dumps(
        provenance, ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
    )


def split_sidecar(text: str) -> tuple[str, bytes]:
    """What goes into the file, and the sidecar's content where the text is too long for that."""
    if len(text) <= LARGEST_EMBEDDED:
        return text, b""
    content = text.encode("ascii") + b"\n"
    digest = "blake3:" + blake3.blake3(content).hexdigest()
    return dump_provenance({"sidecar": {"bytes": len(content), "hash": digest}}), content


def read_provenance(path: Path) -> dict[str, Any] | None:
    """The provenance that a file carries, or ``None`` where it carries none that is sound.

    Where the file points to its sidecar, that counts only while it is the very one that the file
    was saved with; beside a file that has no room for a pointer it is taken as it is.

    Raises:
        UserError: the file cannot be opened.
    """
    try:
        file = open_regular(path, path.name)
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error
    with file:
        if not kind_of(file):
            return _parse(_sidecar(path).decode("utf-8", "replace"))
        found = _parse(embedded_text(file))
    if found is None or "sidecar" not in found:
        return found
    return _pointed(path, found["sidecar"])


def write_sidecar(path: Path, provenance: Mapping[str, Any]) -> None:
    """Put the provenance beside a file that has no room for it; nothing where there is none.

    Raises:
        OSError: it cannot be written.
    """
    if provenance:
        sidecar_of(path).write_bytes(dump_provenance(provenance).encode("ascii") + b"\n")


def kind_of(file: BinaryIO) -> str:
    """What an open file is, of the kinds that carry provenance inside: ``PNG``, ``JPEG``,
    ``WebP``, ``TIFF``, ``WAV``, ``MP4``, ``Matroska``, ``GIF``, ``FLAC``, ``MP3`` or
    ``safetensors``; empty for anything else."""
    try:
        file.seek(0)
        head = file.read(32)
        if wave.is_wave(head):
            return "WAV"
        if (kind := kinds.kind_of(head)) in _FILMS:
            return kind
        return "safetensors" if tensors.is_tensors(head) else sniff(head)
    except (Damaged, Unsupported, OSError):
        return ""


def embedded_text(file: BinaryIO) -> str:
    """Weft's text in an open file, empty where there is none. Any bytes are allowed."""
    readers: dict[str, Callable[[BinaryIO], str]] = {
        "PNG": _from_png,
        "JPEG": _from_jpeg,
        "WebP": _from_webp,
        "TIFF": _from_tiff,
        **{kind: _from_film(read) for kind, read in _FILMS.items()},
        "WAV": lambda file: wave.text(file, KEYWORD.encode(), LARGEST_READ),
        "safetensors": lambda file: tensors.text(file, KEYWORD, LARGEST_READ),
        "": lambda _: "",
    }
    try:
        return readers[kind_of(file)](file)
    except (Damaged, Unsupported, struct.error, OverflowError, OSError):
        return ""


def _from_film(read: Callable[[BinaryIO, int], str]) -> Callable[[BinaryIO], str]:
    return lambda file: read(file, LARGEST_READ)


def _sidecar(path: Path) -> bytes:
    """The sidecar of a file; nothing where there is none, or one that is too long."""
    try:
        with open_regular(sidecar_of(path), sidecar_of(path).name) as file:
            content = file.read(LARGEST_READ + 1)
    except (OSError, UserError):
        return b""
    return content if len(content) <= LARGEST_READ else b""


def _pointed(path: Path, pointer: Any) -> dict[str, Any] | None:
    content = _sidecar(path)
    digest = "blake3:" + blake3.blake3(content).hexdigest()
    if not isinstance(pointer, dict) or pointer.get("hash") != digest:
        return None
    return _parse(content.decode("utf-8", "replace"))


def _parse(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _marked(text: bytes) -> str:
    """The JSON behind the mark of an EXIF or TIFF text, empty where the mark is missing."""
    decoded = text.rstrip(b"\0").decode("ascii", "replace")
    return decoded.removeprefix(MARK) if decoded.startswith(MARK) else ""


def _from_exif(block: bytes) -> str:
    return _marked(tiff.exif_comment(block)[8:])  # 8 bytes name the character code


def _from_png(file: BinaryIO) -> str:
    for chunk in png.walk(file):
        if chunk.kind == b"iTXt" and chunk.length <= LARGEST_READ:
            file.seek(chunk.offset)
            if file.read(len(KEYWORD) + 1) != KEYWORD.encode() + b"\0":
                continue
            return png.parse_text(chunk.kind, png.read_chunk(file, chunk), LARGEST_READ)[1]
    return ""


def _from_jpeg(file: BinaryIO) -> str:
    return _from_exif(jpeg.exif(tuple(jpeg.walk(file))))


def _from_webp(file: BinaryIO) -> str:
    return _from_exif(webp.exif_of(file, tuple(webp.walk(file))))


def _from_tiff(file: BinaryIO) -> str:
    reader = tiff.TiffReader(file)
    entries, _ = reader.directory(reader.first)
    entry = entries.get(tiff.DESCRIPTION)
    return _marked(reader.data(entry)) if entry else ""


def insert_png(data: bytes, text: str) -> bytes:
    """An encoded PNG with the text behind its header."""
    if not text:
        return data
    end = len(png.SIGNATURE) + 25
    return data[:end] + png.text_chunk(KEYWORD, text) + data[end:]


def exif_for(text: str) -> bytes:
    """An EXIF block that carries the text, with the mark of a JPEG's segment; empty for none."""
    return jpeg.EXIF_MARK + tiff.exif_block(MARK + text) if text else b""
