"""Progress, preview and cancel of a running pipeline: by its callback, or by hooks without one."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator
from typing import Any, Literal

from backend.models.preview import rough_picture
from backend.sdk import Context

Means = Literal["callback", "hooks"]
DENOISERS = ("transformer", "transformer_2", "unet", "decoder", "prior")


def means_of(kind: Any) -> Means:
    """How a pipeline class tells its steps."""
    named = inspect.signature(kind.__call__).parameters
    return "callback" if "callback_on_step_end" in named else "hooks"


class Watch:
    """Follows one run of ``runs`` like it, of which ``before`` are done.

    Every step tells progress and shows a rough picture of the latents. A cancel raises out of the
    pipeline at the next step or call of the denoiser, whichever comes first.
    """

    def __init__(self, ctx: Context, pipeline: Any, before: int, runs: int) -> None:
        self._ctx = ctx
        self._pipeline = pipeline
        self._before = before
        self._runs = runs
        self.steps = 0

    def arguments(self) -> dict[str, Any]:
        """What the call must be given for this."""
        if means_of(type(self._pipeline)) == "callback":
            return {"callback_on_step_end": self._on_step_end}
        return {}

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks on the denoisers and, for a pipeline without callback, on the scheduler."""
        parts: list[Any] = [getattr(self._pipeline, name, None) for name in DENOISERS]
        handles = [
            part.register_forward_pre_hook(self._before_call)
            for part in parts
            if hasattr(part, "register_forward_pre_hook")
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
        if hasattr(latents, "ndim") and latents.ndim in (4, 5) and latents.shape[1] > 0:
            self._ctx.preview(rough_picture(latents.detach()[:1]))

    def _total(self) -> int:
        counted = getattr(self._pipeline, "num_timesteps", None)
        if not isinstance(counted, int):
            counted = len(getattr(getattr(self._pipeline, "scheduler", None), "timesteps", ()))
        return counted
