"""Tuning a finished model on scenes of the world: what it sees, the loss, and the loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from backend.catalog.errors import CatalogError
from backend.catalog.source import read_source
from backend.diffusion.around import Around, Moment
from backend.diffusion.paths import aim
from backend.diffusion.process import Denoiser, Process
from backend.models.family import Family, References, families, recognise, references
from backend.models.loaders import loaders
from backend.models.patch import Stage
from backend.models.store import Store
from backend.train import checkpoint
from backend.train.recipe import rate_share
from backend.train.scene import picture
from backend.train.vae import Log
from backend.train.world import draw_spec
from backend.values import Conditioning, Image, Term, Weights


@dataclass(frozen=True)
class TunePlan:
    """A short tuning. A step sees ``levels`` noise levels with ``batch`` scenes each.

    The levels are logit-normal, as in Primer's training, and lie between ``low`` and ``high``.
    """

    steps: int = 255
    scenes: int = 6_000
    levels: int = 8
    batch: int = 8
    warmup: int = 10
    hold: float = 0.4
    dropout: float = 0.1
    mean: float = 0.6
    spread: float = 1.1
    low: float = 0.0
    high: float = 1.0
    seed: int = 101
    checkpoint_every: int = 25


class Pupil:
    """A model folder of a native family, with its components loaded as they are asked for."""

    def __init__(self, model: Path | str, device: str) -> None:
        """``model`` is a folder, or what ``Weights.source`` says; ``device`` ``cpu`` or ``cuda``.

        Raises:
            CatalogError: it is no such folder, or a model of no native family.
        """
        found = read_source(str(model))
        self.family: Family = recognise(found, families())
        self.refs: References = references(found, self.family)
        self.device = device
        self._store = Store(families(), 2**33, loaders())
        self.stage = Stage(
            self.refs.model,
            self.family.card,
            self.load,
            self.family.denoiser(self.refs.model, self.load, device),
        )

    @property
    def process(self) -> Process:
        """How the model noises and what it predicts."""
        return self.stage.denoiser.process

    def load(self, weights: Weights) -> object:
        """A component."""
        return self._store.get(weights, self.device)

    def close(self) -> None:
        """Let go of the components, and of the thread that reads weights."""
        self._store.close()

    def read(self, captions: Sequence[str]) -> Conditioning:
        """Captions as a conditioning with an entry for each."""
        return self.family.encode_text(self.refs.text, captions, {}, self.load, self.device)


def check_flow(pupil: Pupil) -> None:
    """Refuse what is no rectified flow.

    Raises:
        CatalogError: the model predicts something else than a velocity.
    """
    process = pupil.process
    if (process.path.name, process.prediction) != ("flow", "velocity"):
        raise CatalogError(
            f"{pupil.refs.model.source} predicts {process.prediction} on the path "
            f"{process.path.name}, and only flow models are tuned here. Choose one, such as Primer."
        )


@dataclass(frozen=True)
class Lessons:
    """Scenes as latents, float16 [n, c, h, w] as the denoiser sees them, and their captions."""

    latents: np.ndarray
    captions: tuple[str, ...]


def lessons(pupil: Pupil, folder: Path, seed: int, count: int, log: Log) -> Lessons:
    """Draw and encode ``count`` training scenes of a seed, or take those in ``folder``."""
    specs = [draw_spec(seed, i, "train") for i in range(count)]
    captions = tuple(spec.caption for spec in specs)
    path = folder / f"lessons-{seed}.npy"
    if path.exists() and len(held := np.load(path)) == count:
        return Lessons(held, captions)
    parts = []
    for first in range(0, count, 100):
        pixels = np.stack([picture(spec) for spec in specs[first : first + 100]])
        image = Image(np.asarray(pixels / 255, np.float32))
        coded = pupil.family.encode_image(pupil.refs.vae, image, pupil.load, pupil.device)
        parts.append(coded.samples.astype(np.float16))
        if first % 1000 == 0:
            log(f"scenes {first}/{count}")
    found = np.concatenate(parts)
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        np.save(file, found)
    temporary.replace(path)
    return Lessons(found, captions)


@dataclass(frozen=True, eq=False)
class Batch:
    """What one forward and backward pass learns from: clean latents ``[b, c, h, w]``, one noise
    level, the conditioning of each, and what surrounds this call alone."""

    clean: Tensor
    sigma: float
    said: Conditioning
    around: Sequence[Around] = ()


Batches: TypeAlias = Callable[[int, torch.Generator], Iterator[Batch]]
"""From a step's number and its source of chances to the step's batches."""

Watch: TypeAlias = Callable[[int, Sequence[float]], None]
"""Called after each step with the steps done and the losses of all; it may raise to end the run,
whose last step is kept then."""


def draw_levels(plan: TunePlan, count: int, chance: torch.Generator) -> list[float]:
    """Noise levels in the plan's range, spread evenly over the quantiles of their distribution."""
    ends = torch.tensor([plan.low, plan.high]).clamp(1e-5, 1 - 1e-5)
    low, high = torch.special.ndtr((torch.logit(ends) - plan.mean) / plan.spread)
    places = (torch.arange(count) + torch.rand(count, generator=chance)) / count
    normal = torch.special.ndtri((low + (high - low) * places).clamp(1e-6, 1 - 1e-6))
    found: list[float] = torch.sigmoid(plan.mean + plan.spread * normal).tolist()
    return found


