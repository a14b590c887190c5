"""SDXL and its refiner against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.stable_diffusion_xl import (
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
    StableDiffusionXLPipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from backend.models import sdxl
from backend.models.sdxl import SdxlDenoiser
from backend.models.unet import UnetDenoiser
from backend.values import Conditioning
from tests.backend.models import parity, tiny_sdxl
from tests.backend.models.battery import STRENGTH, Case, PictureParity, Variant, unsized
from tests.backend.models.mistakes import (
    ONE_TIME_OFF,
    called,
    clip_layer,
    clip_normed,
    prepared,
    read_as,
    scaled,
)
from tests.backend.models.parity import (
    HEIGHT,
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    WIDTH,
    Shown,
    Weft,
    coverage,
    difference,
    injected,
    mask_image,
    picture,
    pixels,
    with_hole,
)

DPM = DPMSolverMultistepScheduler
V = {"prediction_type": "v_prediction"}
PURE_NOISE = {**V, "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


def scheduled(kind: Any, solver: str = "euler", **settings: Any) -> Variant:
    """A model with another scheduler, and the solver that does the same."""
    scheduler = kind(**{**tiny_sdxl.TRAINED, **settings})
    return Variant(partial(tiny_sdxl.write, scheduler=scheduler), weft={"solver": solver})


def numbers(by_role: Mapping[str, Mapping[str, float]]) -> Shown:
    """Sizes and scores in the conditionings of each role."""

    def tell(role: str, told: Conditioning) -> Conditioning:
        return replace(told, params={**told.params, **by_role.get(role, {})})

    return tell


def encodes_alike(weft: Weft, pipe: Any, skip: int = 0) -> None:
    with torch.no_grad():
        sequence, _, pooled, _ = pipe.encode_prompt(
            PROMPTS, negative_prompt=NEGATIVE, clip_skip=skip or None
        )
    ours = weft.text(PROMPTS, clip_skip=skip).tensors
    assert difference(torch.from_numpy(ours["sequence"].copy()), sequence) < TOLERANCE
    assert difference(torch.from_numpy(ours["pooled"].copy()), pooled) < TOLERANCE


class TestSdxl(PictureParity):
    case = Case(
        tiny_sdxl.write,
        StableDiffusionXLPipeline,
        StableDiffusionXLImg2ImgPipeline,
        StableDiffusionXLInpaintPipeline,
        picture_sized=False,
        weft={"steps": 5},
        variants={
            "euler, trailing": scheduled(EulerDiscreteScheduler, timestep_spacing="trailing"),
            "euler, linspace": scheduled(EulerDiscreteScheduler, timestep_spacing="linspace"),
            "euler, karras": scheduled(EulerDiscreteScheduler, use_karras_sigmas=True),
            "euler, exponential": scheduled(EulerDiscreteScheduler, use_exponential_sigmas=True),
            "euler, v": scheduled(EulerDiscreteScheduler, **V),
            "euler, v, pure noise": scheduled(EulerDiscreteScheduler, **PURE_NOISE),
            "ddim": scheduled(DDIMScheduler, clip_sample=False),
            "ddim, v, pure noise": scheduled(DDIMScheduler, clip_sample=False, **PURE_NOISE),
            "ddim, not to one": scheduled(DDIMScheduler, clip_sample=False, set_alpha_to_one=False),
            "ddim, leading, not to one": scheduled(
                DDIMScheduler, clip_sample=False, set_alpha_to_one=False, steps_offset=0
            ),
            "dpm++": scheduled(DPM, "dpmpp_2m"),
            "dpm++, karras": scheduled(DPM, "dpmpp_2m", use_karras_sigmas=True),
            "dpm++, v": scheduled(DPM, "dpmpp_2m", **V),
            "unipc": scheduled(UniPCMultistepScheduler, "unipc"),
            "unipc, sigma_min": scheduled(
                UniPCMultistepScheduler, "unipc", final_sigmas_type="sigma_min"
            ),
        },
        mistakes={
            "no pooled text": prepared(SdxlDenoiser, lambda r: {"pooled": r["pooled"] * 0}),
            "sizes of 0": prepared(SdxlDenoiser, lambda r: {"told": r["told"].nan_to_num(0.0)}),
            "the last layer's states": clip_layer(-1),
            "states normed": clip_normed(True),
            "the time before": ONE_TIME_OFF,
            "no steps offset": read_as(sdxl, "process_of", steps_offset=0),
            "betas of another curve": read_as(
                sdxl, "process_of", "noise_table", beta_schedule="linear"
            ),
            "latents not brought to unit variance": called(
                UnetDenoiser, lambda right, x, s, r: right(x * (1 + s**2) ** 0.5, s, r)
            ),
        },
        picture_mistakes={"another scale": scaled(0.18215)},
    )

    @classmethod
    def pipeline(cls, kind: Any, folder: Path) -> Any:
        """Those from pictures take a model for a refiner, unless they are told."""
        pipe = super().pipeline(kind, folder)
        if kind is not StableDiffusionXLPipeline:
            pipe.register_to_config(requires_aesthetics_score=False)
        return pipe

    @pytest.fixture(scope="class")
    @classmethod
    def refiner(cls, tmp_path_factory: pytest.TempPathFactory) -> Weft:
        scored = numbers({"negative": {"aesthetic_score": 2.5}})
        folder = tiny_sdxl.write_refiner(tmp_path_factory.mktemp("refiner"))
        return cls.ours(folder, shown=scored)

    @pytest.fixture(scope="class")
    @classmethod
    def refining(cls, refiner: Weft) -> Any:
        return parity.pipeline(StableDiffusionXLImg2ImgPipeline, refiner.path)

    def test_dpm_solver_ends_where_the_settings_say(self, weft: Weft, tmp_path: Path) -> None:
        """From 15 steps on, below which diffusers makes the last step one of first order."""
        scheduler = DPM(**tiny_sdxl.TRAINED, final_sigmas_type="sigma_min")
        path = tiny_sdxl.write(tmp_path, scheduler=scheduler)
        long = {"solver": "dpmpp_2m", "steps": 16}
        ours, to_zero = self.ours(path, **long), replace(weft, **long)
        theirs = self.latents(self.made(self.pipeline(StableDiffusionXLPipeline, path), ours))
        assert difference(ours.run(ours.empty()), theirs) < TOLERANCE
        assert difference(to_zero.run(weft.empty()), theirs) > MARGIN * TOLERANCE

    def test_an_in_paint_model_equals_the_pipeline(self, tmp_path: Path) -> None:
        ours = self.ours(tiny_sdxl.write(tmp_path, in_channels=9))
        pipe = self.pipeline(StableDiffusionXLInpaintPipeline, tmp_path)
        given = {"image": pixels(), "mask_image": mask_image(), "strength": 1.0}
        with injected(StableDiffusionXLInpaintPipeline):
            theirs = self.latents(pipe(**self.told(pipe, ours), **given))
        found = ours.run(ours.empty(), 12, shown=with_hole(ours, coverage()))
        assert difference(found, theirs) < TOLERANCE

    def test_sizes_are_told_as_the_pipeline_tells_them(self, weft: Weft, pipe: Any) -> None:
        sizes = {
            "original_size": (90, 70),
            "crops_coords_top_left": (6, 2),
            "target_size": (60, 50),
            "negative_original_size": (20, 30),
            "negative_crops_coords_top_left": (1, 0),
            "negative_target_size": (HEIGHT, WIDTH),
        }
        # One sample: the pipeline mixes up positive and negative sizes in a larger batch.
        one = {"prompt": PROMPTS[:1], "negative_prompt": NEGATIVE[:1], "latents": weft.noise()[:1]}
        theirs = self.latents(self.made(pipe, weft, **one, **sizes))
        told = {
            "positive": {
                "original_height": 90, "original_width": 70, "crop_top": 6, "crop_left": 2,
                "target_height": 60, "target_width": 50,
            },
            "negative": {"original_height": 20, "original_width": 30, "crop_top": 1},
        }  # fmt: skip
        texts = {"prompts": PROMPTS[:1], "negative": NEGATIVE[:1]}
        ours = weft.run(weft.empty(1), shown=numbers(told), **texts)
        assert difference(ours, theirs) < TOLERANCE
        assert difference(weft.run(weft.empty(1), **texts), theirs) > MARGIN * TOLERANCE

    @pytest.mark.parametrize("skip", [0, 2])
    def test_text_encoding_equals_the_pipeline(self, skip: int, weft: Weft, pipe: Any) -> None:
        encodes_alike(weft, pipe, skip)

    def test_the_refiner_equals_its_pipeline(self, refiner: Weft, refining: Any) -> None:
        with injected(StableDiffusionXLImg2ImgPipeline):
            told = unsized(self.told(refining, refiner))
            theirs = self.latents(refining(**told, image=pixels(), strength=STRENGTH))
        latent = refiner.encode(picture(), seed=11)
        assert difference(refiner.run(latent, 12, 1 - STRENGTH), theirs) < TOLERANCE
        unscored = refiner.run(latent, 12, 1 - STRENGTH, shown=numbers({}))
        assert difference(unscored, theirs) > MARGIN * TOLERANCE

    def test_base_to_refiner_equals_the_chain_of_pipelines(
        self, weft: Weft, refiner: Weft, pipe: Any, refining: Any
    ) -> None:
        base = replace(weft, steps=10)
        first = self.latents(self.made(pipe, base, denoising_end=0.8))
        told = unsized(self.told(refining, base))
        theirs = self.latents(refining(**told, image=first, denoising_start=0.8))
        left = replace(base, schedule={"end": 0.2}).result(base.empty())
        assert left.sigma > 0
        assert left.space == weft.empty().space
        assert weft.refs.vae.space == refiner.refs.vae.space == "sdxl"
        assert difference(refiner.run(left, steps=10), theirs) < TOLERANCE
        assert difference(base.run(base.empty()), theirs) > MARGIN * TOLERANCE

    def test_the_refiner_encodes_as_its_pipeline(self, refiner: Weft, refining: Any) -> None:
        encodes_alike(refiner, refining)
