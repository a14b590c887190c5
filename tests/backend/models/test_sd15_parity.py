"""Stable Diffusion 1 and 2 against diffusers' pipelines: the same latents in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion import (
    pipeline_stable_diffusion as base_pipeline,
)
from diffusers.pipelines.stable_diffusion import (
    pipeline_stable_diffusion_img2img as img2img_pipeline,
)
from diffusers.pipelines.stable_diffusion import (
    pipeline_stable_diffusion_inpaint as inpaint_pipeline,
)
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

from backend.diffusion.noise import sample_seed
from backend.models import clip, kl, sd15
from backend.models.codec import Scaling
from backend.models.noise_table import NoiseTable
from tests.backend.models import tiny_sd15
from tests.backend.models.parity import (
    MARGIN,
    NEGATIVE,
    PROMPTS,
    TOLERANCE,
    coverage,
    difference,
    injected,
    mask_image,
    picture,
    pipeline,
    pixels,
)
from tests.backend.models.tiny_sdxl import with_scheduler
from tests.backend.models.unet_runs import COMMON, SIZED, UnetRuns

Pipeline = base_pipeline.StableDiffusionPipeline
ImageToImage = img2img_pipeline.StableDiffusionImg2ImgPipeline
InPaint = inpaint_pipeline.StableDiffusionInpaintPipeline


def compared(kind: Any, folder: Path) -> Any:
    """A pipeline with Euler's scheduler: Weft's solvers hold none of PNDM's linear multisteps."""
    pipe = pipeline(kind, folder)
    pipe.scheduler = EulerDiscreteScheduler.from_config(pipe.scheduler.config)
    return pipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_sd15.write(tmp_path_factory.mktemp("sd15"))


@pytest.fixture(scope="module")
def weft(folder: Path) -> UnetRuns:
    return UnetRuns.of(folder)


@pytest.fixture(scope="module")
def pipe(folder: Path) -> Any:
    return compared(Pipeline, folder)


@pytest.fixture(scope="module")
def text_to_image(weft: UnetRuns, pipe: Any) -> torch.Tensor:
    result: torch.Tensor = pipe(**SIZED, latents=weft.noise()).images
    return result


@pytest.fixture(scope="module")
def image_to_image(folder: Path) -> torch.Tensor:
    with injected(img2img_pipeline):
        pipe = compared(ImageToImage, folder)
        result: torch.Tensor = pipe(**COMMON, image=pixels(), strength=0.6).images
    return result


@pytest.fixture(scope="module")
def in_paint(folder: Path) -> torch.Tensor:
    with injected(inpaint_pipeline):
        pipe = compared(InPaint, folder)
        given = {"image": pixels(), "mask_image": mask_image()}
        result: torch.Tensor = pipe(**SIZED, **given, strength=0.8).images
    return result


def test_text_to_image_equals_the_pipeline(weft: UnetRuns, text_to_image: torch.Tensor) -> None:
    assert difference(weft.latents(weft.empty()), text_to_image) < TOLERANCE


def test_image_to_image_equals_the_pipeline(weft: UnetRuns, image_to_image: torch.Tensor) -> None:
    ours = weft.latents(weft.encode(picture(), seed=11), seed=12, start=1 - 0.6)
    assert difference(ours, image_to_image) < TOLERANCE


def test_in_paint_equals_the_pipeline(weft: UnetRuns, in_paint: torch.Tensor) -> None:
    ours = weft.latents(weft.masked(), seed=12, start=1 - 0.8)
    assert difference(ours, in_paint) < TOLERANCE


@pytest.mark.parametrize("strength", [1.0, 0.6])
def test_an_in_paint_model_equals_the_pipeline(strength: float, tmp_path: Path) -> None:
    folder = tiny_sd15.write(tmp_path, in_channels=9)
    with injected(inpaint_pipeline):
        given = {"image": pixels(), "mask_image": mask_image()}
        theirs = compared(InPaint, folder)(**SIZED, **given, strength=strength).images
    weft = UnetRuns.of(folder, filled=(11, coverage()))
    start = weft.empty() if strength == 1 else weft.encode(picture(), seed=11)
    settings = {"seed": 12, "start": 1 - strength}
    assert difference(weft.latents(start, **settings), theirs) < TOLERANCE
    for wrong in ((11, 1 - coverage()), (10, coverage())):
        other = replace(weft, filled=wrong)
        assert difference(other.latents(start, **settings), theirs) > MARGIN * TOLERANCE


