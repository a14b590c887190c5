"""One call of any pipeline: a wish in Weft's terms, the call, and what comes of it."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from backend.diffusion.errors import DiffusionError
from backend.diffusion.noise import sample_seed
from backend.models.pipelines import results
from backend.models.pipelines.arguments import Argument, call_arguments, frame_rate, read_extra
from backend.models.pipelines.given import pillow_pictures
from backend.models.pipelines.load import assemble, missing_package
from backend.models.pipelines.placement import choose, free_bytes, module_sizes
from backend.models.pipelines.watch import Watch
from backend.sdk import Context
from backend.values import Image, Mask, Model, Video

NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "prompt": ("prompt",),
        "negative_prompt": ("negative_prompt",),
        "image": (
            "image", "images", "input_image", "init_image", "control_image", "reference_image",
            "reference_images", "cond_image",
        ),
        "mask": ("mask_image", "mask"),
        "video": ("video", "control_video", "conditioning_frames"),
        "width": ("width",),
        "height": ("height",),
        "frames": ("num_frames", "frames", "video_length"),
        "rate": ("frame_rate", "fps"),
        "seconds": (
            "audio_duration", "audio_duration_s", "audio_length_in_s", "audio_end_in_s", "duration",
        ),
        "steps": ("num_inference_steps",),
        "cfg": ("guidance_scale", "true_cfg_scale"),
        "strength": ("strength",),
    }
)  # fmt: skip
"""Parameters of the nodes, and the call arguments that they set: the first that a pipeline has."""


@dataclass(frozen=True)
class Wish:
    """What is wanted of a pipeline. ``None`` and empty texts leave a thing to the pipeline.

    ``count`` runs follow each other, each with a seed of its own; ``extra`` are ``name = value``
    lines. ``frames`` counts them, ``rate`` is per second, ``seconds`` is the length of a sound.
    """

    prompt: str = ""
    negative_prompt: str = ""
    image: Image | None = None
    mask: Mask | None = None
    video: Video | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    rate: float | None = None
    seconds: float | None = None
    steps: int | None = None
    cfg: float | None = None
    strength: float | None = None
    seed: int = 0
    count: int = 1
    extra: str = ""


@dataclass(frozen=True)
class Output:
    """What one run gave: the pipeline's own output by name, the pipeline, and its call."""

    values: Mapping[str, Any]
    pipeline: Any
    call: Mapping[str, Any] = field(repr=False)


def run_pipeline(ctx: Context, model: Model, wish: Wish) -> Iterator[Output]:
    """Run a model whole, ``wish.count`` times; each output can be used before the next begins.

    Sample ``i`` has its own CPU generator with the seed that any sampler of Weft gives it.

    Raises:
        CatalogError: the model's files cannot be used.
        DiffusionError: the pipeline does not take what is wished, or says that it cannot.
    """
    import torch

    pipeline = assemble(model, ctx.load)
    call = {**_form(pipeline), **call_of(type(pipeline), wish)}
    placement = choose(ctx.device, module_sizes(pipeline), free_bytes(ctx.device, pipeline))
    takes = set(inspect.signature(type(pipeline).__call__).parameters)
    with placement.of(pipeline), torch.no_grad():
        for index in range(wish.count):
            watch = Watch(ctx, pipeline, index, wish.count, call)
            seeded = torch.Generator("cpu").manual_seed(sample_seed(wish.seed, index))
            own = {"generator": seeded, **watch.arguments()}
            with watch.installed():
                values = _called(pipeline, {**call, **{k: own[k] for k in own if k in takes}})
            yield Output(values, pipeline, call)


