"""Picture files to images and back: the way in for nodes, checks and commands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from backend.graph.facts import Facts, facts_of
from backend.media.bands import Check, unchecked
from backend.media.caps import ImageCaps
from backend.media.encode import DEPTHS, SUFFIXES, ImageOptions, encode
from backend.media.errors import Damaged, Unsupported
from backend.media.grants import Grants, open_regular
from backend.media.header import Header, read_header
from backend.media.metadata import dump_provenance, split_sidecar
from backend.media.outputs import sidecar_of
from backend.sdk import UserError
from backend.values import Float32, Image

__all__ = [
    "DEPTHS",
    "SUFFIXES",
    "ImageOptions",
    "image_facts",
    "probe_image",
    "probe_open",
    "read_image",
    "read_open",
    "write_image",
]

_Result = TypeVar("_Result")
_DEFAULT_CAPS = ImageCaps()
_READABLE = "Weft reads PNG, JPEG, WebP and TIFF"


def read_image(path: Path, caps: ImageCaps = _DEFAULT_CAPS) -> tuple[Image, ...]:
    """Read a PNG, JPEG, WebP or TIFF, known by its content.

    Gives one image, sRGB, float32 0..1, straight alpha, upright; grey stays one channel. The pages
    of a TIFF are one batch when they are alike, else an image each. Of an animation the first
    frame is read.

    Raises:
        UserError: it cannot be opened, is no such picture, is damaged or cut short, or is larger
            than the caps allow.
    """
    with _open(path) as file:
        return read_open(file, path.name, caps)


def read_open(file: BinaryIO, name: str, caps: ImageCaps = _DEFAULT_CAPS) -> tuple[Image, ...]:
    """``read_image`` for a file that is open already; ``name`` is what sentences call it."""
    header = _header(file, name, caps)
    pages = _guarded(name, lambda: _decode(file, header))
    for page in pages:
        page.setflags(write=False)
    if len(pages) == 1:
        return (Image(pages[0][np.newaxis]),)
    if header.alike:
        return (Image(np.stack(pages)),)
    return tuple(Image(page[np.newaxis]) for page in pages)


def probe_image(path: Path, caps: ImageCaps = _DEFAULT_CAPS) -> Facts:
    """Size, channels and count of a picture, from its header alone.

    Pages that are not alike leave open what differs.

    Raises:
        UserError: as for ``read_image``, as far as the header shows it.
    """
    with _open(path) as file:
        return probe_open(file, path.name, caps)


def probe_open(file: BinaryIO, name: str, caps: ImageCaps = _DEFAULT_CAPS) -> Facts:
    """``probe_image`` for a file that is open already."""
    return _facts(_header(file, name, caps))


def image_facts(grants: Grants, path: str) -> Facts | None:
    """The facts of a granted picture, or ``None`` where it is unknown, unsound or not granted."""
    try:
        with grants.open(path) as file:
            return _facts(_header(file, path, _DEFAULT_CAPS))
    except UserError:
        return None


def write_image(
    path: Path,
    image: Image,
    options: ImageOptions,
    provenance: Mapping[str, Any] | None = None,
    check: Check = unchecked,
) -> None:
    """Write one picture, with its provenance inside or, above 60 kB, in a sidecar beside it.

    ``path`` is taken as it is, whatever its suffix; ``OutputFolder`` sees to names and safety.
    ``check`` is called while a large picture is written, and may raise.

    Raises:
        UserError: the format cannot hold the picture.
        OSError: the file cannot be written.
    """
    text, sidecar = split_sidecar(dump_provenance(provenance)) if provenance else ("", b"")
    data = encode(image, options, text, check)
    if sidecar:
        sidecar_of(path).write_bytes(sidecar)
    path.write_bytes(data)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    try:
        file = open_regular(path, path.name)
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error
    with file:
        yield file


def _header(file: BinaryIO, name: str, caps: ImageCaps) -> Header:
    return _guarded(name, lambda: read_header(file, caps))


def _decode(file: BinaryIO, header: Header) -> list[Float32]:
    from backend.media.decode import decode
    from backend.media.decode_tiff import decode_tiff

    return decode_tiff(file, header) if header.format == "TIFF" else [decode(file, header)]


def _facts(header: Header) -> Facts:
    if not header.alike:
        return facts_of("Image")
    return facts_of(
        "Image",
        width=header.width,
        height=header.height,
        channels=header.channels,
        count=header.count,
    )


def _guarded(name: str, work: Callable[[], _Result]) -> _Result:
    """Do the work on a file; whatever goes wrong in it becomes a sentence with the file's name."""
    try:
        return work()
    except UserError:
        raise
    except Damaged as error:
        raise UserError(f"{name!r} is damaged: {error}. Get the file again.") from error
    except Unsupported as error:
        raise UserError(f"{name!r} is {error}. {_READABLE}.") from error
    except MemoryError as error:
        raise UserError(f"{name!r} does not fit in the memory that is free.") from error
    except Exception as error:  # decoders raise anything at all on hostile files
        reason = str(error).strip().rstrip(".") or type(error).__name__
        raise UserError(f"{name!r} is damaged: {reason}. Get the file again.") from error
