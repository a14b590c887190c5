"""Trained noise levels against the schedulers whose settings they are read from."""

from __future__ import annotations

from typing import Any

import diffusers
import numpy as np
import pytest
import torch

from backend.diffusion.errors import DiffusionError
from backend.diffusion.schedule import table
from backend.models.noise_table import RULES, noise_table, process_of, with_class
from backend.values import Schedule

CURVE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
SETTINGS: list[dict[str, Any]] = [
    {**CURVE, "timestep_spacing": "leading", "steps_offset": 1},
    {**CURVE, "timestep_spacing": "trailing"},
    {**CURVE, "timestep_spacing": "linspace"},
    {**CURVE, "num_train_timesteps": 500},
    {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02},
    {"beta_schedule": "squaredcos_cap_v2", "timestep_spacing": "leading", "steps_offset": 1},
    {"trained_betas": np.linspace(0.001, 0.02, 200).tolist(), "num_train_timesteps": 200},
]
BY_SIGMA = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")


def theirs(kind: str, settings: dict[str, Any], steps: int) -> tuple[list[float], list[float]]:
    """A scheduler's levels without the last, and its times."""
    warm_up = {"skip_prk_steps": True} if kind.startswith("PNDM") else {}
    scheduler = getattr(diffusers, kind)(**settings, **warm_up)
    scheduler.set_timesteps(steps)
    times = scheduler.timesteps.double()
    if hasattr(scheduler, "sigmas"):
        levels = scheduler.sigmas[:-1].double()
        if kind.startswith("Heun"):  # it visits every level but the first twice
            levels, times = (
                torch.cat([levels[:1], levels[1::2]]),
                torch.cat([times[:1], times[1::2]]),
            )
    else:
        kept = scheduler.alphas_cumprod.double()[times.long()]
        levels = ((1 - kept) / kept).sqrt()
    unique = sorted(set(zip(levels.tolist(), times.tolist(), strict=True)), reverse=True)
    return [level for level, _ in unique], [time for _, time in unique]


def ours(kind: str, settings: dict[str, Any], steps: int) -> tuple[list[float], list[float]]:
    known = with_class(settings, kind)
    levels = table(Schedule("native", steps=steps), process_of(known), 1)[:-1]
    return levels, [noise_table(known).time(level) for level in levels]


@pytest.mark.parametrize("number", range(len(SETTINGS)))
@pytest.mark.parametrize("kind", RULES)
def test_levels_and_times_are_the_schedulers(kind: str, number: int) -> None:
    for steps in (1, 4, 7, 30):
        levels, times = ours(kind, SETTINGS[number], steps)
        expected = theirs(kind, SETTINGS[number], steps)
        assert levels == pytest.approx(expected[0], rel=1e-4)
        assert times == pytest.approx(expected[1], abs=0.02)


@pytest.mark.parametrize("spaced", BY_SIGMA[:2])
@pytest.mark.parametrize(
    "kind", ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"]
)
def test_levels_spaced_by_sigma_are_the_schedulers(kind: str, spaced: str) -> None:
    settings = {**CURVE, "timestep_spacing": "leading", spaced: True}
    for steps in (4, 30):
        levels, times = ours(kind, settings, steps)
        expected = theirs(kind, settings, steps)
        assert levels == pytest.approx(expected[0], rel=1e-4)
        # Two of the classes cut the exponential times off instead of rounding them.
        off = 1.0 if spaced == BY_SIGMA[1] and not kind.startswith("Euler") else 0.02
        assert times == pytest.approx(expected[1], abs=off)


def test_the_given_ends_of_sigma_are_kept() -> None:
    settings = {**CURVE, "use_karras_sigmas": True, "sigma_min": 0.05, "sigma_max": 9.0}
    levels, _ = ours("EulerDiscreteScheduler", settings, 6)
    assert levels == pytest.approx(theirs("EulerDiscreteScheduler", settings, 6)[0], rel=1e-4)
    assert (levels[0], levels[-1]) == pytest.approx((9.0, 0.05))


@pytest.mark.parametrize("kind", ["EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_betas_rescaled_to_pure_noise(kind: str) -> None:
    settings = {**CURVE, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    levels, times = ours(kind, settings, 5)
    expected = theirs(kind, settings, 5)
    assert levels[0] == pytest.approx(4096, rel=1e-3)
    assert levels == pytest.approx(expected[0], rel=2e-4)
    assert times == pytest.approx(expected[1], abs=0.02)


@pytest.mark.parametrize("chosen", ["leading", "trailing", "linspace"])
def test_a_run_begins_with_the_noise_that_the_scheduler_wants(chosen: str) -> None:
    """Euler's scheduler computes with pictures of variance 1 and noise of the level's own."""
    scheduler = diffusers.EulerDiscreteScheduler(**CURVE, timestep_spacing=chosen)
    scheduler.set_timesteps(6)
    process = process_of(
        with_class({**CURVE, "timestep_spacing": chosen}, "EulerDiscreteScheduler")
    )
    top = process.grid(6)[0]
    noise = torch.randn(3, generator=torch.Generator().manual_seed(0))
    expected = noise * scheduler.init_noise_sigma / (1 + top * top) ** 0.5
    assert torch.allclose(process.begin(noise, top), expected, rtol=1e-5)


def test_a_run_ends_where_the_settings_say() -> None:
    first = noise_table(with_class(CURVE, "PNDMScheduler")).levels[0]
    for kind, settings, rest in (
        ("PNDMScheduler", {}, first),
        ("PNDMScheduler", {"set_alpha_to_one": True}, 0.0),
        ("DDIMScheduler", {}, 0.0),
        ("DDIMScheduler", {"set_alpha_to_one": False}, first),
        ("DDPMScheduler", {"set_alpha_to_one": False}, 0.0),  # a setting that it does not have
        ("DPMSolverMultistepScheduler", {"final_sigmas_type": "sigma_min"}, first),
        ("DPMSolverMultistepScheduler", {"final_sigmas_type": "zero"}, 0.0),
    ):
        found = process_of(with_class({**CURVE, **settings}, kind))
        assert found.rest == pytest.approx(rest), kind


def test_a_level_between_two_times_is_told_as_it_is() -> None:
    known = with_class(CURVE, "EulerDiscreteScheduler")
    levels = noise_table(known)
    between = float(np.sqrt(levels.levels[400] * levels.levels[401]))
    assert levels.time(between) == pytest.approx(400.5)
    assert levels.time(0.0) == 0
    assert levels.time(1e9) == 999


def test_more_steps_than_trained_times_are_refused() -> None:
    known = process_of(with_class({"num_train_timesteps": 20}, "DDIMScheduler"))
    assert len(known.grid(20)) == 20
    with pytest.raises(DiffusionError, match="20 noise levels, so it takes no 21"):
        known.grid(21)