def loss_of(
    stage: Stage,
    around: Sequence[Around],
    clean: Tensor,
    sigma: float,
    said: Conditioning,
    chance: torch.Generator,
    teacher: Denoiser | None = None,
) -> Tensor:
    """The mean squared error of what the model predicts at one noise level; in rectified flow, of
    the velocity.

    With a teacher it is held against the teacher's velocity, which knows nothing of this noise, so
    that far fewer scenes tell as much.
    """
    noise = torch.randn(clean.shape, generator=chance).to(clean.device)
    count, denoiser = len(clean), stage.denoiser
    process = denoiser.process
    terms = (Term("positive", said),)
    mixed = process.path.noisy(clean, noise, sigma)
    shape = tuple(mixed.shape)
    moment = Moment(sigma, 0, 1, shape, terms, count, denoiser.tokens(shape))
    with ExitStack() as stack:
        for each in around:
            stack.enter_context(each(moment))
        stack.enter_context(torch.autocast(clean.device.type, torch.bfloat16))
        made = denoiser(mixed, sigma, denoiser.prepare([said], count))
    target = aim(process.path, process.prediction, clean, noise, sigma)
    if teacher is not None:
        with torch.no_grad(), torch.autocast(clean.device.type, torch.bfloat16):
            target = teacher(mixed, sigma, teacher.prepare([said], count)).float()
    return (made.float() - target).square().mean()


def scene_batches(pupil: Pupil, given: Lessons, plan: TunePlan) -> Batches:
    """Scenes at the plan's noise levels, a few of their captions left empty."""

    def batches(step: int, chance: torch.Generator) -> Iterator[Batch]:
        rng = np.random.default_rng([plan.seed, step])
        for sigma in draw_levels(plan, plan.levels, chance):
            picked = rng.integers(len(given.latents), size=plan.batch)
            empty = rng.random(plan.batch) < plan.dropout
            texts = ["" if e else given.captions[i] for i, e in zip(picked, empty, strict=True)]
            clean = torch.from_numpy(given.latents[picked]).float().to(pupil.device)
            yield Batch(clean, sigma, pupil.read(texts))

    return batches


def unwatched(done: int, losses: Sequence[float]) -> None:
    """Watches nothing."""
    del done, losses


def tune(
    stage: Stage,
    batches: Batches,
    learnt: nn.Module,
    movers: Sequence[torch.optim.Optimizer],
    around: Sequence[Around],
    plan: TunePlan,
    path: Path,
    log: Log = print,
    stop_at: int | None = None,
    teacher: Denoiser | None = None,
    watch: Watch = unwatched,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Move the parameters of ``learnt``, or go on moving them; the checkpoint is ``path``.

    ``around`` is what surrounds each call of the model, ``teacher`` what it shall agree with.
    ``stop_at`` ends early as an interruption would; a run that goes on reaches the same bits as one
    that was never broken off. ``check`` is called after each batch and may raise.

    Raises:
        CatalogError: the loss is no number any more.
    """
    rates = [mover.param_groups[0]["lr"] for mover in movers]
    start, losses = _restore(path, learnt, movers)
    began, seen = time.monotonic(), 0.0
    for step in range(start, plan.steps):
        for mover, rate in zip(movers, rates, strict=True):
            mover.zero_grad(set_to_none=True)
            share = rate_share(step, plan.warmup, plan.steps, plan.hold)
            mover.param_groups[0]["lr"] = rate * share
        chance, total = checkpoint.step_generator(plan.seed, step), 0.0
        try:
            for batch in batches(step, chance):
                outer = (*around, *batch.around)
                loss = loss_of(stage, outer, batch.clean, batch.sigma, batch.said, chance, teacher)
                torch.autograd.backward(loss / plan.levels)
                total += loss.item() / plan.levels
                check()
        except BaseException:  # the step was not taken: all before it is kept
            if losses:
                _keep(path, learnt, movers, losses)
            raise
        if not math.isfinite(total):
            raise CatalogError(
                f"The loss is no number any more at step {step + 1}. Take a lower rate, which "
                "begins anew."
            )
        torch.nn.utils.clip_grad_norm_(learnt.parameters(), 1.0)
        for mover in movers:
            mover.step()
        done = step + 1
        losses.append(total)
        seen = 0.95 * seen + 0.05 * total if seen else total
        if done % 10 == 0:
            pace = (done - start) / (time.monotonic() - began)
            log(f"{path.stem} {done}/{plan.steps} loss {seen:.4f} {pace:.2f} steps/s")
        try:
            watch(done, losses)
        except BaseException:
            _keep(path, learnt, movers, losses)
            raise
        if done % plan.checkpoint_every == 0 or done in (plan.steps, stop_at):
            _keep(path, learnt, movers, losses)
        if done == stop_at:
            return


def _restore(
    path: Path, learnt: nn.Module, movers: Sequence[torch.optim.Optimizer]
) -> tuple[int, list[float]]:
    """The steps that were done, and their losses."""
    state = checkpoint.load(path)
    if state is None:
        return 0, []
    learnt.load_state_dict(state["learnt"])
    for mover, saved in zip(movers, state["optimisers"], strict=True):
        mover.load_state_dict(saved)
    return int(state["step"]), state["losses"].tolist()


def _keep(
    path: Path,
    learnt: nn.Module,
    movers: Sequence[torch.optim.Optimizer],
    losses: Sequence[float],
) -> None:
    state = {
        "learnt": learnt.state_dict(),
        "step": len(losses),
        "optimisers": [mover.state_dict() for mover in movers],
        "losses": torch.tensor(losses, dtype=torch.float64),
    }
    checkpoint.save(path, state)
