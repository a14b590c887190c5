"""Orders of convergence on an equation with a known solution, and diffusers' own schedulers."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.schedulers.scheduling_flow_match_heun_discrete import (
    FlowMatchHeunDiscreteScheduler,
)
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from torch import Tensor

from backend.diffusion.paths import FLOW, VE, VP, Estimate, Path
from backend.diffusion.sample import GuidedModel, Hooks, integrate
from backend.diffusion.solver import Step, solver_kinds
from backend.diffusion.solvers.midpoint import MIDPOINT
from tests.backend.diffusion.gaussian import GaussianDenoiser, guider, predict, solution

SHAPE = (2, 3, 4, 4)
MEAN = 0.7


def solve(kind: str, levels: list[float], x: Tensor, denoiser: GaussianDenoiser) -> Tensor:
    model = GuidedModel(denoiser, guider("none", MEAN), SHAPE[0], Hooks())
    return integrate(model, solver_kinds()[kind], levels, x, {})


def order(kind: str, path: Path, prediction: str, high: float, low: float) -> float:
    """The slope of log error over log steps, from 320 to 1280 steps; of PLMS and the
    midpoint rule from 10 to 20, since on even levels they are soon as exact as single precision."""
    torch.manual_seed(0)
    x = path.noisy(torch.zeros(SHAPE, dtype=torch.float64), torch.randn(SHAPE).double(), high)
    want = solution(path, x, high, low, MEAN)
    errors: list[float] = []
    counts = (10, 20) if kind in ("pndm", "midpoint") else (320, 1280)
    for steps in counts:
        levels = np.linspace(high, low, steps + 1).tolist()
        got = solve(kind, levels, x, GaussianDenoiser(path, prediction))
        errors.append(float((got - want).abs().max()))
    return math.log(errors[0] / errors[1], counts[1] / counts[0])


@pytest.mark.parametrize(
    ("path", "prediction", "high", "low"),
    [
        (FLOW, "velocity", 0.9, 0.2),
        (FLOW, "x0", 0.9, 0.2),
        (VE, "epsilon", 3.0, 0.5),
        (VP, "epsilon", 3.0, 0.5),
        (VP, "v", 3.0, 0.5),
    ],
    ids=["flow", "flow x0", "ve", "vp", "vp v"],
)
@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        ("euler", 0.9, 1.15),
        ("heun", 1.9, 2.2),
        ("midpoint", 1.9, 3.2),
        ("dpmpp_2m", 1.8, 2.2),
        ("unipc", 1.9, 3.2),
        ("pndm", 1.9, 4.5),
    ],
)
def test_order_of_convergence(
    kind: str, least: float, most: float, path: Path, prediction: str, high: float, low: float
) -> None:
    found = order(kind, path, prediction, high, low)
    assert least < found < most
    assert solver_kinds()[kind].order <= found + 0.2


@pytest.mark.parametrize("kind", list(solver_kinds()))
def test_a_whole_run_ends_at_the_known_solution(kind: str) -> None:
    torch.manual_seed(1)
    x = torch.randn(SHAPE)
    denoiser = GaussianDenoiser()
    levels = (1 - np.arange(121) / 120).tolist()
    got = solve(kind, levels, x, denoiser)
    worst = float((got - solution(FLOW, x, 1.0, 0.0, MEAN)).abs().max())
    assert worst < (0.03 if kind == "euler" else 0.003)
    calls, last = solver_kinds()[kind].calls, solver_kinds()[kind].last
    begins = 1 if kind == "pndm" else 0  # its first step asks twice
    assert len(denoiser.calls) == calls * 119 + last + begins


def test_the_midpoint_rule_is_rf_solvers_taylor_step() -> None:
    """arXiv:2411.04746 eq. 9, written out with the derivative as a difference of slopes."""
    torch.manual_seed(2)
    x, denoiser, high, low = torch.randn(SHAPE), GaussianDenoiser(), 0.9, 0.6

    model = GuidedModel(denoiser, guider("none", MEAN), SHAPE[0], Hooks()).at(0, 1)

    def velocity(at: Tensor, sigma: float) -> Tensor:
        found = model(at, sigma)
        return found.eps - found.x0

    step = low - high
    here = velocity(x, high)
    bend = (velocity(x + step / 2 * here, high + step / 2) - here) / (step / 2)
    wanted = x + step * here + step * step / 2 * bend
    assert torch.allclose(solve("midpoint", [high, low], x, denoiser), wanted, atol=1e-6)


def test_the_midpoint_rule_is_of_second_order() -> None:
    """On ``dx/ds = cos(3 s) x``, which is not as kind to it as a Gaussian's equation is."""

    def estimate(x: Tensor, sigma: float) -> Estimate:
        rise = math.cos(3 * sigma) * x
        x0 = x - sigma * rise
        return Estimate(x0, x + (1 - sigma) * rise, x0)

    begin = torch.ones(1, dtype=torch.float64)
    want = math.exp((math.sin(0.3) - math.sin(2.7)) / 3)
    errors = []
    for steps in (160, 320):
        x, levels = begin, np.linspace(0.9, 0.1, steps + 1).tolist()
        for here, there in pairwise(levels):
            x = MIDPOINT.advance(Step(x, here, there, estimate, FLOW, (), {}))[0]
        errors.append(abs(float(x[0]) - want))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("kind", [name for name, k in solver_kinds().items() if k.last == 1])
