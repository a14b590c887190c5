"""Nodes that read video files and write them, with their sound."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from backend.media.pixels.color import as_color
from backend.sdk import (
    Audio,
    Color,
    ColorParam,
    Context,
    Facts,
    FilePath,
    NameTemplate,
    Range,
    UserError,
    Video,
    facts_of,
    node,
)

BLACK = Color(0, 0, 0)
NO_VIDEO = facts_of("Video")
NO_AUDIO = facts_of("Audio")


class VideoAndSound(NamedTuple):
    """A video and what is heard with it."""

    video: Video
    audio: Audio


@node(
    category="Video/File",
    lane="file",
    aliases=("open", "read", "import", "mp4", "mov", "mkv", "webm", "avi", "gif", "movie", "film"),
)
def load_video(
    ctx: Context, file: FilePath = "", damaged: Literal["refuse", "repeat"] = "refuse"
) -> VideoAndSound:
    """Read a video from an MP4, MOV, MKV, WebM, AVI or GIF file, or a PNG or WebP that moves.

    `file` is relative to the workflow's folder and must be granted, as for Load image. The video
    stays in its file, and its frames are decoded when a node behind asks for them: a long one
    takes no space. So leave the file as it is while the workflow runs.

    Frames come upright, with square pixels, as sRGB; 10-bit video keeps its depth, and alpha is
    kept where there is some. A file of variable rate is read at a constant one: each frame is the
    nearest earlier one. Of a file that is cut short you get all whole frames, and a note. HDR (PQ,
    HLG) is refused. `damaged` says what becomes of a frame that cannot be decoded: `refuse` stops
    the run there, `repeat` shows the frame before it in its place, and silence for sound.

    `audio` is the sound of the file, beginning with the first frame. Where the file has none, only
    a node that is linked to `audio` says so.

    Example: load_video(file="walk.mp4") -> resize_video(width=640, height=0) -> save_video.
    """
    from backend.media.film.load import load_film

    film = load_film(ctx.read(file), damaged == "repeat", ctx.check)
    if film.video is None:
        raise UserError(f"{file!r} holds sound but no moving pictures. Load audio reads it.")
    for sentence in film.notes:
        ctx.note(sentence)
    return VideoAndSound(film.video, film.audio)


@load_video.facts
def _(p: Any) -> dict[str, Facts]:
    return {"video": NO_VIDEO, "audio": NO_AUDIO}


@node(
    category="Video/File",
    effect=True,
    lane="file",
    aliases=("write", "export", "output", "mp4", "webm", "gif", "movie", "render", "mux"),
)
def save_video(
    ctx: Context,
    video: Video,
    audio: Audio | None = None,
    name: NameTemplate = "{node}-{counter:4}",
    format: Literal["mp4", "webm", "gif"] = "mp4",
    quality: Annotated[int, Range(1, 100, 1)] = 75,
    rate: Annotated[float, Range(0, 1000, 1)] = 0.0,
    background: ColorParam = BLACK,
    overwrite: Literal["number", "replace", "refuse"] = "number",
) -> Video:
    """Write a video into the output folder, with a sound where `audio` is linked.

    `format`: `mp4` is H.264 and AAC, which everything plays; `webm` is VP9 and Opus, and keeps
    transparency; `gif` has 256 colours a frame and no sound. For PNG files use Save video frames.
    `quality` goes from 1, small, to 100, nearly without loss (not for gif). `rate` is in frames per
    second, 0 for the video's own; with another one frames are repeated or left out.

    An MP4 needs even sides: an odd one gets its last row or column twice. Where a format has no
    transparency, `background` shows through. The sound begins with the first frame; one that is
    longer than the pictures ends with them. `name` and `overwrite` are as for Save image. The file
    carries the workflow that made it. The video goes through unchanged.

    Example: pipeline_video, its `video` and `audio` wired into save_video(name="waves-{seed}").
    """
    from backend.media.film.edit import change_rate
    from backend.media.film.write import FASTEST_GIF, SUFFIXES, VideoOptions, write_video

    shown = change_rate(video, rate) if rate else video
    if format == "gif" and shown.rate > FASTEST_GIF:
        shown = change_rate(shown, FASTEST_GIF)
        ctx.note(f"A GIF has at most {FASTEST_GIF:g} frames per second; frames were left out.")
    if format == "mp4" and (shown.width % 2 or shown.height % 2):
        ctx.note("An MP4 has even sides, so the last row or column stands twice.")
    if audio is not None and audio.seconds > shown.seconds + 0.05:
        ctx.note(
            f"The sound is {audio.seconds:.6g} seconds long and ends with the pictures, after "
            f"{shown.seconds:.6g}."
        )
    options = VideoOptions(format, quality, as_color(background))

    def write(path: Path, provenance: Mapping[str, Any]) -> None:
        write_video(path, shown, options, audio, provenance, ctx.check, ctx.progress)

    ctx.save(name, SUFFIXES[format], write, overwrite=overwrite)
    return video


@save_video.facts
def _(p: Any, video: Facts | None, audio: Facts | None = None) -> Facts:
    return video or NO_VIDEO
