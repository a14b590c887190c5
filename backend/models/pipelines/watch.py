"""Progress, preview and cancel of a running pipeline: by its callback, or by hooks without one."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from backend.models.pipelines.arguments import task_of
from backend.models.preview import rough_picture
from backend.sdk import Context

Means = Literal["callback", "hooks"]
PACKED = 3
"""Axes of latents ``[batch, tokens, values]``, where a token holds 2x2 cells."""
CODERS = ("encoder", "decoder")
"""Networks within a codec, which pipelines call by its methods."""


def means_of(kind: Any) -> Means:
    """How a pipeline class tells its steps."""
    named = inspect.signature(kind.__call__).parameters
    return "callback" if "callback_on_step_end" in named else "hooks"


class Watch:
    """Follows one run of ``runs`` like it, of which ``before`` are done; ``call`` is its arguments.

    Every step tells progress and shows a rough picture of the latents, unless they are sound. A
    cancel raises out of the pipeline at the next step or call of any of its networks, whichever
    comes first: a token that a language model writes, a tile that a codec decodes.
    """

    def __init__(
        self, ctx: Context, pipeline: Any, before: int, runs: int, call: Mapping[str, Any]
    ) -> None:
        self._ctx = ctx
        self._pipeline = pipeline
        self._before = before
        self._runs = runs
        self._shows = task_of(type(pipeline)) != "audio"
        self._shape = _shape(call)
        self.steps = 0

    def arguments(self) -> dict[str, Any]:
        """What the call must be given for this."""
        if means_of(type(self._pipeline)) == "callback":
            return {"callback_on_step_end": self._on_step_end}
        return {}

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks on the networks and, for a pipeline without callback, on the scheduler."""
        parts: list[Any] = list(self._pipeline.components.values())
        parts += [getattr(part, name, None) for part in parts for name in CODERS]
        handles = [
            part.register_forward_pre_hook(self._before_call)
            for part in dict.fromkeys(p for p in parts if hasattr(p, "register_forward_pre_hook"))
        ]
        scheduler: Any = getattr(self._pipeline, "scheduler", None)
        counted = not self.arguments() and hasattr(scheduler, "step")
        if counted:
            scheduler.step = self._counted(scheduler.step)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            if counted:
                del scheduler.step

    def _before_call(self, module: Any, args: Any) -> None:
        self._ctx.check()

    def _counted(self, step: Any) -> Any:
        @functools.wraps(step)  # pipelines look at the signature to see what it takes
        def counting(*args: Any, **kwargs: Any) -> Any:
            result = step(*args, **kwargs)
            latents = result[0] if isinstance(result, tuple) else result.prev_sample
            self._told(self.steps + 1, latents)
            return result

        return counting

    def _on_step_end(
        self, pipeline: Any, step: int, t: Any, given: dict[str, Any]
    ) -> dict[str, Any]:
        self._told(self.steps + 1, given.get("latents"))
        return given

    def _told(self, done: int, latents: Any) -> None:
        self.steps = done
        total = max(self._total(), done)
        self._ctx.progress(self._before * total + done, self._runs * total)
        if not self._shows or not hasattr(latents, "ndim"):
            return
        if latents.ndim == PACKED:
            latents = unpacked(self._pipeline, latents, self._shape)
        if latents is not None and latents.ndim in (4, 5) and latents.shape[1] > 0:
            self._ctx.preview(lambda: rough_picture(latents.detach()[:1]))

    def _total(self) -> int:
        counted = getattr(self._pipeline, "num_timesteps", None)
        if not isinstance(counted, int):
            counted = len(getattr(getattr(self._pipeline, "scheduler", None), "timesteps", ()))
        return counted


def unpacked(pipeline: Any, latents: Any, shape: float) -> Any:
    """Latents ``[batch, tokens, values]`` as a plane, by the pipeline's own means, or ``None``.

    ``shape`` is how high the picture is for its width; how many tokens are in a row follows.
    """
    unpack = getattr(type(pipeline), "_unpack_latents", None)
    takes = ["latents", "height", "width", "vae_scale_factor"]
    if unpack is None or list(inspect.signature(unpack).parameters) != takes:
        return None
    tokens, values = latents.shape[1:]
    rows = max(1, round(math.sqrt(tokens * shape)))
    if tokens % rows or values % 4:
        return None
    cell = 2 * pipeline.vae_scale_factor
    return unpack(latents, rows * cell, tokens // rows * cell, pipeline.vae_scale_factor)


def _shape(call: Mapping[str, Any]) -> float:
    """How high for its width a picture is meant to be: as asked, or else as the picture given."""
    height, width = call.get("height"), call.get("width")
    if not (height and width):
        image = call.get("image")
        width, height = getattr(image[0] if isinstance(image, list) else image, "size", (1, 1))
    return float(height / width)
