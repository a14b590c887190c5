"""Nodes that make videos of pictures, take pictures out of them, and write their frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from backend.media.caps import VideoCaps
from backend.media.pixels.knowledge import NO_IMAGE
from backend.sdk import (
    Context,
    Facts,
    FolderPath,
    Image,
    NameTemplate,
    Range,
    UserError,
    Video,
    facts_of,
    node,
)

Rate = Annotated[float, Range(0.01, 1000, 1)]
NO_VIDEO = facts_of("Video")


@node(category="Video", aliases=("frames", "animate", "batch to video", "sequence"))
def images_to_video(
    ctx: Context,
    images: list[Image],
    rate: Rate = 24.0,
    depth: Literal["8", "16", "float"] = "16",
) -> Video:
    """Make a video of pictures: each picture of a batch, and of a list one after the other.

    All have one size. `rate` is in frames per second. The frames go to a file in the cache folder
    with `depth` bits a channel: 8 halves the space, `float` keeps values outside 0..1.

    Example: image_folder(folder="shots") -> images_to_video(rate=12) -> save_video_frames.
    """
    return ctx.spool(images, rate, depth)


@images_to_video.facts
def _(p: Any, images: Facts | None) -> Facts:
    if images is None:
        return NO_VIDEO.but(rate=p.rate)
    frames = images.count * images.length if images.count and images.length else None
    return NO_VIDEO.but(width=images.width, height=images.height, frames=frames, rate=p.rate)


@node(category="Video", aliases=("get frames", "video to images", "extract"))
def video_frames(
    ctx: Context,
    video: Video,
    start: Annotated[int, Range(0, 10_000_000, 1)] = 0,
    count: Annotated[int, Range(1, 4096, 1)] = 16,
) -> Image:
    """Take frames out of a video, as a batch of pictures.

    `start` counts from 0; at most `count` frames are taken, fewer where the video ends. A batch is
    held in memory as a whole, so take as many as you need.

    Example: video_frames(start=0, count=1) -> save_image gives the first frame as a picture.
    """
    if start >= video.frames:
        raise UserError(f"The video has {video.frames} frames, so there is none at {start}.")
    stop = min(start + count, video.frames)
    pixels = (stop - start) * video.width * video.height
    if pixels > 1 << 28:
        raise UserError(
            f"{stop - start} frames of {video.width}x{video.height} are above the 268 million "
            "pixels that a batch may have. Lower count."
        )
    return video.read(start, stop, ctx.check)


@video_frames.facts
def _(p: Any, video: Facts | None) -> Facts:
    if video is None:
        return NO_IMAGE
    count = None
    if video.frames is not None and p.start is not None and p.count is not None:
        if p.start >= video.frames:
            raise UserError(f"The video has {video.frames} frames, so there is none at {p.start}.")
        count = min(p.count, video.frames - p.start)
    return NO_IMAGE.but(width=video.width, height=video.height, count=count)


@node(
    category="Video/File",
    lane="file",
    aliases=("image sequence", "open", "read", "import", "png sequence"),
)
def load_frames(
    ctx: Context,
    folder: FolderPath = "",
    pattern: str = "*",
    rate: Rate = 24.0,
    skip: Annotated[int, Range(0, 1_000_000, 1)] = 0,
    limit: Annotated[int, Range(1, 200_000, 1)] = 10_000,
    depth: Literal["8", "16", "float"] = "16",
) -> Video:
    """Read the pictures of a folder as the frames of a video, in the order of their names.

    `folder` is relative to the workflow's folder and must be granted, as for Load image. `pattern`
    chooses among the file names (`*` any characters, `?` one, several separated by `;`); img2
    comes before img10. The first `skip` files are left out, and at most `limit` are read, one at a
    time. `rate` is in frames per second.

    Example: load_frames(folder="shot-0001", rate=24) -> video_frames(start=10, count=1).
    """
    from backend.media.folders import list_images

    names = list_images(ctx.read(folder), pattern, "name")[skip : skip + limit]
    if not names:
        raise UserError(f"There is no picture in {folder!r} that fits {pattern!r}.")

    def frames() -> Iterator[Image]:
        for index, name in enumerate(names):
            ctx.progress(index, len(names))
            pages = ctx.read_images(f"{folder.rstrip('/')}/{name}")
            if index == 0:
                _check_size(pages[0], len(names))
            yield from pages
        ctx.progress(len(names), len(names))

    return ctx.spool(frames(), rate, depth)


@load_frames.facts
def _(p: Any) -> Facts:
    return NO_VIDEO.but(rate=p.rate)


@node(
    category="Video/File",
    effect=True,
    lane="file",
    aliases=("image sequence", "write", "export", "png", "output"),
)
def save_video_frames(
    ctx: Context,
    video: Video,
    name: NameTemplate = "{node}-{counter:4}",
    depth: Literal["8", "16"] = "8",
    overwrite: Literal["number", "refuse"] = "number",
) -> Video:
    """Write the frames of a video as PNG files into a folder of their own, all of them or none.

    `name` is the folder, below the output folder, with the same fields as for Save image; the
    files in it are 00001.png, 00002.png... with `depth` bits a channel. When the name is taken,
    `overwrite` says whether to `number` the new folder or to `refuse`. Each file carries the
    workflow that made it. The video goes through unchanged.

    Example: pipeline_video -> save_video_frames(name="waves/{counter:3}", depth="16").
    """
    from backend.media.images import ImageOptions, write_image

    options = ImageOptions("png", depth)

    def write(folder: Path, provenance: Mapping[str, Any]) -> None:
        done = 0
        for batch in video.chunks(check=ctx.check):
            for index in range(batch.count):
                ctx.progress(done, video.frames)
                done += 1
                single = batch.but(batch.pixels[index : index + 1])
                told = {**provenance, "frame": done} if provenance else {}
                write_image(folder / f"{done:05}.png", single, options, told, ctx.check)
        ctx.progress(done, video.frames)

    ctx.save_folder(name, write, overwrite=overwrite)
    return video


@save_video_frames.facts
def _(p: Any, video: Facts | None) -> Facts:
    return video or NO_VIDEO


def _check_size(first: Image, count: int) -> None:
    caps = VideoCaps()
    if count > caps.frames or first.width * first.height * count > caps.pixels:
        raise UserError(
            f"{count} frames of {first.width}x{first.height} are above what a video may have "
            f"({caps.frames} frames, {caps.pixels} pixels). Lower the limit, or narrow the pattern."
        )
