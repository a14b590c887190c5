"""The sampling loop: everything it needs comes in as data, a denoiser and callbacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from backend.diffusion.around import Around, Moment, Mover
from backend.diffusion.edit import Edit, EditMaker, Start
from backend.diffusion.errors import DiffusionError, UnequalTexts
from backend.diffusion.guide import Call, guidance_kinds
from backend.diffusion.inpaint import keep
from backend.diffusion.noise import draw
from backend.diffusion.paths import Estimate
from backend.diffusion.process import Denoiser
from backend.diffusion.registry import choose
from backend.diffusion.schedule import NEAR, cut, sigmas, table
from backend.diffusion.solver import Past, SolverKind, Step, inverters, solver_kinds
from backend.diffusion.solvers.euler import EULER
from backend.values import (
    Conditioning,
    Float32,
    Guider,
    Latent,
    Noise,
    Params,
    Schedule,
    Solver,
    Term,
)

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Hooks:
    """How a run talks to the outside.

    ``check`` is called before every model call and may raise; ``step(done, total, x0)`` after
    every step, with the clean latent as the model sees it now. ``frugal``: where guidance asks
    with several texts, each goes through the model by itself, which takes less memory; ``apart``:
    so does each sample of the batch, which nothing may look across then.
    """

    check: Callable[[], None] = lambda: None
    step: Callable[[int, int, Tensor], None] = lambda done, total, x0: None
    frugal: bool = False
    apart: bool = False


def sample(
    denoiser: Denoiser,
    guider: Guider,
    solver: Solver,
    schedule: Schedule,
    noise: Noise,
    latent: Latent,
    *,
    device: str = "cpu",
    hooks: Hooks | None = None,
    edits: Sequence[EditMaker] = (),
    around: Sequence[Around] = (),
    movers: Sequence[Mover] = (),
) -> Latent:
    """Denoise a latent. Each of ``around`` is entered for every call of the denoiser, in order, and
    each of ``movers`` moves the latent before every step.

    A clean latent is noised to the level at which the schedule starts; from the beginning of a
    schedule the noise alone counts, unless a table of sigmas begins below the model's own. A
    latent that still holds noise (``sigma`` above 0) goes on from where it is. Where it has a
    mask, only what is masked changes.

    Returns:
        The latent at the schedule's last level (``sigma`` 0 for a whole run), on the CPU.

    Raises:
        DiffusionError: the settings, conditionings and latent do not go together.
    """
    import torch

    hooks = hooks or Hooks()
    tokens = denoiser.tokens(latent.samples.shape)
    levels = sigmas(schedule, denoiser.process, tokens)
    whole = len(table(schedule, denoiser.process, tokens)) - 1
    end = cut(schedule, whole)[1]
    if latent.sigma > 0:
        if edits:
            raise DiffusionError(
                "This latent still holds noise, so there is no clean picture to take the layout "
                "from. Give it a latent that VAE encode made."
            )
        levels = [latent.sigma, *(s for s in levels if s < latent.sigma - 1e-6)]
    if len(levels) < 2:
        return latent
    original = torch.from_numpy(latent.samples.copy()).to(device)
    drawn = draw(noise, latent.samples.shape).to(device)
    start = Start(denoiser.process.path, original, drawn)
    native = Schedule("native", steps=max(schedule.steps, 1))
    top = table(native, denoiser.process, tokens)[0]  # may lie below the model's highest level
    if latent.sigma > 0:
        x = original
    elif schedule.start == 0 and (not schedule.sigmas or levels[0] >= top * (1 - 1e-6)):
        x = denoiser.process.begin(drawn, levels[0])
    else:
        x = start.path.noisy(original, drawn, levels[0])
    made = [_keeper(latent, start, device)] if latent.mask is not None else []
    made += [maker(start) for maker in edits]
    model = GuidedModel(denoiser, guider, latent.count, hooks, around, movers)
    kind = choose(solver_kinds(), solver.kind, "solver")
    with torch.no_grad():
        taken = max(end - (len(levels) - 1), 0)
        x = integrate(model, kind, levels, x, solver.params, made, hooks, taken, whole)
    return latent.but(samples=finite(x), sigma=levels[-1])


def invert(
    denoiser: Denoiser,
    guider: Guider,
    schedule: Schedule,
    latent: Latent,
    *,
    device: str = "cpu",
    hooks: Hooks | None = None,
    around: Sequence[Around] = (),
    solver: Solver | None = None,
) -> Latent:
    """Run the schedule upwards: from a clean latent to the noise it came from.

    ``solver`` is one that looks at no earlier step, Euler's if none is given (DDIM inversion), or
    the midpoint rule (RF-Solver, arXiv:2411.04746 section 3.2).

    Returns:
        The latent at the schedule's first level, ready for ``sample`` (which adds no noise then).

    Raises:
        DiffusionError: the latent is not clean, or the settings do not go together.
    """
    import torch

    if latent.sigma != 0:
        raise DiffusionError("Only a clean latent can be inverted; this one still holds noise.")
    solver = solver or Solver("euler")
    rule = choose(inverters(), solver.kind, "solver that inverts")
    hooks = hooks or Hooks()
    tokens = denoiser.tokens(latent.samples.shape)
    levels = sigmas(schedule, denoiser.process, tokens)[::-1]
    if len(levels) < 2:
        return latent
    whole = len(table(schedule, denoiser.process, tokens)) - 1
    last = cut(schedule, whole)[1]
    x = torch.from_numpy(latent.samples.copy()).to(device)
    kind = choose(guidance_kinds(), guider.kind, "guidance").inverse or guider.kind
    model = GuidedModel(denoiser, replace(guider, kind=kind), latent.count, hooks, around)
    with torch.no_grad():
        x = integrate(model, rule, levels, x, solver.params, (), hooks, last, whole, upward=True)
    return latent.but(samples=finite(x), sigma=levels[-1])


def integrate(
    model: GuidedModel,
    solver: SolverKind,
    levels: Sequence[float],
    x: Tensor,
    params: Params,
    edits: Sequence[Edit] = (),
    hooks: Hooks | None = None,
    taken: int = 0,
    whole: int | None = None,
    upward: bool = False,
) -> Tensor:
    """Take ``x`` through the noise levels, one solver step each, and every edit after each step.

    ``whole`` is the number of steps of the schedule before it was cut short, ``taken`` how many
    of them lie before this run; ``upward`` the run goes from there back to the first. The step to
    level 0 leads to where the model's process rests, which is taken for 0.
    """
    hooks = hooks or Hooks()
    steps = len(levels) - 1
    whole = max(whole or 0, taken if upward else taken + steps)
    past: tuple[Past, ...] = ()
    for index in range(steps):
        hooks.check()
        ask = model.at(max(taken - 1 - index, 0) if upward else taken + index, whole)
        sigma, target = levels[index], levels[index + 1]
        last = target == 0
        if last and sigma > model.rest * (1 - NEAR):
            target = min(model.rest, sigma)
        x = model.moved(x, sigma, max(taken - 1 - index, 0) if upward else taken + index, whole)
        step = Step(x, sigma, target, ask, model.path, past, params, last)
        # A step of no length moves nothing, and solvers of higher order divide by it.
        x, record = (EULER.advance if target == sigma else solver.advance)(step)
        past = (record, *past)[: solver.memory]
        for edit in edits:
            x = edit(x, levels[index + 1], (whole - taken - index - 1) / whole)
        hooks.step(index + 1, steps, record.estimate.x0)
    return x


class GuidedModel:
    """A denoiser under guidance, for one batch; it keeps prepared conditionings between calls.

    A conditioning with later ones is, at each step, the one that holds then.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        guider: Guider,
        count: int,
        hooks: Hooks,
        around: Sequence[Around] = (),
        movers: Sequence[Mover] = (),
    ) -> None:
        self.path, self.rest = denoiser.process.path, denoiser.process.rest
        self._denoiser = denoiser
        self._guider = guider
        self._count = count
        self._check, self._frugal = hooks.check, hooks.frugal
        self._apart = hooks.apart and count > 1
        self._around, self._movers = tuple(around), tuple(movers)
        self._kind = choose(guidance_kinds(), guider.kind, "guidance")
        self._prepared: dict[tuple[int | None, ...], tuple[Sequence[Conditioning], Any]] = {}

    def at(self, index: int, steps: int) -> Callable[[Tensor, float], Estimate]:
        """The estimator of one step."""

        def estimate(x: Tensor, sigma: float) -> Estimate:
            call = Call(
                x=x,
                sigma=sigma,
                step=index,
                steps=steps,
                process=self._denoiser.process,
                terms=self._guider.terms,
                params=self._guider.params,
                predict=lambda terms: self._predict(x, sigma, terms, (index, steps)),
            )
            return self._kind.apply(call)

        return estimate

    def moved(self, x: Tensor, sigma: float, index: int, steps: int) -> Tensor:
        """The latent as the movers leave it before a step; each sees one sample, or the batch."""
        import torch

        if not self._movers:
            return x
        size = 1 if self._apart else self._count
        parts = []
        for first in range(0, self._count, size):
            part = x[first : first + size]
            for mover in self._movers:
                self._check()
                shape = tuple(part.shape)
                tokens = self._denoiser.tokens(shape)
                moment = Moment(sigma, index, steps, shape, self._guider.terms, size, tokens, first)
                part = mover(part, moment, self._around)
            parts.append(part)
        return torch.cat(parts)

    def _predict(
        self, x: Tensor, sigma: float, terms: Sequence[Term], place: tuple[int, int]
    ) -> list[Tensor]:
        """The prediction for every term, at (step, steps): of the whole batch, or of one sample
        after the other."""
        import torch

        if not self._apart:
            return self._call(x, sigma, terms, place)
        found = [self._call(x[i : i + 1], sigma, terms, place, i) for i in range(self._count)]
        return [torch.cat(each) for each in zip(*found, strict=True)]

    def _call(
        self,
        x: Tensor,
        sigma: float,
        terms: Sequence[Term],
        place: tuple[int, int],
        only: int | None = None,
    ) -> list[Tensor]:
        """One call of the denoiser on the latent repeated for every term; one call for each term
        where their texts cannot share a batch, or to take less memory. ``only`` is the number of
        the sample that ``x`` is, where it is one alone."""
        self._check()
        given = [term.conditioning.at(place[0] / place[1]) for term in terms]
        prepared = self._ready(given, only)
        if prepared is None or (self._frugal and len(terms) > 1):
            return [self._call(x, sigma, [term], place, only)[0] for term in terms]
        batch = x if len(terms) == 1 else x.repeat(len(terms), *[1] * (x.ndim - 1))
        with ExitStack() as stack:
            if self._around:
                image, shape = self._denoiser.tokens(batch.shape), tuple(batch.shape)
                told = Moment(sigma, *place, shape, tuple(terms), x.shape[0], image, only or 0)
                for each in self._around:
                    stack.enter_context(each(told))
            return list(self._denoiser(batch, sigma, prepared).chunk(len(terms)))

    def _ready(self, conditionings: Sequence[Conditioning], only: int | None) -> Any | None:
        """What ``prepare`` made of them, for the whole batch or one sample, or ``None`` where they
        cannot share a batch."""
        if all(conditioning.count == 1 for conditioning in conditionings):
            only = None if only is None else 0  # all samples share what is prepared
        key = (only, *(id(conditioning) for conditioning in conditionings))
        if key not in self._prepared:
            count = self._count if only is None else 1
            taken = conditionings
            if only is not None:
                taken = [c.row(only) if c.count == self._count else c for c in conditionings]
            try:
                made = self._denoiser.prepare(taken, count)
            except UnequalTexts:
                if len(conditionings) == 1:
                    raise
                made = None
            self._prepared[key] = conditionings, made  # both are kept, so that no id is used again
        return self._prepared[key][1]


def finite(x: Tensor) -> Float32:
    """The latents of a run, on the CPU.

    Raises:
        DiffusionError: they hold NaN or infinity.
    """
    samples: Float32 = x.cpu().numpy()
    if not np.isfinite(samples).all():
        raise DiffusionError(
            "Sampling ran into values that are no numbers (NaN or infinity). Lower cfg, or get "
            "the model's weights again if it happens with every setting."
        )
    return samples


def _keeper(latent: Latent, start: Start, device: str) -> Edit:
    import torch

    if latent.sigma > 0 or latent.mask is None:
        raise DiffusionError(
            "In-painting needs a clean latent: this one still holds noise, so what is outside the "
            "mask is not known. Put the mask on the encoded picture."
        )
    return keep(start, torch.from_numpy(latent.mask.copy()).to(device))
