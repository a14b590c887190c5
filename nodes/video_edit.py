"""Nodes that change videos: size, frame, length, rate. None of them reads a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from backend.media.pixels import frames, resample
from backend.sdk import Context, Facts, Range, UserError, Video, facts_of, node

SIDE = 16384
NO_VIDEO = facts_of("Video")
Seconds = Annotated[float, Range(0, 100_000, 0.1)]
Rate = Annotated[float, Range(0.01, 1000, 1)]


@node(category="Video", aliases=("scale", "resample", "shrink", "upscale", "fit"))
def resize_video(
    ctx: Context,
    video: Video,
    width: Annotated[int, Range(0, SIDE, 1)] = 640,
    height: Annotated[int, Range(0, SIDE, 1)] = 0,
    mode: resample.Mode = "fit",
    filter: resample.Filter = "bicubic",
    multiple: Annotated[int, Range(1, 256, 1)] = 2,
) -> Video:
    """Make the frames of a video larger or smaller. It is done while they are read.

    A `width` or `height` of 0 follows from the other by the proportions. With both, `mode` says how
    a frame meets that size: `stretch` ignores its proportions; `fit` keeps them, so that one side
    may come out smaller; `fill` keeps them and cuts off what hangs over; `pad` keeps them and
    leaves a black margin. `filter` is as for Resize, with nearly the same pixels;
    shrinking is antialiased with all but `nearest`. `multiple` rounds the sides; MP4 wants even
    ones, models 8 or 16.

    Example: load_video -> resize_video(width=640, height=360, mode="pad") -> save_video.
    """
    from backend.media.film import edit

    return edit.resize(
        video, _fit(video.width, video.height, width, height, mode, multiple), filter
    )


@resize_video.facts
def _(p: Any, video: Facts | None) -> Facts:
    known = video or NO_VIDEO
    asked = (p.width, p.height, p.mode, p.multiple)
    if None in (known.width, known.height, *asked):
        return known.but(width=None, height=None)
    size = _fit(known.width, known.height, *asked).size
    return known.but(width=size[0], height=size[1])


def _fit(
    wide: int, high: int, width: int, height: int, mode: resample.Mode, multiple: int
) -> resample.Fit:
    target = resample.target_size((wide, high), "size", width, height)
    return resample.plan_resize(
        (wide, high), target, mode if width and height else "stretch", multiple
    )


@node(category="Video", aliases=("cut out", "frame", "box"))
def crop_video(
    ctx: Context,
    video: Video,
    place: frames.Place = "centre",
    x: Annotated[int, Range(-SIDE, SIDE, 1)] = 0,
    y: Annotated[int, Range(-SIDE, SIDE, 1)] = 0,
    width: Annotated[int, Range(0, SIDE, 1)] = 512,
    height: Annotated[int, Range(0, SIDE, 1)] = 512,
    outside: frames.Outside = "clamp",
) -> Video:
    """Keep a box of every frame of a video. The parameters are those of Crop.

    `place` = centre cuts `width` x `height` out of the middle; `position` puts the box's top left
    corner at `x`, `y`. A `width` or `height` of 0 means the whole side, or all up to the far edge.

    Example: crop_video(place="centre", width=1080, height=1080) makes a square of 1920 x 1080.
    """
    from backend.media.film import edit

    size = (video.width, video.height)
    return edit.crop(video, *frames.plan_crop(size, place, x, y, width, height, outside))


@crop_video.facts
def _(p: Any, video: Facts | None) -> Facts:
    known = video or NO_VIDEO
    asked = (p.place, p.x, p.y, p.width, p.height, p.outside)
    if None in (known.width, known.height, *asked):
        return known.but(width=None, height=None)
    left, top, right, bottom = frames.plan_crop((known.width, known.height), *asked)
    return known.but(width=right - left, height=bottom - top)


@node(category="Video", aliases=("cut", "clip", "shorten", "part"))
def trim_video(ctx: Context, video: Video, start: Seconds = 0.0, length: Seconds = 0.0) -> Video:
    """Cut a piece out of a video: `length` seconds from `start` on, or with 0 all of the rest.

    Both are rounded to whole frames. What reaches beyond the end is left out. Trim audio with the
    same numbers keeps the sound with it.

    Example: load_video -> trim_video(start=10, length=5) -> save_video.
    """
    from backend.media.film import edit

    return edit.part(video, *_piece(start, length, video.frames, video.rate))


@trim_video.facts
def _(p: Any, video: Facts | None) -> Facts:
    known = video or NO_VIDEO
    if None in (known.frames, known.rate, p.start, p.length):
        return known.but(frames=None)
    return known.but(frames=_piece(p.start, p.length, known.frames, known.rate)[1])


def _piece(start: float, length: float, count: int, rate: float) -> tuple[int, int]:
    first = round(start * rate)
    if first >= count:
        raise UserError(
            f"The video is {count / rate:.6g} seconds long, so nothing is left from {start:g} on."
        )
    wanted = max(1, round(length * rate)) if length else count
    return first, min(wanted, count - first)


@node(category="Video", aliases=("fps", "frames per second", "speed", "slow motion", "retime"))
def change_rate(
    ctx: Context, video: Video, rate: Rate = 24.0, keep: Literal["time", "frames"] = "time"
) -> Video:
    """Give a video another rate, in frames per second.

    `keep` = time leaves its length and repeats or leaves out frames; `frames` keeps every frame, so
    the video plays faster or slower (and a sound no longer fits).

    Example: load_video -> change_rate(rate=16) -> vae_encode_video, for a model that makes 16.
    """
    from backend.media.film import edit

    if keep == "frames":
        return video if rate == video.rate else video.but(rate=rate)
    return edit.change_rate(video, rate)


@change_rate.facts
def _(p: Any, video: Facts | None) -> Facts:
    known = video or NO_VIDEO
    if p.keep == "frames":
        return known.but(rate=p.rate)
    if None in (known.frames, known.rate, p.rate, p.keep):
        return known.but(rate=p.rate, frames=None)
    return known.but(rate=p.rate, frames=max(1, round(known.frames * p.rate / known.rate)))


@node(category="Video", aliases=("concatenate", "append", "cut together", "sequence", "combine"))
def join_videos(ctx: Context, *videos: Video) -> Video:
    """Put videos one after the other, cut after cut.

    All have one size: put Resize video before those that differ. The rate is that of the first;
    of the others frames are repeated or left out.

    Example: two load_video, the second through resize_video(mode="pad"), into join_videos.
    """
    from backend.media.film import edit

    if not videos:
        raise UserError("There is no video to join. Link one at least.")
    return edit.join(videos)


@join_videos.facts
def _(p: Any, videos: Sequence[Facts] = ()) -> Facts:
    known = list(videos)
    if not known:
        return NO_VIDEO
    first = known[0]
    for number, video in enumerate(known[1:], 2):
        sizes = [(each.width, each.height) for each in (first, video)]
        if sizes[0] != sizes[1] and None not in (*sizes[0], *sizes[1]):
            raise UserError(
                f"The first video has {sizes[0][0]}x{sizes[0][1]} pixels, number {number} has "
                f"{sizes[1][0]}x{sizes[1][1]}. Put Resize video before it, with mode fill or pad."
            )
    if any(None in (video.frames, video.rate) for video in known) or not first.rate:
        return first.but(frames=None)
    counts = [max(1, round(v.frames * first.rate / v.rate)) for v in known]
    return first.but(frames=sum(counts))
