"""Nodes that run a model whole, as a pipeline of diffusers: no seams, one node per task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

from backend.catalog.source import check_folder, open_beside
from backend.models.explain import explained
from backend.models.pipelines.reference import (
    PREFIX,
    check_pipeline,
    pipeline_name,
    pipeline_reference,
)
from backend.sdk import (
    Audio,
    Context,
    Facts,
    Image,
    Mask,
    Model,
    ModelRef,
    Multiline,
    Peak,
    Range,
    SeedParam,
    UserError,
    Video,
    facts_of,
    node,
)

Size = Annotated[int, Range(0, 16384, 8)]
Steps = Annotated[int, Range(0, 1000, 1)]
Scale = Annotated[float, Range(-1, 100, 0.1)]
Count = Annotated[int, Range(1, 64, 1)]


class VideoAndSound(NamedTuple):
    """A video, and the sound that goes with it."""

    video: Video
    audio: Audio


@node(category="Model", aliases=("diffusers", "checkpoint", "whole", "any model"))
def load_pipeline(
    ctx: Context, model: ModelRef = "", denoiser: ModelRef = "", vae: ModelRef = ""
) -> Model:
    """Name a model that runs whole, as any pipeline of diffusers: HiDream, SVD, ACE-Step...

    `model` is a folder in the diffusers layout (the one that holds `model_index.json`). Nothing is
    loaded yet. Such a model goes into Pipeline image, edit, video or audio, and nowhere else: it
    takes no samplers, guidance or patches of Weft. Where Load model knows the model, prefer that.

    `denoiser` and `vae` are single files, safetensors or GGUF, in their authors' naming or in that
    of diffusers. They take the place of the folder's own transformer or UNet, and VAE, whose
    weights it need not have; their configs must be the folder's.

    Example: load_pipeline(model="models/HiDream-I1-Full") -> pipeline_image(prompt="a red kite").
    """
    files = {"denoiser": denoiser, "vae": vae}
    with explained():
        given = {name: ctx.model_folder(file) for name, file in files.items() if file}
        return pipeline_reference(open_beside(ctx.model_folder(model), given))


@load_pipeline.facts
def _(p: Any) -> Facts:
    files = {name: file for name in ("denoiser", "vae") if (file := getattr(p, name))}
    known = p.lookup is not None and p.model
    folder = p.lookup.model(p.model, files) if known else None
    if folder is None:
        return facts_of("Model")
    with explained():
        check_folder(folder.path)
        check_pipeline(folder)
    return facts_of(
        "Model",
        family=PREFIX + folder.pipeline,
        identity=folder.identity(tuple(folder.components)),
        bytes=folder.nbytes,
    )


@node(category="Model", aliases=("help", "options", "signature", "extra"))
def pipeline_arguments(ctx: Context, model: Model) -> str:
    """Say what a pipeline takes: one argument a line, with its kind, its default and its help.

    These are the names that `extra` of the pipeline nodes understands.

    Example: load_pipeline -> pipeline_arguments, and read the text.
    """
    from backend.models.pipelines.arguments import call_arguments
    from backend.models.pipelines.classes import pipeline_class

    with explained():
        kind = pipeline_class(pipeline_name(model), model.source)
        return "\n".join(argument.line for argument in call_arguments(kind))


@pipeline_arguments.facts
def _(p: Any, model: Facts | None) -> Facts:
    _whole(model)
    return facts_of("Text")


@node(category="Sampling/Pipeline", lane="device", aliases=("text to image", "generate", "whole"))
def pipeline_image(
    ctx: Context,
    model: Model,
    prompt: Multiline = "",
    negative_prompt: Multiline = "",
    width: Size = 0,
    height: Size = 0,
    steps: Steps = 0,
    cfg: Scale = -1.0,
    seed: SeedParam = 0,
    count: Count = 1,
    extra: Multiline = "",
) -> Image:
    """Make pictures from text with a model that runs whole.

    What is 0 (`width`, `height`, `steps`) or -1 (`cfg`) is left to the pipeline. `count` pictures
    are made one after the other, each with its own noise from `seed`; the first is what the seed
    gives alone. `extra` sets any other argument of the pipeline, one `name = value` a line (a
    number, true, a list such as [1024, 1024], or text); Pipeline arguments lists them.

    Example: pipeline_image(prompt="a red kite", steps=30, extra="max_sequence_length = 128").
    """
    from backend.models.pipelines.results import pictures
    from backend.models.pipelines.run import Wish

    wish = Wish(
        prompt, negative_prompt, width=width or None, height=height or None, steps=steps or None,
        cfg=_scale(cfg), seed=seed, count=count, extra=extra,
    )  # fmt: skip
    return _pictures(ctx, model, wish, pictures)


@node(
    category="Sampling/Pipeline",
    lane="device",
    aliases=("image to image", "in-paint", "inpaint", "instruct", "control", "upscale", "whole"),
)
def pipeline_edit(
    ctx: Context,
    model: Model,
    image: Image,
    mask: Mask | None = None,
    prompt: Multiline = "",
    negative_prompt: Multiline = "",
    strength: Annotated[float, Range(-1, 1, 0.01)] = -1.0,
    width: Size = 0,
    height: Size = 0,
    steps: Steps = 0,
    cfg: Scale = -1.0,
    seed: SeedParam = 0,
    count: Count = 1,
    extra: Multiline = "",
) -> Image:
    """Change or continue a picture with a model that runs whole: image to image, in-paint, edit.

    What the pipeline does with `image` is its own affair; a batch reaches it as a list of pictures.
    Pictures are handed over with 8 bits. `mask`, for pipelines that in-paint, is white where
    something new may come. `strength`, `cfg` at -1 and `width`, `height`, `steps` at 0 are left to
    the pipeline. `count`, `seed` and `extra` as for Pipeline image.

    Example: load_image -> pipeline_edit(prompt="make it winter", strength=0.6).
    """
    from backend.models.pipelines.results import pictures
    from backend.models.pipelines.run import Wish

    wish = Wish(
        prompt, negative_prompt, image, mask, width=width or None, height=height or None,
        steps=steps or None, cfg=_scale(cfg), strength=_scale(strength), seed=seed, count=count,
        extra=extra,
    )  # fmt: skip
    return _pictures(ctx, model, wish, pictures)


@node(
    category="Sampling/Pipeline",
    lane="device",
    aliases=("text to video", "image to video", "animate", "whole"),
)
def pipeline_video(
    ctx: Context,
    model: Model,
    image: Image | None = None,
    video: Video | None = None,
    prompt: Multiline = "",
    negative_prompt: Multiline = "",
    width: Size = 0,
    height: Size = 0,
    frames: Annotated[int, Range(0, 10_000, 1)] = 0,
    rate: Annotated[float, Range(0, 240, 1)] = 0.0,
    steps: Steps = 0,
    cfg: Scale = -1.0,
    seed: SeedParam = 0,
    extra: Multiline = "",
) -> VideoAndSound:
    """Make a video with a model that runs whole, from text, a picture or another video.

    `image` and `video` are for pipelines that take one. `frames` counts frames and `rate` is in
    frames per second; what is 0 (or `cfg` at -1) is left to the pipeline. `audio` is the sound that
    the pipeline made, or silence of the same length. `seed` and `extra` as for Pipeline image.

    Example: load_image -> pipeline_video(frames=25, seed=7) -> save_video_frames.
    """
    from backend.models.pipelines.run import Wish

    wish = Wish(
        prompt, negative_prompt, image, None, video, width or None, height or None, frames or None,
        rate or None, steps=steps or None, cfg=_scale(cfg), seed=seed, extra=extra,
    )  # fmt: skip
    return _video(ctx, model, wish)


@node(
    category="Sampling/Pipeline",
    lane="device",
    aliases=("text to audio", "music", "sound", "song", "whole"),
)
def pipeline_audio(
    ctx: Context,
    model: Model,
    prompt: Multiline = "",
    negative_prompt: Multiline = "",
    seconds: Annotated[float, Range(0, 3600, 0.1)] = 0.0,
    steps: Steps = 0,
    cfg: Scale = -1.0,
    seed: SeedParam = 0,
    extra: Multiline = "",
) -> Audio:
    """Make sound or music with a model that runs whole.

    `seconds` is how long it shall be; what is 0 (or `cfg` at -1) is left to the pipeline. `seed`
    and `extra` as for Pipeline image; lyrics go into `extra`, as text in quotes with \\n for a new
    line.

    Example: pipeline_audio(prompt="soft rain on a tin roof", seconds=10) -> save_audio.
    """
    from backend.models.pipelines.results import sound, sound_rate
    from backend.models.pipelines.run import Wish, run_pipeline

    wish = Wish(
        prompt, negative_prompt, seconds=seconds or None, steps=steps or None, cfg=_scale(cfg),
        seed=seed, extra=extra,
    )  # fmt: skip
    with explained():
        _fits(model, "audio")
        (output,) = run_pipeline(ctx, model, wish)
        return sound(output.values, pipeline_name(model), sound_rate(output.pipeline))


@pipeline_image.facts
def _(p: Any, model: Facts | None) -> Facts:
    _whole(model)
    size = {"width": p.width or None, "height": p.height or None}
    return facts_of("Image", **size if all(size.values()) else {})


@pipeline_edit.facts
def _(p: Any, model: Facts | None, image: Facts | None, mask: Facts | None = None) -> Facts:
    _whole(model)
    return facts_of("Image")


@pipeline_video.facts
def _(p: Any, model: Facts | None, **others: Facts | None) -> dict[str, Facts]:
    _whole(model)
    return {"video": facts_of("Video", rate=p.rate or None), "audio": facts_of("Audio")}


@pipeline_audio.facts
def _(p: Any, model: Facts | None) -> Facts:
    _whole(model)
    return facts_of("Audio")


@pipeline_image.peak
def _(p: Any, model: Facts | None) -> Peak:
    return _whole_peak(p.steps, p.count)


@pipeline_edit.peak
def _(p: Any, model: Facts | None, image: Facts | None, mask: Facts | None = None) -> Peak:
    return _whole_peak(p.steps, p.count)


@pipeline_video.peak
def _(p: Any, model: Facts | None, **others: Facts | None) -> Peak:
    return _whole_peak(p.steps, 1)


@pipeline_audio.peak
def _(p: Any, model: Facts | None) -> Peak:
    return _whole_peak(p.steps, 1)


def _whole_peak(steps: int | None, count: int | None) -> Peak:
    """What a pipeline computes in is its own affair; its denoiser is called at each step, so often
    at least."""
    return Peak(None, (("model", max(steps or 1, 1) * (count or 1)),))


def _pictures(ctx: Context, model: Model, wish: Any, read: Any) -> Image:
    import numpy as np

    from backend.models.pipelines.run import run_pipeline

    with explained():
        _fits(model, "image")
        name = pipeline_name(model)
        made = [read(output.values, name).pixels for output in run_pipeline(ctx, model, wish)]
    return Image(made[0] if len(made) == 1 else np.concatenate(made))


def _video(ctx: Context, model: Model, wish: Any) -> VideoAndSound:
    import numpy as np

    from backend.models.pipelines.results import frames, has_sound, sound, sound_rate
    from backend.models.pipelines.run import run_pipeline, video_rate

    with explained():
        _fits(model, "video")
        name = pipeline_name(model)
        (output,) = run_pipeline(ctx, model, wish)
        made: Iterator[Image] = frames(output.values, name)
        video = ctx.spool(made, video_rate(output, wish))
        if has_sound(output.values):
            return VideoAndSound(video, sound(output.values, name, sound_rate(output.pipeline)))
    samples = max(1, round(video.seconds * 16_000))
    return VideoAndSound(video, Audio(np.zeros((1, samples), np.float32), 16_000))


def _fits(model: Model, wanted: str) -> None:
    """Refuse a pipeline for another task before anything of it is loaded."""
    from backend.models.pipelines.arguments import task_of
    from backend.models.pipelines.classes import pipeline_class

    name = pipeline_name(model)
    makes = task_of(pipeline_class(name, model.source))
    if ("image" if makes == "edit" else makes) != wanted:
        raise UserError(f"{name} is for the task {makes}. Use Pipeline {makes} for it.")


def _whole(model: Facts | None) -> None:
    if model is not None and model.family and not model.family.startswith(PREFIX):
        raise UserError(
            f"This is a {model.family} model for Weft's own samplers. Load it with Load pipeline "
            "to run it whole, or wire it into Sample."
        )


def _scale(value: float) -> float | None:
    return None if value < 0 else value
