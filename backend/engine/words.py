"""Values and failures in words."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from backend.graph import types
from backend.sdk import UserError
from backend.values import (
    Audio,
    Color,
    Data,
    FramesGone,
    Image,
    Latent,
    Layers,
    Layout,
    Mask,
    Video,
    Weights,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a step failed: a sentence for people, and the traceback for a log. ``memory``: it ran
    out."""

    sentence: str
    trace: str = ""
    memory: bool = False


def summary(value: Data) -> str:
    """A value in a few words, such as ``Image 64x64x3, 1``: width, height, channels, count."""
    if isinstance(value, list):
        kinds = dict.fromkeys(summary(item) for item in value[:100])
        inside = next(iter(kinds)) if len(kinds) == 1 else type(value[0]).__name__ if value else ""
        return f"list of {len(value)}" + (f": {inside}" if inside else "")
    if isinstance(value, Image):
        return f"Image {value.width}x{value.height}x{value.channels}, {value.count}"
    if isinstance(value, Mask):
        return f"Mask {value.width}x{value.height}, {value.count}"
    if isinstance(value, Layers):
        return f"Layers {value.width}x{value.height}, {value.count}"
    if isinstance(value, Layout):
        return f"Layout {value.width}x{value.height}, {len(value.boxes)}"
    if isinstance(value, Latent):
        return f"Latent {'x'.join(map(str, value.samples.shape[1:]))}, {value.count}"
    if isinstance(value, Video):
        return f"Video {value.width}x{value.height}, {value.frames} at {value.rate:g}/s"
    if isinstance(value, Audio):
        if value.is_silent_file:
            return "no sound"
        return f"Audio {value.channels} x {value.seconds:.3g} s at {value.rate}/s"
    if isinstance(value, Weights):
        return f"{type(value).__name__} {value.family}"
    if isinstance(value, Color):
        return value.hex()
    if isinstance(value, str):
        return value if len(value) <= 60 else value[:57] + "..."
    if value is None or isinstance(value, bool | int | float):
        return repr(value)[:60]
    return type(value).__name__


def failure(step: str, title: str, error: BaseException) -> Failure:
    """What is said of an exception that came out of a node."""
    if isinstance(error, UserError):
        return Failure(str(error) or f"{title} ({step}) gave up without saying why.")
    if isinstance(error, FramesGone):
        return Failure(str(error))
    trace = "".join(traceback.format_exception(error))
    if out_of_memory(error):
        return Failure(
            f"{title} ({step}) ran out of memory. Use a smaller size or batch, or close other "
            "programs.",
            trace,
            memory=True,
        )
    said = str(error).strip().splitlines()
    because = f": {said[0][:200]}" if said else ""
    return Failure(
        f"{title} ({step}) broke with {type(error).__name__}{because}. This is a fault of the "
        "node; the log has the details.",
        trace,
    )


def out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on the host or on a device."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in said or "can't allocate memory" in said or "not enough memory" in said
    )


def type_title(name: str) -> str:
    """A socket type in words with its article: ``an image``."""
    title = types.title(name)
    return title if title == "anything" else f"{'an' if title[0] in 'aeio' else 'a'} {title}"
