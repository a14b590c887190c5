"""SDXL and its refiner against diffusers' pipelines: the same latents in, the same latents out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion_xl import (
    pipeline_stable_diffusion_xl as base_pipeline,
)
from diffusers.pipelines.stable_diffusion_xl import (
    pipeline_stable_diffusion_xl_img2img as img2img_pipeline,
)
from diffusers.pipelines.stable_diffusion_xl import (
    pipeline_stable_diffusion_xl_inpaint as inpaint_pipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from backend.diffusion.noise import sample_seed
from backend.models import clip, kl, sdxl, unet
from backend.models.codec import Scaling
from backend.models.noise_table import NoiseTable
from tests.backend.models import tiny_sdxl
from tests.backend.models.parity import (
    HEIGHT,
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    WIDTH,
    coverage,
    difference,
    injected,
    mask_image,
    picture,
    pipeline,
    pixels,
)
from tests.backend.models.unet_runs import COMMON, SIZED, UnetRuns

Pipeline = base_pipeline.StableDiffusionXLPipeline
ImageToImage = img2img_pipeline.StableDiffusionXLImg2ImgPipeline
InPaint = inpaint_pipeline.StableDiffusionXLInpaintPipeline


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sdxl.write(tmp_path_factory.mktemp("sdxl"))


@pytest.fixture(scope="module")
def refiner_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sdxl.write_refiner(tmp_path_factory.mktemp("refiner"))


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return pipeline(Pipeline, folder)


@pytest.fixture(scope="module")
def weft(folder: Path) -> UnetRuns:
    return UnetRuns.of(folder)


@pytest.fixture(scope="module")
def refiner(refiner_folder: Path) -> UnetRuns:
    found = UnetRuns.of(refiner_folder)
    return replace(found, told={"negative": {"aesthetic_score": 2.5}})


@pytest.fixture(scope="module")
def text_to_image(weft: UnetRuns, pipe: Any) -> torch.Tensor:
    result: torch.Tensor = pipe(**SIZED, latents=weft.noise()).images
    return result


@pytest.fixture(scope="module")
def image_to_image(folder: Path) -> torch.Tensor:
    pipe = pipeline(ImageToImage, folder)
    pipe.register_to_config(requires_aesthetics_score=False)
    with injected(img2img_pipeline):
        result: torch.Tensor = pipe(**COMMON, image=pixels(), strength=0.6).images
    return result


@pytest.fixture(scope="module")
def in_paint(folder: Path) -> torch.Tensor:
    pipe = pipeline(InPaint, folder)
    pipe.register_to_config(requires_aesthetics_score=False)
    with injected(inpaint_pipeline):
        result: torch.Tensor = pipe(
            **SIZED, image=pixels(), mask_image=mask_image(), strength=0.8
        ).images
    return result


def test_text_to_image_equals_the_pipeline(weft: UnetRuns, text_to_image: torch.Tensor) -> None:
    assert difference(weft.latents(weft.empty()), text_to_image) < TOLERANCE


def test_image_to_image_equals_the_pipeline(weft: UnetRuns, image_to_image: torch.Tensor) -> None:
    ours = weft.latents(weft.encode(picture(), seed=11), seed=12, start=1 - 0.6)
    assert difference(ours, image_to_image) < TOLERANCE


def test_in_paint_equals_the_pipeline(weft: UnetRuns, in_paint: torch.Tensor) -> None:
    ours = weft.latents(weft.masked(), seed=12, start=1 - 0.8)
    assert difference(ours, in_paint) < TOLERANCE


def test_an_in_paint_model_equals_the_pipeline(tmp_path: Path) -> None:
    folder = tiny_sdxl.write(tmp_path, in_channels=9)
    with injected(inpaint_pipeline):
        pipe = pipeline(InPaint, folder)
        pipe.register_to_config(requires_aesthetics_score=False)
        given = {"image": pixels(), "mask_image": mask_image()}
        theirs = pipe(**SIZED, **given, strength=1.0).images
    weft = UnetRuns.of(folder, filled=(11, coverage()))
    assert difference(weft.latents(weft.empty(), seed=12), theirs) < TOLERANCE


SCHEDULERS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "euler, trailing": (EulerDiscreteScheduler, "euler", {"timestep_spacing": "trailing"}),
    "euler, linspace": (EulerDiscreteScheduler, "euler", {"timestep_spacing": "linspace"}),
    "euler, karras": (EulerDiscreteScheduler, "euler", {"use_karras_sigmas": True}),
    "euler, exponential": (EulerDiscreteScheduler, "euler", {"use_exponential_sigmas": True}),
    "euler, v": (EulerDiscreteScheduler, "euler", {"prediction_type": "v_prediction"}),
    "euler, v, pure noise": (
        EulerDiscreteScheduler,
        "euler",
        {
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
        },
    ),
    "ddim": (DDIMScheduler, "euler", {"clip_sample": False}),
    "ddim, v, pure noise": (
        DDIMScheduler,
        "euler",
        {
            "clip_sample": False,
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
        },
    ),
    "dpm++": (DPMSolverMultistepScheduler, "dpmpp_2m", {}),
    "dpm++, karras": (DPMSolverMultistepScheduler, "dpmpp_2m", {"use_karras_sigmas": True}),
    "dpm++, v": (DPMSolverMultistepScheduler, "dpmpp_2m", {"prediction_type": "v_prediction"}),
    "unipc": (UniPCMultistepScheduler, "unipc", {}),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_schedulers_settings_are_followed(
    name: str,
    weft: UnetRuns,
    pipe: Any,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kind, solver, settings = SCHEDULERS[name]
    scheduler = kind(**{**tiny_sdxl.TRAINED, **settings})
    ours = UnetRuns.of(tiny_sdxl.with_scheduler(folder, tmp_path / "model", scheduler))
    monkeypatch.setattr(pipe, "scheduler", scheduler)
    theirs = pipe(**SIZED, latents=weft.noise()).images
    assert difference(ours.latents(ours.empty(), solver=solver), theirs) < TOLERANCE


def test_sizes_are_told_as_the_pipeline_tells_them(weft: UnetRuns, pipe: Any) -> None:
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
    theirs = pipe(**{**SIZED, **one}, **sizes).images
    told = {
        "positive": {
            "original_height": 90, "original_width": 70, "crop_top": 6, "crop_left": 2,
            "target_height": 60, "target_width": 50,
        },
        "negative": {"original_height": 20, "original_width": 30, "crop_top": 1},
    }  # fmt: skip
    texts = {"prompts": PROMPTS[:1], "negative": NEGATIVE[:1]}
    ours = replace(weft, told=told).latents(weft.empty(1), **texts)
    assert difference(ours, theirs) < TOLERANCE
    assert difference(weft.latents(weft.empty(1), **texts), theirs) > MARGIN * TOLERANCE


def test_the_refiner_equals_its_pipeline(refiner: UnetRuns, refiner_folder: Path) -> None:
    with injected(img2img_pipeline):
        pipe = pipeline(ImageToImage, refiner_folder)
        theirs = pipe(**COMMON, image=pixels(), strength=0.6).images
    latent = refiner.encode(picture(), seed=11)
    assert difference(refiner.latents(latent, seed=12, start=0.4), theirs) < TOLERANCE
    unscored = replace(refiner, told={})
    assert difference(unscored.latents(latent, seed=12, start=0.4), theirs) > MARGIN * TOLERANCE


def test_base_to_refiner_equals_the_chain_of_pipelines(
    weft: UnetRuns, refiner: UnetRuns, pipe: Any, refiner_folder: Path
) -> None:
    steps = {**COMMON, "num_inference_steps": 10}
    base = pipe(**{**SIZED, **steps}, latents=weft.noise(), denoising_end=0.8).images
    theirs = pipeline(ImageToImage, refiner_folder)(**steps, image=base, denoising_start=0.8).images
    left = weft.result(weft.empty(), steps=10, params={"end": 0.2})
    assert left.sigma > 0
    assert left.space == weft.empty().space
    assert weft.refs.vae.space == refiner.refs.vae.space == "sdxl"
    assert difference(refiner.latents(left, steps=10), theirs) < TOLERANCE
    whole = weft.latents(weft.empty(), steps=10)
    assert difference(whole, theirs) > MARGIN * TOLERANCE


@pytest.mark.parametrize("skip", [0, 2])
def test_text_encoding_equals_the_pipeline(skip: int, weft: UnetRuns, pipe: Any) -> None:
    with torch.no_grad():
        sequence, _, pooled, _ = pipe.encode_prompt(
            PROMPTS, negative_prompt=NEGATIVE, clip_skip=skip or None
        )
    ours = weft.text(PROMPTS, clip_skip=skip).tensors
    assert difference(torch.from_numpy(ours["sequence"].copy()), sequence) < TOLERANCE
    assert difference(torch.from_numpy(ours["pooled"].copy()), pooled) < TOLERANCE


def test_the_refiner_encodes_as_its_pipeline(refiner: UnetRuns, refiner_folder: Path) -> None:
    pipe = pipeline(ImageToImage, refiner_folder)
    with torch.no_grad():
        sequence, _, pooled, _ = pipe.encode_prompt(PROMPTS, negative_prompt=NEGATIVE)
    ours = refiner.text(PROMPTS).tensors
    assert difference(torch.from_numpy(ours["sequence"].copy()), sequence) < TOLERANCE
    assert difference(torch.from_numpy(ours["pooled"].copy()), pooled) < TOLERANCE


def test_decoding_equals_the_pipeline(
    weft: UnetRuns, pipe: Any, text_to_image: torch.Tensor
) -> None:
    theirs = pipe(**{**SIZED, "output_type": "np"}, latents=weft.noise()).images
    latent = weft.empty().but(samples=text_to_image.numpy())
    ours = weft.family.decode_latent(weft.refs.vae, latent, weft.load, "cpu").pixels
    assert difference(torch.from_numpy(ours.copy()), torch.from_numpy(theirs)) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: UnetRuns) -> None:
    both = weft.latents(weft.empty())
    for index in range(2):
        one = slice(index, index + 1)
        alone = weft.latents(
            weft.empty(1),
            seed=sample_seed(3, index),
            prompts=PROMPTS[one],
            negative=NEGATIVE[one],
        )
        assert difference(alone, both[one]) < TOLERANCE


Patch = Callable[[pytest.MonkeyPatch], None]


def _no_pooled(patch: pytest.MonkeyPatch) -> None:
    right = sdxl.SdxlDenoiser.prepare

    def prepare(self: Any, given: Any, count: int) -> Any:
        ready = right(self, given, count)
        return {**ready, "pooled": ready["pooled"] * 0}

    patch.setattr(sdxl.SdxlDenoiser, "prepare", prepare)


def _no_sizes(patch: pytest.MonkeyPatch) -> None:
    right = sdxl.SdxlDenoiser.prepare

    def prepare(self: Any, given: Any, count: int) -> Any:
        ready = right(self, given, count)
        return {**ready, "told": ready["told"].nan_to_num(0.0)}

    patch.setattr(sdxl.SdxlDenoiser, "prepare", prepare)


def _last_layer(patch: pytest.MonkeyPatch) -> None:
    right = clip.states
    patch.setattr(clip, "states", lambda net, ids, back, normed: right(net, ids, back - 1, normed))


def _normed(patch: pytest.MonkeyPatch) -> None:
    right = clip.states
    patch.setattr(clip, "states", lambda net, ids, back, normed: right(net, ids, back, True))


def _one_time_off(patch: pytest.MonkeyPatch) -> None:
    right = NoiseTable.time
    patch.setattr(NoiseTable, "time", lambda self, sigma: right(self, sigma) - 1)


def _no_offset(patch: pytest.MonkeyPatch) -> None:
    right = sdxl.process_of
    patch.setattr(sdxl, "process_of", lambda settings: right({**settings, "steps_offset": 0}))


def _other_curve(patch: pytest.MonkeyPatch) -> None:
    wrong = {"beta_schedule": "linear"}
    for name in ("process_of", "noise_table"):
        right = getattr(sdxl, name)
        patch.setattr(sdxl, name, lambda settings, r=right: r({**settings, **wrong}))


def _unscaled(patch: pytest.MonkeyPatch) -> None:
    right = unet.UnetDenoiser.__call__
    patch.setattr(
        unet.UnetDenoiser,
        "__call__",
        lambda self, x, sigma, ready: right(self, x * (1 + sigma**2) ** 0.5, sigma, ready),
    )


MISTAKES: dict[str, Patch] = {
    "no pooled text": _no_pooled,
    "sizes of 0": _no_sizes,
    "the last layer's states": _last_layer,
    "states normed": _normed,
    "the time before": _one_time_off,
    "no steps offset": _no_offset,
    "betas of another curve": _other_curve,
    "latents not brought to unit variance": _unscaled,
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: UnetRuns, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(weft.latents(weft.empty()), text_to_image) > MARGIN * TOLERANCE


@pytest.mark.parametrize("changed", [{"cfg": 3.3}, {"prompts": PROMPTS[::-1]}, {"seed": 4}])
def test_wrong_settings_are_far_off(
    changed: dict[str, Any], weft: UnetRuns, text_to_image: torch.Tensor
) -> None:
    assert difference(weft.latents(weft.empty(), **changed), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(
    weft: UnetRuns, image_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kl, "scaling_of", lambda config: Scaling(0.18215))
    ours = weft.latents(weft.encode(picture(), seed=11), seed=12, start=1 - 0.6)
    assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_masks_are_far_off(weft: UnetRuns, in_paint: torch.Tensor) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    for wrong in (1 - latent.mask, np.ones_like(latent.mask), np.roll(latent.mask, 1, axis=2)):
        ours = weft.latents(latent.but(mask=wrong), seed=12, start=1 - 0.8)
        assert difference(ours, in_paint) > MARGIN * TOLERANCE
