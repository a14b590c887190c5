"""What Weft adds to a sampling step, beside diffusers' own loop and its own pipeline.

Run it with ``python -m tests.benchmarks.overhead`` (``--quick`` for few repeats). Two things are
told. With a null denoiser: the time from the end of one of its calls to the beginning of the next,
in microseconds, which is all that is not the model. With real ones, Primer and a Flux of 300 M
random parameters, all of it in memory: seconds a step of a whole run by the way that a node goes
(the context of the engine with its stops, its progress and its previews) divided by those of
diffusers' pipeline with the same latents, texts, steps and guidance, and torch's attention on both
sides. The pairs are interleaved (ours, theirs, theirs, ours); of their ratios the median is told,
with a 95 % interval by bootstrap. The latents of both have to agree, else the ratio would mean
nothing.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.pipelines.flux import FluxPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.utils.logging import disable_progress_bar

from backend.diffusion.noise import gaussian
from backend.diffusion.paths import FLOW
from backend.diffusion.process import Process
from backend.diffusion.sample import sample
from backend.engine.cancel import Cancel
from backend.engine.context import Facilities, StepContext
from backend.engine.events import Event
from backend.media.grants import Grants
from backend.media.outputs import OutputFolder
from backend.models.family import families
from backend.models.loaders import loaders
from backend.models.patches2x2 import pack, unpack
from backend.models.run import denoise
from backend.models.store import Store
from backend.train.figures import machine
from backend.values import Conditioning, Guider, Latent, Noise, Schedule, Solver, Term
from tests.backend.models.parity import TOLERANCE, Weft, difference, pipeline
from tests.benchmarks.flux_300m import write_flux
from tests.benchmarks.primer import PRIMER

SEED = 20261121
SIDES = {"small": 16, "large": 128}
"""Latent cells a side; 128 are 1024 pixels."""
CHANNELS = 16


class Gaps:
    """Nanoseconds from the end of one call of something to the beginning of the next."""

    def __init__(self) -> None:
        self.found: list[int] = []
        self._ended = 0

    def begin(self) -> None:
        """A call begins."""
        now = time.perf_counter_ns()
        if self._ended:
            self.found.append(now - self._ended)

    def end(self) -> None:
        """It ends."""
        self._ended = time.perf_counter_ns()


class Null:
    """A denoiser that takes no time; its velocity was made before."""

    def __init__(self, velocity: torch.Tensor) -> None:
        self.process = Process(FLOW, "velocity")
        self.gaps = Gaps()
        self._velocity = velocity

    def tokens(self, shape: Any) -> int:
        """Tokens of one sample."""
        return int(shape[-1] * shape[-2] // 4)

    def prepare(self, conditionings: Any, count: int) -> tuple[()]:
        """It is told nothing."""
        return ()

    def __call__(self, x: torch.Tensor, sigma: float, prepared: Any) -> torch.Tensor:
        self.gaps.begin()
        self.gaps.end()
        return self._velocity


def null_loops(side: int, steps: int) -> tuple[Callable[[], Gaps], Callable[[], Gaps]]:
    """Weft's sampling loop, and that of diffusers' scheduler as its pipelines write it."""
    velocity = gaussian(SEED, (1, CHANNELS, side, side))
    told = Conditioning("none", {})
    guider = Guider("none", {}, None, (Term("positive", told),))
    latent = Latent(np.zeros((1, CHANNELS, side, side), np.float32), "none")

    def ours() -> Gaps:
        null = Null(velocity)
        plan = Schedule("native", steps=steps)
        sample(null, guider, Solver("euler"), plan, Noise("gaussian", seed=SEED), latent)
        return null.gaps

    def theirs() -> Gaps:
        gaps, x = Gaps(), gaussian(SEED, (1, CHANNELS, side, side))
        scheduler = FlowMatchEulerDiscreteScheduler()
        scheduler.set_timesteps(steps)
        scheduler.set_begin_index(0)
        with torch.no_grad():
            for t in scheduler.timesteps:
                t.expand(len(x)).to(x.dtype)
                gaps.begin()
                gaps.end()
                x = scheduler.step(velocity, t, x, return_dict=False)[0]
        return gaps

    return ours, theirs


@dataclass
class Side:
    """One model behind both ways, with what both are told; where it is quick, ``times`` as many
    pairs are measured."""

    name: str
    weft: Weft
    pipe: Any
    steps: int
    cells: tuple[int, int]
    times: int = 1
    cfg: float = 1.0
    guidance: float | None = None

    def __post_init__(self) -> None:
        options = {} if self.guidance is None else {"guidance": self.guidance}
        roles = {"positive": "a red circle left of a blue square", "negative": ""}
        self.told = {role: self.weft.text([text], role, **options) for role, text in roles.items()}
        shape = (1, CHANNELS, *self.cells)
        self.noise = gaussian(SEED, shape)
        self.empty = Latent(np.zeros(shape, np.float32), self.weft.refs.vae.space)
        files = Grants(self.weft.path), OutputFolder(self.weft.path)  # which nobody asks for
        self.facilities = Facilities(*files, "cpu", lambda: self.weft.store)

    def ours(self) -> torch.Tensor:
        """A run as the engine makes it for a sampler node; its latents."""
        heard: list[Event] = []
        cancel = Cancel()
        ctx = StepContext("x", (), self.facilities, cancel, heard.append, lambda: ({}, {}))
        terms = tuple(Term(role, told) for role, told in self.told.items())
        kind = "cfg" if self.cfg != 1 else "none"
        params = {"cfg": self.cfg} if self.cfg != 1 else {}
        guider = Guider(kind, params, self.weft.refs.model, terms[: 2 if self.cfg != 1 else 1])
        plan = Schedule("native", steps=self.steps)
        noise = Noise("gaussian", seed=SEED)
        try:
            done = denoise(ctx, guider, Solver("euler"), plan, noise, self.empty)
        finally:
            ctx.close()
        return torch.from_numpy(done.samples.copy())

    def theirs(self) -> torch.Tensor:
        """The same by the pipeline."""
        said = {role: _embeds(told) for role, told in self.told.items()}
        more: dict[str, Any] = {} if self.guidance is None else {"guidance_scale": self.guidance}
        if self.cfg != 1:
            more["negative_prompt_embeds"], more["negative_pooled_prompt_embeds"] = said["negative"]
            more["true_cfg_scale"] = self.cfg
        factor = self.pipe.vae_scale_factor
        height, width = self.cells
        made = self.pipe(
            prompt_embeds=said["positive"][0],
            pooled_prompt_embeds=said["positive"][1],
            latents=pack(self.noise),
            height=height * factor,
            width=width * factor,
            num_inference_steps=self.steps,
            output_type="latent",
            **more,
        )[0]
        return unpack(made, height, width)

    def null(self) -> tuple[Callable[[], Gaps], Callable[[], Gaps]]:
        """Both ways with a network that takes no time."""
        return (
            partial(_emptied, self.weft.load(self.weft.refs.model), self.ours),
            partial(_emptied, self.pipe.transformer, self.theirs),
        )


def _embeds(told: Conditioning) -> tuple[torch.Tensor, torch.Tensor]:
    sequence, pooled = (torch.from_numpy(told.tensors[n].copy()) for n in ("sequence", "pooled"))
    return sequence, pooled


def _emptied(net: Any, run: Callable[[], torch.Tensor]) -> Gaps:
    """The gaps of a run in which a Flux transformer gives back what it was given."""
    gaps = Gaps()

    def forward(hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor]:
        gaps.begin()
        gaps.end()
        return (hidden_states,)

    net.forward = forward
    try:
        run()
    finally:
        del net.forward
    return gaps


def opened(name: str, folder: Path, cells: int, **settings: Any) -> Side:
    """A model folder behind both ways, with torch's own attention in both."""
    weft, pipe = Weft.of(folder), pipeline(FluxPipeline, folder)
    weft.store = Store(families(), 2**34, loaders())
    for net in (weft.load(weft.refs.model), pipe.transformer):
        net.set_attention_backend("native")
    return Side(name, weft, pipe, cells=(cells, cells), **settings)


