"""The sampling loop: starts, resuming, callbacks, and that new kinds need one file only."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.diffusion import registry
from backend.diffusion.around import Moment
from backend.diffusion.edit import Edit, Start
from backend.diffusion.errors import DiffusionError, UnequalTexts
from backend.diffusion.mix import semantic_mix
from backend.diffusion.noise import gaussian
from backend.diffusion.paths import VE
from backend.diffusion.sample import GuidedModel, Hooks, invert, sample
from backend.diffusion.solver import Estimator, solver_kinds
from backend.values import Conditioning, Guider, Latent, Noise, Phase, Schedule, Solver, Term
from tests.backend.diffusion.gaussian import GaussianDenoiser, condition, guider

SHAPE = (2, 3, 4, 4)
NOISE = Noise("gaussian", seed=5)


def latent(value: float = 0.0, shape: tuple[int, ...] = SHAPE, **more: float) -> Latent:
    return Latent(np.full(shape, value, np.float32), "gauss", **more)


def run(given: Latent, schedule: Schedule, denoiser: GaussianDenoiser | None = None,
        hooks: Hooks | None = None, who: Guider | None = None) -> Latent:  # fmt: skip
    return sample(
        denoiser or GaussianDenoiser(), who or guider("none", 0.5), Solver("euler"), schedule,
        NOISE, given, hooks=hooks,
    )  # fmt: skip


def test_a_whole_run_starts_from_noise_alone() -> None:
    plan = Schedule("native", steps=5)
    assert np.array_equal(run(latent(0.0), plan).samples, run(latent(3.0), plan).samples)


def test_a_part_run_starts_from_the_noised_latent() -> None:
    plan = Schedule("native", {"end": 0.2}, steps=5, start=0.6)
    ended = run(latent(3.0), plan)
    assert ended.sigma == pytest.approx(0.2)
    x = 0.6 * 3.0 + 0.4 * gaussian(5, SHAPE).numpy()
    assert np.abs(ended.samples - x).mean() < np.abs(x).mean()


def test_a_variance_exploding_run_starts_from_its_full_variance() -> None:
    denoiser = GaussianDenoiser(VE, "epsilon", ends=(10.0, 0.1), grid=lambda n: [10.0, 1.0])
    whole = run(latent(), Schedule("native", {"end": 1.0}, steps=2), denoiser)
    assert whole.samples.shape == SHAPE
    result = run(latent(), Schedule("native", steps=2), denoiser)
    assert np.isfinite(result.samples).all()
    assert abs(result.samples.mean() - 0.5) < 0.3


def test_a_noised_latent_goes_on_without_new_noise() -> None:
    plan = Schedule("native", steps=8)
    half = run(latent(), Schedule("native", {"end": 0.5}, steps=8))
    assert half.sigma == pytest.approx(0.5)
    rest = sample(GaussianDenoiser(), guider("none", 0.5), Solver("euler"), plan,
                  Noise("gaussian", seed=77), half)  # fmt: skip
    assert np.allclose(rest.samples, run(latent(), plan).samples, atol=1e-5)
    assert rest.sigma == 0


def test_nothing_to_do_returns_the_latent() -> None:
    given = latent(1.0)
    assert run(given, Schedule("native", steps=5, start=1.0)) is given


def test_hooks_are_called_at_every_step_and_may_stop_the_run() -> None:
    seen: list[tuple[int, int, tuple[int, ...]]] = []
    checks: list[int] = []

    def check() -> None:
        checks.append(1)
        if len(checks) > 7:
            raise KeyboardInterrupt

    def step(done: int, total: int, x0: torch.Tensor) -> None:
        seen.append((done, total, tuple(x0.shape)))

    hooks = Hooks(check=check, step=step)
    run(latent(), Schedule("native", steps=3), hooks=hooks)
    assert seen == [(1, 3, SHAPE), (2, 3, SHAPE), (3, 3, SHAPE)]
    assert len(checks) == 6
    with pytest.raises(KeyboardInterrupt):
        run(latent(), Schedule("native", steps=3), hooks=hooks)
    assert len(seen) == 3


def test_an_inversion_is_asked_before_each_step_and_each_call_of_the_model() -> None:
    checks: list[int] = []
    hooks = Hooks(check=lambda: checks.append(1))
    plan = Schedule("native", steps=3)
    invert(GaussianDenoiser(), guider("none", 0.5), plan, latent(), hooks=hooks)
    assert len(checks) == 6


def test_the_same_run_gives_the_same_bits() -> None:
    plan = Schedule("karras", steps=6)
    who = guider("cfg", 1.0, 0.0, cfg=3.0)
    first, second = (run(latent(), plan, who=who) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)


def test_a_batch_is_its_samples_and_texts_in_order() -> None:
    terms = (Term("positive", condition(1.0, -1.0)),)
    both = run(latent(), Schedule("native", steps=40), who=Guider("none", {}, None, terms))
    assert both.samples[0].mean() > 0.5
    assert both.samples[1].mean() < -0.5
    alone = run(latent(shape=(1, *SHAPE[1:])), Schedule("native", steps=40),
                who=guider("none", 1.0))  # fmt: skip
    assert np.allclose(alone.samples[0], both.samples[0], atol=1e-5)


def test_inversion_finds_the_noise_that_comes_back() -> None:
    plan, who = Schedule("native", steps=200), guider("none", 0.5)
    given = Latent(np.random.default_rng(1).standard_normal(SHAPE), "gauss")
    found = invert(GaussianDenoiser(), who, plan, given)
    assert found.sigma == 1.0
    back = run(found, plan)
    assert np.abs(back.samples - given.samples).max() < 0.1
    with pytest.raises(DiffusionError, match="still holds noise"):
        invert(GaussianDenoiser(), who, plan, found)


def test_an_unknown_solver_is_explained() -> None:
    with pytest.raises(DiffusionError, match="no solver 'magic'"):
        sample(GaussianDenoiser(), guider("none", 0.5), Solver("magic"), Schedule("native"),
               NOISE, latent())  # fmt: skip


class Experts:
    """A video model of two experts, each loaded when its noise levels are reached."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.process = GaussianDenoiser().process
        self._held: dict[str, GaussianDenoiser] = {}

    def tokens(self, shape: Sequence[int]) -> int:
        return int(np.prod(shape[2:]))

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> object:
        return GaussianDenoiser().prepare(conditionings, count)

    def __call__(self, x: torch.Tensor, sigma: float, prepared: object) -> torch.Tensor:
        name = "high" if sigma >= 0.875 else "low"
        if name not in self._held:
            self.loaded.append(name)
            self._held[name] = GaussianDenoiser()
        return self._held[name](x, sigma, prepared)