def test_one_step_gives_the_denoised_latent(kind: str) -> None:
    x = torch.randn(SHAPE)
    got = solve(kind, [1.0, 0.0], x, GaussianDenoiser())
    assert torch.allclose(got, torch.full(SHAPE, MEAN), atol=1e-6)


def flow_levels(steps: int, shift: float, low: float) -> list[float]:
    even = np.linspace(1, low, steps)
    return (shift * even / (1 + (shift - 1) * even)).tolist()


def theirs(scheduler: object, x: Tensor, denoiser: GaussianDenoiser) -> Tensor:
    """Run a diffusers scheduler with the exact model, called at its sigmas."""
    levels = [float(s) for s in scheduler.sigmas]
    scheduler.set_begin_index(0)
    for index, time in enumerate(scheduler.timesteps):
        answer = predict(denoiser.process, x, levels[index], MEAN)
        x = scheduler.step(answer, time, x, return_dict=False)[0]
    return x


def near(ours: Tensor, reference: Tensor) -> float:
    return ((ours - reference).norm() / reference.norm()).item()


def test_euler_is_diffusers_flow_match_euler() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(12)
    x = torch.randn(SHAPE)
    want = theirs(scheduler, x, GaussianDenoiser())
    got = solve("euler", [float(s) for s in scheduler.sigmas], x, GaussianDenoiser())
    assert near(got, want) < 1e-5


def test_euler_in_ve_form_is_diffusers_euler() -> None:
    scheduler = EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="trailing")
    scheduler.set_timesteps(12)
    denoiser = GaussianDenoiser(VE, "epsilon")
    x = torch.randn(SHAPE) * float(scheduler.sigmas[0])
    got = solve("euler", [float(s) for s in scheduler.sigmas], x, denoiser)
    scheduler.is_scale_input_called = True
    assert near(got, theirs(scheduler, x, denoiser)) < 1e-5


def test_heun_is_diffusers_flow_match_heun() -> None:
    scheduler = FlowMatchHeunDiscreteScheduler(shift=3.0)
    scheduler.set_timesteps(10)
    doubled = [float(s) for s in scheduler.sigmas]
    x = torch.randn(SHAPE)
    got = solve("heun", [doubled[0], *doubled[1:-1:2], 0.0], x, GaussianDenoiser())
    z, denoiser = x, GaussianDenoiser()
    for time in scheduler.timesteps:
        answer = predict(denoiser.process, z, float(time) / 1000, MEAN)
        z = scheduler.step(answer, time, z, return_dict=False)[0]
    assert near(got, z) < 1e-5


