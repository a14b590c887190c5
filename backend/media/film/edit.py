"""What is done to videos without touching a frame: each function tells what to do when they are
read. Doing nothing gives the very video."""

from __future__ import annotations

from collections.abc import Sequence

from backend.media.caps import MediaCaps
from backend.media.pixels.resample import Filter, Fit
from backend.sdk import UserError
from backend.values import Cropped, Joined, Part, Resized, Retimed, Video
from backend.values.footage import Step


def resize(video: Video, fit: Fit, filter: Filter) -> Video:
    """Every frame resampled by a plan; a margin is black.

    Raises:
        UserError: the frames would be too large.
    """
    whole = (0.0, 0.0, float(video.width), float(video.height))
    most = MediaCaps().pixels
    if fit.size[0] * fit.size[1] > most:
        raise UserError(
            f"The frames would have {fit.size[0]}x{fit.size[1]} pixels, above the "
            f"{most / 1e6:.0f} million of a video's. Choose a smaller size."
        )
    if fit.size == fit.inner == (video.width, video.height) and fit.box == whole:
        return video
    return _with(video, Resized(*fit.size, fit.inner, fit.box, filter))


def crop(video: Video, left: int, top: int, right: int, bottom: int) -> Video:
    """A box of every frame, which must lie inside it."""
    if (left, top, right, bottom) == (0, 0, video.width, video.height):
        return video
    return _with(video, Cropped(left, top, right - left, bottom - top))


def part(video: Video, start: int, frames: int) -> Video:
    """``frames`` frames from ``start`` on, which must be there."""
    if (start, frames) == (0, video.frames):
        return video
    return _with(video, Part(start, frames))


def change_rate(video: Video, rate: float) -> Video:
    """The same time at another rate: frames are repeated or left out.

    Raises:
        UserError: that would be too many frames.
    """
    if rate == video.rate:
        return video
    frames = max(1, round(video.frames * rate / video.rate))
    most = MediaCaps().frames
    if frames > most:
        raise UserError(f"That would be {frames} frames, above the {most} of a video.")
    return _with(video, Retimed(video.rate / rate, frames), rate)


def join(videos: Sequence[Video]) -> Video:
    """Videos one after the other, at the rate of the first.

    Raises:
        UserError: they differ in size or kind, or there are too many frames.
    """
    first = videos[0]
    for number, video in enumerate(videos[1:], 2):
        if (video.width, video.height) != (first.width, first.height):
            raise UserError(
                f"The first video has {first.width}x{first.height} pixels, number {number} has "
                f"{video.width}x{video.height}. Put Resize video before it, with mode fill or pad."
            )
        if (video.channels, video.space) != (first.channels, first.space):
            raise UserError(
                f"Video {number} has {video.channels} channels in {video.space}, the first "
                f"{first.channels} in {first.space}. Only one of them has alpha, or is linear."
            )
    if len(videos) == 1:
        return first
    parts: list[Video] = []
    for video in videos:
        same = change_rate(video, first.rate)
        whole = isinstance(same.file, Joined) and not same.steps
        parts += same.file.videos if whole and isinstance(same.file, Joined) else [same]
    if sum(each.frames for each in parts) > MediaCaps().frames:
        raise UserError(f"Joined they have more than the {MediaCaps().frames} frames of a video.")
    try:
        return Video(Joined(tuple(parts)), first.rate, first.space)
    except ValueError as error:
        raise UserError(f"The videos cannot be joined: {error}.") from error


def _with(video: Video, step: Step, rate: float | None = None) -> Video:
    try:
        return video.then(step, rate)
    except ValueError as error:
        raise UserError(f"The video cannot be changed so: {error}.") from error