def test_video_latents_and_experts_by_sigma_need_nothing_new() -> None:
    experts = Experts()
    mask = np.zeros((1, 4, 4), np.float32)
    mask[..., 2:] = 1
    given = latent(0.3, (2, 3, 5, 4, 4)).but(mask=mask)
    who = guider("cfg", 1.0, 0.0, cfg=2.0)
    result = run(given, Schedule("native", steps=20, start=0.05), experts, who=who)
    assert experts.loaded == ["high", "low"]
    assert np.array_equal(result.samples[..., :2], given.samples[..., :2])
    assert result.samples[..., 2:].mean() > 0.8
    late = Experts()
    run(given, Schedule("native", steps=20, start=0.5), late, who=who)
    assert late.loaded == ["low"]


NEW_SOLVER = """
from backend.diffusion.solver import Past, SolverKind

def advance(step):
    estimate = step.estimate(step.x, step.sigma)
    return estimate.x0, Past(step.sigma, step.x, estimate)

JUMP = SolverKind("jump", "Jump to the end", advance, order=1)
"""


def test_a_new_solver_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = importlib.import_module("backend.diffusion.solvers")
    (tmp_path / "jump.py").write_text(NEW_SOLVER)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    registry._scan.cache_clear()
    try:
        assert list(solver_kinds()) == [
            "euler",
            "heun",
            "midpoint",
            "dpmpp_2m",
            "unipc",
            "pndm",
            "jump",
        ]
        result = sample(GaussianDenoiser(), guider("none", 0.5), Solver("jump"),
                        Schedule("native", steps=1), NOISE, latent())  # fmt: skip
        assert np.allclose(result.samples, 0.5, atol=1e-6)
    finally:
        registry._scan.cache_clear()
        sys.modules.pop("backend.diffusion.solvers.jump", None)


