"""Layer files to values and back: Photoshop (PSD) and OpenRaster (ORA), known by content."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Literal

from backend.graph.facts import Facts, facts_of
from backend.media.bands import Check, unchecked
from backend.media.errors import Damaged, Unsupported
from backend.media.grants import open_regular
from backend.media.metadata import dump_provenance, write_sidecar
from backend.media.ora import read_ora, read_ora_size, write_ora
from backend.media.psd import SIGNATURE, read_head, read_psd
from backend.media.psd_write import write_psd
from backend.sdk import UserError
from backend.values import LayerMode, Layers

SUFFIXES = {"psd": ".psd", "ora": ".ora"}
UnknownModes = Literal["refuse", "normal"]
_READABLE = "Weft reads layers from PSD, PSB and OpenRaster (.ora) files"
_MOST_NOTES = 15


def read_layers(
    file: BinaryIO,
    name: str,
    unknown_modes: UnknownModes = "refuse",
    allow: Callable[[int], None] = lambda bytes_: None,
) -> tuple[Layers, list[str]]:
    """The layers of an open file, and a sentence for each thing in it that they do not hold.

    ``name`` is what sentences call the file. A blend mode that layers do not have is refused, or
    becomes normal and is told. ``allow`` hears how many bytes reading will take before it does.

    Raises:
        UserError: it is no such file, is damaged or cut short, is above the caps, or has a mode
            that is refused.
    """
    changed: list[str] = []

    def unknown(layer: str, mode: str) -> LayerMode:
        if unknown_modes == "refuse":
            raise UserError(
                f"The layer {layer!r} of {name!r} has the blend mode {mode!r}, which Weft does "
                "not have. Set unknown modes to normal to load it as normal, or change it in the "
                "program that made the file."
            )
        changed.append(f"The blend mode {mode!r} of {layer!r} became normal: Weft has no such.")
        return "normal"

    with _said(name):
        reader = read_psd if _kind(file) == "psd" else read_ora
        layers, notes = reader(file, unknown, allow)
    told = changed + notes
    more = len(told) - _MOST_NOTES
    return layers, told[:_MOST_NOTES] + ([f"And {more} more like these."] if more > 0 else [])


def probe_layers(path: Path) -> Facts:
    """Size and, for OpenRaster, number of layers, as far as a file says it at its beginning.

    Raises:
        UserError: as ``read_layers``, as far as that shows it.
    """
    try:
        with open_regular(path, path.name) as file, _said(path.name):
            if _kind(file) == "psd":
                head = read_head(file)
                return facts_of("Layers", width=head.width, height=head.height)
            width, height, _ = read_ora_size(file)
            return facts_of("Layers", width=width, height=height)
    except OSError as error:
        raise UserError(f"{path.name!r} cannot be read: {error.strerror or error}.") from error


def write_layers(
    path: Path,
    stack: Layers,
    format: Literal["psd", "ora"],
    depth: Literal["8", "16"] = "8",
    provenance: Mapping[str, Any] | None = None,
    note: Callable[[str], None] = lambda sentence: None,
    check: Check = unchecked,
) -> None:
    """Write a layer file. The provenance stands in a sidecar beside it, and in an OpenRaster also
    inside, as ``weft.json``.

    Raises:
        UserError: the format cannot hold these layers.
        OSError: the file cannot be written.
    """
    given = provenance or {}
    try:
        if format == "psd":
            write_psd(path, stack, depth, note, check)
        else:
            inside = dump_provenance(given).encode("ascii") if given else b""
            write_ora(path, stack, depth, note, check, inside)
    except Unsupported as error:
        raise UserError(str(error)) from error
    write_sidecar(path, given)


def _kind(file: BinaryIO) -> str:
    """``psd`` or ``ora``.

    Raises:
        Unsupported: it begins as neither.
    """
    file.seek(0)
    head = file.read(4)
    if head == SIGNATURE:
        return "psd"
    if head == b"PK\x03\x04":
        return "ora"
    raise Unsupported(f"no file of layers. {_READABLE}; Load image reads pictures")


@contextlib.contextmanager
def _said(name: str) -> Iterator[None]:
    """Whatever goes wrong in a file becomes a sentence with the file's name."""
    try:
        yield
    except UserError as error:
        said = str(error)
        raise error if repr(name) in said else UserError(f"In {name!r}: {said}") from error
    except Damaged as error:
        raise UserError(f"{name!r} is damaged: {error}. Get the file again.") from error
    except Unsupported as error:
        raise UserError(f"{name!r} is {error}.") from error
    except MemoryError:
        raise
    except Exception as error:  # a library meets anything at all in hostile files
        reason = str(error).strip().rstrip(".")[:200] or type(error).__name__
        raise UserError(f"{name!r} is damaged: {reason}. Get the file again.") from error
