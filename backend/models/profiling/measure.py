"""A model's call at some noise levels, as a run makes it, looked at operator by operator."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from backend.diffusion.around import Around
from backend.diffusion.noise import gaussian
from backend.diffusion.sample import GuidedModel, Hooks
from backend.diffusion.schedule import sigmas
from backend.models.experts import assemble
from backend.models.family import describe
from backend.models.patch import Stage, surround
from backend.models.profiling.roof import Roof, measure_roof
from backend.models.profiling.trace import Places, Trace, trace
from backend.models.run import checked
from backend.sdk import Context
from backend.values import Guider, Latent, Schedule


@dataclass(frozen=True)
class Level:
    """A step of a run: its number, its noise level, and the operators of its call."""

    number: int
    sigma: float
    trace: Trace


@dataclass(frozen=True)
class Profile:
    """The looked-at steps of a run of ``steps``, and what they ran on; ``tokens`` are image tokens
    of one sample."""

    family: str
    shape: tuple[int, ...]
    tokens: int
    steps: int
    levels: tuple[Level, ...]
    roof: Roof
    device: str
    threads: int
    dtype: str


def profile(ctx: Context, guider: Guider, latent: Latent, steps: int, repeats: int) -> Profile:
    """Look at ``steps`` of the model's own schedule, evenly from the first to the last.

    The latent's size alone matters; it gets noise of each level. Each call is made several times
    (``trace``), with the patches and the guidance of a run.

    Raises:
        DiffusionError: the guider has no model, or spaces and sizes do not go together.
        CatalogError: the model's files cannot be used.
    """
    import torch

    model, places, dtypes = checked(guider, latent), Places(), [torch.float32]

    def dress(stage: Stage) -> tuple[Around, ...]:
        places.use(stage.net, stage.card)
        dtypes.append(next(stage.net.parameters()).dtype)
        return surround(stage, guider.terms)

    denoiser, around = assemble(model, ctx.load, ctx.device, dress)
    shape = tuple(latent.samples.shape)
    whole = describe(model).defaults.steps
    levels = sigmas(Schedule("native", steps=whole), denoiser.process, denoiser.tokens(shape))[:-1]
    guided = GuidedModel(denoiser, guider, latent.count, Hooks(ctx.check), around)
    noise = gaussian(0, shape).to(ctx.device)
    clean = torch.from_numpy(latent.samples.copy()).to(ctx.device)
    found = []
    chosen = _spread(len(levels), steps)
    with torch.no_grad():
        for done, number in enumerate(chosen):
            sigma = levels[number]
            x = denoiser.process.path.noisy(clean, noise, sigma)
            call = partial(guided.at(number, len(levels)), x, sigma)
            looked = trace(call, places, ctx.device, repeats, ctx.check)
            found.append(Level(number + 1, sigma, looked))
            ctx.progress(done + 1, len(chosen))
    dtype = dtypes[-1]
    return Profile(
        model.family,
        shape,
        denoiser.tokens(shape),
        len(levels),
        tuple(found),
        measure_roof(ctx.device, dtype, ctx.check),
        ctx.device,
        torch.get_num_threads(),
        str(dtype).removeprefix("torch."),
    )


def _spread(count: int, wanted: int) -> list[int]:
    """So many numbers below ``count``, evenly from the first to the last; of one the first."""
    last, gaps = count - 1, max(min(wanted, count) - 1, 1)
    return [round(i * last / gaps) for i in range(min(wanted, count))]
