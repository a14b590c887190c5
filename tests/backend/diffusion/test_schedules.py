from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from backend.diffusion.errors import DiffusionError
from backend.diffusion.paths import FLOW, VE
from backend.diffusion.process import Process, reciprocal
from backend.diffusion.schedule import schedule_kinds, sigmas
from backend.diffusion.schedules.beta import cumulative, quantile
from backend.diffusion.shift import Shift, shifted
from backend.values import Schedule

PLAIN = Process(FLOW, "velocity")
DYNAMIC = Shift("dynamic")


def levels(kind: str, steps: int = 10, process: Process = PLAIN, tokens: int = 1024,
           **params: float) -> list[float]:  # fmt: skip
    return sigmas(Schedule(kind, params, steps), process, tokens)


def flow_match(steps: int, mu: float | None = None, **settings: object) -> np.ndarray:
    scheduler = FlowMatchEulerDiscreteScheduler(**settings)
    scheduler.set_timesteps(sigmas=reciprocal(steps), mu=mu)
    return scheduler.sigmas.numpy()


@pytest.mark.parametrize("factor", [1.0, 1.73, 3.0, 12.0])
def test_the_flow_shift_is_sd3s_formula(factor: float) -> None:
    given = levels("flow", 20, shift=factor)
    formula = [factor * t / (1 + (factor - 1) * t) for t in reciprocal(20)]
    assert np.abs(np.array(given[:-1]) - formula).max() < 1e-6
    assert np.allclose(given, flow_match(20, shift=factor), atol=1e-6)


def test_a_shift_is_the_root_of_the_resolution_ratio() -> None:
    """Shifting by a then b is shifting by a*b, so a = sqrt(m/n) chains over sizes."""
    for t in (0.1, 0.5, 0.9):
        assert shifted(shifted(t, 1.5), 2.0) == pytest.approx(shifted(t, 3.0), abs=1e-12)
    assert shifted(0.5, 3.0) == 0.75


@pytest.mark.parametrize("tokens", [1024, 2048, 4096, 16384])
def test_a_shift_can_grow_from_the_trained_size(tokens: int) -> None:
    """Lumina-T2X's time shift: the factor for a size, times the root of the ratio of tokens."""
    grown = levels("flow", 20, tokens=tokens, shift=2.0, trained_tokens=1024)
    factor = 2.0 * (tokens / 1024) ** 0.5
    formula = [factor * t / (1 + (factor - 1) * t) for t in reciprocal(20)]
    assert np.abs(np.array(grown[:-1]) - formula).max() < 1e-6
    if tokens == 1024:
        assert grown == levels("flow", 20, tokens=tokens, shift=2.0)


@pytest.mark.parametrize("tokens", [64, 256, 1024, 4096, 9000])
@pytest.mark.parametrize("form", ["exponential", "linear"])
def test_the_dynamic_shift_is_flux_s(tokens: int, form: str) -> None:
    shift = Shift("dynamic", form=form, terminal=0.1)
    process = Process(FLOW, "velocity", shift=shift)
    mu = calculate_shift(tokens)
    theirs = flow_match(12, mu, use_dynamic_shifting=True, time_shift_type=form, shift_terminal=0.1)
    assert np.allclose(levels("native", 12, process, tokens), theirs, atol=1e-6)
    if form == "exponential":
        own = levels("flow", 12, tokens=tokens, dynamic=1.0)
        assert own[1] == pytest.approx(shifted(1 - 1 / 12, math.exp(mu)))


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("karras", "use_karras_sigmas"), ("exponential", "use_exponential_sigmas")],
)
def test_karras_and_exponential_are_diffusers(kind: str, setting: str) -> None:
    process = Process(FLOW, "velocity", shift=Shift("static", 3.0))
    theirs = flow_match(15, shift=3.0, **{setting: True})
    assert np.allclose(levels(kind, 15, process), theirs, atol=1e-6)


def test_karras_over_a_noise_models_own_ends() -> None:
    process = Process(VE, "epsilon", ends=(14.6, 0.03))
    given = levels("karras", 8, process, rho=5.0)
    ramp = np.linspace(14.6 ** (1 / 5), 0.03 ** (1 / 5), 8) ** 5
    assert np.allclose(given, [*ramp, 0.0])
    assert given[0] == pytest.approx(14.6)


def test_the_grids_of_other_schedulers_fit_in_a_process() -> None:
    """What the next families need: DPM++'s and UniPC's flow grids are a grid and a shift."""
    wan = Process(
        FLOW, "velocity", grid=lambda n: np.linspace(1, 0.001, n + 1)[:-1].tolist(),
        shift=Shift("static", 5.0),
    )  # fmt: skip
    unipc = UniPCMultistepScheduler(use_flow_sigmas=True, flow_shift=5.0)
    unipc.set_timesteps(9)
    assert np.allclose(levels("native", 9, wan), unipc.sigmas.numpy(), atol=2e-6)
    other = Process(
        FLOW, "velocity", grid=lambda n: (1 - np.linspace(1, 0.001, n + 1))[:0:-1].tolist(),
        shift=Shift("static", 5.0),
    )  # fmt: skip
    dpm = DPMSolverMultistepScheduler(use_flow_sigmas=True, flow_shift=5.0)
    dpm.set_timesteps(9)
    assert np.allclose(levels("native", 9, other), dpm.sigmas.numpy(), atol=1e-6)