@pytest.mark.parametrize("steps", [5, 20])
def test_dpmpp_2m_is_diffusers_in_flow_form(steps: int) -> None:
    scheduler = DPMSolverMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
    )
    scheduler.set_timesteps(steps)
    x = torch.randn(SHAPE)
    want = theirs(scheduler, x, GaussianDenoiser())
    got = solve("dpmpp_2m", [float(s) for s in scheduler.sigmas], x, GaussianDenoiser())
    assert near(got, want) < 1e-5


def test_dpmpp_2m_is_diffusers_in_vp_form() -> None:
    scheduler = DPMSolverMultistepScheduler(beta_schedule="scaled_linear", use_karras_sigmas=True)
    scheduler.set_timesteps(20)
    x, denoiser = torch.randn(SHAPE), GaussianDenoiser(VP, "epsilon")
    got = solve("dpmpp_2m", [float(s) for s in scheduler.sigmas], x, denoiser)
    assert near(got, theirs(scheduler, x, denoiser)) < 1e-5


@pytest.mark.parametrize("steps", [4, 20])
def test_unipc_is_diffusers_in_flow_form(steps: int) -> None:
    scheduler = UniPCMultistepScheduler(
        use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0
    )
    scheduler.set_timesteps(steps)
    x = torch.randn(SHAPE)
    want = theirs(scheduler, x, GaussianDenoiser())
    got = solve("unipc", [float(s) for s in scheduler.sigmas], x, GaussianDenoiser())
    assert near(got, want) < 1e-4


def test_unipc_is_diffusers_in_vp_form() -> None:
    scheduler = UniPCMultistepScheduler(beta_schedule="scaled_linear")
    scheduler.set_timesteps(20)
    x, denoiser = torch.randn(SHAPE), GaussianDenoiser(VP, "epsilon")
    got = solve("unipc", [float(s) for s in scheduler.sigmas], x, denoiser)
    assert near(got, theirs(scheduler, x, denoiser)) < 1e-5


@pytest.mark.parametrize("steps", [3, 10])
@pytest.mark.parametrize("whole", [False, True])
def test_pndm_is_diffusers_plms(steps: int, whole: bool) -> None:
    """Also where it ends at the first trained level instead of 0."""
    scheduler = PNDMScheduler(
        beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1, set_alpha_to_one=whole
    )
    scheduler.set_timesteps(steps)
    table = ((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod).sqrt().tolist()
    x = torch.randn(SHAPE)
    denoiser, z = GaussianDenoiser(VP, "epsilon"), x
    for time in scheduler.timesteps:
        answer = predict(denoiser.process, z, table[time], MEAN)
        z = scheduler.step(answer, int(time), z, return_dict=False)[0]
    times = sorted(set(scheduler.timesteps.tolist()), reverse=True)
    denoiser.process = replace(denoiser.process, rest=0.0 if whole else table[0])
    got = solve("pndm", [*(table[t] for t in times), 0.0], x, denoiser)
    assert len(denoiser.calls) == len(scheduler.timesteps)
    assert near(got, z) < 1e-5


@pytest.mark.parametrize("kind", list(solver_kinds()))
def test_a_run_that_has_come_to_rest_stays_there(kind: str) -> None:
    denoiser = GaussianDenoiser(VP, "epsilon")
    x = torch.randn(SHAPE)
    levels = [3.0, 1.0, 0.3, 0.1]
    short = solve(kind, levels, x, denoiser)
    denoiser.process = replace(denoiser.process, rest=0.1)
    assert torch.allclose(solve(kind, [*levels, 0.0], x, denoiser), short, atol=1e-6)


def test_ve_and_vp_form_are_one_equation_for_log_snr_solvers() -> None:
    levels = np.geomspace(10, 0.05, 15).tolist()
    x = torch.randn(SHAPE)
    for kind in ("euler", "dpmpp_2m", "unipc"):
        ve = solve(kind, levels, x * 10, GaussianDenoiser(VE, "epsilon"))
        vp = solve(kind, levels, x * VP.scales(10)[1], GaussianDenoiser(VP, "epsilon"))
        assert torch.allclose(ve * VP.scales(0.05)[0], vp, atol=1e-4)