def test_the_kinds_are_listed_without_torch() -> None:
    code = (
        "import sys\n"
        "from backend.diffusion.solver import Estimator, solver_kinds\n"
        "from backend.diffusion.schedule import schedule_kinds\n"
        "from backend.diffusion.guide import guidance_kinds\n"
        "print(len(solver_kinds()), len(schedule_kinds()), len(guidance_kinds()))\n"
        "print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *counts, torch_is_there = run.stdout.split()
    assert all(int(n) >= least for n, least in zip(counts, (4, 5, 8), strict=True))
    assert torch_is_there == "False"


def test_a_table_that_begins_below_pure_noise_starts_from_the_noised_latent() -> None:
    low = run(latent(3.0), Schedule("native", sigmas=(1e-3,)))
    assert np.abs(low.samples - 3.0).max() < 0.02
    first, second = (run(latent(v), Schedule("native", sigmas=(1.0, 0.5))) for v in (0.0, 3.0))
    assert np.array_equal(first.samples, second.samples)


@pytest.mark.parametrize(
    ("plan", "moments"),
    [
        (Schedule("native", steps=4), [0, 1, 2, 3]),
        (Schedule("native", steps=4, start=0.5), [2, 3]),
        (Schedule("native", {"end": 0.5}, steps=4), [0, 1]),
        (Schedule("native", {"end": 0.25}, steps=4, start=0.25), [1, 2]),
        (Schedule("native", sigmas=(1.0, 0.8, 0.5, 0.2, 0.0)), [0, 1, 2, 3]),
        (Schedule("native", sigmas=(1.0, 0.8, 0.5, 0.2)), [0, 1, 2, 3]),
    ],
)
def test_guidance_and_edits_know_where_in_the_schedule_they_are(
    plan: Schedule, moments: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, left = [], []
    right = GuidedModel.at

    def at(self: GuidedModel, index: int, steps: int) -> Estimator:
        asked.append((index, steps))
        return right(self, index, steps)

    monkeypatch.setattr(GuidedModel, "at", at)

    def note(start: Start) -> Edit:
        def edit(x: torch.Tensor, sigma: float, fraction: float) -> torch.Tensor:
            left.append(fraction)
            return x

        return edit

    sample(GaussianDenoiser(), guider("none", 0.5), Solver("euler"), plan, NOISE, latent(1.0),
           edits=(note,))  # fmt: skip
    assert asked == [(moment, 4) for moment in moments]
    assert left == [(3 - moment) / 4 for moment in moments]


def test_a_latent_with_noise_cannot_give_a_layout() -> None:
    noisy = run(latent(), Schedule("native", {"end": 0.5}, steps=4))
    with pytest.raises(DiffusionError, match="no clean picture"):
        sample(GaussianDenoiser(), guider("none", 0.5), Solver("euler"), Schedule("native"), NOISE,
               noisy, edits=(semantic_mix(0.5, 0.0, 1.0),))  # fmt: skip


def test_values_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(DiffusionError, match="no numbers"):
        run(latent(), Schedule("native", steps=2), who=guider("none", float("nan")))


EDGES = [("karras", {"rho": 0.1}), ("karras", {"rho": 100.0}), ("exponential", {}),
         *(("beta", {"alpha": a, "beta": b}) for a in (0.05, 10.0) for b in (0.05, 10.0)),
         ("flow", {"shift": 0.01}), ("flow", {"shift": 100.0})]  # fmt: skip


@pytest.mark.parametrize("solver", solver_kinds())
@pytest.mark.parametrize(("kind", "params"), EDGES)
def test_the_edges_of_every_setting_give_numbers(
    kind: str, params: dict[str, float], solver: str
) -> None:
    for steps in (1, 2, 3, 150):
        result = sample(
            GaussianDenoiser(), guider("none", 0.5), Solver(solver), Schedule(kind, params, steps),
            NOISE, latent(),
        )  # fmt: skip
        assert np.abs(result.samples).max() < 100


class Apart(GaussianDenoiser):
    """A model whose texts cannot share a batch."""

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> torch.Tensor:
        if len(conditionings) > 1:
            raise UnequalTexts("one by one")
        return super().prepare(conditionings, count)


def test_texts_that_cannot_share_a_batch_are_asked_one_by_one() -> None:
    plan, who = Schedule("native", steps=3), guider("cfg", 1.0, 0.0, cfg=3.0)
    apart = Apart()
    assert np.allclose(run(latent(), plan, apart, who=who).samples,
                       run(latent(), plan, who=who).samples, atol=1e-6)  # fmt: skip
    assert [size for size, _ in apart.calls] == [2] * 6

    class Never(Apart):
        def prepare(self, conditionings: Sequence[Conditioning], count: int) -> torch.Tensor:
            raise UnequalTexts("never")

    with pytest.raises(DiffusionError, match="never"):
        run(latent(), plan, Never(), who=who)


def test_a_frugal_run_asks_with_one_text_at_a_time() -> None:
    plan, who = Schedule("native", steps=3), guider("cfg", 1.0, 0.0, cfg=3.0)
    plain, frugal = GaussianDenoiser(), GaussianDenoiser()
    assert np.allclose(run(latent(), plan, plain, who=who).samples,
                       run(latent(), plan, frugal, Hooks(frugal=True), who).samples,
                       atol=1e-6)  # fmt: skip
    assert [size for size, _ in plain.calls] == [4] * 3
    assert [size for size, _ in frugal.calls] == [2] * 6


def test_samples_apart_are_those_of_the_batch() -> None:
    """Each is asked for alone, with its own text where there is one for each."""
    plan, seen = Schedule("native", steps=3), list[Moment]()

    def around(moment: Moment) -> AbstractContextManager[None]:
        seen.append(moment)
        return nullcontext()

    own, both = condition(1.0, -1.0), condition(0.5)
    who = Guider("cfg", {"cfg": 3.0}, None, (Term("positive", own), Term("negative", both)))
    for hooks, sizes in ((Hooks(apart=True), [2] * 6), (Hooks(frugal=True, apart=True), [1] * 12)):
        seen.clear()
        whole, apart = GaussianDenoiser(), GaussianDenoiser()
        told: list[tuple[int, int, int]] = []

        def step(
            done: int, total: int, x0: torch.Tensor, told: list[tuple[int, int, int]] = told
        ) -> None:
            told.append((done, total, len(x0)))

        made = sample(apart, who, Solver("heun"), plan, NOISE, latent(),
                      hooks=replace(hooks, step=step), around=(around,))  # fmt: skip
        wanted = sample(whole, who, Solver("heun"), plan, NOISE, latent())
        assert np.allclose(made.samples, wanted.samples, atol=1e-6)
        assert [size for size, _ in apart.calls][: len(sizes)] == sizes
        assert [(m.count, m.first) for m in seen[: len(sizes) // 3]] == [
            (1, i) for i in (0, 1) for _ in range(len(sizes) // 6)
        ]
        assert told == [(n, 3, 2) for n in (1, 2, 3)]  # all pictures of a step are told of at once


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_a_conditioning_gives_way_in_the_middle_of_a_run(solver: str) -> None:
    class Told(GaussianDenoiser):
        """Notes which means it is asked for."""

        means: list[float] = []  # noqa: RUF012

        def __call__(self, x: torch.Tensor, sigma: float, prepared: object) -> torch.Tensor:
            self.means.append(float(prepared[0]))  # type: ignore[index]
            return super().__call__(x, sigma, prepared)

    changing = Conditioning("gauss", condition(0.0).tensors, later=(
        Phase(0.5, condition(1.0)), Phase(0.8, condition(2.0))))  # fmt: skip
    model = Told()
    model.means = []
    sample(model, Guider("none", {}, None, (Term("positive", changing),)), Solver(solver),
           Schedule("native", steps=5), NOISE, latent())  # fmt: skip
    calls = 1 if solver == "euler" else 2
    steps = [0.0, 0.0, 0.0, 1.0, 2.0]
    expected = [mean for mean in steps for _ in range(calls)]
    assert model.means in (expected, expected[:-1])  # Heun's last step needs one call only


def test_inversion_meets_moments_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, right = [], GuidedModel.at

    def at(self: GuidedModel, index: int, steps: int) -> Estimator:
        asked.append((index, steps))
        return right(self, index, steps)

    monkeypatch.setattr(GuidedModel, "at", at)
    invert(GaussianDenoiser(), guider("none", 0.5), Schedule("native", steps=4), latent(1.0))
    assert asked == [(3, 4), (2, 4), (1, 4), (0, 4)]
    asked.clear()
    half = Schedule("native", steps=4, start=0.5)
    invert(GaussianDenoiser(), guider("none", 0.5), half, latent(1.0))
    assert asked == [(3, 4), (2, 4)]