def call_of(kind: Any, wish: Wish) -> dict[str, Any]:
    """The call arguments for a wish, without generator and callbacks.

    Raises:
        DiffusionError: the pipeline does not take what is wished, or needs what is not given.
    """
    arguments = call_arguments(kind)
    known = {argument.name: argument for argument in arguments}
    taken = {name: wished for wished in NAMES if (name := _target(wished, known))}
    call = read_extra(wish.extra, arguments, {n: w for n, w in taken.items() if _wished(wish, w)})
    for wished in NAMES:
        if not _wished(wish, wished):
            continue
        name = _target(wished, known)
        if not name:
            raise DiffusionError(_not_taken(kind.__name__, wished, known))
        given = _given(wished, getattr(wish, wished), kind)
        # Some pipelines take several references, and one only as a list of one.
        alone = name == "reference_images" and not isinstance(given, list)
        call[name] = [given] if alone else given
    if "prompt" in known and "prompt_embeds" not in call:
        call.setdefault("prompt", wish.prompt)
    missing = [a.name for a in arguments if a.required and a.name not in call]
    if missing:
        raise DiffusionError(
            f"{kind.__name__} also needs {', '.join(missing)}. {_where(missing)}".rstrip()
        )
    return call


def video_rate(output: Output, wish: Wish) -> float:
    """Frames per second of what a run gave."""
    if wish.rate is not None:
        return wish.rate
    given = next((output.call[n] for n in NAMES["rate"] if n in output.call), None)
    return float(given) if given else frame_rate(type(output.pipeline))


def _called(pipeline: Any, call: Mapping[str, Any]) -> Mapping[str, Any]:
    import torch

    name = type(pipeline).__name__
    given: Any
    try:
        given = pipeline(**call)
    except torch.OutOfMemoryError:
        raise
    except (ImportError, NameError) as error:
        raise DiffusionError(missing_package(name, error)) from error
    except (
        ValueError, TypeError, AssertionError, LookupError, ArithmeticError, RuntimeError
    ) as error:  # fmt: skip
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise DiffusionError(f"{name} cannot run with these settings: {said}") from error
    if isinstance(given, Mapping):
        return dict(given)
    if hasattr(given, "__dict__"):
        return dict(vars(given))
    parts = given if isinstance(given, tuple | list) else (given,)
    return dict(zip((results.PICTURES[0], "more"), parts, strict=False))


def _wished(wish: Wish, name: str) -> bool:
    return getattr(wish, name) not in (None, "")


def _target(wished: str, known: Mapping[str, Argument]) -> str:
    """The call argument that a wish sets, or "" where the pipeline has none.

    Where ``guidance_scale`` is off by default, it is the embedded guidance of a distilled model,
    and ``true_cfg_scale`` is what is meant by cfg.
    """
    names = [name for name in NAMES[wished] if name in known]
    if wished == "cfg" and len(names) == 2 and known[names[0]].default is None:
        return names[1]
    return names[0] if names else ""


def _given(wished: str, value: Any, kind: Any) -> Any:
    if wished in ("image", "mask", "video"):
        return pillow_pictures(value, kind)
    return value


def _form(pipeline: Any) -> dict[str, str]:
    """The output type that keeps full precision, where the pipeline is known to take it: by its
    docstring, or by the processor of diffusers that makes its pictures."""
    from diffusers.image_processor import VaeImageProcessor

    kind = type(pipeline)
    if "output_type" not in inspect.signature(kind.__call__).parameters:
        return {}
    told = re.search(
        r"output_type`? \(.*\n(?:[ \t]+.*\n?){1,4}", inspect.getdoc(kind.__call__) or ""
    )
    makers = (getattr(pipeline, name, None) for name in ("image_processor", "video_processor"))
    known = (told and re.search(r"\bnp\b|numpy", told[0])) or any(
        isinstance(maker, VaeImageProcessor) for maker in makers
    )
    return {"output_type": "np"} if known else {}


def _not_taken(name: str, wished: str, known: Mapping[str, Argument]) -> str:
    stem = {"cfg": "guidance_scale", "steps": "num_inference_steps", "frames": "num_frames",
            "rate": "frame_rate", "seconds": "duration", "mask": "mask_image"}  # fmt: skip
    near = difflib.get_close_matches(stem.get(wished, wished), list(known), 3, 0.6)
    hint = f" It has {', '.join(near)}, which extra can set." if near else ""
    shown = wished.replace("_", " ")
    return f"{name} takes no {shown}. Leave {wished} as it is or unconnected.{hint}"


def _where(missing: Sequence[str]) -> str:
    if set(missing) & {*NAMES["image"], *NAMES["mask"]}:
        return "Connect a picture: Pipeline edit and Pipeline video take one."
    return "Set it in extra, one `name = value` a line, if it can be written as text."
