"""The decoding worker: ``python -P -m backend.media.apart``, bytes in, numbers out."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from backend.media.apart.limits import allow, confine, rest
from backend.media.apart.wire import THUMBNAIL, Gone, receive, receive_header, send_header
from backend.media.caps import ImageCaps, SoundCaps
from backend.sdk import UserError

if TYPE_CHECKING:
    from backend.media.layer_files import UnknownModes

COPIES = 6
"""How many times the float picture a decoder may need: codes, profile, alpha, turning."""


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Decode what comes until the pipe is closed."""
    while True:
        try:
            asked = receive_header(source)
            data = receive(source, int(asked["bytes"]))
        except (Gone, KeyError, TypeError, ValueError):
            return
        try:
            arrays, told = _TASKS[asked["task"]](data, str(asked["name"]), float(asked["seconds"]))
        except UserError as error:
            _answer(sink, {"sentence": str(error)}, ())
        except MemoryError:
            sentence = f"{asked['name']!r} needs more memory than a file of its size may take."
            _answer(sink, {"sentence": sentence}, ())
        else:
            _answer(sink, {**told, "shapes": [list(each.shape) for each in arrays]}, arrays)
        finally:
            rest()


def _answer(sink: BinaryIO, header: dict[str, Any], arrays: Sequence[Any]) -> None:
    send_header(sink, header)
    for array in arrays:
        sink.write(memoryview(array).cast("B"))
    sink.flush()


def _images(data: bytes, name: str, seconds: float) -> tuple[list[Any], dict[str, Any]]:
    from backend.media.images import probe_open, read_open

    file = io.BytesIO(data)
    caps = ImageCaps()
    facts = probe_open(file, name, caps)
    pixels = caps.pixels if None in (facts.width, facts.height) else (
        (facts.width or 1) * (facts.height or 1) * (facts.count or 1)
    )  # fmt: skip
    allow(pixels * 16 * COPIES, seconds)
    return [image.pixels for image in read_open(file, name, caps)], {}


def _thumbnail(data: bytes, name: str, seconds: float) -> tuple[list[Any], dict[str, Any]]:
    from backend.media.pixels.resample import plan_resize, resize, target_size
    from backend.values import Image

    (first, *_), told = _images(data, name, seconds)
    image = Image(first[:1])
    if max(image.width, image.height) > THUMBNAIL:
        source = (image.width, image.height)
        fit = plan_resize(source, target_size(source, "longest side", side=THUMBNAIL))
        image = resize(image, fit, "area")
    return [image.pixels], told


def _sound(data: bytes, name: str, seconds: float) -> tuple[list[Any], dict[str, Any]]:
    from backend.media.sounds import read_open_sound

    allow(SoundCaps().samples * 4 * 2, seconds)
    audio = read_open_sound(io.BytesIO(data), name)
    return [audio.samples], {"rate": audio.rate}


def _layers(
    unknown: UnknownModes,
) -> Callable[[bytes, str, float], tuple[list[Any], dict[str, Any]]]:
    def work(data: bytes, name: str, seconds: float) -> tuple[list[Any], dict[str, Any]]:
        from backend.media.layer_files import read_layers

        allow(len(data) * COPIES, seconds)
        file = io.BytesIO(data)
        stack, notes = read_layers(file, name, unknown, lambda need: allow(need, seconds))
        told = [
            [layer.name, layer.mode, layer.opacity, layer.x, layer.y, layer.visible]
            for layer in stack.layers
        ]
        size = [stack.width, stack.height]
        return [each.pixels for each in stack.layers], {"size": size, "of": told, "notes": notes}

    return work


_TASKS: dict[str, Callable[[bytes, str, float], tuple[list[Any], dict[str, Any]]]] = {
    "images": _images,
    "thumbnail": _thumbnail,
    "sound": _sound,
    "layers refuse": _layers("refuse"),
    "layers normal": _layers("normal"),
}


def main() -> None:
    """Serve on standard input and output; whatever prints by itself goes nowhere."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    import numpy  # noqa: F401 - before the limits: its threads take address space

    confine()
    try:
        serve(source, sink)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