def test_beta_quantiles_invert_the_distribution() -> None:
    for alpha, beta in ((0.6, 0.6), (1.0, 1.0), (2.0, 5.0), (0.3, 1.7)):
        for p in (0.01, 0.2, 0.5, 0.9, 0.999):
            assert cumulative(quantile(p, alpha, beta), alpha, beta) == pytest.approx(p, abs=1e-12)
    assert cumulative(0.3, 1.0, 1.0) == pytest.approx(0.3)
    assert cumulative(0.3, 2.0, 1.0) == pytest.approx(0.09)
    assert cumulative(0.25, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(0.5))


def test_beta_is_even_at_1_and_dense_at_both_ends_below() -> None:
    flat = levels("beta", 11, alpha=1.0, beta=1.0)
    assert np.allclose(np.diff(flat[:-1]), np.diff(flat[:-1])[0])
    dense = -np.diff(levels("beta", 11)[:-1])
    assert dense[0] < dense[5]
    assert dense[-1] < dense[5]


@pytest.mark.parametrize("kind", list(schedule_kinds()))
@pytest.mark.parametrize("steps", [1, 2, 30])
def test_every_schedule_descends_to_0(kind: str, steps: int) -> None:
    process = Process(FLOW, "velocity", shift=DYNAMIC)
    given = levels(kind, steps, process)
    assert len(given) == steps + 1
    assert given[0] == pytest.approx(1.0)
    assert given[-1] == 0.0
    assert all(b < a for a, b in pairwise(given))


def test_start_and_end_cut_the_table() -> None:
    whole = levels("native", 10)
    part = sigmas(Schedule("native", {"end": 0.3}, 10, 0.4), PLAIN, 64)
    assert part == whole[4:8]
    assert sigmas(Schedule("native", {}, 10, 1.0), PLAIN, 64) == [0.0]
    for percent in range(101):
        for steps in (7, 10, 28, 50):
            ours = sigmas(Schedule("native", {}, steps, 1 - percent / 100), PLAIN, 64)
            assert len(ours) == steps - steps * (100 - percent) // 100 + 1


def test_a_table_of_ones_own() -> None:
    assert sigmas(Schedule("native", sigmas=(1.0, 0.6, 0.2)), PLAIN, 64) == [1.0, 0.6, 0.2, 0.0]
    assert sigmas(Schedule("native", sigmas=(1.0, 0.0)), PLAIN, 64) == [1.0, 0.0]
    with pytest.raises(DiffusionError, match="descend"):
        sigmas(Schedule("native", sigmas=(0.5, 0.6)), PLAIN, 64)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (Schedule("nothing"), "Choose one of native, flow"),
        (Schedule("native", steps=0), "at least 1 step"),
        (Schedule("native", start=1.5), "fractions"),
        (Schedule("flow", {"shift": 0.0}), "above 0"),
        (Schedule("flow", {"shift": "much"}), "must be a number"),
        (Schedule("flow", {"trained_tokens": -1}), "Set one of them"),
        (Schedule("flow", {"trained_tokens": 64, "dynamic": True}), "Set one of them"),
        (Schedule("karras", {"rho": 0.0}), "rho"),
        (Schedule("beta", {"alpha": -1.0}), "alpha and beta"),
    ],
)
def test_wrong_settings_are_explained(schedule: Schedule, message: str) -> None:
    with pytest.raises(DiffusionError, match=message):
        sigmas(schedule, PLAIN, 64)


def test_a_flow_shift_of_a_noise_model_is_refused() -> None:
    with pytest.raises(DiffusionError, match="flow models only"):
        levels("flow", process=Process(VE, "epsilon", ends=(14.6, 0.03)))


@pytest.mark.parametrize("params", [{"alpha": 0.05, "beta": 0.05}, {"alpha": 0.05, "beta": 10.0}])
def test_levels_on_top_of_each_other_are_taken_once(params: dict[str, float]) -> None:
    found = levels("beta", 150, **params)
    assert found[0] == 1.0
    assert found[-1] == 0.0
    assert all(FLOW.log_snr(b) - FLOW.log_snr(a) > 1e-5 for a, b in pairwise(found))
    assert len(levels("beta", 150)) == 151


def test_a_small_rho_stays_at_the_lowest_level() -> None:
    assert levels("karras", 20, rho=0.1)[-2] == pytest.approx(1 / 20, rel=1e-3)


@pytest.mark.parametrize("table", [(1.0, 0.5 + 1e-9, 0.5), (1.0, math.nan, 0.5), (math.nan,)])
def test_a_senseless_table_is_refused(table: tuple[float, ...]) -> None:
    with pytest.raises(DiffusionError, match="sigmas"):
        sigmas(Schedule("native", sigmas=table), PLAIN, 1024)


@pytest.mark.parametrize("kind", ["karras", "exponential"])
def test_a_models_own_spacing_is_diffusers(kind: str) -> None:
    ours = levels("native", 9, Process(FLOW, "velocity", shift=Shift("static", 3.0), spacing=kind))
    theirs = flow_match(9, shift=3.0, **{f"use_{kind}_sigmas": True})
    assert np.abs(np.array(ours) - theirs).max() < 1e-6
