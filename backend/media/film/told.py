"""What the decoding worker says of a file, before it is believed: a stranger's file may have taken
the worker over."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from backend.media.caps import MediaCaps
from backend.sdk import UserError
from backend.values import FrameDepth

_CAPS = MediaCaps()
_LARGEST_SIDE = 2**18
_FASTEST = 10_000.0
_MOST_NOTES = 100

Track = Annotated[int, Meta(ge=0, le=10_000)]
Side = Annotated[int, Meta(ge=1, le=_LARGEST_SIDE)]


class Picture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a ``PictureTrack`` but its file."""

    track: Track
    frames: Annotated[int, Meta(ge=1, le=_CAPS.frames)]
    height: Side
    width: Side
    channels: Annotated[int, Meta(ge=1, le=4)]
    depth: FrameDepth
    rate: Annotated[float, Meta(gt=0, lt=_FASTEST)]
    begin: float
    steady: bool
    turn: Annotated[int, Meta(ge=0, le=3)] = 0
    repair: bool = False


class Sound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The fields of a ``SoundTrack`` but its file, and the rate of its samples."""

    track: Track
    channels: Annotated[int, Meta(ge=1, le=_CAPS.channels)]
    length: Annotated[int, Meta(ge=0, le=2**48)]
    begin: float
    rate: Annotated[int, Meta(ge=1, le=2**24)]
    repair: bool = False


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to ``probe``."""

    picture: Picture | None
    sound: Sound | None
    notes: Annotated[list[str], Meta(max_length=_MOST_NOTES)]


def believed(answer: Any, name: str) -> Told:
    """The worker's answer on the file that sentences call ``name``.

    Raises:
        UserError: it is none that the worker of Weft gives, or above the caps.
    """
    try:
        told = msgspec.convert(answer, Told)
        numbers = [each.begin for each in (told.picture, told.sound) if each is not None]
        numbers += [told.picture.rate] if told.picture is not None else []
        if not all(map(math.isfinite, numbers)):
            raise msgspec.ValidationError("a time is no number")
        if told.picture is not None and told.picture.width * told.picture.height > _CAPS.pixels:
            raise msgspec.ValidationError("its frames are too large")
    except msgspec.ValidationError as error:
        raise UserError(
            f"{name!r} is not read: what its decoder says of it makes no sense ({error}). Do not "
            "trust the file."
        ) from error
    return told