def test_dpm_solver_equals_the_pipeline(
    weft: UnetRuns, pipe: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = DPMSolverMultistepScheduler.from_config(pipe.scheduler.config)
    ours = UnetRuns.of(with_scheduler(folder, tmp_path / "model", scheduler))
    monkeypatch.setattr(pipe, "scheduler", scheduler)
    theirs = pipe(**SIZED, latents=weft.noise()).images
    assert difference(ours.latents(ours.empty(), solver="dpmpp_2m"), theirs) < TOLERANCE


def test_a_model_that_predicts_v_equals_the_pipeline(tmp_path: Path) -> None:
    folder = tiny_sd15.write_v(tmp_path)
    ours = UnetRuns.of(folder)
    theirs = pipeline(Pipeline, folder)(**SIZED, latents=ours.noise()).images
    assert difference(ours.latents(ours.empty()), theirs) < TOLERANCE


def test_text_encoding_equals_the_pipeline(weft: UnetRuns, pipe: Any) -> None:
    with torch.no_grad():
        positive, negative = pipe.encode_prompt(PROMPTS, "cpu", 1, True, NEGATIVE)
    for texts, expected in ((PROMPTS, positive), (NEGATIVE, negative)):
        ours = weft.text(texts).tensors["sequence"]
        assert difference(torch.from_numpy(ours.copy()), expected) < TOLERANCE


def test_a_skipped_layer_is_left_out_before_the_norm(weft: UnetRuns, pipe: Any) -> None:
    net = pipe.text_encoder
    ids = pipe.tokenizer(
        PROMPTS, padding="max_length", max_length=24, truncation=True, return_tensors="pt"
    ).input_ids
    with torch.no_grad():
        x = net.embeddings(ids)
        mask = torch.full((24, 24), float("-inf")).triu(1)[None, None]
        for layer in net.encoder.layers[:-1]:
            x = layer(x, mask)
        expected = net.final_layer_norm(x)
    ours = weft.text(PROMPTS, clip_skip=1).tensors["sequence"]
    assert difference(torch.from_numpy(ours.copy()), expected) < TOLERANCE


def test_decoding_equals_the_pipeline(
    weft: UnetRuns, pipe: Any, text_to_image: torch.Tensor
) -> None:
    theirs = pipe(**{**SIZED, "output_type": "np"}, latents=weft.noise()).images
    assert difference(weft.decode(text_to_image), torch.from_numpy(theirs)) < TOLERANCE


def test_a_batch_equals_its_samples_alone(weft: UnetRuns) -> None:
    both = weft.latents(weft.empty())
    for index in range(2):
        one = slice(index, index + 1)
        texts = {"prompts": PROMPTS[one], "negative": NEGATIVE[one]}
        alone = weft.latents(weft.empty(1), seed=sample_seed(3, index), **texts)
        assert difference(alone, both[one]) < TOLERANCE


Patch = Callable[[pytest.MonkeyPatch], None]


def _unnormed(patch: pytest.MonkeyPatch) -> None:
    right = clip.states
    patch.setattr(clip, "states", lambda net, ids, back, normed: right(net, ids, back, False))


def _layer_before(patch: pytest.MonkeyPatch) -> None:
    right = clip.states
    patch.setattr(clip, "states", lambda net, ids, back, normed: right(net, ids, back + 1, normed))


def _one_time_off(patch: pytest.MonkeyPatch) -> None:
    right = NoiseTable.time
    patch.setattr(NoiseTable, "time", lambda self, sigma: right(self, sigma) - 1)


def _other_settings(**wrong: Any) -> Patch:
    def patch_it(patch: pytest.MonkeyPatch) -> None:
        right = sd15.process_of
        patch.setattr(sd15, "process_of", lambda settings: right({**settings, **wrong}))

    return patch_it


MISTAKES: dict[str, Patch] = {
    "states not normed": _unnormed,
    "a layer too early": _layer_before,
    "the time before": _one_time_off,
    "no steps offset": _other_settings(steps_offset=0),
    "trailing instead of leading": _other_settings(timestep_spacing="trailing"),
    "v taken for noise": _other_settings(prediction_type="v_prediction"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_far_off(
    name: str, weft: UnetRuns, text_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    MISTAKES[name](monkeypatch)
    assert difference(weft.latents(weft.empty()), text_to_image) > MARGIN * TOLERANCE


def test_an_unscaled_vae_is_far_off(
    weft: UnetRuns, image_to_image: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kl, "scaling_of", lambda config: Scaling(0.13025))
    ours = weft.latents(weft.encode(picture(), seed=11), seed=12, start=1 - 0.6)
    assert difference(ours, image_to_image) > MARGIN * TOLERANCE


def test_wrong_masks_are_far_off(weft: UnetRuns, in_paint: torch.Tensor) -> None:
    latent = weft.masked()
    assert latent.mask is not None
    for wrong in (1 - latent.mask, np.roll(latent.mask, 1, axis=2)):
        ours = weft.latents(latent.but(mask=wrong), seed=12, start=1 - 0.8)
        assert difference(ours, in_paint) > MARGIN * TOLERANCE
