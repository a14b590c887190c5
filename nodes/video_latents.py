"""Nodes between videos and latents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np

from backend.models.agree import (
    frames_fit,
    runs_in_steps,
    same_latent_space,
    size_fits,
    tile_fits,
)
from backend.models.costs import coding as coding_peak
from backend.models.explain import explained
from backend.models.family import describe, video_family_of
from backend.models.preview import learn_video, learning
from backend.models.tiling.tiles import Coding, tiles_for
from backend.sdk import (
    VAE,
    Context,
    Facts,
    Image,
    Latent,
    Model,
    Peak,
    Range,
    SeedParam,
    UserError,
    Video,
    facts_of,
    node,
)
from nodes.latents import Overlap, TileSize

Side = Annotated[int, Range(0, 16384, 8)]


@node(category="Latent", aliases=("frames", "size", "width", "height", "wan", "length"))
def empty_video_latent(
    ctx: Context,
    model: Model,
    width: Side = 0,
    height: Side = 0,
    frames: Annotated[int, Range(0, 10_000, 1)] = 0,
    count: Annotated[int, Range(1, 64, 1)] = 1,
) -> Latent:
    """Make an empty latent for new videos of a model.

    `width` and `height` are in pixels; 0 takes the model's own size, and for `frames` its own
    length. Sizes must be multiples of what the model makes (16 for Wan 2.1), and frames 1 more
    than a multiple (1, 5, 9 ... 81 for Wan); 1 makes a picture. `count` videos are sampled in one
    batch.

    Example: load_model -> empty_video_latent(width=832, height=480, frames=81) -> sample ->
    vae_decode_video.
    """
    with explained():
        video_family_of(model)
        facts = describe(model)
        known = facts.defaults
        size = (width or known.width, height or known.height)
        shape = facts.geometry.shape(*size, count, frames or known.frames)
    return Latent(np.zeros(shape, np.float32), facts.latent_space)


@empty_video_latent.facts
def _(p: Any, model: Facts | None) -> Facts:
    known = facts_of("Latent", count=p.count, noise=0.0, masked=False)
    if model is None:
        return known
    runs_in_steps(model)
    _makes_videos(model)
    size_fits(p.width, p.height, model)
    frames_fit(p.frames, model)
    factor, step = model.factor, model.frame_factor
    width = model.own_width if p.width == 0 else p.width
    height = model.own_height if p.height == 0 else p.height
    return known.but(
        space=model.space,
        factor=factor,
        width=width // factor if factor and width else None,
        height=height // factor if factor and height else None,
        channels=model.channels,
        frames=_coded(model.own_frames if p.frames == 0 else p.frames, step),
    )


@node(
    category="Latent",
    title="VAE encode video",
    lane="device",
    version=2,
    aliases=("video to latent",),
)
def vae_encode_video(
    ctx: Context,
    vae: VAE,
    video: Video,
    posterior: Literal["mean", "sample"] = "mean",
    seed: SeedParam = 0,
    tile: TileSize = 0,
    overlap: Overlap = 0,
) -> Latent:
    """Encode a video into the latent of a video VAE, a few frames at a time.

    `posterior` takes the mean of what the VAE says, which is always the same, or a sample drawn
    with `seed`. Width and height must be multiples of what the model takes (16 for Wan 2.1), and
    the frames 1 more than a multiple (1, 5, 9 ... for Wan).

    `tile` above 0 encodes in squares of that many pixels, which share `overlap` pixels with their
    neighbours (0: a quarter of the tile) and are blended there: the device then needs the memory
    of one square.

    Example: load_frames -> vae_encode_video -> sample(denoise=0.6) -> vae_decode_video changes a
    video by a text.
    """
    with explained():
        drawn, coding = seed if posterior == "sample" else None, _coding(ctx, tile, overlap)
        family, step = video_family_of(vae), describe(vae).geometry.frame_factor
        latent = family.encode_video(vae, video, ctx.load, ctx.device, drawn, coding)
        learn_video(vae, latent.samples, video, step, ctx.load)
        return latent


@vae_encode_video.migrate(1)
def _(params: dict[str, Any], inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"overlap": 64, **params}, inputs  # which was the default


@vae_encode_video.facts
def _(p: Any, vae: Facts | None, video: Facts | None) -> Facts:
    _makes_videos(vae)
    tile_fits(p.tile, p.overlap, vae)
    if video is not None:
        size_fits(video.width, video.height, vae)
        frames_fit(video.frames, vae)
    factor = vae.factor if vae is not None else None
    return facts_of(
        "Latent",
        space=vae and vae.space,
        factor=factor,
        width=video.width // factor if video and video.width and factor else None,
        height=video.height // factor if video and video.height and factor else None,
        channels=vae and vae.channels,
        frames=_coded(video.frames, vae.frame_factor) if video and vae else None,
        count=1,
        noise=0.0,
        masked=False,
    )


@vae_encode_video.peak
def _(p: Any, vae: Facts | None, video: Facts | None) -> Peak:
    known = video or facts_of("Video")
    frames = _coded(known.frames, vae.frame_factor) if vae else None
    return coding_peak(vae, known.width, known.height, frames, p.tile, p.overlap)


@node(
    category="Latent",
    title="VAE decode video",
    lane="device",
    version=2,
    aliases=("latent to video",),
)
def vae_decode_video(
    ctx: Context,
    vae: VAE,
    latent: Latent,
    rate: Annotated[float, Range(0, 1000, 1)] = 0.0,
    depth: Literal["8", "16", "float"] = "16",
    tile: TileSize = 0,
    overlap: Overlap = 0,
) -> list[Video]:
    """Decode latents into videos, one for each of the batch, a few frames at a time.

    The VAE must speak the latent's space. `rate` is in frames per second; 0 takes the model's own
    (16 for Wan 2.1, 24 for Wan 2.2 5B). The frames go to a file in the cache folder with `depth`
    bits a channel. `tile` above 0 decodes in squares of that many pixels, which share `overlap`
    pixels with their neighbours (0: a quarter of the tile) and are blended there: the device then
    needs the memory of one.

    Example: sample -> vae_decode_video -> save_video_frames.
    """
    if latent.space != vae.space:
        raise UserError(
            f"The latent is in the space {latent.space}, the VAE speaks {vae.space}. Use the VAE "
            "of the model that made the latent."
        )
    if latent.samples.ndim != 5:
        raise UserError("This latent holds pictures, not videos. Decode it with VAE decode.")
    with explained():
        family, known = video_family_of(vae), describe(vae)

    def frames(index: int) -> Iterator[Image]:
        single = latent.but(samples=latent.samples[index : index + 1], mask=None)
        coding = _coding(ctx, tile, overlap, index, latent.count)
        with explained():
            for pixels in family.decode_video(vae, single, ctx.load, ctx.device, coding):
                yield Image(pixels)

    speed = rate or known.defaults.rate
    step = known.geometry.frame_factor

    def watched(index: int) -> Iterator[Image]:
        return learning(vae, latent.samples[index : index + 1], frames(index), step, ctx.load)

    return [ctx.spool(watched(index), speed, depth) for index in range(latent.count)]


@vae_decode_video.migrate(1)
def _(params: dict[str, Any], inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"overlap": 64, **params}, inputs  # which was the default


@vae_decode_video.facts
def _(p: Any, vae: Facts | None, latent: Facts | None) -> Facts:
    same_latent_space(latent, vae)
    _makes_videos(vae)
    tile_fits(p.tile, p.overlap, vae)
    factor = vae.factor if vae is not None else None
    step = vae.frame_factor if vae is not None else None
    frames = 1 + (latent.frames - 1) * step if latent and latent.frames and step else None
    single = facts_of(
        "Video",
        width=latent.width * factor if latent and latent.width and factor else None,
        height=latent.height * factor if latent and latent.height and factor else None,
        frames=frames,
        rate=p.rate or None,
    )
    return single.listed(latent.count if latent is not None else None)


@vae_decode_video.peak
def _(p: Any, vae: Facts | None, latent: Facts | None) -> Peak:
    known, factor = latent or facts_of("Latent"), (vae and vae.factor) or 0
    size = (known.width or 0) * factor, (known.height or 0) * factor
    frames = (known.frames or 1) * (known.count or 1)  # each latent frame is a pass
    return coding_peak(vae, *size, frames, p.tile, p.overlap, "decoder")


def _makes_videos(known: Facts | None) -> None:
    """Refuse a model or VAE of pictures while the graph is edited.

    Raises:
        UserError: it is one.
    """
    if known is not None and known.frame_factor == 0:
        raise UserError(
            f"{(known.family or 'These').capitalize()} models make pictures, not videos. Choose a "
            "video model such as Wan, or use the nodes for pictures."
        )


def _coded(frames: int | None, step: int | None) -> int | None:
    """Latent frames of so many frames."""
    return 1 + (frames - 1) // step if frames and step else None


def _coding(ctx: Context, tile: int, overlap: int, index: int = 0, count: int = 1) -> Coding:
    """The coding of video ``index`` of ``count``, which tells of every piece; a cancelled run stops
    there."""

    def told(done: int, total: int) -> None:
        ctx.check()
        ctx.progress(index * total + done, count * total)

    return Coding(*tiles_for(ctx, tile, overlap), told=told)
