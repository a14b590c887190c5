"""The denoiser interface on a model that shares nothing with Flux: an SDXL UNet.

Noise prediction, variance exploding path, its own table of levels, size conditioning, two texts
joined; written here in the test, against diffusers' own pipeline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from torch import Tensor

from backend.diffusion.noise import gaussian
from backend.diffusion.paths import VE, VP, Path
from backend.diffusion.process import Process
from backend.diffusion.sample import sample
from backend.values import Conditioning, Guider, Latent, Noise, Schedule, Solver, Term
from tests.backend.models import tiny

WIDTH, HEIGHT, STEPS = 48, 32, 6
TRAINED: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}


def unet() -> UNet2DConditionModel:
    torch.manual_seed(0)
    net = UNet2DConditionModel(
        block_out_channels=(32, 64),
        layers_per_block=1,
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=80,
        cross_attention_dim=64,
    )
    return net.eval()


def table() -> np.ndarray[Any, np.dtype[np.float64]]:
    """The noise level of each of the 1000 trained steps."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    kept = np.cumprod(1 - betas)
    return np.sqrt((1 - kept) / kept)


def leading(steps: int) -> list[float]:
    """Every (1000 / steps)-th trained level, from the top, one step in."""
    times = np.arange(steps)[::-1] * (1000 // steps) + 1
    return table()[times].tolist()


class UnetDenoiser:
    """The same four members as any family's denoiser."""

    def __init__(self, net: UNet2DConditionModel, path: Path) -> None:
        levels = table()
        ends = (float(levels[-1]), float(levels[0]))
        self.process = Process(path, "epsilon", grid=leading, ends=ends)
        self.net = net

    def tokens(self, shape: Sequence[int]) -> int:
        return int(shape[-1] * shape[-2])

    def prepare(self, conditionings: Sequence[Conditioning], count: int) -> dict[str, Any]:
        def joined(name: str) -> Tensor:
            parts = [torch.from_numpy(c.tensors[name].copy()) for c in conditionings]
            return torch.cat([p.expand(count, *p.shape[1:]) for p in parts])

        sizes = [c.params["sizes"] for c in conditionings for _ in range(count)]
        extra = {"text_embeds": joined("pooled"), "time_ids": torch.tensor(sizes).float()}
        return {"encoder_hidden_states": joined("sequence"), "added_cond_kwargs": extra}

    def __call__(self, x: Tensor, sigma: float, prepared: Any) -> Tensor:
        time = float(np.interp(math.log(sigma), np.log(table()), np.arange(1000)))
        scaled = x / math.sqrt(1 + sigma * sigma) if self.process.path.name == "ve" else x
        return self.net(scaled, torch.tensor(round(time)), return_dict=False, **prepared)[0]


def conditions() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {
        "prompt_embeds": torch.randn(2, 7, 64),
        "negative_prompt_embeds": torch.randn(2, 7, 64),
        "pooled_prompt_embeds": torch.randn(2, 32),
        "negative_pooled_prompt_embeds": torch.randn(2, 32),
    }


@pytest.mark.parametrize(
    ("solver", "scheduler", "path"),
    [
        ("euler", EulerDiscreteScheduler(**TRAINED), VE),
        ("dpmpp_2m", DPMSolverMultistepScheduler(**TRAINED), VP),
    ],
    ids=["euler", "dpm++"],
)
def test_an_sdxl_unet_runs_on_the_same_loop(solver: str, scheduler: Any, path: Path) -> None:
    net, given = unet(), conditions()
    noise = gaussian(5, (2, 4, HEIGHT // 2, WIDTH // 2))
    pipe = StableDiffusionXLPipeline(
        tiny.vae(), None, None, None, None, net, scheduler, add_watermarker=False
    )
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        **given, height=HEIGHT, width=WIDTH, num_inference_steps=STEPS, guidance_scale=5.0,
        latents=noise, output_type="latent",
    ).images  # fmt: skip
    levels = tuple(float(s) for s in scheduler.sigmas)
    sizes = {"sizes": (HEIGHT, WIDTH, 0, 0, HEIGHT, WIDTH)}

    def condition(sign: str) -> Conditioning:
        tensors = {
            "sequence": given[f"{sign}prompt_embeds"].numpy(),
            "pooled": given[f"{sign}pooled_prompt_embeds"].numpy(),
        }
        return Conditioning("sdxl", tensors, sizes)

    terms = (Term("positive", condition("")), Term("negative", condition("negative_")))
    native = Schedule("native", steps=STEPS)
    plan = native if solver == "euler" else Schedule("native", steps=STEPS, sigmas=levels)
    ours = sample(
        UnetDenoiser(net, path), Guider("cfg", {"cfg": 5.0}, None, terms), Solver(solver), plan,
        Noise("gaussian", seed=5), Latent(np.zeros((2, 4, HEIGHT // 2, WIDTH // 2)), "sdxl"),
    )  # fmt: skip
    found = torch.from_numpy(ours.samples.copy())
    assert ((found - theirs).norm() / theirs.norm()).item() < 1e-4
