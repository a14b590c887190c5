"""Nodes that read sound, write it, and cut it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from backend.sdk import (
    Audio,
    Context,
    Facts,
    FilePath,
    NameTemplate,
    Range,
    UserError,
    facts_of,
    node,
)

NO_AUDIO = facts_of("Audio")
Seconds = Annotated[float, Range(0, 36_000, 0.1)]


@node(
    category="Audio/File",
    lane="file",
    aliases=("open", "read", "import", "sound", "wav", "flac", "mp3", "ogg", "m4a", "music"),
)
def load_audio(ctx: Context, file: FilePath = "") -> Audio:
    """Read a sound from a WAV, FLAC, Ogg or MP3 file, or the sound of a video (MP4, M4A, WebM).

    `file` is relative to the workflow's folder and must be granted, as for Load image. All
    channels are kept, at the rate of the file.

    Example: load_audio(file="drums.wav") -> trim_audio(start=2, length=4).
    """
    from backend.media.film.load import is_film, load_film

    path = ctx.read(file)
    if not is_film(path):
        return ctx.read_sound(file)
    film = load_film(path, check=ctx.check)
    if film.audio.is_silent_file:
        raise UserError(f"{file!r} is a video without sound.")
    for sentence in film.notes if film.video is None else ():
        ctx.note(sentence)
    return film.audio


@load_audio.facts
def _(p: Any) -> Facts:
    return NO_AUDIO


@node(
    category="Audio/File",
    effect=True,
    lane="file",
    aliases=("write", "export", "output", "sound", "wav", "flac", "mp3"),
)
def save_audio(
    ctx: Context,
    audio: Audio,
    name: NameTemplate = "{node}-{counter:4}",
    depth: Literal["16", "24", "float"] = "16",
    overwrite: Literal["number", "replace", "refuse"] = "number",
    format: Literal["wav", "flac", "mp3"] = "wav",
    quality: Annotated[int, Range(1, 100, 1)] = 75,
) -> Audio:
    """Write a sound into the output folder as a WAV, FLAC or MP3 file.

    `name` may use the same fields as for Save image. `depth` is 16 or 24 bits, which clip at full
    scale, or in a WAV 32-bit `float`, which does not. FLAC is smaller without loss; an MP3 has
    `quality` in place of depth, and one or two channels. The file carries the workflow that made
    it. The sound goes through unchanged.

    Example: pipeline_audio -> save_audio(name="rain-{seed}", depth="24").
    """
    from backend.media.sounds import write_sound

    def write(path: Path, provenance: Mapping[str, Any]) -> None:
        write_sound(path, audio, depth, provenance, format, quality, ctx.check)

    ctx.save(name, f".{format}", write, overwrite=overwrite)
    return audio


@save_audio.facts
def _(p: Any, audio: Facts | None) -> Facts:
    return audio or NO_AUDIO


@node(category="Audio", aliases=("empty", "pause", "quiet"))
def silence(
    ctx: Context,
    seconds: Annotated[float, Range(0.001, 3600, 0.1)] = 1.0,
    rate: Annotated[int, Range(1, 384_000, 1)] = 44_100,
    channels: Annotated[int, Range(1, 8, 1)] = 2,
) -> Audio:
    """Make a silent sound of `seconds`, with `rate` samples per second in each of `channels`.

    Example: silence(seconds=0.5) -> save_audio.
    """
    import numpy as np

    return Audio(np.zeros((channels, max(1, round(seconds * rate))), np.float32), rate)


@silence.facts
def _(p: Any) -> Facts:
    known = p.seconds is not None and p.rate is not None
    samples = max(1, round(p.seconds * p.rate)) if known else None
    return NO_AUDIO.but(channels=p.channels, samples=samples, rate=p.rate)


@node(category="Audio", aliases=("cut", "crop", "slice"))
def trim_audio(ctx: Context, audio: Audio, start: Seconds = 0.0, length: Seconds = 0.0) -> Audio:
    """Cut a piece out of a sound: `length` seconds from `start` on, or with 0 all of the rest.

    What reaches beyond the end is left out.

    Example: load_audio -> trim_audio(start=10, length=5).
    """
    if audio.is_silent_file:
        return audio
    return audio.part(*_piece(start, length, audio.length, audio.rate))


@trim_audio.facts
def _(p: Any, audio: Facts | None) -> Facts:
    facts = audio or NO_AUDIO
    if None in (facts.samples, facts.rate, p.start, p.length):
        return facts.but(samples=None)
    first, last = _piece(p.start, p.length, facts.samples, facts.rate)
    return facts.but(samples=last - first)


def _piece(start: float, length: float, samples: int, rate: int) -> tuple[int, int]:
    first = round(start * rate)
    if first >= samples:
        raise UserError(
            f"The sound is {samples / rate:.6g} seconds long, so nothing is left from {start:g} on."
        )
    last = min(samples, first + max(1, round(length * rate))) if length else samples
    return first, last