def compare_gaps(
    name: str, ours: Callable[[], Gaps], theirs: Callable[[], Gaps], runs: int
) -> None:
    """Print the gaps of both, over interleaved runs of which the first is not counted."""
    found: dict[bool, list[int]] = {True: [], False: []}
    for index, mine in enumerate(_order(runs)):
        gaps = (ours if mine else theirs)().found
        if index > 1:
            found[mine] += gaps
    one, other = (_microseconds(found[mine]) for mine in (True, False))
    print(f"{name:<28} {one}  {other}", flush=True)


def _microseconds(found: list[int]) -> str:
    ranked = sorted(found)
    high = ranked[int(0.95 * len(ranked))]
    return f"{statistics.median(ranked) / 1e3:8.1f} {high / 1e3:8.1f}"


def _order(runs: int) -> Iterator[bool]:
    """Ours or theirs: one of each first, then ours, theirs, theirs, ours and so on."""
    yield from (True, False)
    for _ in range(runs):
        yield from (True, False, False, True)


@dataclass(frozen=True)
class Interval:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.4f} ({self.low:.4f} to {self.high:.4f})"


def bootstrap(values: list[float], times: int = 10_000) -> Interval:
    """The median of some values, and between what it lies in 95 % of resamples."""
    rng = np.random.default_rng(SEED)
    given = np.asarray(values)
    medians = np.median(rng.choice(given, (times, len(given))), axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    return Interval(float(np.median(given)), float(low), float(high))


def compare_runs(side: Side, pairs: int) -> None:
    """Print the seconds a step of both ways and the ratio of pairs, after a look that both make
    the same.

    Raises:
        RuntimeError: they do not.
    """
    apart = difference(side.ours(), side.theirs())
    if apart >= TOLERANCE:
        raise RuntimeError(f"{side.name}: the latents differ by {apart:.2g}; nothing is compared.")
    clock: dict[bool, list[float]] = {True: [], False: []}
    processor: dict[bool, list[float]] = {True: [], False: []}
    for index, mine in enumerate(_order(-(-pairs * side.times // 2))):
        gc.collect()
        began, used = time.perf_counter(), time.process_time()
        (side.ours if mine else side.theirs)()
        if index > 1:
            clock[mine].append((time.perf_counter() - began) / side.steps)
            processor[mine].append((time.process_time() - used) / side.steps)
    ratios = [bootstrap(_ratios(each)) for each in (clock, processor)]
    print(
        f"{side.name:<28} {len(clock[True]):>3} {statistics.median(clock[True]) * 1e3:9.2f} "
        f"{statistics.median(clock[False]) * 1e3:9.2f}  {ratios[0]}  {ratios[1]}  {apart:.1e}  "
        f"{os.getloadavg()[0]:4.1f}",
        flush=True,
    )


def _ratios(found: dict[bool, list[float]]) -> list[float]:
    return [mine / other for mine, other in zip(found[True], found[False], strict=True)]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repeats, and short ones")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--pairs", type=int, default=0, help="of each model; at least 15 to report")
    parser.add_argument("--only", default="", help="models with this word in their name")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    disable_progress_bar()
    pairs = given.pairs or (4 if given.quick else 20)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{machine()}, seed {SEED}, load {load}")
    with tempfile.TemporaryDirectory() as place:
        primer = opened("Primer", PRIMER, 16, steps=28)
        null_table(primer, 3 if given.quick else 12)
        print(f"\n{'model':<28} pairs  ours ms  theirs ms  ratio of clocks, of processor times, "
              "latents apart, load")  # fmt: skip
        for side in sides(primer, Path(place), given.only):
            compare_runs(side, pairs)


def null_table(primer: Side, runs: int) -> None:
    """Print what lies between two calls of a null denoiser."""
    print(f"\n{'microseconds a step':<28} {'ours':>8} {'95 %':>8}  {'theirs':>8} {'95 %':>8}")
    for size, cells in SIDES.items():
        compare_gaps(f"the loop, {size} latent", *null_loops(cells, 100), runs)
    for size, cells in SIDES.items():
        large = Side(primer.name, primer.weft, primer.pipe, 100, (cells, cells))
        compare_gaps(f"a whole run, {size} latent", *large.null(), runs)


def sides(primer: Side, place: Path, only: str) -> Iterator[Side]:
    """The models, each made when its turn comes."""
    several: dict[str, Any] = {"steps": 28, "cells": (16, 16), "times": 9}
    if only in "Primer, unguided":
        yield Side("Primer, unguided", primer.weft, primer.pipe, **several)
    if only in "Primer, CFG 2":
        yield Side("Primer, CFG 2", primer.weft, primer.pipe, cfg=2.0, **several)
    if only in "Flux 300 M, 128 pixels":
        folder = write_flux(place / "flux")
        yield opened("Flux 300 M, 128 pixels", folder, 16, steps=4, guidance=3.5)


if __name__ == "__main__":
    main()
